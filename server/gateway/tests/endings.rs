//! However an answer ends, its attempt is settled once: stopped, dropped, shut down, or never begun.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{ProviderKind, RequestId};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream, Wire},
};
use futures::StreamExt;
use gateway::{AnswerPart, ChatRequest, EmbedRequest, GatewayError, provider::ProviderError};
use metering::{AttemptStatus, Feature};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A provider that speaks slowly and for a long time.
async fn slow() -> House {
    let house = House::new().await;
    house.simulated_with("sim", json!({"tokens": 100_000, "tokens_per_second": 100.0}), 30_000, 0).await;
    house.model("assistant", &["sim/m"]).await;
    house
}

async fn settled(house: &House, request: &ChatRequest) -> metering::LedgerRow {
    let asked = Instant::now();
    loop {
        let rows = house.ledger(request).await;
        assert!(rows.len() <= 1, "one attempt: {rows:?}");
        if let Some(row) = rows.into_iter().find(|row| row.settled_at.is_some()) {
            return row;
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "the attempt is never settled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn cancelling_settles_what_was_said_as_stopped() {
    let house = slow().await;
    let request = chat("assistant");
    let mut answering = house.ask(&request).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(answering.parts.next().await, Some(Ok(AnswerPart::Text(_)))));
    }
    request.cancel.cancel();
    let heard = hear(answering).await;
    let Err(GatewayError::Interrupted { outcome, cause: ProviderError::Cancelled }) = heard.end else {
        panic!("{heard:?}")
    };
    let said = 3 + i64::try_from(heard.texts.len()).unwrap();
    // A text may have been under way to the reader when it stopped.
    assert!((said..=said + 1).contains(&outcome.usage.output.unwrap()), "{outcome:?} after {said}");
    assert_eq!((outcome.usage.input, outcome.measured), (Some(8), false));
    assert!(outcome.cost.is_some());
    // No waiting: it was durable before the end was seen.
    let row = house.ledger(&request).await.remove(0);
    assert_eq!((row.status, row.error_code), (AttemptStatus::Stopped, None));
    assert_eq!((row.usage, row.cost, row.measured), (outcome.usage, outcome.cost, false));
}

#[tokio::test]
async fn dropping_the_answer_settles_it_and_frees_the_provider() {
    let house = House::new().await;
    let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Paris\"}}]}\n\n".to_owned();
    let upstream = Upstream::replying(Reply::Stream(vec![Wire::Send(first), Wire::Hang])).await;
    house.upstream("http", ProviderKind::Openai, &upstream.url).await;
    house.model("assistant", &["http/m"]).await;
    let request = chat("assistant");
    let mut answering = house.ask(&request).await.unwrap();
    assert!(matches!(answering.parts.next().await, Some(Ok(AnswerPart::Text(text))) if text == "Paris"));
    drop(answering);
    let row = settled(&house, &request).await;
    assert_eq!((row.status, row.usage.output, row.measured), (AttemptStatus::Stopped, Some(2), false));
    let asked = Instant::now();
    while !upstream.was_abandoned() {
        assert!(asked.elapsed() < Duration::from_secs(5), "the provider still works for nobody");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!request.cancel.is_cancelled(), "the caller's token is the caller's");
}

#[tokio::test]
async fn giving_up_before_the_first_text_is_settled_too() {
    let house = House::new().await;
    house.simulated_with("sim", json!({"first_token_ms": 60_000}), 60_000, 0).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    let patience = Duration::from_millis(100);
    assert!(tokio::time::timeout(patience, house.ask(&request)).await.is_err());
    let row = settled(&house, &request).await;
    assert_eq!((row.status, row.usage.output, row.first_token_ms), (AttemptStatus::Stopped, Some(0), None));

    let request = chat("assistant");
    request.cancel.cancel();
    let cancelled = house.ask(&request).await;
    assert!(matches!(cancelled, Err(GatewayError::Interrupted { cause: ProviderError::Cancelled, .. })));
}

#[tokio::test]
async fn cancelling_during_a_pause_between_attempts_ends_it_at_once() {
    let house = House::new().await;
    house.simulated_with("sim", json!({"fault": "rate_limit", "retry_after_ms": 9_000}), 200, 1).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    let asked = Instant::now();
    let cancel = request.cancel.clone();
    let (ended, ()) = tokio::join!(house.ask(&request), async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    });
    assert!(matches!(ended, Err(GatewayError::Interrupted { cause: ProviderError::Cancelled, .. })));
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(house.told(&request).await, ["sim failed rate_limited"]);
}

#[tokio::test]
async fn shutting_down_settles_also_what_nobody_reads() {
    let house = House::new().await;
    // As fast as it can: the channel to the reader fills up.
    house.simulated("sim", json!({"tokens": 100_000})).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    let answering = house.ask(&request).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), house.gateway.shutdown()).await.expect("it waits for readers");
    assert_eq!(house.told(&request).await, ["sim stopped"]);
    let heard = hear(answering).await;
    assert!(matches!(heard.end, Err(GatewayError::Interrupted { cause: ProviderError::Cancelled, .. })));
    assert!(matches!(house.ask(&chat("assistant")).await, Err(GatewayError::ShuttingDown)));
}

#[tokio::test]
async fn a_reader_that_pauses_slows_the_provider_and_loses_nothing() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 500})).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    let answering = house.ask(&request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(house.ledger(&request).await[0].settled_at.is_none(), "it ran ahead of its reader");
    let heard = hear(answering).await;
    assert_eq!((heard.texts.len(), heard.end.unwrap().usage.output), (500, Some(500)));
}

#[tokio::test]
async fn a_provider_never_hears_of_what_is_not_in_the_ledger_yet() {
    let house = Arc::new(House::new().await);
    let request = chat("assistant");
    let statuses: Arc<Mutex<Vec<AttemptStatus>>> = Arc::default();
    let looking: Arc<OnceLock<Arc<House>>> = Arc::default();
    looking.set(Arc::clone(&house)).ok().unwrap();
    let (noted, looked_for) = (Arc::clone(&statuses), request.clone());
    let upstream = Upstream::watched(
        Reply::json(500, &json!({})),
        Arc::new(move || {
            let (house, noted, request) = (Arc::clone(looking.get().unwrap()), Arc::clone(&noted), looked_for.clone());
            Box::pin(async move {
                let rows = house.ledger(&request).await;
                noted.lock().unwrap().extend(rows.iter().map(|row| row.status));
            })
        }),
    )
    .await;
    house.upstream("http", ProviderKind::Openai, &upstream.url).await;
    house.model("assistant", &["http/m"]).await;
    assert!(house.ask(&request).await.is_err());
    assert_eq!(*statuses.lock().unwrap(), [AttemptStatus::Dispatched]);
    assert_eq!(house.told(&request).await, ["http failed failed"]);
}

#[tokio::test]
async fn embeddings_are_metered_like_answers() {
    let house = House::new().await;
    house.simulated("sim", json!({"fault": "error"})).await;
    house.simulated("spare", json!({})).await;
    house.model("embedder", &["sim/m", "spare/m"]).await;
    let embed = |model: &str| EmbedRequest {
        request: RequestId::new(),
        model: model.to_owned(),
        inputs: vec!["one two".to_owned(), "three".to_owned()],
        dimensions: None,
        feature: Feature::Chat,
        cancel: CancellationToken::new(),
    };
    let request = embed("embedder");
    let embedded = house.gateway.embed(&house.scope, request.clone()).await.unwrap();
    assert_eq!((embedded.vectors.len(), embedded.usage.input, embedded.route.as_str()), (2, Some(3), "spare/m"));
    let rows = house.metering.ledger_rows(house.scope.tenant(), Some(request.request), 10).await.unwrap();
    let statuses: Vec<AttemptStatus> = rows.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [AttemptStatus::Failed, AttemptStatus::Succeeded]);
    assert_eq!((rows[1].cost, embedded.cost.map(|cost| cost.as_nanos())), (embedded.cost, Some(6_000)));

    house.simulated_with("sim", json!({"fault": "hang"}), 60_000, 0).await;
    let request = embed("embedder");
    let patience = Duration::from_millis(100);
    assert!(tokio::time::timeout(patience, house.gateway.embed(&house.scope, request.clone())).await.is_err());
    house.gateway.shutdown().await;
    let rows = house.metering.ledger_rows(house.scope.tenant(), Some(request.request), 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [AttemptStatus::Stopped]);
}
