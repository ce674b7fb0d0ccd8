//! What a caller sees and what stands in the ledger, for each way in which a provider can fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{FinishReason, NanoUsd, ProviderKind};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream},
};
use gateway::{GatewayError, NewProvider, provider::ProviderError};
use serde_json::json;
use std::time::{Duration, Instant};

/// What the caller of an answer sees of it, short enough for a table.
async fn seen(house: &House, request: &gateway::ChatRequest) -> String {
    let heard = match house.ask(request).await {
        Ok(answering) => hear(answering).await,
        Err(GatewayError::AllAttemptsFailed { attempts, last }) => {
            return format!("nothing after {attempts}: {}", last.code());
        }
        Err(GatewayError::Rejected { cause }) => return format!("rejected: {}", cause.code()),
        Err(other) => return format!("{other:?}"),
    };
    let texts = heard.texts.len();
    match heard.end {
        Ok(outcome) => format!("{texts} texts from {}", outcome.route),
        Err(GatewayError::Interrupted { cause, .. }) => format!("{texts} texts, interrupted: {}", cause.code()),
        Err(other) => format!("{texts} texts, {other:?}"),
    }
}

#[tokio::test]
async fn a_whole_answer_is_settled_before_its_end_is_seen() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 30, "first_token_ms": 20})).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    let answering = house.ask(&request).await.unwrap();
    assert_eq!(answering.route, "sim/m");
    let heard = hear(answering).await;
    assert!(heard.texts.concat().starts_with("simulated: "));
    let outcome = heard.end.unwrap();
    // Eight words read at $2 a million, thirty said at $10.
    assert_eq!(outcome.cost, Some(NanoUsd::from_nanos(8 * 2_000 + 30 * 10_000)));
    assert_eq!((outcome.reason, outcome.attempts, outcome.measured), (FinishReason::Stop, 1, true));
    assert!(outcome.first_token_ms.unwrap() >= 20 && outcome.total_ms >= outcome.first_token_ms.unwrap());
    let rows = house.ledger(&request).await;
    let [row] = rows.as_slice() else { panic!("one attempt, one row: {rows:?}") };
    assert_eq!((row.cost, row.usage, row.measured), (outcome.cost, outcome.usage, true));
    assert_eq!((row.total_ms, row.first_token_ms), (Some(outcome.total_ms), outcome.first_token_ms));
    assert_eq!((row.requested_model.as_str(), row.provider_model.as_str()), ("assistant", "m"));
    assert_eq!(row.prompt, Some(("chat".to_owned(), 1)));
    assert_eq!(house.told(&request).await, ["sim succeeded"]);
}

/// A fault; what is seen of it alone, and the ledger; the same with a spare behind it.
type Case = (&'static str, &'static str, &'static [&'static str], &'static str, &'static [&'static str]);

#[tokio::test]
async fn each_fault_has_one_outcome_for_the_caller_and_one_row_an_attempt() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 10, "retry_after_ms": 5})).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    let table: [Case; 6] = [
        ("sim-ok", "10 texts from sim/sim-ok", &["sim succeeded"], "10 texts from sim/sim-ok", &["sim succeeded"]),
        (
            "sim-error",
            "nothing after 1: failed",
            &["sim failed failed"],
            "3 texts from spare/m",
            &["sim failed failed", "spare succeeded"],
        ),
        (
            "sim-rate-limit",
            "nothing after 1: rate_limited",
            &["sim failed rate_limited"],
            "3 texts from spare/m",
            &["sim failed rate_limited", "spare succeeded"],
        ),
        (
            "sim-hang",
            "nothing after 1: timed_out",
            &["sim failed timed_out"],
            "3 texts from spare/m",
            &["sim failed timed_out", "spare succeeded"],
        ),
        ("sim-cut", "5 texts, interrupted: cut", &["sim cut cut"], "5 texts, interrupted: cut", &["sim cut cut"]),
        (
            "sim-malformed",
            "5 texts, interrupted: malformed",
            &["sim cut malformed"],
            "5 texts, interrupted: malformed",
            &["sim cut malformed"],
        ),
    ];
    for (fault, alone, alone_ledger, backed, backed_ledger) in table {
        let route = format!("sim/{fault}");
        house.model("alone", &[&route]).await;
        house.model("backed", &[&route, "spare/m"]).await;
        let request = chat("alone");
        assert_eq!(seen(&house, &request).await, alone, "{fault}");
        assert_eq!(house.told(&request).await, alone_ledger, "{fault}");
        let request = chat("backed");
        assert_eq!(seen(&house, &request).await, backed, "{fault} with a spare");
        assert_eq!(house.told(&request).await, backed_ledger, "{fault} with a spare");
    }
}

#[tokio::test]
async fn every_fault_falls_back_before_the_first_text_and_none_after_it() {
    let house = House::new().await;
    house.simulated("spare", json!({"tokens": 3})).await;
    for (fault, code) in [
        ("error", "failed"),
        ("rate_limit", "rate_limited"),
        ("hang", "timed_out"),
        ("cut", "cut"),
        ("malformed", "malformed"),
    ] {
        for (said, expected) in [(0, "3 texts from spare/m".to_owned()), (1, format!("1 texts, interrupted: {code}"))] {
            house.simulated("sim", json!({"tokens": 10, "fault": fault, "fault_after_tokens": said})).await;
            house.model("backed", &["sim/m", "spare/m"]).await;
            let request = chat("backed");
            assert_eq!(seen(&house, &request).await, expected, "{fault} after {said}");
            let first = house.told(&request).await.remove(0);
            let status = if said == 0 { "failed" } else { "cut" };
            assert_eq!(first, format!("sim {status} {code}"));
        }
    }
}

#[tokio::test]
async fn what_was_said_before_a_cut_is_billed_by_estimate() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 10, "fault": "cut", "fault_after_tokens": 4})).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    let heard = hear(house.ask(&request).await.unwrap()).await;
    let Err(GatewayError::Interrupted { outcome, cause: ProviderError::Cut }) = heard.end else { panic!("{heard:?}") };
    assert_eq!((outcome.usage.input, outcome.usage.output, outcome.measured), (Some(8), Some(4), false));
    assert_eq!(outcome.cost, Some(NanoUsd::from_nanos(8 * 2_000 + 4 * 10_000)));
    let row = house.ledger(&request).await.remove(0);
    assert_eq!((row.usage, row.cost, row.measured), (outcome.usage, outcome.cost, false));
}

#[tokio::test]
async fn a_provider_is_asked_again_as_often_as_it_is_configured_then_the_next() {
    let house = House::new().await;
    house.simulated_with("sim", json!({"fault": "error"}), 200, 2).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("assistant", &["sim/m", "spare/m"]).await;
    let request = chat("assistant");
    let heard = hear(house.ask(&request).await.unwrap()).await;
    assert_eq!(heard.end.unwrap().attempts, 4);
    let failed = "sim failed failed";
    assert_eq!(house.told(&request).await, [failed, failed, failed, "spare succeeded"]);
}

#[tokio::test]
async fn a_retry_waits_as_long_as_the_provider_asks() {
    let house = House::new().await;
    house.simulated_with("sim", json!({"fault": "rate_limit", "retry_after_ms": 450}), 200, 1).await;
    house.model("assistant", &["sim/m"]).await;
    let request = chat("assistant");
    assert_eq!(seen(&house, &request).await, "nothing after 2: rate_limited");
    let rows = house.ledger(&request).await;
    let gap = rows[1].dispatched_at.millis_since(rows[0].settled_at.unwrap());
    assert!((449..2_000).contains(&gap), "{gap} ms between the attempts");
}

#[tokio::test]
async fn a_provider_that_asks_for_a_long_pause_is_passed_over() {
    let house = House::new().await;
    house.simulated_with("sim", json!({"fault": "rate_limit", "retry_after_ms": 60_000}), 200, 3).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("assistant", &["sim/m", "spare/m"]).await;
    let request = chat("assistant");
    let asked = Instant::now();
    assert_eq!(seen(&house, &request).await, "3 texts from spare/m");
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(house.told(&request).await, ["sim failed rate_limited", "spare succeeded"]);
}

#[tokio::test]
async fn what_the_request_itself_is_refused_for_is_not_tried_elsewhere() {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::json(400, &json!({"error": {"message": "no"}}))).await;
    house.upstream("http", ProviderKind::Openai, &upstream.url).await;
    house.simulated("spare", json!({})).await;
    house.model("assistant", &["http/m", "spare/m"]).await;
    let request = chat("assistant");
    assert_eq!(seen(&house, &request).await, "rejected: rejected");
    assert_eq!(house.told(&request).await, ["http failed rejected"]);
    let row = house.ledger(&request).await.remove(0);
    // It never reached a model, so it used nothing, and that is known.
    assert_eq!((row.usage.input, row.usage.output), (Some(0), Some(0)));
}

#[tokio::test]
async fn usage_that_a_server_does_not_report_is_estimated_and_labelled() {
    let house = House::new().await;
    let said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Four more words here\"}}]}\n\n\
                data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let upstream = Upstream::replying(Reply::events(said)).await;
    house.upstream("http", ProviderKind::Openai, &upstream.url).await;
    house.model("assistant", &["http/m"]).await;
    let request = chat("assistant");
    let outcome = hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!((outcome.measured, outcome.usage.output), (false, Some(5)));
    assert!(outcome.usage.input.unwrap() > 0 && outcome.cost.is_some());
}

#[tokio::test]
async fn without_a_price_the_cost_is_unknown_and_not_zero() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 3})).await;
    house.model("assistant", &["sim/unpriced"]).await;
    let outcome = hear(house.ask(&chat("assistant")).await.unwrap()).await.end.unwrap();
    assert_eq!((outcome.cost, outcome.measured), (None, true));
}

#[tokio::test]
async fn where_nothing_can_be_asked_nothing_is_dispatched() {
    let house = House::new().await;
    let request = chat("nobody");
    assert!(matches!(house.ask(&request).await, Err(GatewayError::UnknownModel { name }) if name == "nobody"));
    house.gateway.provider_add(&NewProvider::new("keyless", ProviderKind::Anthropic)).await.unwrap();
    house.model("assistant", &["keyless/claude"]).await;
    let request = chat("assistant");
    let Err(GatewayError::NoTarget { reason, .. }) = house.ask(&request).await else { panic!("no target") };
    assert_eq!(reason, "keyless/claude: this provider has no API key yet");
    assert!(house.ledger(&request).await.is_empty());
}
