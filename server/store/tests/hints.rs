//! Hints between processes: they arrive, and their loss is told.
#![allow(clippy::unwrap_used)]

use std::time::Duration;
use store::{ControlStore, Hint, Hints};
use testbase::{Engine, Scratch};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(5);

async fn heard(hint: &mut Hint) -> bool {
    timeout(SOON, hint.came()).await.is_ok()
}

/// Whoever begins to listen tells everybody: what came before may have been missed.
async fn quiet(hint: &mut Hint) {
    while timeout(Duration::from_millis(1_200), hint.came()).await.is_ok() {}
}

#[tokio::test]
async fn what_one_process_tells_another_hears_and_nobody_else() {
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let elsewhere = Scratch::on(Engine::Postgres).await.unwrap();
    let (one, other) = (Hints::open(scratch.location()), Hints::open(scratch.location()));
    let stranger = Hints::open(elsewhere.location());
    let (mut hint, mut apart, mut foreign) = (other.about("run/1"), other.about("run/2"), stranger.about("run/1"));
    quiet(&mut hint).await;
    quiet(&mut apart).await;
    quiet(&mut foreign).await;
    for _ in 0..1_000 {
        one.tell("run/1");
    }
    assert!(heard(&mut hint).await);
    assert!(timeout(Duration::from_millis(300), apart.came()).await.is_err());
    assert!(timeout(Duration::from_millis(100), foreign.came()).await.is_err());
    quiet(&mut hint).await;
    one.set_company(false);
    one.tell("run/1");
    assert!(timeout(Duration::from_millis(300), hint.came()).await.is_err(), "told although nobody is there");
    one.close().await;
    one.tell("run/1");
}

#[tokio::test]
async fn a_lost_connection_wakes_everybody_and_comes_back() {
    const CUT: &str = "
        SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%')";
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    ControlStore::open(scratch.location()).await.unwrap().close().await;
    let (one, other) = (Hints::open(scratch.location()), Hints::open(scratch.location()));
    let mut hint = other.about("run/1");
    quiet(&mut hint).await;
    one.tell("run/1");
    assert!(heard(&mut hint).await);
    quiet(&mut hint).await;
    scratch.administrate(CUT).await.unwrap();
    assert!(heard(&mut hint).await, "the loss of hints is one");
    quiet(&mut hint).await;
    // The first may meet the connection that was cut.
    for _ in 0..20 {
        one.tell("run/1");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(heard(&mut hint).await);
}
