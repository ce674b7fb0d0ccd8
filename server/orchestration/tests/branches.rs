//! Conversations as trees: answers again, other wordings, going back and forth, and very long ones.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests too

use contract::{
    ConversationId, ConversationView, MessageId, MessageRole, MessageStatus, MessageView, NewMessage, RunId,
    RunStarted, Timestamp,
};
use orchestration::ChatError;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::TenantStore;
use tenancy::FixedClock;
use testkit::Fixture;

async fn send(fixture: &Fixture, conversation: Option<ConversationId>, text: &str) -> RunStarted {
    let message = NewMessage { conversation, text: text.to_owned(), model: Some("sim".to_owned()) };
    let started = fixture.chats.send(&fixture.member, message).await.unwrap();
    fixture.events(started.run, 0).await.unwrap();
    started
}

async fn shown(fixture: &Fixture, conversation: ConversationId) -> Vec<MessageView> {
    fixture.chats.conversation(&fixture.member, conversation, None, 100).await.unwrap().messages
}

fn ids(messages: &[MessageView]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn pager(message: &MessageView) -> (i64, i64) {
    (message.sibling, message.siblings)
}

#[tokio::test]
async fn an_answer_given_again_is_a_sibling_and_both_stay_reachable() {
    let fixture = Fixture::open().await.unwrap();
    let first = send(&fixture, None, "one").await;
    let conversation = first.conversation;
    let follow_up = send(&fixture, Some(conversation), "two").await;
    let before = shown(&fixture, conversation).await;
    assert!(before.iter().all(|message| pager(message) == (1, 1)));

    let again = fixture.chats.regenerate(&fixture.member, first.answer, None).await.unwrap();
    fixture.events(again.run, 0).await.unwrap();
    assert_eq!(again.message, first.message);
    let now = shown(&fixture, conversation).await;
    assert_eq!(ids(&now), [first.message, again.answer]);
    assert_eq!(pager(&now[1]), (2, 2));

    let back = fixture.chats.show_branch(&fixture.member, again.answer, 1).await.unwrap();
    assert_eq!(back, conversation);
    let old = shown(&fixture, conversation).await;
    assert_eq!(ids(&old), ids(&before));
    assert_eq!(pager(&old[1]), (1, 2));
    assert_eq!(old[3].id, follow_up.answer);
    for nowhere in [0, -1, 3, i64::MAX] {
        let refused = fixture.chats.show_branch(&fixture.member, again.answer, nowhere).await;
        assert!(matches!(refused, Err(ChatError::NotFound { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_question_in_other_words_is_a_sibling_with_its_own_answer() {
    let fixture = Fixture::open().await.unwrap();
    let first = send(&fixture, None, "one").await;
    let edited = fixture.chats.edit(&fixture.member, first.message, "one, but better".to_owned()).await.unwrap();
    fixture.events(edited.run, 0).await.unwrap();
    let now = shown(&fixture, first.conversation).await;
    assert_eq!(ids(&now), [edited.message, edited.answer]);
    assert_eq!((now[0].text.as_str(), pager(&now[0]), pager(&now[1])), ("one, but better", (2, 2), (1, 1)));

    let third = send(&fixture, Some(first.conversation), "three").await;
    fixture.chats.show_branch(&fixture.member, edited.message, 1).await.unwrap();
    assert_eq!(ids(&shown(&fixture, first.conversation).await), [first.message, first.answer]);
    fixture.chats.show_branch(&fixture.member, first.message, 2).await.unwrap();
    assert_eq!(
        ids(&shown(&fixture, first.conversation).await),
        [edited.message, edited.answer, third.message, third.answer]
    );
}

#[tokio::test]
async fn only_answers_are_given_again_and_only_questions_edited() {
    let fixture = Fixture::open().await.unwrap();
    let first = send(&fixture, None, "one").await;
    let refused = fixture.chats.regenerate(&fixture.member, first.message, None).await;
    assert!(matches!(refused, Err(ChatError::InvalidInput { field: "message", .. })), "{refused:?}");
    let refused = fixture.chats.edit(&fixture.member, first.answer, "mine now".to_owned()).await;
    assert!(matches!(refused, Err(ChatError::InvalidInput { field: "message", .. })), "{refused:?}");
    assert_eq!(shown(&fixture, first.conversation).await.len(), 2);
}

#[tokio::test]
async fn conversations_are_listed_by_last_use_searched_renamed_and_deleted() {
    let clock = Arc::new(FixedClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let fixture = Fixture::open_with_clock(clock.clone()).await.unwrap();
    let mut started = Vec::new();
    for text in ["alpha 100%", "beta", "gamma"] {
        clock.advance(Duration::from_secs(1));
        started.push(send(&fixture, None, text).await);
    }
    clock.advance(Duration::from_secs(1));
    send(&fixture, Some(started[0].conversation), "beta again").await;

    let chats = &fixture.chats;
    let titles = async |search: Option<&str>, before: Option<Timestamp>, limit: i64| -> Vec<String> {
        let found = chats.conversations(&fixture.member, search, before, limit).await.unwrap();
        found.into_iter().map(|summary| summary.title).collect()
    };
    assert_eq!(titles(None, None, 50).await, ["alpha 100%", "gamma", "beta"]);
    let page = chats.conversations(&fixture.member, None, None, 2).await.unwrap();
    assert_eq!(titles(None, Some(page[1].updated_at), 2).await, ["beta"]);
    assert_eq!(titles(Some("BETA"), None, 50).await, ["alpha 100%", "beta"]);
    assert_eq!(titles(Some("0%"), None, 50).await, ["alpha 100%"]);
    assert_eq!(titles(Some("a%g"), None, 50).await, Vec::<String>::new());
    assert_eq!(titles(Some("  "), None, 50).await.len(), 3);

    chats.rename(&fixture.member, started[1].conversation, " Delta ").await.unwrap();
    assert!(chats.rename(&fixture.member, started[1].conversation, " ").await.is_err());
    chats.delete(&fixture.member, started[0].conversation).await.unwrap();
    assert_eq!(titles(None, None, 50).await, ["gamma", "Delta"]);
    let gone = chats.conversation(&fixture.member, started[0].conversation, None, 10).await;
    assert!(matches!(gone, Err(ChatError::NotFound { .. })));
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    let left = "SELECT COUNT(*) AS value FROM run_event WHERE tenant_id = $1 AND run_id = $2";
    assert_eq!(store.read(left).bind(fixture.tenant).bind(started[0].run).fetch_one::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn deleting_a_conversation_ends_its_run_and_leaves_nothing_of_it() {
    let fixture = Fixture::open().await.unwrap();
    fixture.simulate("sim", json!({ "tokens": 400, "tokens_per_second": 100.0 })).await.unwrap();
    let message = NewMessage { conversation: None, text: "talk".to_owned(), model: Some("sim".to_owned()) };
    let started = fixture.chats.send(&fixture.member, message).await.unwrap();
    fixture.chats.delete(&fixture.member, started.conversation).await.unwrap();
    // Whoever shuts down now waits for the run, which has ended or does so at once.
    let clock = Instant::now();
    fixture.chats.shutdown(Duration::from_secs(3)).await;
    assert!(clock.elapsed() < Duration::from_secs(3));
    // In the order of the platform's end: the gateway settles what the run has let go of.
    fixture.gateway.shutdown().await;
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    let left = "SELECT COUNT(*) AS value FROM run_event WHERE tenant_id = $1";
    assert_eq!(store.read(left).bind(fixture.tenant).fetch_one::<i64>().await.unwrap(), 0);
    let rows = fixture.metering.ledger_rows(fixture.tenant, None, 10).await.unwrap();
    assert!(rows[0].settled_at.is_some(), "the ledger keeps what a deleted conversation cost");
}

const MESSAGE: &str = "
INSERT INTO message (tenant_id, id, conversation_id, parent_id, role, status, content, run_id, created_at)
VALUES ($1, $2, $3, $4, $5, 'complete', $6, $7, $8)";
const EVENT: &str = "
INSERT INTO run_event (tenant_id, run_id, seq, event, created_at)
VALUES ($1, $2, $3, '{}', $4)";
const HEAD: &str = "UPDATE conversation SET head_id = $3 WHERE tenant_id = $1 AND id = $2";

/// Makes a conversation as long as a year of daily use.
async fn lengthen(store: &TenantStore, conversation: ConversationId, mut parent: MessageId, messages: usize) {
    let (tenant, now) = (store.tenant(), Timestamp::from_millis(1));
    let mut tx = store.begin().await.unwrap();
    for n in 0..messages {
        let id = MessageId::new();
        let (role, run) = if n % 2 == 0 { ("user", None) } else { ("assistant", Some(RunId::new())) };
        tx.query(MESSAGE)
            .bind(tenant)
            .bind(id)
            .bind(conversation)
            .bind(parent)
            .bind(role)
            .bind(format!("message {n} {}", "and so on ".repeat(30)))
            .bind(run)
            .bind(now)
            .execute()
            .await
            .unwrap();
        if let Some(run) = run {
            for seq in [1i64, 2] {
                tx.query(EVENT).bind(tenant).bind(run).bind(seq).bind(now).execute().await.unwrap();
            }
        }
        parent = id;
    }
    tx.query(HEAD).bind(tenant).bind(conversation).bind(parent).execute().await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_messages_open_at_their_end_at_once_and_can_be_continued() {
    let fixture = Fixture::open().await.unwrap();
    let started = send(&fixture, None, "the first").await;
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    lengthen(&store, started.conversation, started.answer, 10_000).await;
    let page = async |older_than: Option<MessageId>| -> ConversationView {
        fixture.chats.conversation(&fixture.member, started.conversation, older_than, 60).await.unwrap()
    };

    // The best of three: what others do on this machine meanwhile is not the guarantee.
    let mut opened_in = Duration::MAX;
    for _ in 0..3 {
        let clock = Instant::now();
        page(None).await;
        opened_in = opened_in.min(clock.elapsed());
    }
    assert!(opened_in < Duration::from_millis(100), "it took {opened_in:?}");
    let end = page(None).await;
    assert_eq!(end.messages.len(), 60);
    assert!(end.messages[59].text.starts_with("message 9999 "));

    // Back to the beginning, page by page: all of them, each once.
    let mut seen = ids(&end.messages);
    let mut older_than = end.older_than;
    while let Some(oldest) = older_than {
        let page = page(Some(oldest)).await;
        seen.extend(ids(&page.messages));
        older_than = page.older_than;
    }
    seen.sort();
    let total = seen.len();
    seen.dedup();
    assert_eq!((seen.len(), total), (10_002, 10_002));
    assert!(seen.contains(&started.message));

    let clock = Instant::now();
    let next = send(&fixture, Some(started.conversation), "and now?").await;
    assert!(clock.elapsed() < Duration::from_secs(2), "{:?}", clock.elapsed());
    let end = page(None).await.messages;
    let answer = end.last().unwrap();
    assert_eq!((answer.id, answer.role, answer.status), (next.answer, MessageRole::Assistant, MessageStatus::Complete));
    let read = answer.details.as_ref().unwrap().usage.input.unwrap();
    assert!((200..4_000).contains(&read), "the model was given {read} words");

    let clock = Instant::now();
    fixture.chats.show_branch(&fixture.member, started.message, 1).await.unwrap();
    assert!(clock.elapsed() < Duration::from_secs(2), "{:?}", clock.elapsed());
    assert_eq!(page(None).await.messages.last().unwrap().id, next.answer);
}
