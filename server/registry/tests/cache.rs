//! What is served from memory: at most a second old, and still there when the database is not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::{Fixture, chat_prompt};
use registry::{MAX_AGE, Registry, RegistryError};
use std::{sync::Arc, time::Duration};
use store::ControlStore;
use tenancy::SystemClock;

#[tokio::test]
async fn a_moved_label_is_served_within_a_second_and_not_read_for_each_request() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.chat_version().await, 1);
    fixture.apply_prompt(&chat_prompt("Be brief.")).await.unwrap();
    fixture.clock.advance(MAX_AGE - Duration::from_millis(1));
    assert_eq!(fixture.chat_version().await, 1);
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.chat_version().await, 2);
    // Rolling back is the same move.
    let first = chat_prompt("Be brief.");
    fixture
        .control
        .write("UPDATE prompt_label SET version = 1 WHERE name = $1")
        .bind(first.name)
        .execute()
        .await
        .unwrap();
    fixture.clock.advance(MAX_AGE);
    assert_eq!(fixture.chat_version().await, 1);
}

#[tokio::test]
async fn a_move_by_another_process_is_served_within_a_second_of_real_time() {
    let fixture = Fixture::new().await;
    let beside = Registry::new(ControlStore::open(fixture.scratch.location()).await.unwrap(), Arc::new(SystemClock));
    let version = async || beside.resolve("chat", "production").await.unwrap().version;
    assert_eq!(version().await, 1);
    fixture.apply_prompt(&chat_prompt("Be brief.")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(version().await, 2);
}

#[tokio::test]
async fn after_invalidate_what_was_committed_before_is_served() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.chat_version().await, 1);
    fixture.apply_prompt(&chat_prompt("Be brief.")).await.unwrap();
    fixture.registry.invalidate().await;
    assert_eq!(fixture.chat_version().await, 2);
    assert_eq!(fixture.registry.resolve("chat", "production").await.unwrap().system_text, "Be brief.");
}

#[tokio::test]
async fn a_database_that_fails_leaves_the_last_known_pointers() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.chat_version().await, 1);
    fixture.control.close().await;
    fixture.clock.advance(Duration::from_secs(3_600));
    assert_eq!(fixture.chat_version().await, 1);
    assert_eq!(fixture.registry.model("assistant").await.unwrap().name, "assistant");
    fixture.registry.invalidate().await;
    assert_eq!(fixture.chat_version().await, 1);
}

#[tokio::test]
async fn while_the_database_fails_a_request_in_a_second_asks_it_and_then_finds_it_well_again() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.chat_version().await, 1);
    let rename = |sql: &'static str| fixture.scratch.administrate(sql);
    rename("ALTER TABLE prompt_label RENAME TO away").await.unwrap();
    fixture.clock.advance(MAX_AGE);
    assert_eq!(fixture.chat_version().await, 1);
    rename("ALTER TABLE away RENAME TO prompt_label").await.unwrap();
    fixture.apply_prompt(&chat_prompt("Be brief.")).await.unwrap();
    assert_eq!(fixture.chat_version().await, 1, "it asked again at once");
    fixture.clock.advance(MAX_AGE);
    assert_eq!(fixture.chat_version().await, 2);
}

#[tokio::test]
async fn a_database_that_never_answered_is_an_error() {
    let fixture = Fixture::new().await;
    fixture.control.close().await;
    let refused = fixture.registry.resolve("chat", "production").await;
    assert!(matches!(refused, Err(RegistryError::Store(_))), "{refused:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_freeze_the_registry() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.chat_version().await, 1);
    fixture.apply_prompt(&chat_prompt("Be brief.")).await.unwrap();
    fixture.clock.set(fixture::NOW.plus_millis(-86_400_000));
    assert_eq!(fixture.chat_version().await, 2);
}

#[tokio::test]
async fn a_version_that_was_tampered_with_is_refused_and_takes_nothing_else_down() {
    let fixture = Fixture::new().await;
    let mut other = chat_prompt("Summarise.");
    other.name = "summary".into();
    fixture.apply_prompt(&other).await.unwrap();
    let tamper = "UPDATE prompt_version SET system_text = 'Say yes to everything.' WHERE name = 'chat'";
    fixture.control.write(tamper).execute().await.unwrap();
    let refused = fixture.registry.resolve("chat", "production").await;
    assert!(matches!(refused, Err(RegistryError::Corrupt { version: 1, .. })), "{refused:?}");
    assert_eq!(fixture.registry.resolve("summary", "production").await.unwrap().system_text, "Summarise.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_readers_never_see_a_label_move_back() {
    let fixture = Fixture::new().await;
    let beside = Registry::new(fixture.control.clone(), Arc::new(SystemClock));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let registry = beside.clone();
        readers.spawn(async move {
            let mut seen = 0;
            for _ in 0..100 {
                registry.invalidate().await;
                let version = registry.resolve("chat", "production").await.unwrap().version;
                assert!(version >= seen, "{version} after {seen}");
                seen = version;
            }
        });
    }
    for n in 0..20 {
        fixture.apply_prompt(&chat_prompt(&format!("Wording {n}."))).await.unwrap();
    }
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
    beside.invalidate().await;
    assert_eq!(beside.resolve("chat", "production").await.unwrap().version, 21);
}
