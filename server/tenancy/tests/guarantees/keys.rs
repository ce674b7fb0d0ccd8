//! API keys: shown once, bounded, and dead the moment they are revoked.

use crate::fixture::{Fixture, home};
use contract::{KeyScope, Role};
use std::time::Duration;
use tenancy::{KeyHolder, NewKey, OperatorScope, Scope, TenancyError};

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
