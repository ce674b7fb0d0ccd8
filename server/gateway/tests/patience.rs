//! What is waited for, and for how long: readers who go away, places that are slow, providers that are switched off.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{ProviderKind, RequestId};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream, Wire},
};
use futures::StreamExt;
use gateway::{CacheControl, ChatRequest, Gateway, GatewayError, NewProvider, dialects::openai_chat::ChatCompletion};
use metering::{AttemptStatus, LedgerRow};
use registry::{Behaviour, Disconnect, Strategy};
use serde_json::json;
use std::time::{Duration, Instant};
use tenancy::OperatorScope;
use tokio_util::sync::CancellationToken;

const SAID: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Paris\"},\"finish_reason\":null}]}\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";

/// The only attempt of a request, once it is settled.
async fn settled(house: &House, request: &ChatRequest) -> LedgerRow {
    for _ in 0..200 {
        let rows = house.ledger(request).await;
        if let [row] = rows.as_slice()
            && row.settled_at.is_some()
        {
            return row.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not settled within 2 s");
}

/// Reads one text of an answer of twenty, a hundred a second, and goes away.
async fn leave_after_one(house: &House, stop: bool) -> LedgerRow {
    let request = chat("assistant");
    let mut answering = house.ask(&request).await.unwrap();
    answering.parts.next().await.unwrap().unwrap();
    if stop {
        request.cancel.cancel();
    }
    drop(answering);
    settled(house, &request).await
}

#[tokio::test]
async fn an_answer_whose_reader_has_gone_ends_or_is_heard_for_its_bill() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 20, "tokens_per_second": 100.0})).await;
    let with = |on_disconnect| Behaviour { on_disconnect, ..Behaviour::default() };

    house.model_that("assistant", &["sim/m"], Strategy::Fallback, with(Disconnect::Abort)).await;
    let row = leave_after_one(&house, false).await;
    assert_eq!((row.status, row.measured), (AttemptStatus::Stopped, false));
    assert!(row.usage.output.unwrap() < 20, "{row:?}");

    house.model_that("assistant", &["sim/m"], Strategy::Fallback, with(Disconnect::Drain)).await;
    let row = leave_after_one(&house, false).await;
    assert_eq!((row.status, row.measured, row.usage.output), (AttemptStatus::Stopped, true, Some(20)));

    let row = leave_after_one(&house, true).await;
    assert_eq!((row.status, row.measured), (AttemptStatus::Stopped, false), "who stops it ends it");
}

#[tokio::test]
async fn an_answer_nobody_reads_to_its_end_does_not_keep_the_server_from_stopping() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 2_000, "tokens_per_second": 100.0})).await;
    let drain = Behaviour { on_disconnect: Disconnect::Drain, ..Behaviour::default() };
    house.model_that("assistant", &["sim/m"], Strategy::Fallback, drain).await;
    let request = chat("assistant");
    drop(house.ask(&request).await.unwrap());
    tokio::time::sleep(Duration::from_millis(30)).await;
    tokio::time::timeout(Duration::from_secs(2), house.gateway.shutdown()).await.expect("it stops");
    assert!(!settled(&house, &request).await.measured);
}

#[tokio::test]
async fn the_next_place_is_asked_beside_one_that_is_slower_than_it_was() {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::events(SAID)).await;
    house.upstream("up", ProviderKind::Openai, &upstream.url).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    let hedged = Behaviour { hedge_percentile: Some(90), ..Behaviour::default() };
    house.model_that("assistant", &["up/m", "spare/m"], Strategy::Fallback, hedged).await;
    // How fast it is is learned where nothing else can be asked, since one answer in ten is slower than the percentile.
    house.model("learning", &["up/m"]).await;
    for _ in 0..25 {
        hear(house.ask(&chat("learning")).await.unwrap()).await.end.unwrap();
    }
    // Within its own time, and much slower than ever.
    upstream.now_replies(Reply::Stream(vec![Wire::Wait(Duration::from_millis(250)), Wire::Send(SAID.to_owned())]));
    let request = chat("assistant");
    let outcome = hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!(outcome.route, "spare/m");
    assert!(outcome.total_ms < 200, "{outcome:?}");
    let mut told = house.told(&request).await;
    told.sort();
    assert_eq!(told, ["spare succeeded", "up stopped outrun"]);

    // When the second comes to nothing, the first is waited for.
    house.simulated("spare", json!({"tokens": 3, "fault": "error"})).await;
    let request = chat("assistant");
    let outcome = hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!(outcome.route, "up/m");
    let mut told = house.told(&request).await;
    told.sort();
    assert_eq!(told, ["spare failed failed", "up succeeded"]);
}

#[tokio::test]
async fn nobody_is_asked_twice_at_once_when_the_first_place_fails_while_the_next_is_slow() {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::events(SAID)).await;
    house.upstream("first", ProviderKind::Openai, &upstream.url).await;
    house.simulated_with("slow", json!({"tokens": 3, "first_token_ms": 400}), 2_000, 0).await;
    let hedged = Behaviour { hedge_percentile: Some(90), ..Behaviour::default() };
    house.model_that("assistant", &["first/m", "slow/m"], Strategy::Fallback, hedged).await;
    house.model("learning", &["first/m"]).await;
    for _ in 0..25 {
        hear(house.ask(&chat("learning")).await.unwrap()).await.end.unwrap();
    }
    upstream.now_replies(Reply::json(500, &json!({ "error": { "message": "down" } })));
    let request = chat("assistant");
    let outcome = hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!(outcome.route, "slow/m");
    assert_eq!(house.told(&request).await, ["first failed failed", "slow succeeded"]);
}

#[tokio::test]
async fn an_answer_that_a_provider_sends_whole_is_waited_for_as_long_as_it_is_told() {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::Stream(vec![Wire::Hang])).await;
    let mut provider = NewProvider::new("up", ProviderKind::Openai);
    provider.base_url = Some(upstream.url.clone());
    (provider.timeout_ms, provider.whole_timeout_ms, provider.max_retries) = (30, 200, 0);
    house.gateway.provider_add(&provider).await.unwrap();
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("assistant", &["up/m", "spare/m"]).await;
    let body = json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Hello" }] });
    let asked = ChatCompletion::read(body.as_object().unwrap().clone()).unwrap();
    let request = asked.chat.into_request(RequestId::new(), CacheControl::Usual, CancellationToken::new());
    let began = Instant::now();
    let outcome = hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!(outcome.route, "spare/m");
    assert!((200..2_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(house.told(&request).await, ["up failed timed_out", "spare succeeded"]);
}

#[tokio::test]
async fn a_provider_that_is_switched_off_meanwhile_is_not_asked_next() {
    let house = House::new().await;
    house.simulated("slow", json!({"fault": "hang"})).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("assistant", &["slow/m", "spare/m"]).await;
    let request = chat("assistant");
    let asking = house.ask(&request);
    let switching = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (operator, now) = (OperatorScope::command_line(), house.tenancy.clock().now());
        Gateway::provider_switch(&house.control, now, &operator, "spare", false).await.unwrap();
        house.gateway.invalidate();
    };
    let (asked, ()) = tokio::join!(asking, switching);
    assert!(matches!(asked, Err(GatewayError::AllAttemptsFailed { attempts: 1, .. })));
    assert_eq!(house.told(&request).await, ["slow failed timed_out"]);
}

#[tokio::test]
async fn signs_of_life_do_not_put_off_the_end_of_the_wait_for_first_words() {
    let house = House::new().await;
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n";
    let sign = || [Wire::Send(role.to_owned()), Wire::Wait(Duration::from_millis(60))];
    let upstream = Upstream::replying(Reply::Stream((0..20).flat_map(|_| sign()).collect())).await;
    house.upstream("up", ProviderKind::Openai, &upstream.url).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("assistant", &["up/m", "spare/m"]).await;
    let request = chat("assistant");
    let outcome = hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!(outcome.route, "spare/m");
    assert_eq!(house.told(&request).await, ["up failed timed_out", "spare succeeded"]);
}
