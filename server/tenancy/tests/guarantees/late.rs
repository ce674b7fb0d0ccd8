//! What runs out between the first look and its use: while a password is hashed, say.

use crate::fixture::{Fixture, email, home, password};
use contract::{Role, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use tenancy::{Client, Clock, Invited, Tenancy, TenancyError, Vault};

/// Later than anything that runs out, from the second reading on.
struct Leaping {
    now: i64,
    read: AtomicI64,
}

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        let later = if self.read.fetch_add(1, Ordering::SeqCst) == 0 { 0 } else { 365 * 24 * 60 * 60 * 1_000 };
        Timestamp::from_millis(self.now + later)
    }
}

/// The same tenancy, for which time leaps after the first look.
fn leaping(fixture: &Fixture) -> Tenancy {
    let clock = Leaping { now: fixture.tenancy.clock().now().as_millis(), read: AtomicI64::new(0) };
    let vault = Vault::open(fixture.scratch.dir(), None, None).unwrap();
    Tenancy::new(fixture.tenancy.control().clone(), Arc::new(clock), vault)
}

#[tokio::test]
async fn a_link_that_runs_out_while_it_is_used_is_not_used() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    fixture.member("ada@acme.test", &acme, Role::Admin).await;
    let ada = fixture.scope("ada@acme.test").await;
    let late = || password("a few words make one");

    let invited = fixture.tenancy.invitation_create(&ada, &email("bob@acme.test"), Role::Member).await.unwrap();
    let new = Invited::New { password: late(), address: home() };
    let refused = leaping(&fixture).invitation_accept(invited.as_str(), new).await;
    assert!(matches!(refused, Err(TenancyError::InvitationExpired)), "{refused:?}");

    let client = Client::from(home());
    let reset = fixture.tenancy.password_reset_begin(&email("ada@acme.test"), &client).await.unwrap().unwrap();
    let refused = leaping(&fixture).password_reset(reset.as_str(), late(), &client).await;
    assert!(matches!(refused, Err(TenancyError::ResetExpired)), "{refused:?}");
    fixture.clock.advance(tenancy::RESET_LIFETIME);
    let refused = fixture.tenancy.password_reset_check(reset.as_str()).await;
    assert!(matches!(refused, Err(TenancyError::ResetExpired)), "{refused:?}");

    let first = fixture.tenancy.operator_link_create().await.unwrap();
    let refused =
        leaping(&fixture).operator_create_with_link(first.as_str(), email("olga@seam.test"), late(), home()).await;
    assert!(matches!(refused, Err(TenancyError::LinkExpired)), "{refused:?}");
    assert!(!fixture.tenancy.operator_exists().await.unwrap());
}
