//! Managing a tenant without entering it: its people, keys, log and books, and nothing that its people wrote.
//!
//! What always holds: a [`Management`] comes from an [`OperatorScope`], or from a [`Scope`] that it is less than, and opens
//! no store. What it changes stands in the tenant's own log under the operator's name. The services of admins
//! take whatever [`Manages`] a tenant, so that there is one of each and both are bound by the same rules.

use crate::{
    Author, Chain, NewTenant, OperatorScope, Scope, Tenancy, TenancyError,
    audit::{self, Deed},
    customer::{SummaryRow, refuse_going},
    tenant,
};
use contract::{NanoUsd, Role, Slug, TenantId, TenantSummary};
use serde_json::{Map, Value};
use std::sync::Arc;

const BY_ID: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    tenant.monthly_budget, tenant.soft_budget, tenant.region, tenant.zero_retention,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members,
    EXISTS (SELECT 1 FROM tenant_operation AS o WHERE o.tenant_id = tenant.id AND o.kind = 'delete') AS being_deleted
FROM tenant WHERE tenant.id = $1";

mod sealed {
    /// Closes [`Manages`](super::Manages): nobody else decides who may manage a tenant.
    pub trait Sealed {}
    impl Sealed for crate::Scope {}
    impl Sealed for super::Management {}
}

/// Who may manage one tenant: its people, keys, log and books.
pub trait Manages: sealed::Sealed + Sync {
    fn tenant(&self) -> TenantId;

    /// Who acts, as the audit log will name them.
    fn author(&self) -> &Author;

    /// Refuses whoever is in the tenant but does not manage it.
    fn require_manager(&self) -> Result<(), TenancyError>;

    /// Refuses whoever is in the tenant for a while only: `what` would let them in afterwards.
    fn require_lasting(&self, what: &'static str) -> Result<(), TenancyError>;

    /// Whether a program of the operator acts here, and not one of the tenant.
    fn is_operators(&self) -> bool {
        false
    }
}

impl Manages for Scope {
    fn tenant(&self) -> TenantId {
        Self::tenant(self)
    }

    fn author(&self) -> &Author {
        Self::author(self)
    }

    #[cfg_attr(feature = "mutants", track_caller)]
    fn require_manager(&self) -> Result<(), TenancyError> {
        self.require(Role::Admin)
    }

    #[cfg_attr(feature = "mutants", track_caller)]
    fn require_lasting(&self, what: &'static str) -> Result<(), TenancyError> {
        Self::require_lasting(self, what)
    }
}

/// The right to manage one tenant from outside. Cheap to clone. It opens no store:
///
/// ```compile_fail,E0599
/// async fn open(management: &tenancy::Management, stores: &store::TenantStores) {
///     management.store(stores).await;
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Management {
    tenant: TenantId,
    author: Arc<Author>,
    operators: bool,
}

impl Manages for Management {
    fn is_operators(&self) -> bool {
        self.operators
    }

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn author(&self) -> &Author {
        &self.author
    }

    fn require_manager(&self) -> Result<(), TenancyError> {
        Ok(())
    }

    fn require_lasting(&self, _what: &'static str) -> Result<(), TenancyError> {
        Ok(())
    }
}

impl Scope {
    /// The part of this right that an operator has as well; refuses who is no admin.
    pub fn management(&self) -> Result<Management, TenancyError> {
        self.require(Role::Admin)?;
        // Who is here for a while only stays bound by it, so this is for programs and members.
        Self::require_lasting(self, "a right to manage")?;
        Ok(Management { tenant: Self::tenant(self), author: Arc::new(Self::author(self).clone()), operators: false })
    }
}

/// What is to become of a tenant; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantPatch {
    pub display_name: Option<String>,
    pub plan: Option<Option<String>>,
    pub monthly_budget: Option<Option<NanoUsd>>,
    pub soft_budget: Option<Option<NanoUsd>>,
    pub region: Option<Option<String>>,
    pub zero_retention: Option<bool>,
}

impl Tenancy {
    /// The right of the operator to manage a tenant, suspended or not.
    ///
    /// Errors: `NotFound`.
    pub async fn management(&self, operator: &OperatorScope, tenant: &str) -> Result<Management, TenancyError> {
        let found = self.tenant_find(operator, tenant).await?;
        Ok(Management { tenant: found.id, author: Arc::new(operator.author().clone()), operators: true })
    }

    /// A tenant by its short name or its id.
    ///
    /// Errors: `NotFound`.
    pub async fn tenant_find(&self, operator: &OperatorScope, name: &str) -> Result<TenantSummary, TenancyError> {
        match (name.parse::<TenantId>(), name.parse::<Slug>()) {
            (Ok(id), _) => self.summary(id).await,
            (Err(_), Ok(slug)) => self.tenant_summary(operator, &slug).await,
            (Err(_), Err(_)) => Err(tenant::missing()),
        }
    }

    async fn summary(&self, tenant: TenantId) -> Result<TenantSummary, TenancyError> {
        let found = self.control.read(BY_ID).bind(tenant).fetch_optional::<SummaryRow>().await?;
        found.map(|row| row.0).ok_or_else(tenant::missing)
    }

    /// The tenant that somebody manages.
    pub async fn tenant_own(&self, manager: &impl Manages) -> Result<TenantSummary, TenancyError> {
        manager.require_manager()?;
        self.summary(manager.tenant()).await
    }

    /// Changes what the patch names, all of it or nothing, and logs what was different.
    ///
    /// Errors: `NotFound` for the tenant and for the plan; `Invalid`.
    pub async fn tenant_change(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        patch: TenantPatch,
    ) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let old = tenant::present(&mut tx, tenant).await?;
        refuse_going(&mut tx, &old, "stays as it is").await?;
        let new = NewTenant {
            slug: old.slug.clone(),
            display_name: patch.display_name.unwrap_or_else(|| old.display_name.clone()),
            plan: patch.plan.unwrap_or_else(|| old.plan.clone()),
            monthly_budget: patch.monthly_budget.unwrap_or(old.monthly_budget),
            soft_budget: patch.soft_budget.unwrap_or(old.soft_budget),
            region: patch.region.unwrap_or_else(|| old.region.clone()),
            zero_retention: patch.zero_retention.unwrap_or(old.zero_retention),
        };
        let (before, after) = differences(&tenant::as_new(&old), &new);
        if after.as_object().is_none_or(Map::is_empty) {
            return Ok(());
        }
        tenant::require_plan(&mut tx, new.plan.as_deref()).await?;
        tenant::replace(&mut tx, now, tenant, &new).await?;
        for chain in [Chain::Platform, Chain::Tenant(tenant)] {
            let (mut before, mut after) = (before.clone(), after.clone());
            // The platform's log outlives the tenant, and knows it by its short name alone.
            if chain == Chain::Platform {
                for told in [&mut before, &mut after].into_iter().filter_map(Value::as_object_mut) {
                    told.remove("display_name");
                }
            }
            let deed = Deed { action: "tenant.change", target: old.slug.as_str(), before, after };
            audit::record(&mut tx, now, chain, operator.author(), deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The fields in which two states of a tenant differ, as they were and as they are to be.
fn differences(old: &NewTenant, new: &NewTenant) -> (Value, Value) {
    let (old, new) = (tenant::told_values(old, true), tenant::told_values(new, true));
    let changed = |one: &Value, other: &Value| -> Value {
        let fields = one.as_object().into_iter().flatten();
        let changed = fields.filter(|(name, value)| other.get(name.as_str()) != Some(value));
        Value::Object(changed.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    (changed(&old, &new), changed(&new, &old))
}
