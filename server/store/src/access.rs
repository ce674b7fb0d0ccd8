//! The capability that opens a tenant's data.

use contract::TenantId;

/// Permission to open one tenant's store. Whoever holds one was authenticated for that tenant.
///
/// `grant` is called in one place of `tenancy`, where a `Scope` is minted; a lint (clippy.toml) refuses
/// it everywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantAccess {
    tenant: TenantId,
}

impl TenantAccess {
    pub const fn grant(tenant: TenantId) -> Self {
        Self { tenant }
    }

    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}
