//! The key to a tenant's data: who acts, in which tenant, in which role.
//!
//! Its fields are private and it is made in two places of this crate only, so that a function which takes
//! a `&Scope` can trust it.

use crate::{
    Actor, Author, Chain, Needs, TenancyError,
    audit::{self, Deed},
};
use contract::{Role, TenantId, Timestamp, UserId};
use serde_json::Value;
use std::sync::Arc;
use store::{Removed, RemovedFile, StoreError, TenantAccess, TenantStore, TenantStores, Transaction};

/// Who acts where. Minted after authentication only.
#[derive(Debug, Clone)]
pub struct Scope {
    tenant: TenantId,
    author: Arc<Author>,
    role: Role,
}

impl Scope {
    pub(crate) fn mint(tenant: TenantId, author: Author, role: Role) -> Self {
        Self { tenant, author: Arc::new(author), role }
    }

    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The member who acts; none for programs and upkeep.
    pub fn user(&self) -> Option<UserId> {
        match self.actor() {
            Actor::User(user) => Some(user),
            Actor::Key(_) | Actor::CommandLine | Actor::Upkeep => None,
        }
    }

    pub const fn role(&self) -> Role {
        self.role
    }

    pub fn actor(&self) -> Actor {
        self.author.actor()
    }

    /// Who acts, as the audit log will name them.
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// Refuses whoever is in the tenant for a while only: `what` would let them in afterwards.
    #[cfg_attr(feature = "mutants", track_caller)]
    pub(crate) fn require_lasting(&self, what: &'static str) -> Result<(), TenancyError> {
        #[cfg(feature = "mutants")]
        if store::mutants::check_is_off(std::panic::Location::caller()) {
            return Ok(());
        }
        match self.author.on_behalf_of() {
            None => Ok(()),
            Some(_) => Err(TenancyError::OutlivesImpersonation { what }),
        }
    }

    /// Opens the tenant's own store.
    pub async fn store(&self, stores: &TenantStores) -> Result<TenantStore, StoreError> {
        stores.open(access(self.tenant)).await
    }

    /// Refuses whoever has less than this role: viewer < member < admin.
    #[cfg_attr(feature = "mutants", track_caller)]
    pub fn require(&self, at_least: Role) -> Result<(), TenancyError> {
        #[cfg(feature = "mutants")]
        if store::mutants::check_is_off(std::panic::Location::caller()) {
            return Ok(());
        }
        if self.role >= at_least {
            Ok(())
        } else {
            Err(TenancyError::PermissionDenied { needs: Needs::Role(at_least) })
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that turns a scope into access")]
const fn access(tenant: TenantId) -> TenantAccess {
    TenantAccess::grant(tenant)
}

/// The right to run the platform: an operator who is signed in, or whoever may run commands where the data is.
#[derive(Debug, Clone)]
pub struct OperatorScope(Arc<Author>);

impl OperatorScope {
    pub(crate) fn mint(author: Author) -> Self {
        Self(Arc::new(author))
    }

    /// For the commands of `seam`: whoever may run them owns the data.
    pub fn command_line() -> Self {
        Self::mint(Author::command_line())
    }

    pub fn author(&self) -> &Author {
        &self.0
    }

    /// A tenant's store as a whole, for `lifecycle`: what comes out of it goes into an archive and before nobody's eyes.
    pub async fn tenant_plane(&self, stores: &TenantStores, tenant: TenantId) -> Result<TenantStore, StoreError> {
        stores.open(access(tenant)).await
    }

    /// The files that a tenant's store consists of; none where tenants share tables.
    pub fn tenant_plane_files(&self, stores: &TenantStores, tenant: TenantId) -> Vec<RemovedFile> {
        stores.files(access(tenant))
    }

    /// Removes a tenant's store; see [`TenantStores::remove`].
    pub async fn tenant_plane_remove(&self, stores: &TenantStores, tenant: TenantId) -> Result<Removed, StoreError> {
        stores.remove(access(tenant)).await
    }

    /// A tenant of this id may have a store again.
    pub fn tenant_plane_admit(&self, stores: &TenantStores, tenant: TenantId) {
        stores.admit(access(tenant));
    }

    /// Writes what the operator did into the platform's log, in the transaction of the change.
    pub async fn record(
        &self,
        tx: &mut Transaction,
        now: Timestamp,
        action: &'static str,
        target: &str,
        after: Value,
    ) -> Result<(), StoreError> {
        self.record_change(tx, now, action, target, (Value::Null, after)).await
    }

    /// The same in the log of the tenant that it was done to as well.
    pub async fn record_of_tenant(
        &self,
        tx: &mut Transaction,
        now: Timestamp,
        tenant: TenantId,
        (action, target): (&'static str, &str),
        after: Value,
    ) -> Result<(), StoreError> {
        let deed = Deed { action, target, before: Value::Null, after };
        audit::record_in_both(tx, now, tenant, self.author(), &deed).await
    }

    /// The same with what was so before and after.
    pub async fn record_change(
        &self,
        tx: &mut Transaction,
        now: Timestamp,
        action: &'static str,
        target: &str,
        (before, after): (Value, Value),
    ) -> Result<(), StoreError> {
        let deed = Deed { action, target, before, after };
        audit::record(tx, now, Chain::Platform, self.author(), deed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_lower_ones_may_and_no_more() {
        let roles = [Role::Viewer, Role::Member, Role::Admin];
        for (rank, role) in roles.into_iter().enumerate() {
            let scope = Scope::mint(TenantId::new(), Author::upkeep(), role);
            for (needed_rank, needed) in roles.into_iter().enumerate() {
                assert_eq!(scope.require(needed).is_ok(), rank >= needed_rank, "{role} where {needed} is needed");
            }
        }
    }
}
