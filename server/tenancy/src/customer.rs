//! Tenants as the operator manages them: the list, opening one, suspension. What can be changed of one is in `management`.
//!
//! What always holds: only an [`OperatorScope`] gets here, and every change is in the platform's audit log and
//! in the tenant's own.

use crate::{
    Chain, NewTenant, OneTimeToken, OperatorScope, Tenancy, TenancyError, TenantRecord,
    audit::{self, Deed, pattern},
    invitation,
    member::PAGE_SIZE,
    tenant,
};
use contract::{Email, ListOrder, ListQuery, NameError, Page, Role, Slug, TenantId, TenantSummary, unseen};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

const MAX_REASON_CHARS: usize = 300;

/// Members are counted for the rows of the page alone.
const BY_SLUG: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    tenant.monthly_budget, tenant.soft_budget, tenant.region, tenant.zero_retention,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members,
    EXISTS (SELECT 1 FROM tenant_operation AS o WHERE o.tenant_id = tenant.id AND o.kind = 'delete') AS being_deleted
FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'
ORDER BY tenant.slug LIMIT $2 OFFSET $3";
const BY_SLUG_DOWN: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    tenant.monthly_budget, tenant.soft_budget, tenant.region, tenant.zero_retention,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members,
    EXISTS (SELECT 1 FROM tenant_operation AS o WHERE o.tenant_id = tenant.id AND o.kind = 'delete') AS being_deleted
FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'
ORDER BY tenant.slug DESC LIMIT $2 OFFSET $3";
const BY_CREATION: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    tenant.monthly_budget, tenant.soft_budget, tenant.region, tenant.zero_retention,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members,
    EXISTS (SELECT 1 FROM tenant_operation AS o WHERE o.tenant_id = tenant.id AND o.kind = 'delete') AS being_deleted
FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'
ORDER BY tenant.created_at, tenant.slug LIMIT $2 OFFSET $3";
const BY_CREATION_DOWN: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    tenant.monthly_budget, tenant.soft_budget, tenant.region, tenant.zero_retention,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members,
    EXISTS (SELECT 1 FROM tenant_operation AS o WHERE o.tenant_id = tenant.id AND o.kind = 'delete') AS being_deleted
FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'
ORDER BY tenant.created_at DESC, tenant.slug DESC LIMIT $2 OFFSET $3";
const ONE: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    tenant.monthly_budget, tenant.soft_budget, tenant.region, tenant.zero_retention,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members,
    EXISTS (SELECT 1 FROM tenant_operation AS o WHERE o.tenant_id = tenant.id AND o.kind = 'delete') AS being_deleted
FROM tenant WHERE tenant.slug = $1";
const COUNT: &str = "
SELECT COUNT(*) AS value FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'";
const SUSPEND: &str = "
UPDATE tenant SET suspended_at = COALESCE(suspended_at, $2), suspended_for = $3, updated_at = $2
WHERE id = $1 AND (suspended_for IS NULL OR suspended_for <> $3)";
const SUSPENDED_FOR: &str = "SELECT suspended_for AS value FROM tenant WHERE id = $1 AND suspended_for IS NOT NULL";
const RESUME: &str = "
UPDATE tenant SET suspended_at = NULL, suspended_for = NULL, updated_at = $2
WHERE id = $1 AND suspended_at IS NOT NULL";

const DELETION: &str = "SELECT slug AS value FROM tenant_operation WHERE tenant_id = $1 AND kind = 'delete'";

pub(crate) struct SummaryRow(pub(crate) TenantSummary);

impl FromRow for SummaryRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(TenantSummary {
            id: row.get("id")?,
            slug: row.get("slug")?,
            display_name: row.get("display_name")?,
            plan: row.get("plan")?,
            members: row.get("members")?,
            created_at: row.get("created_at")?,
            suspended_for: row.get("suspended_for")?,
            being_deleted: row.get("being_deleted")?,
            monthly_budget: row.get("monthly_budget")?,
            soft_budget: row.get("soft_budget")?,
            region: row.get("region")?,
            zero_retention: row.get("zero_retention")?,
        }))
    }
}

/// Nothing of a tenant that is being deleted is changed any more; `what` says so of this change.
pub(crate) async fn refuse_going(tx: &mut Transaction, tenant: &TenantRecord, what: &str) -> Result<(), TenancyError> {
    if tx.query(DELETION).bind(tenant.id).fetch_optional::<String>().await?.is_none() {
        return Ok(());
    }
    let reason = format!("“{0}” is being deleted and {what}; complete that: seam tenant delete {0}", tenant.slug);
    Err(TenancyError::Invalid { field: "tenant", reason })
}

/// Whether people may enter, as the log tells it.
fn standing(suspended_for: Option<&str>) -> Value {
    match suspended_for {
        Some(reason) => json!({ "suspended": true, "reason": reason }),
        None => json!({ "suspended": false }),
    }
}

impl Tenancy {
    /// A page of all tenants, those whose names contain the words if any.
    pub async fn tenant_page(
        &self,
        operator: &OperatorScope,
        query: &ListQuery,
    ) -> Result<Page<TenantSummary>, TenancyError> {
        self.tenant_page_sized(operator, query, PAGE_SIZE).await
    }

    /// The same in pages of `size`.
    pub async fn tenant_page_sized(
        &self,
        _operator: &OperatorScope,
        query: &ListQuery,
        size: i64,
    ) -> Result<Page<TenantSummary>, TenancyError> {
        let (words, number) = (pattern(&query.words), query.page.max(1));
        let total = self.control.read(COUNT).bind(words.as_str()).fetch_one().await?;
        let list = match query.order {
            ListOrder::Name => BY_SLUG,
            ListOrder::NameDown => BY_SLUG_DOWN,
            ListOrder::Created => BY_CREATION,
            ListOrder::CreatedDown => BY_CREATION_DOWN,
        };
        let list = self.control.read(list).bind(words).bind(size);
        let rows: Vec<SummaryRow> = list.bind((number - 1).saturating_mul(size)).fetch_all().await?;
        Ok(Page { items: rows.into_iter().map(|row| row.0).collect(), total, number, size })
    }

    /// One tenant by its short name, as the list shows it.
    pub async fn tenant_summary(&self, _operator: &OperatorScope, slug: &Slug) -> Result<TenantSummary, TenancyError> {
        let row = self.control.read(ONE).bind(slug.clone()).fetch_optional::<SummaryRow>().await?;
        row.map(|row| row.0).ok_or_else(|| tenant::unknown(slug))
    }

    /// Opens a tenant, and invites its first admin where one is named: the token goes into the link, shown once.
    pub async fn tenant_open(
        &self,
        operator: &OperatorScope,
        new: &NewTenant,
        admin: Option<&Email>,
    ) -> Result<(TenantRecord, Option<OneTimeToken>), TenancyError> {
        let (now, author) = (self.now(), operator.author());
        let mut tx = self.control.begin().await?;
        let record = tenant::create(&mut tx, now, new).await?;
        for chain in [Chain::Platform, Chain::Tenant(record.id)] {
            // The platform's log outlives the tenant, and knows it by its short name alone.
            let after = tenant::told_values(new, chain != Chain::Platform);
            let deed = Deed { action: "tenant.create", target: record.slug.as_str(), before: Value::Null, after };
            audit::record(&mut tx, now, chain, author, deed).await?;
        }
        let token = match admin {
            Some(email) => Some(invitation::put(&mut tx, now, record.id, author, email, Role::Admin).await?),
            None => None,
        };
        tx.commit().await?;
        Ok((record, token))
    }

    /// From the next request on nobody enters the tenant, by session or by key; its people read the reason. Of one that
    /// is suspended already the reason is changed.
    ///
    /// Errors: `NotFound`; `Invalid` for the reason, and for a tenant that is being deleted.
    pub async fn tenant_suspend(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        reason: &str,
    ) -> Result<(), TenancyError> {
        let reason = reason.trim();
        if let Some(unseen) = unseen(reason) {
            return Err(TenancyError::Invalid { field: "reason", reason: NameError::Unseen(unseen).to_string() });
        }
        if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS || reason.chars().any(char::is_control) {
            let reason =
                format!("say why in 1 to {MAX_REASON_CHARS} characters on one line; the tenant's people read it");
            return Err(TenancyError::Invalid { field: "reason", reason });
        }
        self.tenant_switch(operator, tenant, Some(reason)).await
    }

    /// The tenant's people and keys may enter again.
    pub async fn tenant_resume(&self, operator: &OperatorScope, tenant: TenantId) -> Result<(), TenancyError> {
        self.tenant_switch(operator, tenant, None).await
    }

    /// Does nothing, and logs nothing, where it is so already.
    async fn tenant_switch(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        suspended_for: Option<&str>,
    ) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let record = tenant::present(&mut tx, tenant).await?;
        // Its people are told just that.
        let what = if suspended_for.is_some() { "stays closed" } else { "cannot be opened again" };
        refuse_going(&mut tx, &record, what).await?;
        let before = tx.query(SUSPENDED_FOR).bind(tenant).fetch_optional::<String>().await?;
        let changed = match suspended_for {
            Some(reason) => tx.query(SUSPEND).bind(tenant).bind(now).bind(reason).execute().await?,
            None => tx.query(RESUME).bind(tenant).bind(now).execute().await?,
        };
        if changed == 1 {
            let deed = Deed {
                action: if suspended_for.is_some() { "tenant.suspend" } else { "tenant.resume" },
                target: record.slug.as_str(),
                before: standing(before.as_deref()),
                after: standing(suspended_for),
            };
            audit::record_in_both(&mut tx, now, tenant, operator.author(), &deed).await?;
        }
        tx.commit().await?;
        self.forget_keys();
        Ok(())
    }
}
