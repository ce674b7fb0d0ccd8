//! The key to a tenant's data: who acts, in which tenant, in which role.
//!
//! Its fields are private and it is made in two places of this crate only, so that a function which takes
//! a `&Scope` can trust it.

use crate::{Needs, TenancyError};
use contract::{Role, TenantId, UserId};
use std::fmt;
use store::{StoreError, TenantAccess, TenantStore, TenantStores};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A signed-in member.
    User(UserId),
    /// The platform itself, ending what a crash left open.
    Upkeep,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Upkeep => f.write_str("upkeep"),
        }
    }
}

/// Who acts where. Minted after authentication only.
#[derive(Debug, Clone)]
pub struct Scope {
    tenant: TenantId,
    actor: Actor,
    role: Role,
}

impl Scope {
    pub(crate) const fn mint(tenant: TenantId, actor: Actor, role: Role) -> Self {
        Self { tenant, actor, role }
    }

    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The member who acts; none for upkeep.
    pub const fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::User(user) => Some(user),
            Actor::Upkeep => None,
        }
    }

    pub const fn role(&self) -> Role {
        self.role
    }

    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// Opens the tenant's own store.
    pub async fn store(&self, stores: &TenantStores) -> Result<TenantStore, StoreError> {
        #[expect(clippy::disallowed_methods, reason = "the one place that turns a scope into access")]
        let access = TenantAccess::grant(self.tenant);
        stores.open(access).await
    }

    /// Refuses whoever has less than this role: viewer < member < admin.
    pub fn require(&self, at_least: Role) -> Result<(), TenancyError> {
        if self.role >= at_least {
            Ok(())
        } else {
            Err(TenancyError::PermissionDenied { needs: Needs::Role(at_least) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_lower_ones_may_and_no_more() {
        let roles = [Role::Viewer, Role::Member, Role::Admin];
        for (rank, role) in roles.into_iter().enumerate() {
            let scope = Scope::mint(TenantId::new(), Actor::Upkeep, role);
            for (needed_rank, needed) in roles.into_iter().enumerate() {
                assert_eq!(scope.require(needed).is_ok(), rank >= needed_rank, "{role} where {needed} is needed");
            }
        }
    }
}
