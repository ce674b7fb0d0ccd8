//! Secrets open under their key and in their place, and the key is kept from others.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    thread,
};
use store::ControlStore;
use tenancy::{Vault, VaultError};
use testbase::Scratch;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const OTHER_KEY: &str = "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn with_key(key: &str) -> Vault {
    Vault::open(Path::new("/nowhere"), Some(key), None).unwrap()
}

fn write_key(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_secret_opens_in_its_own_context_only() {
    let vault = with_key(KEY);
    let sealed = vault.seal("provider openai-eu", "sk-very-secret").unwrap();
    assert_eq!(vault.unseal("provider openai-eu", &sealed).unwrap().expose(), "sk-very-secret");
    let moved = vault.unseal("provider other", &sealed).unwrap_err();
    assert!(matches!(moved, VaultError::Unseal { .. }), "{moved}");
    assert!(with_key(OTHER_KEY).unseal("provider openai-eu", &sealed).is_err());
}

#[test]
fn whatever_is_changed_or_cut_does_not_open() {
    let vault = with_key(KEY);
    let sealed = vault.seal("provider x", "secret").unwrap();
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert!(vault.unseal("provider x", &changed).is_err(), "byte {position}");
        assert!(vault.unseal("provider x", &sealed[..position]).is_err(), "cut at {position}");
    }
}

#[test]
fn sealing_twice_gives_nothing_to_compare() {
    let vault = with_key(KEY);
    let (one, two) = (vault.seal("provider x", "secret").unwrap(), vault.seal("provider x", "secret").unwrap());
    assert_ne!(one, two);
    assert!(!one.windows(6).any(|window| window == b"secret"));
}

#[test]
fn nothing_secret_is_shown() {
    let vault = with_key(KEY);
    let sealed = vault.seal("provider x", "sk-very-secret").unwrap();
    let shown = format!("{vault:?} {:?}", vault.unseal("provider x", &sealed).unwrap());
    assert_eq!(shown, "Vault(…) Secret(…)");
}

#[test]
fn the_key_is_made_once_for_its_owner_alone_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let sealed = Vault::open(&data, None, None).unwrap().seal("provider x", "secret").unwrap();
    let mode = fs::metadata(data.join("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Vault::open(&data, None, None).unwrap();
    assert_eq!(again.unseal("provider x", &sealed).unwrap().expose(), "secret");
    let names: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["master.key"], "nothing is left beside it");
}

#[test]
fn two_first_starts_at_once_agree_on_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let vaults: Vec<Vault> = thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Vault::open(dir.path(), None, None).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let sealed = vaults[0].seal("provider x", "secret").unwrap();
    for vault in &vaults {
        assert_eq!(vault.unseal("provider x", &sealed).unwrap().expose(), "secret");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    for mode in [0o640, 0o604, 0o660, 0o610] {
        write_key(&path, KEY, mode);
        for opened in [Vault::open(dir.path(), None, None), Vault::open(dir.path(), None, Some(&path))] {
            let refused = opened.unwrap_err().to_string();
            assert!(refused.contains("master.key") && refused.contains("chmod 600"), "{mode:o}: {refused}");
        }
    }
    write_key(&path, KEY, 0o600);
    Vault::open(dir.path(), None, None).unwrap();
    // What counts is the file itself, not the link to it.
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    Vault::open(dir.path(), None, Some(&link)).unwrap();
}

#[test]
fn a_key_that_is_none_is_named_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    for wrong in ["", "c2hvcnQ=", "not base64 at all, really not", &KEY[1..], &format!("{KEY}{KEY}")] {
        write_key(&path, wrong, 0o600);
        let refused = Vault::open(dir.path(), None, None).unwrap_err();
        assert!(matches!(refused, VaultError::Malformed { .. }), "{wrong}: {refused}");
        assert!(refused.to_string().contains("master.key"), "{refused}");
        assert!(wrong.is_empty() || !refused.to_string().contains(wrong), "the text may be most of a key");
        assert_eq!(fs::read_to_string(&path).unwrap(), wrong);
        let refused = Vault::open(dir.path(), Some(wrong), None).unwrap_err();
        assert!(refused.to_string().starts_with("SEAM_MASTER_KEY must hold 32 bytes"), "{refused}");
    }
}

#[test]
fn the_key_comes_from_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("elsewhere.key");
    let missing = Vault::open(dir.path(), None, Some(&path)).unwrap_err();
    assert!(matches!(missing, VaultError::File { .. }), "a named file is not made up: {missing}");
    write_key(&path, &format!("{KEY}\n"), 0o400);
    let both = Vault::open(dir.path(), Some(KEY), Some(&path)).unwrap_err();
    assert!(matches!(both, VaultError::TwoKeys), "{both}");
    let sealed = with_key(KEY).seal("provider x", "secret").unwrap();
    let from_file = Vault::open(dir.path(), None, Some(&path)).unwrap();
    assert_eq!(from_file.unseal("provider x", &sealed).unwrap().expose(), "secret");
    assert!(!dir.path().join("master.key").exists());
}

#[test]
fn a_directory_that_cannot_hold_the_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("a-file");
    fs::write(&blocked, "").unwrap();
    let refused = Vault::open(&blocked.join("data"), None, None).unwrap_err().to_string();
    assert!(refused.contains("a-file"), "{refused}");
}

#[tokio::test]
async fn a_database_knows_its_master_key_and_refuses_another() {
    let scratch = Scratch::new().await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let (first, second) = (scratch.dir().join("first"), scratch.dir().join("second"));
    let vault = Vault::open_for(&control, &first, None, None).await.unwrap();
    let sealed = vault.seal("provider x", "secret").unwrap();

    let missing = Vault::open_for(&control, &second, None, None).await.unwrap_err();
    assert!(
        matches!(missing, VaultError::Missing { .. }) && missing.to_string().contains("SEAM_MASTER_KEY"),
        "{missing}"
    );
    assert!(!second.join("master.key").exists(), "a key was made up that opens nothing");
    let foreign = Vault::open_for(&control, &second, Some(KEY), None).await.unwrap_err();
    assert!(foreign.to_string().starts_with("SEAM_MASTER_KEY is not the master key"), "{foreign}");

    let same = fs::read_to_string(first.join("master.key")).unwrap();
    let again = Vault::open_for(&control, &second, Some(same.trim()), None).await.unwrap();
    assert_eq!(again.unseal("provider x", &sealed).unwrap().expose(), "secret");
    Vault::open_for(&control, &first, None, None).await.unwrap();
}

#[tokio::test]
async fn of_several_keys_that_come_at_once_one_is_the_database_s() {
    let scratch = Scratch::new().await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let opened = futures::future::join_all((0..6).map(|node| {
        let (control, dir) = (control.clone(), scratch.dir().join(node.to_string()));
        async move { Vault::open_for(&control, &dir, None, None).await }
    }));
    let opened = opened.await;
    assert_eq!(opened.iter().filter(|vault| vault.is_ok()).count(), 1, "{opened:?}");
}
