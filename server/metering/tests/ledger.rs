//! The ledger: intent before dispatch, one settlement, nothing lost to a crash, nothing billed twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use contract::{AttemptNo, RequestId, TenantId, Timestamp, TokenUsage, UserId};
use fixture::{
    FIRST, Fixture, NOW, acme, globex, hit, intent, metering_beside, metering_on, per_million, price_from, reopened,
    settle_tenants, succeeded, tenant_goes, tokens, usd,
};
use metering::{AttemptStatus, CacheHit, CacheKind, Intent, MeteringError, NewPrice, Settlement};
use nodes::NodeSettings;
use store::{ControlStore, Location};
use testbase::{Scratch, location_from, on_each_engine};

#[tokio::test]
async fn an_intent_is_in_the_ledger_before_anything_is_known() {
    let fixture = Fixture::inhabited().await;
    let intent = Intent { user: Some(UserId::new()), ..intent() };
    fixture.metering.intent(&intent).await.unwrap();
    let row = fixture.only_row(&intent).await;
    assert_eq!((row.status, row.cost, row.settled_at), (AttemptStatus::Dispatched, None, None));
    assert_eq!((row.user, row.prompt), (intent.user, Some(("chat".into(), 3))));
    assert_eq!((row.usage, row.measured, row.seeded), (TokenUsage::default(), false, false));
}

#[tokio::test]
async fn a_settlement_completes_the_row() {
    let fixture = Fixture::inhabited().await;
    fixture.price(&price_from(NOW)).await.unwrap();
    let intent = intent();
    fixture.metering.intent(&intent).await.unwrap();
    let settled = fixture
        .metering
        .settle(intent.tenant, intent.request, FIRST, &succeeded(tokens(1_000, 400, 200)))
        .await
        .unwrap();
    // 600 · $1 + 400 · $0.50 + 200 · $2, per million.
    assert_eq!(settled.cost, Some(usd("0.0012")));
    let row = fixture.only_row(&intent).await;
    assert_eq!(
        (row.status, row.cost, row.price_version),
        (AttemptStatus::Succeeded, settled.cost, settled.price_version)
    );
    assert_eq!((row.usage, row.measured), (tokens(1_000, 400, 200), true));
    assert_eq!((row.settled_at, row.first_token_ms, row.total_ms), (Some(NOW), Some(120), Some(900)));
}

#[tokio::test]
async fn every_kind_of_token_has_its_column_and_its_price() {
    let fixture = Fixture::inhabited().await;
    let [cache_write, cache_write_1h, reasoning] = ["1.25", "2", "3"].map(|price| Some(per_million(price)));
    fixture.price(&NewPrice { cache_write, cache_write_1h, reasoning, ..price_from(NOW) }).await.unwrap();
    let intent = intent();
    fixture.metering.intent(&intent).await.unwrap();
    let usage = TokenUsage {
        cache_write: Some(300),
        cache_write_1h: Some(100),
        reasoning: Some(50),
        ..tokens(1_000, 400, 200)
    };
    let settled = fixture.metering.settle(intent.tenant, intent.request, FIRST, &succeeded(usage)).await.unwrap();
    // 300 · $1 + 400 · $0.50 + 200 · $1.25 + 100 · $2 + 150 · $2 + 50 · $3, per million.
    assert_eq!(settled.cost, Some(usd("0.0014")));
    let row = fixture.only_row(&intent).await;
    assert_eq!((row.usage, row.cost), (usage, settled.cost));
}

#[tokio::test]
async fn two_tenants_with_the_same_request_have_a_row_each() {
    let fixture = Fixture::inhabited().await;
    let acme = intent();
    let globex = Intent { tenant: globex(), ..acme.clone() };
    fixture.metering.intent(&acme).await.unwrap();
    fixture.metering.intent(&globex).await.unwrap();
    // Both are rows by now, wherever intents are gathered first.
    fixture.metering.caught_up().await.unwrap();
    fixture.metering.settle(acme.tenant, acme.request, FIRST, &succeeded(tokens(1, 0, 1))).await.unwrap();
    assert_eq!(fixture.only_row(&acme).await.status, AttemptStatus::Succeeded);
    assert_eq!(fixture.only_row(&globex).await.status, AttemptStatus::Dispatched, "the other's goes on");
    assert_eq!(fixture.metering.ledger_rows(acme.tenant, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_attempt_is_recorded_once_and_settled_only_after_that() {
    let fixture = Fixture::inhabited().await;
    let intent = intent();
    let settlement = succeeded(tokens(1, 0, 1));
    let settle = |tenant, request| fixture.metering.settle(tenant, request, FIRST, &settlement);
    assert!(matches!(settle(intent.tenant, intent.request).await, Err(MeteringError::NotRecorded { .. })));
    fixture.metering.intent(&intent).await.unwrap();
    assert!(matches!(fixture.metering.intent(&intent).await, Err(MeteringError::AlreadyRecorded { .. })));
    let stranger = settle(globex(), intent.request).await;
    assert!(matches!(stranger, Err(MeteringError::NotRecorded { .. })), "{stranger:?}");
    assert_eq!(fixture.only_row(&intent).await.status, AttemptStatus::Dispatched);
}

#[tokio::test]
async fn dispatched_is_not_how_an_attempt_ends() {
    let fixture = Fixture::inhabited().await;
    let intent = intent();
    fixture.metering.intent(&intent).await.unwrap();
    let settlement = Settlement { status: AttemptStatus::Dispatched, ..succeeded(tokens(1, 0, 1)) };
    let refused = fixture.metering.settle(intent.tenant, intent.request, FIRST, &settlement).await;
    assert!(matches!(refused, Err(MeteringError::NotAnOutcome { .. })), "{refused:?}");
    assert_eq!(fixture.only_row(&intent).await.settled_at, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_settlements_at_once_one_wins_and_the_ledger_has_its_numbers() {
    let fixture = Fixture::inhabited().await;
    fixture.price(&price_from(NOW)).await.unwrap();
    let intent = intent();
    fixture.metering.intent(&intent).await.unwrap();
    // Where others may write, half of them from another process.
    let beside = if fixture.scratch.location().is_shared() { fixture.beside().await } else { fixture.metering.clone() };
    let processes = [fixture.metering.clone(), beside];
    let mut settlers = tokio::task::JoinSet::new();
    for n in 0..32 {
        let metering = processes[n % 2].clone();
        let (tenant, request) = (intent.tenant, intent.request);
        settlers.spawn(async move {
            let output = i64::try_from(n).unwrap();
            (output, metering.settle(tenant, request, FIRST, &succeeded(tokens(0, 0, output))).await)
        });
    }
    let mut winners = Vec::new();
    while let Some(joined) = settlers.join_next().await {
        match joined.unwrap() {
            (output, Ok(settled)) => winners.push((output, settled)),
            (_, Err(error)) => assert!(matches!(error, MeteringError::AlreadySettled { .. }), "{error:?}"),
        }
    }
    let [(output, settled)] = winners[..] else { panic!("{} settlements won", winners.len()) };
    let row = fixture.only_row(&intent).await;
    assert_eq!((row.usage.output, row.cost), (Some(output), settled.cost));
}

#[tokio::test]
async fn unknown_usage_and_a_missing_price_cost_unknown_and_never_zero() {
    let fixture = Fixture::inhabited().await;
    let unpriced = intent();
    fixture.metering.intent(&unpriced).await.unwrap();
    let known = succeeded(tokens(10, 0, 10));
    let settled = fixture.metering.settle(unpriced.tenant, unpriced.request, FIRST, &known).await.unwrap();
    assert_eq!((settled.cost, settled.price_version), (None, None));
    assert_eq!(fixture.only_row(&unpriced).await.cost, None);

    fixture.price(&price_from(NOW)).await.unwrap();
    let half_known = TokenUsage { input: Some(10), output: None, ..TokenUsage::default() };
    for usage in [TokenUsage::default(), half_known] {
        let uncounted = intent();
        fixture.metering.intent(&uncounted).await.unwrap();
        let settled =
            fixture.metering.settle(uncounted.tenant, uncounted.request, FIRST, &succeeded(usage)).await.unwrap();
        assert_eq!(settled.cost, None);
        assert!(settled.price_version.is_some());
        assert_eq!(fixture.only_row(&uncounted).await.usage, usage);
    }
}

#[tokio::test]
async fn more_cached_tokens_than_were_read_are_not_believed() {
    let fixture = Fixture::inhabited().await;
    fixture.price(&price_from(NOW)).await.unwrap();
    let intent = intent();
    fixture.metering.intent(&intent).await.unwrap();
    let boast = succeeded(tokens(100, 5_000, 0));
    let settled = fixture.metering.settle(intent.tenant, intent.request, FIRST, &boast).await.unwrap();
    assert_eq!(settled.cost, Some(usd("0.00005")));
    assert_eq!(fixture.only_row(&intent).await.usage, tokens(100, 100, 0));
}

#[tokio::test]
async fn a_later_price_changes_neither_what_is_settled_nor_what_is_under_way() {
    let fixture = Fixture::inhabited().await;
    fixture.price(&price_from(NOW.plus_millis(-1_000))).await.unwrap();
    let (done, under_way) = (intent(), intent());
    let later = Intent { dispatched_at: NOW.plus_millis(50), ..intent() };
    for intent in [&done, &under_way, &later] {
        fixture.metering.intent(intent).await.unwrap();
    }
    let usage = succeeded(tokens(0, 0, 1_000_000));
    let settle = |intent: &Intent| fixture.metering.settle(intent.tenant, intent.request, FIRST, &usage);
    assert_eq!(settle(&done).await.unwrap().cost, Some(usd("2")));
    let mut dearer = price_from(NOW.plus_millis(50));
    dearer.output = fixture::per_million("7");
    fixture.price(&dearer).await.unwrap();
    let mut backdated = price_from(NOW.plus_millis(-2_000));
    backdated.output = fixture::per_million("9");
    fixture.price(&backdated).await.unwrap();

    assert_eq!(fixture.only_row(&done).await.cost, Some(usd("2")));
    assert_eq!(settle(&under_way).await.unwrap().cost, Some(usd("2")));
    // From its first moment the new price holds.
    assert_eq!(settle(&later).await.unwrap().cost, Some(usd("7")));
}

#[tokio::test]
async fn a_ledger_shows_its_own_tenant_newest_first_and_a_request_in_order() {
    let fixture = Fixture::inhabited().await;
    let (tenant, retried) = (globex(), RequestId::new());
    let of = |request, attempt, after| Intent {
        tenant,
        request,
        attempt: AttemptNo(attempt),
        dispatched_at: NOW.plus_millis(after),
        ..intent()
    };
    for intent in [of(retried, 1, 0), of(retried, 2, 10), of(RequestId::new(), 1, 20), intent()] {
        fixture.metering.intent(&intent).await.unwrap();
    }
    let times = |rows: Vec<metering::LedgerRow>| -> Vec<i64> {
        rows.iter().map(|row| row.dispatched_at.millis_since(NOW)).collect()
    };
    assert_eq!(times(fixture.metering.ledger_rows(tenant, None, 2).await.unwrap()), [20, 10]);
    assert_eq!(times(fixture.metering.ledger_rows(tenant, Some(retried), 10).await.unwrap()), [0, 10]);
    assert!(fixture.metering.ledger_rows(acme(), Some(retried), 10).await.unwrap().is_empty());
}

on_each_engine! {
    async fn what_a_node_has_open_is_closed_when_it_is_no_more_and_not_before(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        settle_tenants(&control).await;
        let (one, node) = metering_beside(&control, NodeSettings::beside_others("one")).await;
        let (other, _) = metering_beside(&control, NodeSettings::beside_others("other")).await;
        let (ours, theirs) = (intent(), intent());
        one.intent(&ours).await.unwrap();
        other.intent(&theirs).await.unwrap();
        assert_eq!(other.resolve_abandoned().await.unwrap(), 0);
        node.leave().await.unwrap();
        // It was paused, say, and does not know.
        let late = intent();
        let refused = one.intent(&late).await;
        assert!(matches!(refused, Err(MeteringError::Removed { request, .. }) if request == late.request), "{refused:?}");
        let (first, second) = tokio::join!(one.resolve_abandoned(), other.resolve_abandoned());
        assert_eq!(first.unwrap() + second.unwrap(), 1);
        let settled = one.settle(ours.tenant, ours.request, FIRST, &succeeded(tokens(1, 0, 1))).await;
        assert!(matches!(settled, Err(MeteringError::AlreadySettled { .. })), "{settled:?}");
        let row = other.ledger_rows(ours.tenant, Some(ours.request), 10).await.unwrap().remove(0);
        assert_eq!((row.status, row.cost), (AttemptStatus::Interrupted, None));
        other.settle(theirs.tenant, theirs.request, FIRST, &succeeded(tokens(1, 0, 1))).await.unwrap();
        // Back among the nodes, it dispatches again.
        assert!(node.stay().await.unwrap());
        one.intent(&late).await.unwrap();
        assert_eq!(other.resolve_abandoned().await.unwrap(), 0);
    }

    async fn a_request_that_outlives_its_tenant_leaves_no_trace_of_it(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        settle_tenants(&control).await;
        let metering = metering_on(&control).await;
        let first = intent();
        metering.intent(&first).await.unwrap();
        tenant_goes(&control, acme()).await;
        // It goes on to the next place.
        let next = Intent { attempt: AttemptNo(2), ..first.clone() };
        let refused = metering.intent(&next).await;
        assert!(matches!(refused, Err(MeteringError::Closed { attempt: AttemptNo(2), .. })), "{refused:?}");
        let refused = metering.hit(&hit_of(acme(), RequestId::new())).await;
        assert!(matches!(refused, Err(MeteringError::Closed { .. })), "{refused:?}");
        assert_eq!(metering.ledger_rows(acme(), None, 10).await.unwrap().len(), 1);
        // Others, and the platform itself, go on.
        metering.intent(&Intent { tenant: globex(), ..intent() }).await.unwrap();
        metering.intent(&Intent { tenant: TenantId::PLATFORM, ..intent() }).await.unwrap();
    }
}

fn hit_of(tenant: TenantId, request: RequestId) -> CacheHit {
    CacheHit { kind: CacheKind::Exact, saved: None, ..hit(tenant, request) }
}

const DIES_IN: &str = "SEAM_TEST_DIES_IN";
const HALF_A_SETTLEMENT: &str =
    "UPDATE ledger_attempt SET status = 'succeeded', cost = 1, settled_at = 1 WHERE settled_at IS NULL";

/// Runs itself as a second process, which dies without any farewell: two attempts open, one of them in the
/// middle of a transaction that would have settled it.
#[tokio::test]
async fn what_a_killed_process_left_open_is_closed_at_the_next_start_and_nothing_else() {
    if let Ok(address) = std::env::var(DIES_IN) {
        die_in(&location_from(&address).unwrap()).await;
    }
    let scratch = Scratch::new().await.unwrap();
    let died = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_killed_process_left_open_is_closed_at_the_next_start_and_nothing_else"])
        .env(DIES_IN, scratch.address())
        .output()
        .unwrap();
    assert!(!died.status.success());

    let metering = reopened(&scratch).await;
    assert_eq!(metering.resolve_abandoned().await.unwrap(), 2);
    assert_eq!(metering.resolve_abandoned().await.unwrap(), 0);
    let rows = metering.ledger_rows(globex(), None, 10).await.unwrap();
    let outcomes: Vec<_> = rows.iter().map(|row| (row.status, row.cost, row.measured)).collect();
    let interrupted = (AttemptStatus::Interrupted, None, false);
    assert_eq!(outcomes, [interrupted, interrupted, (AttemptStatus::Succeeded, Some(usd("0.000002")), true)]);
    assert!(rows.iter().all(|row| row.settled_at == Some(NOW)), "{rows:?}");
    let open = &rows[0];
    let late = metering.settle(globex(), open.request, FIRST, &succeeded(tokens(1, 0, 1))).await;
    assert!(matches!(late, Err(MeteringError::AlreadySettled { .. })), "{late:?}");
}

async fn die_in(location: &Location) {
    let control = ControlStore::open(location).await.unwrap();
    settle_tenants(&control).await;
    let metering = metering_on(&control).await;
    let mut tx = control.begin().await.unwrap();
    metering::Metering::apply_price(&mut tx, NOW, &price_from(Timestamp::from_millis(0))).await.unwrap();
    tx.commit().await.unwrap();
    for n in 0..3 {
        let intent = Intent { tenant: globex(), dispatched_at: NOW.plus_millis(n), ..intent() };
        metering.intent(&intent).await.unwrap();
        if n == 0 {
            metering.settle(intent.tenant, intent.request, FIRST, &succeeded(tokens(0, 0, 1))).await.unwrap();
        }
    }
    let mut tx = control.begin().await.unwrap();
    assert_eq!(tx.query(HALF_A_SETTLEMENT).execute().await.unwrap(), 2);
    std::process::abort();
}

#[tokio::test]
async fn those_who_write_at_once_are_each_told_of_their_own() {
    let fixture = Fixture::inhabited().await;
    fixture.price(&price_from(NOW)).await.unwrap();
    let intents: Vec<Intent> = (0..150).map(|_| Intent { request: RequestId::new(), ..intent() }).collect();
    // Every tenth is there twice: one of the two is refused, and nobody beside it is.
    let again = intents.iter().step_by(10);
    let all: Vec<&Intent> = intents.iter().chain(again).collect();
    let recorded = futures::future::join_all(all.iter().map(|intent| fixture.metering.intent(intent))).await;
    let refused = recorded.iter().filter(|told| matches!(told, Err(MeteringError::AlreadyRecorded { .. }))).count();
    assert_eq!((recorded.iter().filter(|told| told.is_ok()).count(), refused), (150, 15));
    let settle = |intent: &Intent| {
        let (tenant, request, attempt) = (intent.tenant, intent.request, intent.attempt);
        let metering = fixture.metering.clone();
        async move { metering.settle(tenant, request, attempt, &succeeded(tokens(1, 0, 1))).await }
    };
    let settled = futures::future::join_all(all.iter().map(|intent| settle(intent))).await;
    let refused = settled.iter().filter(|told| matches!(told, Err(MeteringError::AlreadySettled { .. }))).count();
    assert_eq!((settled.iter().filter(|told| told.is_ok()).count(), refused), (150, 15));
}

#[tokio::test]
async fn what_an_answer_saved_is_told_of_its_own_tenants_request() {
    let fixture = Fixture::inhabited().await;
    let (acme, globex) = (intent(), globex());
    for tenant in [acme.tenant, globex] {
        let hit = hit_of(tenant, acme.request);
        fixture.metering.hit(&hit).await.unwrap();
        let again = fixture.metering.hit(&hit).await;
        assert!(matches!(again, Err(MeteringError::AlreadyRecorded { .. })));
    }
    fixture.metering.hit_saved(acme.tenant, acme.request, Some(usd("0.5"))).await.unwrap();
    let row = fixture.only_row(&acme).await;
    assert_eq!((row.saved, row.cost, row.cache), (Some(usd("0.5")), Some(usd("0")), Some(CacheKind::Exact)));
    let other = fixture.only_row(&Intent { tenant: globex, ..acme }).await;
    assert_eq!(other.saved, None);
}
