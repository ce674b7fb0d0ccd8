//! What is declared becomes so, is told as a difference, and done twice does nothing.

use crate::fixture::{Fixture, PASSWORD, email, new_tenant, password, slug};
use contract::{KeyScope, NanoUsd, Role};
use tenancy::{Change, DeclaredKey, NewKey, NewTenant, NewUser, PasswordHash, Tenancy, TenancyError};

const PLAN_INSERT: &str = "
INSERT INTO plan (name, monthly_fee, included_credit, overage_markup, created_at, updated_at)
VALUES ('pro', 0, 0, 1000000, 0, 0)";

impl Fixture {
    async fn apply_tenant(&self, new: &NewTenant) -> Result<Change, TenancyError> {
        let mut tx = self.tenancy.control().begin().await.unwrap();
        let change = Tenancy::apply_tenant(&mut tx, self.tenancy.clock().now(), new).await?;
        tx.commit().await.unwrap();
        Ok(change)
    }

    async fn apply_user(&self, user: &NewUser) -> Result<Change, TenancyError> {
        let mut tx = self.tenancy.control().begin().await.unwrap();
        let change = Tenancy::apply_user(&mut tx, self.tenancy.clock().now(), user).await?;
        tx.commit().await.unwrap();
        Ok(change)
    }

    async fn apply_key(&self, tenant: &str, scopes: &[KeyScope]) -> Change {
        let key = NewKey { name: "ci".to_owned(), scopes: scopes.to_vec(), models: None, expires_at: None };
        let declared = DeclaredKey { tenant: slug(tenant), key, secret: None };
        let mut tx = self.tenancy.control().begin().await.unwrap();
        let (change, _) = Tenancy::apply_key(&mut tx, self.tenancy.clock().now(), &declared).await.unwrap();
        tx.commit().await.unwrap();
        change
    }

    async fn hash(&self, text: &str) -> PasswordHash {
        self.tenancy.hash_password(password(text)).await.unwrap()
    }
}

fn ada(tenant: Option<&str>, role: Role, password_hash: Option<PasswordHash>) -> NewUser {
    NewUser { tenant: tenant.map(slug), email: email("ada@acme.test"), role, password_hash, operator: false }
}

#[tokio::test]
async fn a_tenant_is_created_then_unchanged_then_changed_field_by_field() {
    let fixture = Fixture::new().await;
    fixture.tenancy.control().write(PLAN_INSERT).execute().await.unwrap();
    let declared = new_tenant("acme");
    assert!(matches!(fixture.apply_tenant(&declared).await.unwrap(), Change::Created(_)));
    assert_eq!(fixture.apply_tenant(&declared).await.unwrap(), Change::Unchanged);
    let id = fixture.tenancy.tenant_by_slug(&slug("acme")).await.unwrap().unwrap().id;

    let changed = NewTenant {
        plan: Some("pro".to_owned()),
        monthly_budget: Some(NanoUsd::from_nanos(50_500_000_000)),
        zero_retention: true,
        ..declared
    };
    let expected = ["plan: none → pro", "monthly_budget: none → 50.5", "zero_retention: false → true"];
    let expected = Change::Updated(expected.map(str::to_owned).to_vec());
    assert_eq!(fixture.apply_tenant(&changed).await.unwrap(), expected);
    let stored = fixture.tenancy.tenant_by_slug(&slug("acme")).await.unwrap().unwrap();
    assert_eq!((stored.id, stored.plan, stored.zero_retention), (id, changed.plan.clone(), true));
    assert_eq!(fixture.apply_tenant(&changed).await.unwrap(), Change::Unchanged);
}

#[tokio::test]
async fn a_declaration_that_cannot_be_is_refused() {
    let fixture = Fixture::new().await;
    let new = NewTenant { plan: Some("gold".to_owned()), ..new_tenant("acme") };
    assert_eq!(fixture.apply_tenant(&new).await.unwrap_err().to_string(), "there is no plan “gold”");
    fixture.apply_tenant(&new_tenant("acme")).await.unwrap();
    assert!(fixture.apply_tenant(&new).await.is_err(), "also over an existing tenant");
    let homeless = fixture.apply_user(&ada(Some("globex"), Role::Admin, None)).await.unwrap_err();
    assert_eq!(homeless.to_string(), "there is no tenant “globex”");
    assert!(fixture.tenancy.user_by_email(&email("ada@acme.test")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_is_created_with_a_role_and_can_sign_in() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let declared = ada(Some("acme"), Role::Admin, Some(fixture.hash(PASSWORD).await));
    assert!(matches!(fixture.apply_user(&declared).await.unwrap(), Change::Created(_)));
    assert_eq!(fixture.apply_user(&declared).await.unwrap(), Change::Unchanged);
    let claims = fixture.claims("ada@acme.test").await;
    assert_eq!(claims.tenant, Some(acme.id));

    let demoted = NewUser { role: Role::Viewer, ..declared };
    let last = fixture.apply_user(&demoted).await;
    assert!(matches!(last, Err(tenancy::TenancyError::Invalid { field: "role", .. })), "{last:?}");
    fixture.member("bob@acme.test", &acme, Role::Admin).await;
    let expected = Change::Updated(vec!["role in acme: admin → viewer".to_owned()]);
    assert_eq!(fixture.apply_user(&demoted).await.unwrap(), expected);
    assert_eq!(fixture.principal(&claims).await.unwrap().scope().unwrap().role(), Role::Viewer);
}

#[tokio::test]
async fn a_declared_password_is_the_first_one_only() {
    let fixture = Fixture::new().await;
    assert!(matches!(fixture.apply_user(&ada(None, Role::Member, None)).await.unwrap(), Change::Created(_)));
    let first = ada(None, Role::Member, Some(fixture.hash(PASSWORD).await));
    let set = Change::Updated(vec!["password: none → set".to_owned()]);
    assert_eq!(fixture.apply_user(&first).await.unwrap(), set);
    let second = ada(None, Role::Member, Some(fixture.hash("declared later on").await));
    assert_eq!(fixture.apply_user(&second).await.unwrap(), Change::Unchanged);
    fixture.claims("ada@acme.test").await; // with the first
}

#[tokio::test]
async fn operators_are_made_by_a_declaration_and_never_unmade() {
    let fixture = Fixture::new().await;
    fixture.apply_user(&ada(None, Role::Member, None)).await.unwrap();
    assert!(!fixture.tenancy.operator_exists().await.unwrap());
    let operator = NewUser { operator: true, ..ada(None, Role::Member, None) };
    let promoted = Change::Updated(vec!["operator: false → true".to_owned()]);
    assert_eq!(fixture.apply_user(&operator).await.unwrap(), promoted);
    assert_eq!(fixture.apply_user(&operator).await.unwrap(), Change::Unchanged);
    assert_eq!(fixture.apply_user(&ada(None, Role::Member, None)).await.unwrap(), Change::Unchanged);
    assert!(fixture.tenancy.operator_exists().await.unwrap());
}

#[tokio::test]
async fn a_dry_run_tells_the_difference_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let mut tx = fixture.tenancy.control().begin().await.unwrap();
    let now = fixture.tenancy.clock().now();
    assert!(matches!(Tenancy::apply_tenant(&mut tx, now, &new_tenant("acme")).await.unwrap(), Change::Created(_)));
    // Later declarations see earlier ones within the same run.
    let user = ada(Some("acme"), Role::Admin, None);
    assert!(matches!(Tenancy::apply_user(&mut tx, now, &user).await.unwrap(), Change::Created(_)));
    drop(tx);
    assert!(fixture.tenancy.tenant_list().await.unwrap().is_empty());
    assert!(fixture.tenancy.user_by_email(&user.email).await.unwrap().is_none());
}

#[tokio::test]
async fn a_declared_key_is_the_one_of_its_name_that_works_in_its_own_tenant() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    fixture.tenant("globex").await;
    assert!(matches!(fixture.apply_key("acme", &[KeyScope::Inference]).await, Change::Created(_)));
    assert!(matches!(fixture.apply_key("globex", KeyScope::ALL.as_slice()).await, Change::Created(_)));
    assert_eq!(fixture.apply_key("acme", &[KeyScope::Inference]).await, Change::Unchanged);
    // One that was revoked is not taken up again.
    let scope = fixture.tenancy.command_line_scope(acme.id);
    let id = fixture.tenancy.key_list(&scope).await.unwrap()[0].id;
    fixture.tenancy.key_revoke(&scope, id).await.unwrap();
    assert!(matches!(fixture.apply_key("acme", &[KeyScope::Inference]).await, Change::Created(_)));
}
