//! Usage by group and the ledger by page, as those read them who manage a tenant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixture;

use contract::{AttemptNo, KeyScope, RequestId, TenantId, Timestamp, TokenUsage, UserId};
use fixture::{FIRST, Fixture, NOW, acme, globex, intent, price_from, succeeded, tokens, usd};
use metering::{Intent, LedgerPlace, MeteringError, UsageBy, UsageGroup, UsageWindow};
use std::sync::Arc;
use tenancy::{FixedClock, KeyHolder, NewKey, NewTenant, Scope, Tenancy, TenancyError, Vault};

const DAY: i64 = 86_400_000;
const ALL_TIME: (Timestamp, Timestamp) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));

fn tenancy(fixture: &Fixture) -> Tenancy {
    let vault = Vault::open(fixture.scratch.dir(), None, None).unwrap();
    Tenancy::new(fixture.control.clone(), Arc::new(FixedClock::at(NOW)), vault)
}

fn manager(fixture: &Fixture, tenant: TenantId) -> Scope {
    tenancy(fixture).command_line_scope(tenant)
}

fn window(limit: i64, offset: i64) -> UsageWindow {
    UsageWindow { from: ALL_TIME.0, to: ALL_TIME.1, limit, offset }
}

async fn groups(fixture: &Fixture, scope: &Scope, by: UsageBy) -> Vec<UsageGroup> {
    let (groups, total) = fixture.metering.usage_groups(scope, by, window(100, 0)).await.unwrap();
    assert_eq!(i64::try_from(groups.len()).unwrap(), total);
    groups
}

async fn settled(fixture: &Fixture, intent: &Intent, usage: TokenUsage) {
    fixture.metering.intent(intent).await.unwrap();
    let settlement = succeeded(usage);
    fixture.metering.settle(intent.tenant, intent.request, intent.attempt, &settlement).await.unwrap();
}

#[tokio::test]
async fn groups_hold_a_tenants_own_attempts_and_say_what_is_unknown() {
    let fixture = Fixture::inhabited().await;
    fixture.price(&price_from(Timestamp::from_millis(0))).await.unwrap();
    let (acme, globex, ada) = (acme(), globex(), UserId::new());
    let of = |tenant: TenantId, user: Option<UserId>, days: i64| Intent {
        tenant,
        user,
        dispatched_at: NOW.plus_millis(days * DAY),
        ..intent()
    };
    settled(&fixture, &of(acme, Some(ada), 0), tokens(1_000_000, 0, 0)).await;
    settled(&fixture, &of(acme, Some(ada), 1), tokens(0, 0, 1_000_000)).await;
    let unpriced = Intent { provider_model: "new-model".into(), prompt: None, ..of(acme, None, 1) };
    settled(&fixture, &unpriced, tokens(7, 0, 8)).await;
    settled(&fixture, &of(globex, None, 0), tokens(5_000_000, 0, 0)).await;
    // A second attempt of the first request of a day is the same request.
    let first = of(acme, Some(ada), 2);
    settled(&fixture, &first, tokens(0, 0, 0)).await;
    let second = Intent { attempt: AttemptNo(2), ..first };
    fixture.metering.intent(&second).await.unwrap();

    let acme = manager(&fixture, acme);
    let models = groups(&fixture, &acme, UsageBy::Model).await;
    let told: Vec<_> =
        models.iter().map(|group| (group.name.as_deref().unwrap(), group.requests, group.cost)).collect();
    assert_eq!(told, [("openai-eu/gpt-4o-mini", 3, Some(usd("3"))), ("openai-eu/new-model", 1, None)]);
    assert_eq!((models[0].attempts, models[0].unpriced_requests, models[1].unpriced_requests), (4, 0, 1));
    assert_eq!((models[1].input_tokens, models[1].output_tokens), (Some(7), Some(8)));
    let users = groups(&fixture, &acme, UsageBy::User).await;
    let told: Vec<_> = users.iter().map(|group| (group.name.clone(), group.requests)).collect();
    assert_eq!(told, [(Some(ada.to_string()), 3), (None, 1)]);
    let days = groups(&fixture, &acme, UsageBy::Day).await;
    let today = NOW.as_millis() / DAY;
    let told: Vec<_> = days.iter().map(|group| group.name.clone().unwrap()).collect();
    assert_eq!(told, [0, 1, 2].map(|days| (today + days).to_string()));
    let prompts = groups(&fixture, &acme, UsageBy::Prompt).await;
    let told: Vec<_> = prompts.iter().map(|group| group.name.as_deref()).collect();
    assert_eq!(told, [Some("chat@3"), None]);
    assert_eq!(groups(&fixture, &acme, UsageBy::Feature).await.len(), 1);
    assert_eq!(groups(&fixture, &acme, UsageBy::RequestedModel).await[0].name.as_deref(), Some("assistant"));

    let (rest, total) = fixture.metering.usage_groups(&acme, UsageBy::Day, window(2, 2)).await.unwrap();
    assert_eq!((rest.len(), total), (1, 3));
    let (rest, total) = fixture.metering.usage_groups(&acme, UsageBy::Day, window(2, 8)).await.unwrap();
    assert_eq!((rest.len(), total), (0, 3), "past the end it is still known how many there are");
    let one_day = UsageWindow { from: NOW.plus_millis(DAY), to: NOW.plus_millis(2 * DAY), limit: 10, offset: 0 };
    assert_eq!(fixture.metering.usage_groups(&acme, UsageBy::Day, one_day).await.unwrap().1, 1);
}

#[tokio::test]
async fn the_ledger_is_walked_once_from_the_newest_row_also_where_times_are_alike() {
    let fixture = Fixture::inhabited().await;
    let globex = globex();
    let mut expected = Vec::new();
    for number in 0..7 {
        let at = NOW.plus_millis(number / 3);
        let intent = Intent { tenant: globex, dispatched_at: at, ..intent() };
        for attempt in [FIRST, AttemptNo(2)] {
            fixture.metering.intent(&Intent { attempt, ..intent.clone() }).await.unwrap();
            expected.push((at, intent.request, attempt));
        }
    }
    fixture.metering.intent(&intent()).await.unwrap();
    expected.sort();
    expected.reverse();
    let scope = manager(&fixture, globex);
    let (mut seen, mut place) = (Vec::new(), None);
    loop {
        let page = fixture.metering.ledger_page(&scope, ALL_TIME, place, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        place = Some(LedgerPlace::of(last));
        seen.extend(page.iter().map(|row| (row.dispatched_at, row.request, row.attempt)));
    }
    assert_eq!(seen, expected);
    let second = (NOW.plus_millis(1), NOW.plus_millis(2));
    assert_eq!(fixture.metering.ledger_page(&scope, second, None, 100).await.unwrap().len(), 6);
    let other = fixture.metering.ledger_of_request(&manager(&fixture, TenantId::new()), expected[0].1).await.unwrap();
    assert!(other.is_empty());
}

#[tokio::test]
async fn who_does_not_manage_a_tenant_does_not_read_its_books() {
    let fixture = Fixture::new().await;
    let tenancy = tenancy(&fixture);
    let new = NewTenant {
        slug: "acme".parse().unwrap(),
        display_name: "Acme".into(),
        plan: None,
        monthly_budget: None,
        soft_budget: None,
        region: None,
        zero_retention: false,
    };
    let acme = tenancy.tenant_create(new).await.unwrap();
    let key = NewKey { name: "app".into(), scopes: vec![KeyScope::Inference], models: None, expires_at: None };
    let (_, secret) = tenancy.key_create(&tenancy.command_line_scope(acme.id), &key).await.unwrap();
    let holder = tenancy.authenticate_key(secret.expose(), [192, 0, 2, 1].into()).await.unwrap();
    let Some(KeyHolder::Tenant { scope, .. }) = holder else { panic!("a key of a tenant") };
    let refused = |error: MeteringError| matches!(error, MeteringError::Tenancy(TenancyError::PermissionDenied { .. }));
    let metering = &fixture.metering;
    assert!(refused(metering.usage_groups(&scope, UsageBy::Model, window(1, 0)).await.unwrap_err()));
    assert!(refused(metering.ledger_page(&scope, ALL_TIME, None, 1).await.unwrap_err()));
    assert!(refused(metering.ledger_of_request(&scope, RequestId::new()).await.unwrap_err()));
}
