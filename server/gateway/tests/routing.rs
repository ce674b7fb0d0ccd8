//! What a caller sees and what stands in the ledger, for each way in which a provider can fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{FinishReason, NanoUsd, ProviderKind, RequestId};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream},
};
use gateway::{EmbedRequest, Gateway, GatewayError, NewProvider, provider::ProviderError};
use metering::Feature;
use registry::Strategy;
use serde_json::json;
use std::time::{Duration, Instant};
use tenancy::{NewTenant, OperatorScope};
use tokio_util::sync::CancellationToken;

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

/// Who answered a request, asked once more.
async fn answered(house: &House, model: &str) -> String {
    seen(house, &chat(model)).await.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_cheapest_is_asked_first_and_one_without_a_price_last() {
    let house = House::new().await;
    for name in ["dear", "cheap", "unknown"] {
        house.simulated(name, json!({"tokens": 3})).await;
    }
    house.price_of("dear", "x", "2", "10").await;
    house.price_of("cheap", "x", "3", "1").await;
    let routes = ["unknown/x", "dear/x", "cheap/x"];
    house.model_with("assistant", &routes, Strategy::Cheapest, None).await;
    assert_eq!(answered(&house, "assistant").await, "cheap/x", "what is said costs more than what is read");
    house.simulated("cheap", json!({"fault": "error"})).await;
    assert_eq!(answered(&house, "assistant").await, "dear/x");
    house.simulated("dear", json!({"fault": "error"})).await;
    assert_eq!(answered(&house, "assistant").await, "unknown/x");
}

#[tokio::test]
async fn the_fastest_is_asked_first_once_all_are_measured() {
    let house = House::new().await;
    house.simulated("slow", json!({"tokens": 3, "first_token_ms": 120})).await;
    house.simulated("quick", json!({"tokens": 3, "first_token_ms": 2})).await;
    house.model_with("assistant", &["slow/m", "quick/m"], Strategy::Fastest, None).await;
    assert_eq!(answered(&house, "assistant").await, "slow/m");
    for _ in 0..3 {
        assert_eq!(answered(&house, "assistant").await, "quick/m");
    }
    house.simulated("quick", json!({"fault": "error"})).await;
    assert_eq!(answered(&house, "assistant").await, "slow/m", "it takes over when the quick one fails");
}

#[tokio::test]
async fn a_place_that_keeps_failing_is_not_asked_until_it_is_mended() {
    let house = House::new().await;
    house.simulated("sim", json!({"fault": "error"})).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("alone", &["sim/m"]).await;
    house.model("backed", &["sim/m", "spare/m"]).await;
    for _ in 0..5 {
        let request = chat("backed");
        assert_eq!(seen(&house, &request).await, "3 texts from spare/m");
        assert_eq!(house.told(&request).await, ["sim failed failed", "spare succeeded"]);
    }
    let request = chat("backed");
    assert_eq!(seen(&house, &request).await, "3 texts from spare/m");
    assert_eq!(house.told(&request).await, ["spare succeeded"], "nobody waits for the one that fails");
    let request = chat("alone");
    assert_eq!(seen(&house, &request).await, "nothing after 0: not_ready");
    assert!(house.ledger(&request).await.is_empty());
    // Whoever mends its configuration need not wait.
    house.simulated("sim", json!({"tokens": 4})).await;
    assert_eq!(seen(&house, &chat("alone")).await, "4 texts from sim/m");
}

#[tokio::test]
async fn a_model_says_how_long_its_first_words_may_take_whoever_is_asked() {
    let house = House::new().await;
    for name in ["one", "two", "three"] {
        house.simulated(name, json!({"fault": "hang"})).await;
    }
    house.model_with("assistant", &["one/m", "two/m", "three/m"], Strategy::Fallback, Some(250)).await;
    let (request, asked) = (chat("assistant"), Instant::now());
    assert_eq!(seen(&house, &request).await, "nothing after 3: timed_out");
    assert!(asked.elapsed() < Duration::from_millis(390), "{:?}", asked.elapsed());
    let told = ["one failed timed_out", "two failed timed_out", "three failed timed_out"];
    assert_eq!(house.told(&request).await, told, "each has its share of the time");
    // One that says nothing leaves the others theirs.
    house.simulated("three", json!({"tokens": 3})).await;
    assert_eq!(seen(&house, &chat("assistant")).await, "3 texts from three/m");
    // An answer that has begun is not cut short by it.
    house.simulated("slow", json!({"tokens": 5, "tokens_per_second": 10.0})).await;
    house.model_with("slow", &["slow/m"], Strategy::Fallback, Some(150)).await;
    assert_eq!(seen(&house, &chat("slow")).await, "5 texts from slow/m");
}

#[tokio::test]
async fn a_tenants_region_is_left_by_nobody_also_when_all_fail_there() {
    let mut house = House::new().await;
    let fails = Upstream::replying(Reply::json(500, &json!({"error": {"message": "down"}}))).await;
    let elsewhere = Upstream::replying(Reply::json(500, &json!({"error": {"message": "down"}}))).await;
    for (name, region, upstream) in [("us", "us", &elsewhere), ("eu", "eu", &fails), ("unsaid", "", &elsewhere)] {
        let mut provider = NewProvider::new(name, ProviderKind::Openai);
        provider.base_url = Some(upstream.url.clone());
        provider.region = Some(region.to_owned()).filter(|region| !region.is_empty());
        (provider.timeout_ms, provider.max_retries) = (300, 0);
        house.gateway.provider_add(&provider).await.unwrap();
    }
    house.model("assistant", &["us/m", "eu/m", "unsaid/m"]).await;
    house.model("abroad", &["us/m"]).await;
    let new = NewTenant {
        slug: "acme".parse().unwrap(),
        display_name: "Acme".to_owned(),
        plan: None,
        monthly_budget: None,
        soft_budget: None,
        region: Some("eu".to_owned()),
        zero_retention: false,
    };
    let acme = house.tenancy.tenant_create(new.clone()).await.unwrap().id;
    let anywhere = std::mem::replace(&mut house.scope, house.tenancy.upkeep_scope(acme));
    let request = chat("assistant");
    assert_eq!(seen(&house, &request).await, "nothing after 1: failed");
    assert_eq!(house.told(&request).await, ["eu failed failed"]);
    let Err(GatewayError::NoTarget { reason, .. }) = house.ask(&chat("abroad")).await else { panic!("it was asked") };
    assert_eq!(reason, "us/m: it is not in the region “eu”");
    let vectors = |model: &str| EmbedRequest {
        request: RequestId::new(),
        model: model.to_owned(),
        inputs: vec!["a secret".to_owned()],
        dimensions: None,
        feature: Feature::Api,
        cancel: CancellationToken::new(),
    };
    let embedded = house.gateway.embed(&house.scope, vectors("abroad")).await;
    assert!(matches!(embedded, Err(GatewayError::NoTarget { .. })), "{embedded:?}");
    let embedded = house.gateway.embed(&house.scope, vectors("assistant")).await;
    assert!(matches!(embedded, Err(GatewayError::AllAttemptsFailed { attempts: 1, .. })), "{embedded:?}");
    let counted = house.gateway.count_tokens(&house.scope, &chat("abroad")).await;
    assert!(matches!(counted, Err(GatewayError::NoTarget { .. })), "{counted:?}");

    // Who must not be kept is told to nobody who does not promise it.
    let mut keeps_nothing = NewProvider::new("forgets", ProviderKind::Openai);
    keeps_nothing.base_url = Some(fails.url.clone());
    (keeps_nothing.timeout_ms, keeps_nothing.max_retries, keeps_nothing.zero_retention) = (300, 0, true);
    house.gateway.provider_add(&keeps_nothing).await.unwrap();
    house.model("discreet", &["us/m", "forgets/m", "unsaid/m"]).await;
    let globex = NewTenant { slug: "globex".parse().unwrap(), region: None, zero_retention: true, ..new };
    let globex = house.tenancy.tenant_create(globex).await.unwrap().id;
    house.scope = house.tenancy.upkeep_scope(globex);
    let request = chat("discreet");
    assert_eq!(seen(&house, &request).await, "nothing after 1: failed");
    assert_eq!(house.told(&request).await, ["forgets failed failed"]);
    let embedded = house.gateway.embed(&house.scope, vectors("assistant")).await;
    assert!(matches!(embedded, Err(GatewayError::NoTarget { .. })), "{embedded:?}");
    assert!(elsewhere.seen().is_empty(), "not a word went abroad");
    house.scope = anywhere;
    assert_eq!(seen(&house, &chat("assistant")).await, "nothing after 3: failed");
}

#[tokio::test]
async fn a_provider_that_is_switched_off_is_not_asked_a_second_later() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 4})).await;
    house.simulated("spare", json!({"tokens": 3})).await;
    house.model("assistant", &["sim/m", "spare/m"]).await;
    assert_eq!(answered(&house, "assistant").await, "sim/m");
    let (operator, now) = (OperatorScope::command_line(), house.tenancy.clock().now());
    let switch = async |name: &str, on| Gateway::provider_switch(&house.control, now, &operator, name, on).await;
    assert!(switch("sim", false).await.unwrap());
    assert!(!switch("sim", false).await.unwrap(), "it is off already");
    // As another process would: nobody tells this one.
    let switched = Instant::now();
    while answered(&house, "assistant").await == "sim/m" {
        assert!(switched.elapsed() < Duration::from_millis(1_500), "it is still asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.simulated("sim", json!({"tokens": 4, "first_token_ms": 1})).await;
    assert_eq!(answered(&house, "assistant").await, "spare/m", "a change of something else does not switch it on");
    assert!(switch("sim", true).await.unwrap());
    house.gateway.invalidate();
    assert_eq!(answered(&house, "assistant").await, "sim/m");
    let unknown = switch("gone", false).await.unwrap_err().to_string();
    assert_eq!(unknown, "there is no provider “gone”; those there are: local, sim, spare");
    let log = house.tenancy.audit_list_of_platform(&operator, None, "provider.").await.unwrap();
    assert_eq!(
        log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
        ["provider.enable", "provider.disable"]
    );
}
