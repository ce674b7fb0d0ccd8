//! What a run promises: numbered events, one end, and a message that says the same as they do.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests too

use contract::{
    MessageRole, MessageStatus, MessageView, NewMessage, Problem, ProblemCode, RunEvent, RunEventRecord, RunStarted,
};
use futures::StreamExt;
use metering::AttemptStatus;
use orchestration::ChatError;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tenancy::SystemClock;
use testkit::{Engine, Fixture, Scratch, text_of};

fn new_message(text: &str) -> NewMessage {
    NewMessage { conversation: None, text: text.to_owned(), model: Some("sim".to_owned()) }
}

async fn with(options: Value) -> Fixture {
    let fixture = Fixture::open().await.unwrap();
    fixture.simulate("sim", options).await.unwrap();
    fixture
}

/// A few seconds of text, a word at a time.
fn slow() -> Value {
    json!({ "tokens": 400, "tokens_per_second": 100.0 })
}

async fn shown(fixture: &Fixture, started: &RunStarted) -> Vec<MessageView> {
    fixture.chats.conversation(&fixture.member, started.conversation, None, 50).await.unwrap().messages
}

async fn answer(fixture: &Fixture, started: &RunStarted) -> MessageView {
    shown(fixture, started).await.into_iter().find(|message| message.id == started.answer).unwrap()
}

/// The first `count` events, as they come.
async fn first_events(fixture: &Fixture, started: &RunStarted, count: usize) -> Vec<RunEventRecord> {
    let events = fixture.chats.subscribe(&fixture.member, started.run, 0).await.unwrap();
    events.take(count).map(Result::unwrap).collect().await
}

fn assert_well_formed(events: &[RunEventRecord]) {
    let numbers: Vec<i64> = events.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>());
    assert!(matches!(events[0].event, RunEvent::Started { .. }));
    let terminal = events.iter().filter(|record| record.event.is_terminal()).count();
    assert_eq!(terminal, 1);
    assert!(events.last().unwrap().event.is_terminal());
}

fn failure(events: &[RunEventRecord]) -> Problem {
    let RunEvent::Failed { problem, .. } = &events.last().unwrap().event else { panic!("it did not fail: {events:?}") };
    problem.clone()
}

async fn ledger(fixture: &Fixture) -> Vec<metering::LedgerRow> {
    fixture.metering.ledger_rows(fixture.tenant, None, 10).await.unwrap()
}

#[tokio::test]
async fn a_message_is_answered_in_numbered_events_and_stored_as_they_told() {
    let fixture = Fixture::open().await.unwrap();
    let started = fixture.chats.send(&fixture.member, new_message("What is\na tokamak?")).await.unwrap();
    let events = fixture.events(started.run, 0).await.unwrap();
    assert_well_formed(&events);
    let RunEvent::Finished { details, .. } = &events.last().unwrap().event else { panic!("{events:?}") };
    assert_eq!(details.model, "sim");
    assert_eq!(details.route, "sim/sim");
    assert_eq!(details.config, "chat@1");
    assert!(details.measured && details.cost.is_some() && details.usage.output == Some(24), "{details:?}");

    let view = fixture.chats.conversation(&fixture.member, started.conversation, None, 50).await.unwrap();
    assert_eq!((view.title.as_str(), view.model.as_str()), ("What is a tokamak?", "sim"));
    let [question, answer] = view.messages.as_slice() else { panic!("{view:?}") };
    assert_eq!((question.role, question.text.as_str()), (MessageRole::User, "What is\na tokamak?"));
    assert_eq!((answer.role, answer.status), (MessageRole::Assistant, MessageStatus::Complete));
    assert_eq!(answer.text, text_of(&events));
    assert!(answer.text.starts_with("simulated:"));
    assert_eq!(answer.details.as_ref(), Some(details));
    assert_eq!(answer.last_seq, events.len() as i64);
    assert_eq!(answer.run, Some(started.run));

    let rows = ledger(&fixture).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].status, rows[0].user), (AttemptStatus::Succeeded, fixture.member.user()));
}

#[tokio::test]
async fn the_next_message_continues_the_conversation_with_its_model() {
    let fixture = Fixture::open().await.unwrap();
    let first = fixture.chats.send(&fixture.member, new_message("one")).await.unwrap();
    fixture.events(first.run, 0).await.unwrap();
    let next = NewMessage { conversation: Some(first.conversation), text: "two".to_owned(), model: None };
    let second = fixture.chats.send(&fixture.member, next).await.unwrap();
    let events = fixture.events(second.run, 0).await.unwrap();
    assert!(matches!(&events[0].event, RunEvent::Started { model, .. } if model == "sim"));
    let texts: Vec<MessageRole> = shown(&fixture, &second).await.iter().map(|message| message.role).collect();
    assert_eq!(texts, [MessageRole::User, MessageRole::Assistant, MessageRole::User, MessageRole::Assistant]);
    // The simulated provider counts words: the second call read the first exchange.
    let rows = ledger(&fixture).await;
    let input = |index: usize| rows[index].usage.input.unwrap();
    assert_eq!(input(0) - input(1), 24 + 1, "{rows:?}");
}

#[tokio::test]
async fn a_stopped_answer_keeps_what_was_said_and_is_settled() {
    let fixture = with(slow()).await;
    let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
    first_events(&fixture, &started, 4).await;
    fixture.chats.stop(&fixture.member, started.run).await.unwrap();
    fixture.chats.stop(&fixture.member, started.run).await.unwrap();
    let events = fixture.events(started.run, 0).await.unwrap();
    assert_well_formed(&events);
    let RunEvent::Stopped { details } = &events.last().unwrap().event else { panic!("{events:?}") };
    assert_eq!(details.route, "sim/sim");
    assert!(!details.measured && details.cost.is_some(), "{details:?}");
    let answer = answer(&fixture, &started).await;
    assert_eq!((answer.status, &answer.text), (MessageStatus::Stopped, &text_of(&events)));
    assert!(!answer.text.is_empty());
    assert_eq!(ledger(&fixture).await[0].status, AttemptStatus::Stopped);
    fixture.chats.stop(&fixture.member, started.run).await.unwrap();
}

#[tokio::test]
async fn a_run_can_be_stopped_before_its_first_word() {
    let fixture = with(json!({ "first_token_ms": 900 })).await;
    let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    fixture.chats.stop(&fixture.member, started.run).await.unwrap();
    let stopped = std::time::Instant::now();
    let events = fixture.events(started.run, 0).await.unwrap();
    assert!(stopped.elapsed() < Duration::from_millis(500), "{:?}", stopped.elapsed());
    assert!(matches!(events.as_slice(), [_, RunEventRecord { event: RunEvent::Stopped { .. }, .. }]), "{events:?}");
    assert_eq!(answer(&fixture, &started).await.status, MessageStatus::Stopped);
    assert_eq!(ledger(&fixture).await[0].status, AttemptStatus::Stopped);
}

#[tokio::test]
async fn a_cut_answer_fails_and_never_looks_finished() {
    let fixture = with(json!({ "tokens": 40, "fault": "cut" })).await;
    let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
    let events = fixture.events(started.run, 0).await.unwrap();
    assert_well_formed(&events);
    assert_eq!(failure(&events).code, ProblemCode::ProviderFailed);
    let answer = answer(&fixture, &started).await;
    assert_eq!((answer.status, &answer.text), (MessageStatus::Failed, &text_of(&events)));
    assert_eq!(answer.text.split_whitespace().count(), 20);
    assert_eq!(answer.problem, Some(failure(&events)));
    assert!(answer.details.is_some_and(|details| !details.measured));
    assert_eq!(ledger(&fixture).await[0].status, AttemptStatus::Cut);
}

#[tokio::test]
async fn a_provider_that_fails_at_once_fails_the_answer_with_a_sentence_to_act_on() {
    for (options, code) in [
        (json!({ "fault": "error" }), ProblemCode::ProviderFailed),
        (json!({ "fault": "rate_limit", "retry_after_ms": 7000 }), ProblemCode::ModelUnavailable),
        (json!({ "fault": "malformed", "fault_after_tokens": 0 }), ProblemCode::ProviderFailed),
        (json!({ "fault": "hang" }), ProblemCode::ProviderFailed),
    ] {
        let fixture = with(options.clone()).await;
        let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
        let events = fixture.events(started.run, 0).await.unwrap();
        assert_well_formed(&events);
        let problem = failure(&events);
        assert_eq!(problem.code, code, "{options}: {problem}");
        assert!(!problem.detail.contains("simulated"), "internals in {problem}");
        assert_eq!(problem.trace_id, Some(started.run.to_string()));
        // The failed answer does not stand in the way of the next message.
        let next = NewMessage { conversation: Some(started.conversation), ..new_message("again") };
        fixture.chats.send(&fixture.member, next).await.unwrap();
    }
}

#[tokio::test]
async fn a_model_that_reads_little_is_asked_again_with_less_history() {
    let fixture = Fixture::open().await.unwrap();
    let assistant = |conversation, text: &str| NewMessage { conversation, text: text.to_owned(), model: None };
    let long = "word ".repeat(300);
    let first = fixture.chats.send(&fixture.member, assistant(None, &long)).await.unwrap();
    fixture.events(first.run, 0).await.unwrap();

    fixture.local.reads_at_most(200);
    let short = assistant(Some(first.conversation), "short");
    let second = fixture.chats.send(&fixture.member, short).await.unwrap();
    let events = fixture.events(second.run, 0).await.unwrap();
    assert_well_formed(&events);
    assert!(matches!(events.last().unwrap().event, RunEvent::Finished { .. }), "{events:?}");
    // Each asking is in the ledger, and the run names the one that was answered.
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    let request = "SELECT request_id AS value FROM run WHERE tenant_id = $1 AND id = $2";
    let request: String = store.read(request).bind(fixture.tenant).bind(second.run).fetch_one().await.unwrap();
    let answered = fixture.metering.ledger_rows(fixture.tenant, Some(request.parse().unwrap()), 10).await.unwrap();
    assert_eq!(answered.iter().map(|row| row.status).collect::<Vec<_>>(), [AttemptStatus::Succeeded]);
    assert_eq!(ledger(&fixture).await.len(), 3);

    // Less than the message itself cannot be read.
    let third = fixture.chats.send(&fixture.member, assistant(Some(first.conversation), &long)).await.unwrap();
    let problem = failure(&fixture.events(third.run, 0).await.unwrap());
    assert_eq!(problem.code, ProblemCode::PayloadTooLarge);
    assert!(problem.detail.contains("200"), "{problem}");
}

#[tokio::test]
async fn shutdown_lets_short_answers_finish_and_ends_long_ones_with_their_text_kept() {
    let fixture = with(slow()).await;
    fixture.simulate("quick", json!({ "tokens": 40, "tokens_per_second": 200.0 })).await.unwrap();
    let long = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
    let quick = NewMessage { model: Some("quick".to_owned()), ..new_message("hurry") };
    let quick = fixture.chats.send(&fixture.member, quick).await.unwrap();
    first_events(&fixture, &long, 3).await;

    let chats = fixture.chats.clone();
    let closing = tokio::spawn(async move { chats.shutdown(Duration::from_millis(700)).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let refused = fixture.chats.send(&fixture.member, new_message("more")).await;
    assert!(matches!(refused, Err(ChatError::ShuttingDown)), "{refused:?}");
    closing.await.unwrap();

    assert_eq!(answer(&fixture, &quick).await.status, MessageStatus::Complete);
    let events = fixture.events(long.run, 0).await.unwrap();
    assert_well_formed(&events);
    assert_eq!(failure(&events).code, ProblemCode::ShuttingDown);
    let answer = answer(&fixture, &long).await;
    assert_eq!((answer.status, &answer.text), (MessageStatus::Failed, &text_of(&events)));
    assert!(!answer.text.is_empty());
    assert!(ledger(&fixture).await.iter().all(|row| row.settled_at.is_some()));
}

#[test]
fn after_a_crash_the_open_run_is_ended_with_what_was_stored_of_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();

    let first_life = runtime();
    let (scratch, started, seen) = first_life.block_on(async {
        let scratch = Arc::new(Scratch::new().await.unwrap());
        let fixture = Fixture::open_at(&scratch, Arc::new(SystemClock)).await.unwrap();
        fixture.simulate("sim", slow()).await.unwrap();
        let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
        let seen = first_events(&fixture, &started, 5).await;
        (scratch, started, seen)
    });
    // Every task is dropped wherever it stands.
    first_life.shutdown_timeout(Duration::from_secs(5));

    runtime().block_on(async {
        let fixture = Fixture::open_at(&scratch, Arc::new(SystemClock)).await.unwrap();
        assert_eq!(answer(&fixture, &started).await.status, MessageStatus::Streaming);
        assert_eq!(fixture.recover().await.unwrap(), 1);
        assert_eq!(fixture.recover().await.unwrap(), 0);
        let events = fixture.events(started.run, 0).await.unwrap();
        assert_well_formed(&events);
        assert_eq!(events[..seen.len()], seen);
        assert_eq!(failure(&events).code, ProblemCode::Interrupted);
        let answer = answer(&fixture, &started).await;
        assert_eq!((answer.status, answer.text), (MessageStatus::Failed, text_of(&events)));
    });
}

/// SQLite refuses to grow beyond the pages it has, as on a full disk. PostgreSQL's disk cannot be filled from here: what
/// it would say is told apart in `store`, and from there on both engines are one.
const FILL: &str = "PRAGMA max_page_count = 1";
const EMPTY: &str = "PRAGMA max_page_count = 1000000";

async fn on_files(options: Value) -> Fixture {
    let scratch = Arc::new(Scratch::on(Engine::Sqlite).await.unwrap());
    let fixture = Fixture::open_at(&scratch, Arc::new(SystemClock)).await.unwrap();
    fixture.simulate("sim", options).await.unwrap();
    fixture
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_moment_fails_the_answer_and_says_so() {
    let fixture = on_files(json!({ "tokens": 400, "tokens_per_second": 2000.0 })).await;
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
    store.write(FILL).execute().await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    store.write(EMPTY).execute().await.unwrap();
    let events = fixture.events(started.run, 0).await.unwrap();
    assert_well_formed(&events);
    assert_eq!(failure(&events).code, ProblemCode::StorageFull);
    assert_eq!(answer(&fixture, &started).await.text, text_of(&events));
}

#[tokio::test]
async fn a_disk_that_stays_full_ends_readers_with_an_error_and_nothing_is_half_written() {
    let fixture = on_files(json!({ "tokens": 400, "tokens_per_second": 2000.0 })).await;
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    let started = fixture.chats.send(&fixture.member, new_message("talk")).await.unwrap();
    store.write(FILL).execute().await.unwrap();
    let mut reader = fixture.chats.subscribe(&fixture.member, started.run, 0).await.unwrap();
    let mut told = Vec::new();
    let last = loop {
        match reader.next().await {
            Some(Ok(record)) => told.push(record),
            Some(Err(error)) => break error,
            None => panic!("the stream ended as if all were well"),
        }
    };
    let ChatError::RunLost(problem) = last else { panic!("{last}") };
    assert_eq!(problem.code, ProblemCode::StorageFull);

    // What cannot be stored yet is tried again.
    fixture.chats.tend().await;
    store.write(EMPTY).execute().await.unwrap();
    fixture.chats.tend().await;
    assert_eq!(answer(&fixture, &started).await.status, MessageStatus::Failed);
    let next = NewMessage { conversation: Some(started.conversation), ..new_message("again") };
    let next = fixture.chats.send(&fixture.member, next).await.unwrap();
    fixture.events(next.run, 0).await.unwrap();
    let events = fixture.events(started.run, 0).await.unwrap();
    assert_well_formed(&events);
    assert_eq!(events[..told.len()], told);
    assert_eq!(failure(&events).code, ProblemCode::Interrupted);
    let messages = shown(&fixture, &next).await;
    assert_eq!(messages[1].text, text_of(&events));
}
