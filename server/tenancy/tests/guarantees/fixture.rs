//! A tenancy over an empty database, with a clock that the test moves.

use contract::{Email, Password, Role, Slug, Timestamp, UserId};
use std::{net::IpAddr, sync::Arc};
use store::ControlStore;
use tenancy::{FixedClock, NewTenant, Principal, Scope, SessionClaims, Tenancy, TenantRecord, Vault};
use testbase::Scratch;

pub const PASSWORD: &str = "correct horse battery";

pub struct Fixture {
    pub tenancy: Tenancy,
    pub clock: Arc<FixedClock>,
    /// Removed with the fixture.
    pub scratch: Scratch,
}

impl Fixture {
    pub async fn new() -> Self {
        let scratch = Scratch::new().await.unwrap();
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_millis(1_790_000_000_000)));
        let vault = Vault::open(scratch.dir(), None, None).unwrap();
        Self { tenancy: Tenancy::new(control, clock.clone(), vault), clock, scratch }
    }

    /// The same data as another process has it.
    pub fn another_process(&self) -> Tenancy {
        let vault = Vault::open(self.scratch.dir(), None, None).unwrap();
        Tenancy::new(self.tenancy.control().clone(), self.clock.clone(), vault)
    }

    /// A person who can sign in with [`PASSWORD`].
    pub async fn person(&self, address: &str) -> UserId {
        self.tenancy.user_create(email(address), Some(password(PASSWORD)), false).await.unwrap()
    }

    pub async fn tenant(&self, slug: &str) -> TenantRecord {
        self.tenancy.tenant_create(new_tenant(slug)).await.unwrap()
    }

    pub async fn member(&self, address: &str, tenant: &TenantRecord, role: Role) -> UserId {
        let user = self.person(address).await;
        self.tenancy.member_add(tenant.id, user, role).await.unwrap();
        user
    }

    pub async fn claims(&self, address: &str) -> SessionClaims {
        self.tenancy.sign_in(address, password(PASSWORD), home()).await.unwrap().claims
    }

    pub async fn principal(&self, claims: &SessionClaims) -> Option<Principal> {
        self.tenancy.authenticate(claims).await.unwrap()
    }

    /// What somebody who signs in may do in their tenant.
    pub async fn scope(&self, address: &str) -> Scope {
        let claims = self.claims(address).await;
        self.principal(&claims).await.unwrap().from_address(home()).scope().unwrap()
    }

    /// One number from the database, past the layer under test.
    pub async fn number(&self, sql: &'static str) -> i64 {
        self.tenancy.control().read(sql).fetch_one().await.unwrap()
    }
}

pub fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

pub fn password(text: &str) -> Password {
    Password::offered(text.to_owned()).unwrap()
}

pub fn home() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

/// The `n`-th of many addresses that have nothing to do with each other.
pub fn elsewhere(n: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, n])
}

pub fn new_tenant(name: &str) -> NewTenant {
    NewTenant {
        slug: slug(name),
        display_name: name.to_uppercase(),
        plan: None,
        monthly_budget: None,
        soft_budget: None,
        region: None,
        zero_retention: false,
    }
}
