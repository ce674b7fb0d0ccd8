//! The service that the layers above hold; its verbs stand in the modules of their aggregates.

use crate::{Author, Scope, SharedClock, Vault, api_key::RecentKeys, password::Passwords};
use contract::{Role, TenantId, Timestamp};
use std::fmt;
use store::ControlStore;

/// Accounts, tenants, sign-in and secrets. Cheap to clone.
#[derive(Clone)]
pub struct Tenancy {
    pub(crate) control: ControlStore,
    pub(crate) clock: SharedClock,
    pub(crate) passwords: Passwords,
    pub(crate) recent_keys: RecentKeys,
    vault: Vault,
    pub(crate) private_identity_providers: bool,
}

impl Tenancy {
    pub fn new(control: ControlStore, clock: SharedClock, vault: Vault) -> Self {
        let (passwords, recent_keys) = (Passwords::for_this_machine(), RecentKeys::default());
        Self { control, clock, passwords, recent_keys, vault, private_identity_providers: false }
    }

    /// Whether tenants' identity providers may be on private networks, and on this machine without TLS. Where
    /// tenants are strangers they may not: their admins would reach into the operator's own network.
    #[must_use]
    pub fn private_identity_providers(self, allowed: bool) -> Self {
        Self { private_identity_providers: allowed, ..self }
    }

    /// A scope for the platform's own upkeep: ending runs that a crash left open, removing what expired.
    ///
    /// Never to be used on behalf of a request: those have a [`Principal`](crate::Principal).
    pub fn upkeep_scope(&self, tenant: TenantId) -> Scope {
        Scope::mint(tenant, Author::upkeep(), Role::Admin)
    }

    /// A scope for the commands of `seam`: whoever may run them owns the data.
    pub fn command_line_scope(&self, tenant: TenantId) -> Scope {
        Scope::mint(tenant, Author::command_line(), Role::Admin)
    }

    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    pub fn control(&self) -> &ControlStore {
        &self.control
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tenancy(…)")
    }
}
