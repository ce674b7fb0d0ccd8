//! A scope is minted for a living session of a member, in the member's own tenant, and for nothing else.

use crate::fixture::{Fixture, PASSWORD, email, password};
use contract::{Role, TenantId};
use std::time::Duration;
use store::TenantStores;
use tenancy::{Actor, Needs, TenancyError};

#[tokio::test]
async fn a_member_opens_the_own_tenants_store() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    fixture.tenant("globex").await;
    let ada = fixture.member("ada@acme.test", &acme, Role::Member).await;
    let claims = fixture.claims("ada@acme.test").await;

    let scope = fixture.principal(&claims).await.unwrap().scope().unwrap();
    assert_eq!((scope.tenant(), scope.user(), scope.role()), (acme.id, Some(ada), Role::Member));
    assert_eq!(scope.actor(), Actor::User(ada));
    scope.require(Role::Member).unwrap();
    let refused = scope.require(Role::Admin).unwrap_err();
    assert!(matches!(refused, TenancyError::PermissionDenied { needs: Needs::Role(Role::Admin) }), "{refused}");

    let stores = TenantStores::new(fixture.scratch.location());
    let store = scope.store(&stores).await.unwrap();
    assert_eq!(store.tenant(), acme.id);
    assert_eq!(stores.open_count(), 1);
}

#[tokio::test]
async fn claiming_another_tenant_opens_nothing() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    fixture.member("ada@acme.test", &acme, Role::Admin).await;
    for foreign in [globex.id, TenantId::new()] {
        let mut claims = fixture.claims("ada@acme.test").await;
        claims.tenant = Some(foreign);
        let principal = fixture.principal(&claims).await.unwrap();
        assert!(matches!(principal.scope(), Err(TenancyError::NoTenant)));
        assert!(principal.view().current.is_none());
    }
}

#[tokio::test]
async fn a_session_works_in_the_tenant_it_names() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = fixture.member("ada@acme.test", &acme, Role::Admin).await;
    fixture.clock.advance(Duration::from_secs(1));
    fixture.tenancy.member_add(globex.id, ada, Role::Viewer).await.unwrap();
    let mut claims = fixture.claims("ada@acme.test").await;
    claims.tenant = Some(globex.id);
    let principal = fixture.principal(&claims).await.unwrap();
    let scope = principal.scope().unwrap();
    assert_eq!((scope.tenant(), scope.role()), (globex.id, Role::Viewer));
    let slugs = |memberships: &[contract::TenantMembership]| -> Vec<String> {
        memberships.iter().map(|membership| membership.slug.to_string()).collect()
    };
    assert_eq!(slugs(principal.memberships()), ["globex", "acme"], "the current one first");
    assert_eq!(slugs(&fixture.tenancy.memberships(ada).await.unwrap()), ["acme", "globex"], "the oldest first");
}

#[tokio::test]
async fn operators_see_no_tenants_data_unless_they_are_members() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let operator = fixture.tenancy.operator_create(email("op@seam.test"), password(PASSWORD)).await.unwrap();
    let claims = fixture.claims("op@seam.test").await;
    let principal = fixture.principal(&claims).await.unwrap();
    principal.require_operator().unwrap();
    assert!(matches!(principal.scope(), Err(TenancyError::NoTenant)));

    // The session from before there was a tenant finds it: the first run goes on without signing in again.
    fixture.tenancy.member_add(acme.id, operator, Role::Admin).await.unwrap();
    assert_eq!(fixture.principal(&claims).await.unwrap().scope().unwrap().tenant(), acme.id);
}

#[tokio::test]
async fn an_admin_of_a_tenant_is_no_operator() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    fixture.member("ada@acme.test", &acme, Role::Admin).await;
    let claims = fixture.claims("ada@acme.test").await;
    let refused = fixture.principal(&claims).await.unwrap().require_operator().unwrap_err();
    assert!(matches!(refused, TenancyError::PermissionDenied { needs: Needs::Operator }), "{refused}");
}

#[tokio::test]
async fn upkeep_acts_as_nobody() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let scope = fixture.tenancy.upkeep_scope(acme.id);
    assert_eq!((scope.tenant(), scope.user(), scope.actor()), (acme.id, None, Actor::Upkeep));
}
