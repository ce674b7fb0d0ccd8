//! Tenants and accounts: created once, complete, with names that say what is wrong.

use crate::fixture::{Fixture, PASSWORD, email, new_tenant, password, slug};
use contract::{NanoUsd, Role, TenantId, UserId};
use tenancy::{Change, NewTenant, TenancyError};

const TENANTS: &str = "SELECT COUNT(*) AS value FROM tenant";

#[tokio::test]
async fn a_tenant_is_stored_whole_and_found_again() {
    let fixture = Fixture::new().await;
    let new = NewTenant {
        monthly_budget: Some(NanoUsd::from_nanos(50_000_000_000)),
        soft_budget: Some(NanoUsd::from_nanos(40_000_000_000)),
        region: Some("eu".to_owned()),
        zero_retention: true,
        ..new_tenant("acme")
    };
    let created = fixture.tenancy.tenant_create(new.clone()).await.unwrap();
    assert_eq!(fixture.tenancy.tenant_by_slug(&slug("acme")).await.unwrap().unwrap(), created);
    let stored = NewTenant {
        slug: created.slug.clone(),
        display_name: created.display_name.clone(),
        plan: created.plan.clone(),
        monthly_budget: created.monthly_budget,
        soft_budget: created.soft_budget,
        region: created.region.clone(),
        zero_retention: created.zero_retention,
    };
    assert_eq!(stored, new);
    fixture.tenant("abc").await;
    let slugs: Vec<_> = fixture.tenancy.tenant_list().await.unwrap().into_iter().map(|t| t.slug.to_string()).collect();
    assert_eq!(slugs, ["abc", "acme"]);
    assert!(fixture.tenancy.tenant_by_slug(&slug("globex")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_taken_name_is_said_to_be_taken() {
    let fixture = Fixture::new().await;
    fixture.tenant("acme").await;
    let taken = fixture.tenancy.tenant_create(new_tenant("acme")).await.unwrap_err();
    assert_eq!(taken.to_string(), "the tenant “acme” exists already");
    fixture.person("ada@acme.test").await;
    let taken = fixture.tenancy.user_create(email("Ada@acme.test"), None, true).await.unwrap_err();
    assert_eq!(taken.to_string(), "the account “ada@acme.test” exists already");
    assert!(!fixture.tenancy.operator_exists().await.unwrap());
}

#[tokio::test]
async fn what_a_tenant_cannot_be_is_refused_by_field() {
    let fixture = Fixture::new().await;
    let negative = Some(NanoUsd::from_nanos(-1));
    let cases = [
        (NewTenant { display_name: "  ".to_owned(), ..new_tenant("acme") }, "display_name"),
        (NewTenant { display_name: "a\nb".to_owned(), ..new_tenant("acme") }, "display_name"),
        (NewTenant { display_name: "x".repeat(101), ..new_tenant("acme") }, "display_name"),
        (NewTenant { region: Some(String::new()), ..new_tenant("acme") }, "region"),
        (NewTenant { monthly_budget: negative, ..new_tenant("acme") }, "monthly_budget"),
        (NewTenant { soft_budget: negative, ..new_tenant("acme") }, "soft_budget"),
    ];
    for (new, expected) in cases {
        match fixture.tenancy.tenant_create(new).await {
            Err(TenancyError::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let new = NewTenant { plan: Some("gold".to_owned()), ..new_tenant("acme") };
    let unknown = fixture.tenancy.tenant_create(new).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no plan “gold”");
    assert_eq!(fixture.number(TENANTS).await, 0);
}

#[tokio::test]
async fn a_founded_tenant_has_its_admin_or_is_not_there() {
    let fixture = Fixture::new().await;
    let nobody = fixture.tenancy.tenant_found(new_tenant("acme"), UserId::new()).await;
    assert!(matches!(nobody, Err(TenancyError::NotFound { .. })), "{nobody:?}");
    assert_eq!(fixture.number(TENANTS).await, 0);

    let ada = fixture.person("ada@acme.test").await;
    let acme = fixture.tenancy.tenant_found(new_tenant("acme"), ada).await.unwrap();
    let memberships = fixture.tenancy.memberships(ada).await.unwrap();
    assert_eq!(memberships.len(), 1);
    assert_eq!((memberships[0].tenant, memberships[0].role), (acme.id, Role::Admin));
}

#[tokio::test]
async fn a_membership_needs_both_sides_and_is_kept_once() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = fixture.person("ada@acme.test").await;
    let add = |tenant, user, role| fixture.tenancy.member_add(tenant, user, role);
    assert!(matches!(add(TenantId::new(), ada, Role::Member).await, Err(TenancyError::NotFound { .. })));
    assert!(matches!(add(acme.id, UserId::new(), Role::Member).await, Err(TenancyError::NotFound { .. })));
    assert!(matches!(add(acme.id, ada, Role::Member).await.unwrap(), Change::Created(_)));
    assert_eq!(add(acme.id, ada, Role::Member).await.unwrap(), Change::Unchanged);
    let moved = Change::Updated(vec!["role: member → admin".to_owned()]);
    assert_eq!(add(acme.id, ada, Role::Admin).await.unwrap(), moved);
    assert_eq!(fixture.tenancy.memberships(ada).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_is_found_by_address_without_its_secrets() {
    let fixture = Fixture::new().await;
    let ada = fixture.tenancy.user_create(email("ada@acme.test"), Some(password(PASSWORD)), true).await.unwrap();
    let found = fixture.tenancy.user_by_email(&email("ada@acme.test")).await.unwrap().unwrap();
    assert_eq!((found.id, found.operator), (ada, true));
    assert!(!format!("{found:?}").contains("argon2"));
    assert!(fixture.tenancy.user_by_email(&email("bob@acme.test")).await.unwrap().is_none());
}
