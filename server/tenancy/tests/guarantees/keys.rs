//! API keys: shown once, bounded, and dead the moment they are revoked.

use crate::fixture::{Fixture, home};
use contract::{KeyCounts, KeyId, KeyOrder, KeyQuery, KeyScope, KeyState, Role, TenantId};
use std::time::Duration;
use tenancy::{Clock, KeyHolder, NewKey, OperatorScope, Scope, TenancyError};

const INSERT: &str = "
INSERT INTO api_key (tenant_id, id, name, secret_hash, prefix, scopes, expires_at, created_by, created_at, revoked_at)
VALUES ($1, $2, 'one of many', $3, 'sk-seam-', 'inference', $4, 'somebody', 1, $5)";

const LEAVING: &str = "
INSERT INTO tenant_operation (tenant_id, slug, kind, started_by, started_at)
VALUES ($1, 'globex', 'delete', 'somebody', 1)";

fn key(name: &str) -> NewKey {
    NewKey { name: name.to_owned(), scopes: vec![KeyScope::Inference], models: None, expires_at: None }
}

async fn holder(fixture: &Fixture, secret: &str) -> Option<KeyHolder> {
    fixture.tenancy.authenticate_key(secret, home()).await.unwrap()
}

async fn admin(fixture: &Fixture, tenant: &str) -> Scope {
    let tenant = fixture.tenant(tenant).await;
    let address = format!("admin@{}.test", tenant.slug);
    fixture.member(&address, &tenant, Role::Admin).await;
    fixture.scope(&address).await
}

#[tokio::test]
async fn the_operators_list_has_the_operators_keys_alone() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    fixture.tenancy.key_create(&ada, &key("acme's")).await.unwrap();
    let operator = OperatorScope::command_line();
    fixture.tenancy.operator_key_create(&operator, &key("billing")).await.unwrap();
    let names = |keys: Vec<contract::KeyView>| keys.into_iter().map(|key| key.name).collect::<Vec<_>>();
    assert_eq!(names(fixture.tenancy.operator_key_list(&operator).await.unwrap()), ["billing"]);
    let page = fixture.tenancy.operator_key_page(&operator, 1, 10).await.unwrap();
    assert_eq!((page.total, names(page.items)), (1, vec!["billing".to_owned()]));
    let acmes = fixture.tenancy.key_list(&ada).await.unwrap();
    let foreign = fixture.tenancy.operator_key_find(&operator, acmes[0].id).await;
    assert!(matches!(foreign, Err(TenancyError::NotFound { .. })), "{foreign:?}");
    assert_eq!(names(acmes), ["acme's"]);
}

/// So many keys of a tenant that end or were revoked at these moments.
async fn many(fixture: &Fixture, tenant: TenantId, number: usize, expires: Option<i64>, revoked: Option<i64>) {
    let mut tx = fixture.tenancy.control().begin().await.unwrap();
    for _ in 0..number {
        let id = KeyId::new();
        let insert = tx.query(INSERT).bind(tenant).bind(id).bind(id.to_string()).bind(expires).bind(revoked);
        insert.execute().await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_tenant_has_at_most_a_thousand_keys_that_work_of_its_own() {
    let fixture = Fixture::new().await;
    let (ada, eve) = (admin(&fixture, "acme").await, admin(&fixture, "globex").await);
    many(&fixture, eve.tenant(), 30, None, None).await;
    many(&fixture, ada.tenant(), 30, None, Some(1)).await;
    many(&fixture, ada.tenant(), 30, Some(1), None).await;
    many(&fixture, ada.tenant(), 999, None, None).await;
    fixture.tenancy.key_create(&ada, &key("the thousandth")).await.unwrap();
    let refused = fixture.tenancy.key_create(&ada, &key("one more")).await.unwrap_err().to_string();
    assert!(refused.contains("1000 keys that work"), "{refused}");
}

#[tokio::test]
async fn a_tenants_list_has_its_own_keys_alone_in_every_order() {
    let fixture = Fixture::new().await;
    let (ada, eve) = (admin(&fixture, "acme").await, admin(&fixture, "globex").await);
    for scope in [&ada, &eve] {
        fixture.tenancy.key_create(scope, &key(&scope.tenant().to_string())).await.unwrap();
    }
    for order in KeyOrder::ALL {
        let query = KeyQuery { order, ..KeyQuery::default() };
        let (page, counts) = fixture.tenancy.key_search(&ada, &query).await.unwrap();
        let names: Vec<_> = page.items.into_iter().map(|key| key.name).collect();
        assert_eq!((names, page.total, counts.active), (vec![ada.tenant().to_string()], 1, 1), "{order:?}");
    }
}

#[tokio::test]
async fn a_key_opens_its_own_tenant_with_what_it_may_do() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let new = NewKey { models: Some(vec!["assistant".to_owned()]), ..key("ci") };
    let (id, secret) = fixture.tenancy.key_create(&ada, &new).await.unwrap();
    assert!(secret.expose().starts_with("sk-seam-") && secret.expose().len() > 48);
    let Some(KeyHolder::Tenant { scope, may, models }) = holder(&fixture, secret.expose()).await else {
        panic!("a key of a tenant");
    };
    assert_eq!((scope.tenant(), scope.role()), (ada.tenant(), Role::Member));
    assert_eq!((may, models), (vec![KeyScope::Inference], Some(vec!["assistant".to_owned()])));
    assert_eq!(scope.author().actor().to_string(), format!("key:{id}"));

    let listed = fixture.tenancy.key_list(&ada).await.unwrap();
    assert!(secret.expose().starts_with(&listed[0].prefix) && listed[0].prefix.len() < 20);
    assert_eq!(listed[0].last_used_at.map(|at| at.as_millis()), Some(1_790_000_000_000));
    let managing = NewKey { scopes: KeyScope::ALL.to_vec(), ..key("ops") };
    let (_, secret) = fixture.tenancy.key_create(&ada, &managing).await.unwrap();
    let Some(KeyHolder::Tenant { scope, .. }) = holder(&fixture, secret.expose()).await else { panic!("a key") };
    assert_eq!(scope.role(), Role::Admin);
}

#[tokio::test]
async fn the_database_holds_no_secret() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let (_, secret) = fixture.tenancy.key_create(&ada, &key("ci")).await.unwrap();
    let row = "SELECT name || ' ' || secret_hash || ' ' || prefix || ' ' || scopes AS value FROM api_key";
    let row: String = fixture.tenancy.control().read(row).fetch_one().await.unwrap();
    let (shown, hidden) = secret.expose().split_at(16);
    assert!(row.contains(shown) && !row.contains(hidden), "{row}");
}

#[tokio::test]
async fn revoked_expired_and_made_up_keys_open_nothing() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let (id, secret) = fixture.tenancy.key_create(&ada, &key("ci")).await.unwrap();
    fixture.tenancy.key_revoke(&ada, id).await.unwrap();
    assert!(holder(&fixture, secret.expose()).await.is_none());
    let again = fixture.tenancy.key_revoke(&ada, id).await;
    assert!(matches!(again, Err(TenancyError::NotFound { .. })));

    let soon = fixture.tenancy.clock().now().plus_millis(60_000);
    let (_, secret) =
        fixture.tenancy.key_create(&ada, &NewKey { expires_at: Some(soon), ..key("short") }).await.unwrap();
    assert!(holder(&fixture, secret.expose()).await.is_some());
    fixture.clock.advance(Duration::from_secs(60));
    assert!(holder(&fixture, secret.expose()).await.is_none());
    for nothing in ["", "sk-seam-", "sk-seam-op-", "sk-other", &"sk-seam-x".repeat(100)] {
        assert!(holder(&fixture, nothing).await.is_none(), "{nothing}");
    }
}

#[tokio::test]
async fn a_name_is_free_again_once_its_key_is_revoked_or_has_expired_and_anothers_takes_none() {
    let fixture = Fixture::new().await;
    let (ada, eve) = (admin(&fixture, "acme").await, admin(&fixture, "globex").await);
    let make = async |scope: &Scope, new: NewKey| fixture.tenancy.key_create(scope, &new).await;
    let soon = fixture.tenancy.clock().now().plus_millis(60_000);
    make(&eve, key("ci")).await.unwrap();
    make(&ada, NewKey { expires_at: Some(soon), ..key("ci") }).await.unwrap();
    let taken = make(&ada, key("ci")).await;
    assert!(matches!(taken, Err(TenancyError::AlreadyExists { .. })), "{taken:?}");
    fixture.clock.advance(Duration::from_secs(60));
    let (id, _) = make(&ada, key("ci")).await.unwrap();
    fixture.tenancy.key_revoke(&ada, id).await.unwrap();
    make(&ada, key("ci")).await.unwrap();
}

#[tokio::test]
async fn another_tenants_key_does_not_exist() {
    let fixture = Fixture::new().await;
    let (ada, eve) = (admin(&fixture, "acme").await, admin(&fixture, "globex").await);
    let (id, secret) = fixture.tenancy.key_create(&ada, &key("ci")).await.unwrap();
    let refused = fixture.tenancy.key_revoke(&eve, id).await;
    assert!(matches!(refused, Err(TenancyError::NotFound { .. })));
    let refused = fixture.tenancy.operator_key_revoke(&OperatorScope::command_line(), id).await;
    assert!(matches!(refused, Err(TenancyError::NotFound { .. })));
    assert!(fixture.tenancy.key_list(&eve).await.unwrap().is_empty());
    assert!(holder(&fixture, secret.expose()).await.is_some());
}

#[tokio::test]
async fn the_operators_key_is_no_tenants() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let operator = OperatorScope::command_line();
    let (id, secret) = fixture.tenancy.operator_key_create(&operator, &key("deploy")).await.unwrap();
    assert!(secret.expose().starts_with("sk-seam-op-"));
    assert!(matches!(holder(&fixture, secret.expose()).await, Some(KeyHolder::Operator(_))));
    assert!(fixture.tenancy.key_list(&ada).await.unwrap().is_empty());
    assert!(fixture.tenancy.key_revoke(&ada, id).await.is_err());
    fixture.tenancy.operator_key_revoke(&operator, id).await.unwrap();
    assert!(holder(&fixture, secret.expose()).await.is_none());
    let again = fixture.tenancy.operator_key_revoke(&operator, id).await;
    assert!(matches!(again, Err(TenancyError::NotFound { .. })), "it was revoked when it was revoked");
}

#[tokio::test]
async fn two_keys_of_the_operator_that_work_have_two_names() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    fixture.tenancy.key_create(&ada, &key("deploy")).await.unwrap();
    let operator = OperatorScope::command_line();
    let make = async |new: NewKey| fixture.tenancy.operator_key_create(&operator, &new).await;
    let until = fixture.tenancy.clock().now().plus_millis(60_000);
    make(NewKey { expires_at: Some(until), ..key("deploy") }).await.unwrap();
    let taken = make(key(" deploy ")).await;
    assert!(matches!(taken, Err(TenancyError::AlreadyExists { .. })), "{taken:?}");
    fixture.clock.advance(Duration::from_secs(60));
    let (id, _) = make(key("deploy")).await.unwrap();
    fixture.tenancy.operator_key_revoke(&operator, id).await.unwrap();
    make(key("deploy")).await.unwrap();
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_to_people_and_keys_until_it_is_resumed() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let (_, secret) = fixture.tenancy.key_create(&ada, &key("ci")).await.unwrap();
    let claims = fixture.claims("admin@acme.test").await;
    let operator = OperatorScope::command_line();
    fixture.tenancy.tenant_suspend(&operator, ada.tenant(), "The invoice of May is open").await.unwrap();
    let refused = fixture.principal(&claims).await.unwrap().scope();
    assert!(matches!(refused, Err(TenancyError::Suspended { ref reason, .. }) if reason.contains("May")));
    let refused = fixture.tenancy.authenticate_key(secret.expose(), home()).await;
    assert!(matches!(refused, Err(TenancyError::Suspended { .. })));
    fixture.tenancy.tenant_resume(&operator, ada.tenant()).await.unwrap();
    assert!(fixture.principal(&claims).await.unwrap().scope().is_ok());
    assert!(holder(&fixture, secret.expose()).await.is_some());
    let log = fixture.tenancy.audit_list(&ada, None, "tenant.").await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["tenant.resume", "tenant.suspend"]);
    let platform = fixture.tenancy.audit_list_of_platform(&operator, None, "").await.unwrap();
    assert_eq!(platform.len(), 2);
    // Another one that is on its way out keeps nobody else closed.
    let leaving = admin(&fixture, "globex").await.tenant();
    fixture.tenancy.tenant_suspend(&operator, leaving, "It leaves").await.unwrap();
    fixture.tenancy.control().write(LEAVING).bind(leaving).execute().await.unwrap();
    fixture.tenancy.tenant_suspend(&operator, ada.tenant(), "The invoice of June").await.unwrap();
    fixture.tenancy.tenant_resume(&operator, ada.tenant()).await.unwrap();
    let refused = fixture.tenancy.tenant_resume(&operator, leaving).await;
    assert!(matches!(refused, Err(TenancyError::Invalid { field: "tenant", .. })), "{refused:?}");
    let nothing = fixture.tenancy.tenant_suspend(&operator, ada.tenant(), " ").await;
    assert!(matches!(nothing, Err(TenancyError::Invalid { field: "reason", .. })));
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let past = contract::Timestamp::from_millis(0);
    for (new, field) in [
        (key("  "), "name"),
        (key(&"x".repeat(61)), "name"),
        (NewKey { scopes: vec![], ..key("a") }, "scopes"),
        (NewKey { models: Some(vec![]), ..key("a") }, "models"),
        (NewKey { expires_at: Some(past), ..key("a") }, "expires_at"),
    ] {
        match fixture.tenancy.key_create(&ada, &new).await {
            Err(TenancyError::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// Names of a page of keys.
async fn names(fixture: &Fixture, scope: &Scope, query: &KeyQuery) -> Vec<String> {
    let (page, counts) = fixture.tenancy.key_page(scope, query, 10).await.unwrap();
    assert_eq!(page.total, counts.of(query.state));
    page.items.into_iter().map(|key| key.name).collect()
}

/// Four keys a minute apart: `Beta` ends, `alpha` has ended, `gamma` was revoked, `delta` is never over and was used.
async fn four_keys(fixture: &Fixture, scope: &Scope) -> KeyId {
    let mut revoked = None;
    for (name, minutes) in [("Beta", Some(60)), ("alpha", Some(2)), ("gamma", None), ("delta", None)] {
        let expires_at = minutes.map(|minutes| fixture.tenancy.clock().now().plus_millis(minutes * 60_000));
        let (id, secret) = fixture.tenancy.key_create(scope, &NewKey { expires_at, ..key(name) }).await.unwrap();
        match name {
            "gamma" => revoked = Some(id),
            "delta" => assert!(holder(fixture, secret.expose()).await.is_some()),
            _ => {}
        }
        fixture.clock.advance(Duration::from_secs(60));
    }
    fixture.tenancy.key_revoke(scope, revoked.unwrap()).await.unwrap();
    revoked.unwrap()
}

#[tokio::test]
async fn keys_are_listed_in_every_order_by_state_and_by_words() {
    let fixture = Fixture::new().await;
    let (ada, eve) = (admin(&fixture, "acme").await, admin(&fixture, "globex").await);
    fixture.tenancy.key_create(&eve, &key("alpha of another")).await.unwrap();
    fixture.tenancy.operator_key_create(&OperatorScope::command_line(), &key("alpha of nobody")).await.unwrap();
    four_keys(&fixture, &ada).await;
    let query = KeyQuery { page: 1, ..KeyQuery::default() };
    for (order, expected) in [
        (KeyOrder::Name, ["alpha", "Beta", "delta", "gamma"]),
        (KeyOrder::Created, ["Beta", "alpha", "gamma", "delta"]),
        (KeyOrder::Expires, ["alpha", "Beta", "gamma", "delta"]),
    ] {
        assert_eq!(names(&fixture, &ada, &KeyQuery { order, ..query.clone() }).await, expected, "{order:?}");
    }
    let last = async |order| names(&fixture, &ada, &KeyQuery { order, ..query.clone() }).await.pop();
    let first = async |order| names(&fixture, &ada, &KeyQuery { order, ..query.clone() }).await.into_iter().next();
    assert_eq!(
        (first(KeyOrder::NameDown).await.as_deref(), last(KeyOrder::NameDown).await.as_deref()),
        (Some("gamma"), Some("alpha"))
    );
    assert_eq!(last(KeyOrder::CreatedDown).await.as_deref(), Some("Beta"));
    assert_eq!(last(KeyOrder::ExpiresDown).await.as_deref(), Some("alpha"));
    assert_eq!(
        (first(KeyOrder::UsedDown).await.as_deref(), last(KeyOrder::Used).await.as_deref()),
        (Some("delta"), Some("delta"))
    );

    for (state, expected) in [
        (KeyState::Active, vec!["delta", "Beta"]),
        (KeyState::Expired, vec!["alpha"]),
        (KeyState::Revoked, vec!["gamma"]),
    ] {
        let asked = KeyQuery { state: Some(state), ..query.clone() };
        assert_eq!(names(&fixture, &ada, &asked).await, expected, "{state:?}");
        let (page, _) = fixture.tenancy.key_page(&ada, &asked, 10).await.unwrap();
        assert!(page.items.iter().all(|key| key.state(fixture.tenancy.clock().now()) == state));
    }
    for (words, expected) in
        [("ALPHA", vec!["alpha"]), ("ta", vec!["delta", "Beta"]), ("%", vec![]), ("alpha of", vec![])]
    {
        assert_eq!(
            names(&fixture, &ada, &KeyQuery { words: words.to_owned(), ..query.clone() }).await,
            expected,
            "{words}"
        );
    }
    let (page, counts) =
        fixture.tenancy.key_page(&ada, &KeyQuery { words: "a".to_owned(), ..query.clone() }, 10).await.unwrap();
    assert_eq!(counts, KeyCounts { active: 2, expired: 1, revoked: 1 });
    let beginning = page.items[0].prefix[8..].to_uppercase();
    assert_eq!(names(&fixture, &ada, &KeyQuery { words: beginning, ..query }).await, [page.items[0].name.clone()]);
}

#[tokio::test]
async fn pages_of_keys_join_without_a_gap() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    for number in 0..7 {
        fixture.tenancy.key_create(&ada, &key(&format!("key {number}"))).await.unwrap();
    }
    for order in KeyOrder::ALL {
        let mut seen = Vec::new();
        for page in 1..=4 {
            let asked = KeyQuery { page, order, ..KeyQuery::default() };
            let (page, _) = fixture.tenancy.key_page(&ada, &asked, 2).await.unwrap();
            assert_eq!((page.total, page.last()), (7, 4));
            seen.extend(page.items.into_iter().map(|key| key.id));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 7, "{order:?}");
    }
}

#[tokio::test]
async fn calls_of_models_find_out_at_once_what_happens_here_and_within_half_a_second_what_happens_elsewhere() {
    let fixture = Fixture::new().await;
    let ada = admin(&fixture, "acme").await;
    let call = async |secret: &tenancy::Secret| fixture.tenancy.authenticate_call(secret.expose(), home()).await;
    let (here, opens) = fixture.tenancy.key_create(&ada, &key("here")).await.unwrap();
    let limited = NewKey { expires_at: Some(fixture.clock.now().plus_millis(60_000)), ..key("limited") };
    let (_, ends) = fixture.tenancy.key_create(&ada, &limited).await.unwrap();
    let (elsewhere, gone) = fixture.tenancy.key_create(&ada, &key("elsewhere")).await.unwrap();
    let operator = OperatorScope::command_line();
    for _ in 0..2 {
        for secret in [&opens, &ends, &gone] {
            let Some(KeyHolder::Tenant { scope, .. }) = call(secret).await.unwrap() else { panic!("it works") };
            assert_eq!(scope.tenant(), ada.tenant());
        }
    }
    fixture.tenancy.tenant_suspend(&operator, ada.tenant(), "An invoice is open").await.unwrap();
    assert!(matches!(call(&opens).await, Err(TenancyError::Suspended { .. })));
    fixture.tenancy.tenant_resume(&operator, ada.tenant()).await.unwrap();
    assert!(call(&opens).await.unwrap().is_some());
    fixture.tenancy.key_revoke(&ada, here).await.unwrap();
    assert!(call(&opens).await.unwrap().is_none());

    assert!(call(&ends).await.unwrap().is_some());
    fixture.clock.advance(Duration::from_secs(60));
    assert!(call(&ends).await.unwrap().is_none(), "its end is looked at each time");

    assert!(call(&gone).await.unwrap().is_some());
    fixture.another_process().key_revoke(&ada, elsewhere).await.unwrap();
    let revoked = std::time::Instant::now();
    while call(&gone).await.unwrap().is_some() {
        assert!(revoked.elapsed() < Duration::from_millis(900), "it works for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(call(&tenancy::Secret::new("sk-seam-of-nobody".to_owned())).await.unwrap().is_none());
}
