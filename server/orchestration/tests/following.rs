//! What readers of a run are promised: every event, in order, once, whenever they come and however often.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests too

use contract::{NewMessage, RunEventRecord, RunStarted};
use futures::StreamExt;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use testkit::{Fixture, text_of};

async fn talking(options: Value) -> (Arc<Fixture>, RunStarted) {
    let fixture = Fixture::open().await.unwrap();
    fixture.simulate("sim", options).await.unwrap();
    let message = NewMessage { conversation: None, text: "talk".to_owned(), model: Some("sim".to_owned()) };
    let started = fixture.chats.send(&fixture.member, message).await.unwrap();
    (Arc::new(fixture), started)
}

async fn stored_text(fixture: &Fixture, started: &RunStarted) -> String {
    let view = fixture.chats.conversation(&fixture.member, started.conversation, None, 10).await.unwrap();
    view.messages.last().unwrap().text.clone()
}

fn numbers(events: &[RunEventRecord]) -> Vec<i64> {
    events.iter().map(|record| record.seq).collect()
}

#[tokio::test]
async fn a_second_reader_joins_midway_and_both_read_the_whole_answer() {
    let (fixture, started) = talking(json!({ "tokens": 60, "tokens_per_second": 200.0 })).await;
    let first = tokio::spawn({
        let fixture = Arc::clone(&fixture);
        let run = started.run;
        async move { fixture.events(run, 0).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    // As a reload does: what is shown says where to go on.
    let view = fixture.chats.conversation(&fixture.member, started.conversation, None, 10).await.unwrap();
    let shown = view.messages.last().unwrap();
    assert!(shown.last_seq > 1 && !shown.text.is_empty());
    let rest = fixture.events(started.run, shown.last_seq).await.unwrap();
    let all = first.await.unwrap();

    let stored = stored_text(&fixture, &started).await;
    assert_eq!(text_of(&all), stored);
    assert_eq!(format!("{}{}", shown.text, text_of(&rest)), stored);
    assert_eq!(numbers(&all), (1..=all.len() as i64).collect::<Vec<_>>());
    assert_eq!(numbers(&rest), (shown.last_seq + 1..=all.len() as i64).collect::<Vec<_>>());
    assert!(rest.len() > 1, "the second reader came too late to test anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_and_go_at_random_lose_and_repeat_nothing() {
    let (fixture, started) = talking(json!({ "tokens": 300, "tokens_per_second": 500.0 })).await;
    let mut readers = tokio::task::JoinSet::new();
    for seed in 1..=40u64 {
        let (fixture, run) = (Arc::clone(&fixture), started.run);
        readers.spawn(async move {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut seen: Vec<RunEventRecord> = Vec::new();
            let mut visits = 0;
            while !seen.last().is_some_and(|record| record.event.is_terminal()) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let after = seen.last().map_or(0, |record| record.seq);
                let events = fixture.chats.subscribe(&fixture.member, run, after).await.unwrap();
                let stay = usize::try_from(random % 23).unwrap();
                seen.extend(events.take(stay).map(Result::unwrap).collect::<Vec<_>>().await);
                visits += 1;
            }
            (seen, visits)
        });
    }
    let all = readers.join_all().await;
    let stored = stored_text(&fixture, &started).await;
    for (seen, visits) in all {
        assert_eq!(numbers(&seen), (1..=seen.len() as i64).collect::<Vec<_>>());
        assert_eq!(text_of(&seen), stored);
        assert!(visits > 5, "a reader came only {visits} times");
    }
}

#[tokio::test]
async fn what_is_read_is_already_stored() {
    let (fixture, started) = talking(json!({ "tokens": 40, "tokens_per_second": 200.0 })).await;
    let mut live = fixture.chats.subscribe(&fixture.member, started.run, 0).await.unwrap();
    let mut text = String::new();
    while let Some(record) = live.next().await {
        let record = record.unwrap();
        text.push_str(&text_of(std::slice::from_ref(&record)));
        assert!(stored_text(&fixture, &started).await.starts_with(&text));
    }
}

#[tokio::test]
async fn reading_after_the_end_ends_at_once() {
    let (fixture, started) = talking(json!({ "tokens": 5 })).await;
    let all = fixture.events(started.run, 0).await.unwrap();
    let last = all.last().unwrap().seq;
    assert_eq!(fixture.events(started.run, last - 1).await.unwrap(), all[all.len() - 1..]);
    for after in [last, last + 1, i64::MAX] {
        assert_eq!(fixture.events(started.run, after).await.unwrap(), []);
    }
    assert_eq!(fixture.events(started.run, i64::MIN).await.unwrap(), all);
}

#[tokio::test]
async fn a_page_without_scripts_can_wait_for_the_end() {
    let (fixture, started) = talking(json!({ "tokens": 60, "tokens_per_second": 200.0 })).await;
    assert!(!fixture.chats.wait(&fixture.member, started.run, Duration::from_millis(30)).await.unwrap());
    assert!(fixture.chats.wait(&fixture.member, started.run, Duration::from_secs(20)).await.unwrap());
    assert!(fixture.chats.wait(&fixture.member, started.run, Duration::ZERO).await.unwrap());
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_nobody_up() {
    let (fixture, started) = talking(json!({ "tokens": 400, "tokens_per_second": 4000.0 })).await;
    let mut still = fixture.chats.subscribe(&fixture.member, started.run, 0).await.unwrap();
    assert_eq!(still.next().await.unwrap().unwrap().seq, 1);
    let all = fixture.events(started.run, 0).await.unwrap();
    let rest: Vec<_> = still.map(Result::unwrap).collect().await;
    assert_eq!(rest, all[1..]);
}
