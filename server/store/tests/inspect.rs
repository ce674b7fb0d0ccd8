//! Inspecting files finds what is wrong and changes nothing.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::FileExt;
use store::{ControlStore, Location, inspect};

#[tokio::test]
async fn nothing_is_named_and_nothing_made_where_there_is_no_database() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(inspect(&Location::files(dir.path())).await.unwrap(), []);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_sound_database_is_current_and_undamaged() {
    let dir = tempfile::tempdir().unwrap();
    let control = ControlStore::open(&Location::files(dir.path())).await.unwrap();
    assert_eq!(control.pending_migrations().await.unwrap(), Vec::<i64>::new());
    control.close().await;
    let found = inspect(&Location::files(dir.path())).await.unwrap();
    let only = found.first().unwrap();
    assert_eq!(found.len(), 1);
    assert!(only.pending.is_empty() && only.unknown.is_empty() && only.damage.is_empty(), "{only:?}");
}

#[tokio::test]
async fn a_migration_taken_away_is_missed_and_one_from_the_future_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let control = ControlStore::open(&Location::files(dir.path())).await.unwrap();
    control.write("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").execute().await.unwrap();
    assert_eq!(control.pending_migrations().await.unwrap(), [1]);
    control.close().await;
    let found = inspect(&Location::files(dir.path())).await.unwrap();
    assert_eq!((&found[0].pending[..], &found[0].unknown[..]), (&[1][..], &[9999][..]));
}

#[tokio::test]
async fn damage_is_told() {
    let dir = tempfile::tempdir().unwrap();
    ControlStore::open(&Location::files(dir.path())).await.unwrap().close().await;
    let file = std::fs::OpenOptions::new().write(true).open(dir.path().join("control.db")).unwrap();
    let size = file.metadata().unwrap().len();
    file.write_all_at(&vec![0x55; usize::try_from(size - 4096).unwrap()], 4096).unwrap();
    assert!(!inspect(&Location::files(dir.path())).await.unwrap()[0].damage.is_empty());
}
