//! Answers that are given again: to whom, when, and what the ledger says about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{NanoUsd, ProviderKind, RequestId};
use fixture::{
    House,
    upstream::{Reply, Upstream, Wire},
};
use futures::StreamExt;
use gateway::{
    AnswerPart, Answering, CacheControl, CacheUse, ChatRequest, Gateway, GatewayError,
    dialects::openai_chat::ChatCompletion,
};
use metering::{CacheKind, Feature};
use registry::{Behaviour, CachePolicy, Disconnect, Strategy};
use serde_json::{Value, json};
use std::time::Duration;
use tenancy::{OperatorScope, Scope};
use tokio_util::sync::CancellationToken;

fn said(text: &str, reason: &str) -> String {
    let chunk =
        |delta: Value, reason: Value| json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 2 } });
    let events = [chunk(json!({ "content": text }), Value::Null), chunk(json!({}), reason.into()), usage];
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    events + "data: [DONE]\n\n"
}

fn asking(last: &str) -> ChatRequest {
    let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": last }]);
    let body = json!({ "model": "assistant", "messages": messages, "stream": true });
    let asked = ChatCompletion::read(body.as_object().unwrap().clone()).unwrap();
    asked.chat.into_request(RequestId::new(), CacheControl::Usual, CancellationToken::new())
}

fn policy() -> CachePolicy {
    CachePolicy { ttl_s: 60, similarity: None, embed_with: None }
}

async fn house(policy: CachePolicy) -> (House, Upstream) {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::events(&said("Paris", "stop"))).await;
    house.upstream("up", ProviderKind::Openai, &upstream.url).await;
    let behaviour = Behaviour { cache: Some(policy), ..Behaviour::default() };
    house.model_that("assistant", &["up/m"], Strategy::Fallback, behaviour).await;
    (house, upstream)
}

/// Waits until the provider has a question, however busy the machine is.
async fn asked_once(upstream: &Upstream) {
    while upstream.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

struct Seen {
    cache: CacheUse,
    text: String,
    cost: Option<NanoUsd>,
}

async fn read(answering: Answering) -> Result<Seen, GatewayError> {
    let (cache, mut parts, mut text) = (answering.cache, answering.parts, String::new());
    while let Some(part) = parts.next().await {
        match part? {
            AnswerPart::Native(value) => {
                text.push_str(value["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
            }
            AnswerPart::Finished(outcome) => return Ok(Seen { cache, text, cost: outcome.cost }),
            other @ (AnswerPart::Text(_) | AnswerPart::Tool(_)) => panic!("{other:?}"),
        }
    }
    panic!("it has no end")
}

async fn ask_as(house: &House, scope: &Scope, request: ChatRequest) -> Seen {
    read(house.gateway.chat(scope, request).await.unwrap()).await.unwrap()
}

async fn ask(house: &House, request: ChatRequest) -> Seen {
    ask_as(house, &house.scope, request).await
}

fn is_hit(seen: &Seen) -> bool {
    matches!(seen.cache, CacheUse::Hit { kind: CacheKind::Exact, .. })
}

#[tokio::test]
async fn the_same_question_is_answered_once_and_the_ledger_says_what_that_saved() {
    let (house, upstream) = house(policy()).await;
    let first = ask(&house, asking("Capital of France?")).await;
    assert_eq!((first.cache, first.text.as_str()), (CacheUse::Miss, "Paris"));
    let request = asking("Capital of France?");
    let second = ask(&house, request.clone()).await;
    assert!(is_hit(&second) && second.text == "Paris" && second.cost == Some(NanoUsd::ZERO));
    assert_eq!(upstream.seen().len(), 1);
    let rows = house.ledger(&request).await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.cache, row.cost, row.saved), (Some(CacheKind::Exact), Some(NanoUsd::ZERO), first.cost));
    assert_eq!((row.usage.input, row.provider.as_str(), row.provider_model.as_str()), (Some(0), "up", "m"));
    assert!(first.cost.is_some());

    assert_eq!(ask(&house, asking("Capital of Spain?")).await.cache, CacheUse::Miss);
    let stranger = house.stranger().await;
    assert_eq!(ask_as(&house, &stranger, asking("Capital of France?")).await.cache, CacheUse::Miss, "another tenant");
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn whoever_asks_says_whether_an_old_answer_will_do() {
    let (house, upstream) = house(policy()).await;
    let with = |cache| ChatRequest { cache, ..asking("Capital of France?") };
    assert_eq!(ask(&house, with(CacheControl::NoStore)).await.cache, CacheUse::Bypass);
    assert_eq!(ask(&house, with(CacheControl::NoCache)).await.cache, CacheUse::Miss);
    upstream.now_replies(Reply::events(&said("Paris!", "stop")));
    assert!(is_hit(&ask(&house, asking("Capital of France?")).await), "no-store kept nothing, no-cache did");
    assert_eq!(ask(&house, with(CacheControl::NoCache)).await.text, "Paris!");
    assert_eq!(ask(&house, asking("Capital of France?")).await.text, "Paris!", "the newer one counts");
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn what_was_cut_or_failed_is_given_to_nobody_again() {
    let (house, upstream) = house(policy()).await;
    for reason in ["length", "content_filter"] {
        upstream.now_replies(Reply::events(&said("Par", reason)));
        assert_eq!(ask(&house, asking("Capital of France?")).await.cache, CacheUse::Miss, "{reason}");
    }
    let begun = said("Par", "stop").split_once("\n\n").unwrap().0.to_owned() + "\n\n";
    upstream.now_replies(Reply::Stream(vec![Wire::Send(begun), Wire::Wait(Duration::from_millis(50)), Wire::Break]));
    let cut = read(house.ask(&asking("Capital of France?")).await.unwrap()).await;
    assert!(matches!(cut, Err(GatewayError::Interrupted { .. })));
    upstream.now_replies(Reply::json(500, &json!({ "error": { "message": "down" } })));
    assert!(house.ask(&asking("Capital of France?")).await.is_err());
    upstream.now_replies(Reply::events(&said("Paris", "stop")));
    let last = ask(&house, asking("Capital of France?")).await;
    assert_eq!((last.cache, last.text.as_str()), (CacheUse::Miss, "Paris"));
}

#[tokio::test]
async fn an_answer_grows_too_old() {
    let (house, _upstream) = house(CachePolicy { ttl_s: 1, ..policy() }).await;
    ask(&house, asking("Capital of France?")).await;
    assert!(is_hit(&ask(&house, asking("Capital of France?")).await));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(ask(&house, asking("Capital of France?")).await.cache, CacheUse::Miss);
}

#[tokio::test]
async fn those_who_ask_the_same_at_once_share_a_call_which_survives_who_made_it() {
    let (house, upstream) = house(policy()).await;
    let whole = said("Paris", "stop");
    let (begun, rest) = whole.split_once("\n\n").unwrap();
    let wire = [
        Wire::Wait(Duration::from_millis(50)),
        Wire::Send(format!("{begun}\n\n")),
        Wire::Wait(Duration::from_millis(150)),
        Wire::Send(rest.to_owned()),
    ];
    upstream.now_replies(Reply::Stream(wire.to_vec()));
    let leader = tokio::spawn({
        let (gateway, scope) = (house.gateway.clone(), house.scope.clone());
        async move {
            let mut answering = gateway.chat(&scope, asking("Capital of France?")).await.unwrap();
            answering.parts.next().await.unwrap().unwrap();
            // It goes away in the middle.
        }
    });
    asked_once(&upstream).await;
    let followers: Vec<ChatRequest> = (0..5).map(|_| asking("Capital of France?")).collect();
    let asked = futures::future::join_all(followers.iter().map(|request| ask(&house, request.clone()))).await;
    leader.await.unwrap();
    assert!(asked.iter().all(|seen| is_hit(seen) && seen.text == "Paris" && seen.cost == Some(NanoUsd::ZERO)));
    assert_eq!(upstream.seen().len(), 1);
    for follower in &followers {
        let rows = house.ledger(follower).await;
        assert!(matches!(rows.as_slice(), [row] if row.saved.is_some_and(|saved| saved > NanoUsd::ZERO)), "{rows:?}");
    }
    assert!(is_hit(&ask(&house, asking("Capital of France?")).await), "it is kept as well");
}

#[tokio::test]
async fn whoever_asked_first_and_stops_stops_nobody_else() {
    let (house, upstream) = house(policy()).await;
    let whole = said("Paris", "stop");
    let (begun, rest) = whole.split_once("\n\n").unwrap();
    let wire =
        [Wire::Send(format!("{begun}\n\n")), Wire::Wait(Duration::from_millis(150)), Wire::Send(rest.to_owned())];
    upstream.now_replies(Reply::Stream(wire.to_vec()));
    let first = asking("Capital of France?");
    let mut leader = house.ask(&first).await.unwrap();
    leader.parts.next().await.unwrap().unwrap();
    let follows = house.ask(&asking("Capital of France?")).await.unwrap();
    first.cancel.cancel();
    assert!(matches!(leader.parts.next().await, Some(Err(GatewayError::Abandoned))));
    drop(leader);
    assert_eq!(read(follows).await.unwrap().text, "Paris");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_shared_call_is_not_heard_to_its_end_for_somebody_who_is_stopped() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 40, "tokens_per_second": 100.0})).await;
    let drains = Behaviour { cache: Some(policy()), on_disconnect: Disconnect::Drain, ..Behaviour::default() };
    house.model_that("assistant", &["sim/m"], Strategy::Fallback, drains).await;
    let request = asking("Capital of France?");
    let mut answering = house.ask(&request).await.unwrap();
    answering.parts.next().await.unwrap().unwrap();
    request.cancel.cancel();
    assert!(matches!(answering.parts.next().await, Some(Err(GatewayError::Abandoned))));
    drop(answering);
    for _ in 0..100 {
        if let [row] = house.ledger(&request).await.as_slice()
            && row.settled_at.is_some()
        {
            assert!(!row.measured && row.usage.output < Some(40), "{row:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not settled within a second");
}

#[tokio::test]
async fn what_a_place_said_is_not_given_again_once_it_must_not_be_asked() {
    let (house, upstream) = house(policy()).await;
    ask(&house, asking("Capital of France?")).await;
    assert!(is_hit(&ask(&house, asking("Capital of France?")).await));
    house.upstream("other", ProviderKind::Openai, &upstream.url).await;
    let behaviour = Behaviour { cache: Some(policy()), ..Behaviour::default() };
    house.model_that("assistant", &["up/m", "other/m"], Strategy::Fallback, behaviour).await;
    ask(&house, asking("Capital of France?")).await;
    let (operator, now) = (OperatorScope::command_line(), house.tenancy.clock().now());
    Gateway::provider_switch(&house.control, now, &operator, "up", false).await.unwrap();
    house.gateway.invalidate();
    assert!(!is_hit(&ask(&house, asking("Capital of France?")).await), "it came from the one that is switched off");
    assert!(is_hit(&ask(&house, asking("Capital of France?")).await));
}

#[tokio::test]
async fn a_call_that_comes_to_nothing_is_nobody_elses_failure() {
    let (house, upstream) = house(policy()).await;
    upstream.now_replies(Reply::Stream(vec![Wire::Wait(Duration::from_millis(100)), Wire::Break]));
    let (one, two) = (asking("Capital of France?"), asking("Capital of France?"));
    let healed = async {
        asked_once(&upstream).await;
        upstream.now_replies(Reply::events(&said("Paris", "stop")));
    };
    let (one, two, ()) = tokio::join!(house.ask(&one), house.ask(&two), healed);
    let outcomes = [one.is_ok(), two.is_ok()];
    assert_eq!(outcomes.iter().filter(|answered| **answered).count(), 1, "{outcomes:?}");
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn a_question_that_is_alike_is_answered_by_the_same() {
    let alike = CachePolicy { similarity: Some(0.9), embed_with: Some("vectors".to_owned()), ..policy() };
    let (house, upstream) = house(alike).await;
    // Two lengths of text stand for two meanings.
    let vectors = Upstream::replying(Reply::json(
        200,
        &json!({ "data": [{ "index": 0, "embedding": [1.0, 0.0] }], "usage": { "prompt_tokens": 3 } }),
    ))
    .await;
    house.upstream("vec", ProviderKind::Openai, &vectors.url).await;
    house.model("vectors", &["vec/m"]).await;
    assert_eq!(ask(&house, asking("Capital of France?")).await.cache, CacheUse::Miss);
    let request = asking("What is the capital of France?");
    let found = ask(&house, request.clone()).await;
    assert!(matches!(found.cache, CacheUse::Hit { kind: CacheKind::Semantic, .. }) && found.text == "Paris");
    assert_eq!(house.ledger(&request).await[0].cache, Some(CacheKind::Semantic));
    assert_eq!(ask(&house, asking("Capital of France in 1940?")).await.cache, CacheUse::Miss, "another number");
    vectors.now_replies(Reply::json(
        200,
        &json!({ "data": [{ "index": 0, "embedding": [0.6, 0.8] }], "usage": { "prompt_tokens": 3 } }),
    ));
    assert_eq!(ask(&house, asking("How tall is it?")).await.cache, CacheUse::Miss, "another meaning");
    vectors.now_replies(Reply::json(500, &json!({})));
    assert_eq!(ask(&house, asking("And how wide?")).await.cache, CacheUse::Miss, "it is answered all the same");
    assert_eq!(upstream.seen().len(), 4);
    let rows = house.metering.ledger_rows(house.scope.tenant(), None, 100).await.unwrap();
    let embeddings = rows.iter().filter(|row| row.feature == Feature::Cache).count();
    assert_eq!(embeddings, 5, "comparing is paid for, too");
}
