//! Whose an address is: whoever came under it first by somebody's invitation is not its owner for that.

use crate::{
    fixture::{Fixture, PASSWORD, email, home, password},
    single_sign_on::World,
};
use contract::{Role, UserId};
use std::time::Duration;
use tenancy::{Invited, NewUser, OperatorScope, PasswordHash, SessionClaims, Tenancy, TenancyError};

const CEO: &str = "ceo@acme.test";

/// The admin of another tenant invites the address, and opens the link themself.
async fn claimed(fixture: &Fixture) -> (UserId, SessionClaims) {
    let globex = fixture.tenant("globex").await;
    fixture.member("eve@globex.test", &globex, Role::Admin).await;
    let eve = fixture.scope("eve@globex.test").await;
    let token = fixture.tenancy.invitation_create(&eve, &email(CEO), Role::Viewer).await.unwrap();
    let who = Invited::New { password: password(PASSWORD), address: home() };
    let (user, _) = fixture.tenancy.invitation_accept(token.as_str(), who).await.unwrap();
    (user, fixture.claims(CEO).await)
}

async fn opens(fixture: &Fixture) -> bool {
    // Wrong ones are counted, and this is no test of that.
    fixture.clock.advance(Duration::from_secs(60 * 60));
    fixture.tenancy.sign_in(CEO, password(PASSWORD), home()).await.is_ok()
}

#[tokio::test]
async fn whoever_came_first_is_out_when_the_identity_provider_brings_the_owner() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let (user, first) = claimed(fixture).await;
    assert!(fixture.principal(&first).await.is_some() && opens(fixture).await);

    let owner = world.enter("sub-ceo", CEO).await.unwrap();
    assert_eq!(owner.user, user);
    assert!(fixture.principal(&owner).await.is_some());
    assert!(fixture.principal(&first).await.is_none(), "the session of whoever came first");
    assert!(!opens(fixture).await);
    let log = fixture.tenancy.audit_list(&world.ada, None, "identity.prove").await.unwrap();
    assert!(log.len() == 1 && log[0].target == CEO && log[0].change.contains("whoever came first"), "{log:?}");

    // What its owner chooses from then on is theirs.
    let link = fixture.tenancy.password_reset_link_create(&OperatorScope::command_line(), &email(CEO)).await.unwrap();
    fixture.tenancy.password_reset(link.as_str(), password(PASSWORD), &home().into()).await.unwrap();
    let again = world.enter("sub-ceo", CEO).await.unwrap();
    assert!(fixture.principal(&again).await.is_some() && opens(fixture).await);
}

#[tokio::test]
async fn an_account_that_an_operator_made_or_that_a_link_to_its_address_opened_keeps_its_password() {
    let world = World::new().await;
    let fixture = &world.fixture;
    fixture.member("bob@acme.test", &world.acme, Role::Member).await;
    let before = fixture.claims("bob@acme.test").await;
    world.enter("sub-bob", "bob@acme.test").await.unwrap();
    assert!(fixture.principal(&before).await.is_some());
    claimed(fixture).await;
    let client = home().into();
    let link = fixture.tenancy.password_reset_begin(&email(CEO), &client).await.unwrap().unwrap();
    fixture.tenancy.password_reset(link.as_str(), password(PASSWORD), &client).await.unwrap();
    world.enter("sub-ceo", CEO).await.unwrap();
    assert!(opens(fixture).await);
}

async fn declare(fixture: &Fixture, tenant: &str, role: Role, password_hash: Option<PasswordHash>) -> String {
    let tenant = Some(tenant.parse().unwrap());
    let declared = NewUser { tenant, email: email(CEO), role, password_hash, operator: false };
    let mut tx = fixture.tenancy.control().begin().await.unwrap();
    let change = Tenancy::apply_user(&mut tx, fixture.tenancy.clock().now(), &declared).await.unwrap();
    tx.commit().await.unwrap();
    format!("{change:?}")
}

#[tokio::test]
async fn what_is_declared_for_the_owner_is_not_for_whoever_came_first() {
    let fixture = Fixture::new().await;
    fixture.tenant("initech").await;
    let (_, first) = claimed(&fixture).await;
    let change = declare(&fixture, "globex", Role::Viewer, None).await;
    assert_eq!(change, "Unchanged", "nothing is gained");
    assert!(fixture.principal(&first).await.is_some() && opens(&fixture).await);
    let change = declare(&fixture, "initech", Role::Admin, None).await;
    assert!(change.contains("password: set → none"), "{change}");
    assert!(fixture.principal(&first).await.is_none() && !opens(&fixture).await);

    let fixture = Fixture::new().await;
    fixture.tenant("initech").await;
    claimed(&fixture).await;
    let own = fixture.tenancy.hash_password(password("what the operator says")).await.unwrap();
    let change = declare(&fixture, "initech", Role::Admin, Some(own)).await;
    assert!(change.contains("password: replaced"), "{change}");
    assert!(!opens(&fixture).await);
    fixture.tenancy.sign_in(CEO, password("what the operator says"), home()).await.unwrap();
}

#[tokio::test]
async fn nobody_runs_the_platform_under_an_address_that_may_be_anothers() {
    let fixture = Fixture::new().await;
    let (user, _) = claimed(&fixture).await;
    let operator = OperatorScope::command_line();
    let refused = fixture.tenancy.user_operator_set(&operator, user, true).await;
    assert!(matches!(refused, Err(TenancyError::Invalid { field: "operator", .. })), "{refused:?}");
    let link = fixture.tenancy.password_reset_link_create(&operator, &email(CEO)).await.unwrap();
    fixture.tenancy.password_reset(link.as_str(), password(PASSWORD), &home().into()).await.unwrap();
    fixture.tenancy.user_operator_set(&operator, user, true).await.unwrap();
}
