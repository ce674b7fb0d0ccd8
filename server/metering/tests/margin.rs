//! What each tenant costs and brings in, from traffic and from a demo's seed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use contract::{NanoUsd, RequestId, TenantId, Timestamp, TokenUsage};
use fixture::{FIRST, Fixture, NOW, intent, price_from, succeeded, tokens, usd};
use metering::{Feature, Intent, Metering, MeteringError, NewPlan, SeededAttempt};

const TENANT_INSERT: &str = "
INSERT INTO tenant (id, slug, display_name, plan, created_at, updated_at) VALUES ($1, $2, $2, $3, 0, 0)";

const MONTH: i64 = 30 * 86_400_000;

async fn tenant(fixture: &Fixture, slug: &str, plan: Option<&str>) -> TenantId {
    let id = TenantId::new();
    fixture.control.write(TENANT_INSERT).bind(id).bind(slug).bind(plan).execute().await.unwrap();
    id
}

async fn plan(fixture: &Fixture, name: &str, fee: &str, credit: &str) {
    let plan = NewPlan {
        name: name.into(),
        monthly_fee: usd(fee),
        included_credit: usd(credit),
        overage_markup_millionths: 1_500_000,
        requests_per_minute: None,
        tokens_per_minute: None,
        max_concurrent: None,
    };
    let mut tx = fixture.control.begin().await.unwrap();
    Metering::apply_plan(&mut tx, NOW, &plan).await.unwrap();
    tx.commit().await.unwrap();
}

fn past(tenant: TenantId, dispatched_at: Timestamp, usage: TokenUsage) -> SeededAttempt {
    SeededAttempt {
        tenant,
        request: RequestId::new(),
        user: None,
        feature: Feature::Chat,
        requested_model: "assistant".into(),
        provider: "openai-eu".into(),
        provider_model: "gpt-4o-mini".into(),
        prompt: None,
        usage,
        first_token_ms: Some(80),
        total_ms: 700,
        dispatched_at,
    }
}

async fn seed(fixture: &Fixture, rows: &[SeededAttempt]) -> Result<u64, MeteringError> {
    let mut tx = fixture.control.begin().await.unwrap();
    let new = Metering::seed_usage(&mut tx, NOW, rows).await?;
    tx.commit().await.unwrap();
    Ok(new)
}

#[tokio::test]
async fn the_tenant_that_loses_most_comes_first_and_the_bills_add_up() {
    let fixture = Fixture::new().await;
    fixture.price(&price_from(Timestamp::from_millis(0))).await.unwrap();
    plan(&fixture, "flat", "10", "1000").await;
    plan(&fixture, "metered", "10", "6").await;
    let quiet = tenant(&fixture, "quiet", Some("flat")).await;
    let heavy = tenant(&fixture, "heavy", Some("flat")).await;
    let metered = tenant(&fixture, "metered", Some("metered")).await;
    let unplanned = tenant(&fixture, "unplanned", None).await;
    let day = NOW.plus_millis(-86_400_000);
    // $20 each: ten million output tokens.
    let month = tokens(0, 0, 10_000_000);
    let rows = [past(heavy, day, month), past(metered, day, month), past(unplanned, day, tokens(1_000_000, 0, 0))];
    assert_eq!(seed(&fixture, &rows).await.unwrap(), 3);

    let usage = fixture.metering.usage_by_tenant(NOW.plus_millis(-MONTH), NOW).await.unwrap();
    let told: Vec<_> =
        usage.iter().map(|u| (u.tenant, u.cost, u.bill.overage, u.bill.revenue, u.bill.margin)).collect();
    assert_eq!(
        told,
        [
            // The fee covers half of it and the credit all of it.
            (heavy, usd("20"), usd("0"), usd("10"), usd("-10")),
            (unplanned, usd("1"), usd("0"), usd("0"), usd("-1")),
            (quiet, usd("0"), usd("0"), usd("10"), usd("10")),
            // 20 · 1.5 − 6 beyond the fee.
            (metered, usd("20"), usd("24"), usd("34"), usd("14")),
        ]
    );
    assert_eq!((usage[0].requests, usage[0].output_tokens, usage[0].unpriced_requests), (1, 10_000_000, 0));
}

#[tokio::test]
async fn a_request_counts_once_and_what_is_unpriced_is_said() {
    let fixture = Fixture::new().await;
    fixture.price(&price_from(Timestamp::from_millis(0))).await.unwrap();
    let acme = tenant(&fixture, "acme", None).await;
    let retried = RequestId::new();
    let attempts = [
        (retried, 1, Some(TokenUsage::default())),
        (retried, 2, Some(tokens(100, 40, 10))),
        (RequestId::new(), 1, Some(tokens(100, 0, 10))),
        // Under way: neither priced nor unpriced yet.
        (RequestId::new(), 1, None),
    ];
    for (request, attempt, usage) in attempts {
        let attempt = contract::AttemptNo(attempt);
        fixture.metering.intent(&Intent { tenant: acme, request, attempt, ..intent() }).await.unwrap();
        if let Some(usage) = usage {
            fixture.metering.settle(acme, request, attempt, &succeeded(usage)).await.unwrap();
        }
    }
    let usage = fixture.metering.usage_by_tenant(NOW, NOW.plus_millis(1)).await.unwrap();
    assert_eq!((usage[0].requests, usage[0].unpriced_requests), (3, 1));
    assert_eq!((usage[0].input_tokens, usage[0].cached_input_tokens, usage[0].output_tokens), (200, 40, 20));
    assert_eq!(usage[0].cost, usd("0.00022"));
}

#[tokio::test]
async fn a_span_holds_its_first_moment_and_not_its_last() {
    let fixture = Fixture::new().await;
    let acme = tenant(&fixture, "acme", None).await;
    seed(&fixture, &[past(acme, NOW.plus_millis(-10), tokens(1, 0, 1))]).await.unwrap();
    let requests = async |from, to| {
        let usage = fixture.metering.usage_by_tenant(NOW.plus_millis(from), NOW.plus_millis(to)).await.unwrap();
        usage[0].requests
    };
    assert_eq!(requests(-10, -9).await, 1);
    assert_eq!(requests(-11, -10).await, 0);
    assert_eq!(requests(-9, 0).await, 0);
}

#[tokio::test]
async fn seeded_usage_is_marked_priced_as_of_its_own_time_and_written_once() {
    let fixture = Fixture::new().await;
    fixture.price(&price_from(NOW.plus_millis(-1_000))).await.unwrap();
    let mut dearer = price_from(NOW.plus_millis(-500));
    dearer.output = fixture::per_million("8");
    fixture.price(&dearer).await.unwrap();
    let acme = TenantId::new();
    let usage = tokens(0, 0, 1_000_000);
    let rows = [-2_000, -800, -300].map(|before| past(acme, NOW.plus_millis(before), usage));
    assert_eq!(seed(&fixture, &rows).await.unwrap(), 3);
    assert_eq!(seed(&fixture, &rows).await.unwrap(), 0);
    let ledger = fixture.metering.ledger_rows(acme, None, 10).await.unwrap();
    let costs: Vec<Option<NanoUsd>> = ledger.iter().map(|row| row.cost).collect();
    assert_eq!(costs, [Some(usd("8")), Some(usd("2")), None]);
    assert!(ledger.iter().all(|row| row.seeded && row.settled_at.is_some_and(|at| at <= NOW)));
    let again = fixture.metering.settle(acme, rows[0].request, FIRST, &succeeded(usage)).await;
    assert!(matches!(again, Err(MeteringError::AlreadySettled { .. })), "{again:?}");
}

#[tokio::test]
async fn usage_of_the_future_is_not_seeded() {
    let fixture = Fixture::new().await;
    let rows = [past(TenantId::new(), NOW.plus_millis(1), tokens(1, 0, 1))];
    assert!(matches!(seed(&fixture, &rows).await, Err(MeteringError::Invalid { field: "dispatched_at", .. })));
}
