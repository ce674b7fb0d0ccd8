//! Who may do what: a member their own, a viewer no runs, others nothing at all. And what is refused.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests too

use contract::{ConversationId, MAX_MESSAGE_CHARS, MessageId, NewMessage, Role, RunId};
use orchestration::ChatError;
use serde_json::json;
use std::time::Duration;
use tenancy::TenancyError;
use testkit::Fixture;

fn new_message(conversation: Option<ConversationId>, text: &str) -> NewMessage {
    NewMessage { conversation, text: text.to_owned(), model: Some("sim".to_owned()) }
}

fn assert_not_found<T>(what: &str, result: Result<T, ChatError>) {
    match result {
        Err(ChatError::NotFound { .. }) => {}
        Err(error) => panic!("{what}: {error:?}"),
        Ok(_) => panic!("{what}: it was found"),
    }
}

#[tokio::test]
async fn to_other_members_and_tenants_a_conversation_does_not_exist() {
    let fixture = Fixture::open().await.unwrap();
    let chats = &fixture.chats;
    let mine = chats.send(&fixture.member, new_message(None, "secret plans")).await.unwrap();
    fixture.events(mine.run, 0).await.unwrap();

    let globex = fixture.tenant("globex").await.unwrap();
    let strangers = [
        fixture.scope(fixture.tenant, "eve@acme.test", Role::Admin).await.unwrap(),
        fixture.scope(globex, "mallory@globex.test", Role::Member).await.unwrap(),
        // The same person elsewhere.
        fixture.scope(globex, "ada@acme.test", Role::Member).await.unwrap(),
        fixture.tenancy.upkeep_scope(fixture.tenant),
    ];
    for scope in &strangers {
        let (conversation, limit) = (mine.conversation, Duration::ZERO);
        assert_not_found("conversation", chats.conversation(scope, conversation, None, 10).await);
        assert_not_found("subscribe", chats.subscribe(scope, mine.run, 0).await.map(|_| ()));
        assert_not_found("wait", chats.wait(scope, mine.run, limit).await);
        assert_not_found("stop", chats.stop(scope, mine.run).await);
        assert_not_found("send", chats.send(scope, new_message(Some(conversation), "hi")).await);
        assert_not_found("regenerate", chats.regenerate(scope, mine.answer, None).await);
        assert_not_found("edit", chats.edit(scope, mine.message, "hi".to_owned()).await);
        assert_not_found("show_branch", chats.show_branch(scope, mine.answer, 1).await);
        assert_not_found("rename", chats.rename(scope, conversation, "hi").await);
        assert_not_found("delete", chats.delete(scope, conversation).await);
        if let Ok(list) = chats.conversations(scope, Some("secret"), None, 10).await {
            assert_eq!(list, []);
        }
    }
    let view = chats.conversation(&fixture.member, mine.conversation, None, 10).await.unwrap();
    assert_eq!((view.title.as_str(), view.messages.len()), ("secret plans", 2));
}

#[tokio::test]
async fn a_page_of_one_conversation_cannot_be_asked_for_through_another() {
    let fixture = Fixture::open().await.unwrap();
    let first = fixture.chats.send(&fixture.member, new_message(None, "one")).await.unwrap();
    let second = fixture.chats.send(&fixture.member, new_message(None, "two")).await.unwrap();
    let mixed = fixture.chats.conversation(&fixture.member, first.conversation, Some(second.answer), 10).await;
    assert_not_found("mixed", mixed);
}

#[tokio::test]
async fn what_never_existed_is_not_found() {
    let fixture = Fixture::open().await.unwrap();
    let (chats, scope) = (&fixture.chats, &fixture.member);
    assert_not_found("conversation", chats.conversation(scope, ConversationId::new(), None, 10).await);
    assert_not_found("run", chats.subscribe(scope, RunId::new(), 0).await.map(|_| ()));
    assert_not_found("message", chats.regenerate(scope, MessageId::new(), None).await);
}

#[tokio::test]
async fn a_viewer_starts_no_runs() {
    let fixture = Fixture::open().await.unwrap();
    let viewer = fixture.scope(fixture.tenant, "vic@acme.test", Role::Viewer).await.unwrap();
    let refused = fixture.chats.send(&viewer, new_message(None, "hello")).await;
    assert!(matches!(refused, Err(ChatError::Tenancy(TenancyError::PermissionDenied { .. }))), "{refused:?}");
    assert_eq!(fixture.chats.conversations(&viewer, None, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn unusable_input_is_refused_with_its_field_and_limit_and_stores_nothing() {
    let fixture = Fixture::open().await.unwrap();
    let (chats, scope) = (&fixture.chats, &fixture.member);
    for (text, says) in [
        (String::new(), "empty"),
        (" \n\u{2003} ".to_owned(), "empty"),
        ("a\0b".to_owned(), "NUL"),
        ("x".repeat(1_000_000), "100000"),
    ] {
        let Err(ChatError::InvalidInput { field, detail }) = chats.send(scope, new_message(None, &text)).await else {
            panic!("{says}: it was accepted");
        };
        assert!(field == "text" && detail.contains(says), "{field}: {detail}");
    }
    let unknown = NewMessage { model: Some("gpt-17".to_owned()), ..new_message(None, "hello") };
    let Err(ChatError::InvalidInput { field, detail }) = chats.send(scope, unknown).await else { panic!("accepted") };
    assert!(field == "model" && detail.contains("gpt-17"), "{field}: {detail}");
    assert_eq!(chats.conversations(scope, None, None, 10).await.unwrap(), []);

    let longest = chats.send(scope, new_message(None, &"é".repeat(MAX_MESSAGE_CHARS))).await.unwrap();
    fixture.events(longest.run, 0).await.unwrap();
}

#[tokio::test]
async fn a_conversation_has_one_run_at_a_time_however_many_ask_at_once() {
    let fixture = Fixture::open().await.unwrap();
    let first = fixture.chats.send(&fixture.member, new_message(None, "one")).await.unwrap();
    fixture.events(first.run, 0).await.unwrap();
    fixture.simulate("sim", json!({ "tokens": 200, "tokens_per_second": 100.0 })).await.unwrap();

    let asking = (0..8).map(|n| {
        let message = new_message(Some(first.conversation), &format!("at once {n}"));
        fixture.chats.send(&fixture.member, message)
    });
    let answers = futures::future::join_all(asking).await;
    let started: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(started.len(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ChatError::Busy))), "{answers:?}");
    let again = fixture.chats.regenerate(&fixture.member, first.answer, None).await;
    assert!(matches!(again, Err(ChatError::Busy)), "{again:?}");
    // Elsewhere the member may go on.
    fixture.chats.send(&fixture.member, new_message(None, "meanwhile")).await.unwrap();

    fixture.chats.stop(&fixture.member, started[0].run).await.unwrap();
    assert!(fixture.chats.wait(&fixture.member, started[0].run, Duration::from_secs(9)).await.unwrap());
    fixture.chats.send(&fixture.member, new_message(Some(first.conversation), "now")).await.unwrap();
}

#[tokio::test]
async fn a_browser_that_goes_away_while_sending_leaves_no_run_without_an_end() {
    let fixture = Fixture::open().await.unwrap();
    for patience in [0, 50, 200, 500, 1000, 2000] {
        let sending = fixture.chats.send(&fixture.member, new_message(None, "hello"));
        let _ = tokio::time::timeout(Duration::from_micros(patience), sending).await;
    }
    fixture.chats.shutdown(Duration::from_secs(9)).await;
    let store = fixture.member.store(&fixture.stores).await.unwrap();
    let running = "SELECT COUNT(*) AS value FROM run WHERE tenant_id = $1 AND status <> 'finished'";
    assert_eq!(store.read(running).bind(fixture.tenant).fetch_one::<i64>().await.unwrap(), 0);
}
