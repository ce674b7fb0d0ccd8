//! Tenants as the operator manages them: the list, suspension.
//!
//! What always holds: only an [`OperatorScope`] gets here, and every change is in the platform's audit log and
//! in the tenant's own.

use crate::{
    Chain, OperatorScope, Tenancy, TenancyError,
    audit::{self, Deed, pattern},
    member::PAGE_SIZE,
    tenant,
};
use contract::{AuditEntry, ListQuery, Page, Role, TenantId, TenantSummary};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError};

const MAX_REASON_CHARS: usize = 300;

/// Members are counted for the rows of the page alone.
const LIST: &str = "
SELECT
    tenant.id, tenant.slug, tenant.display_name, tenant.plan, tenant.created_at, tenant.suspended_for,
    (SELECT COUNT(*) FROM membership WHERE membership.tenant_id = tenant.id) AS members
FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'
ORDER BY tenant.slug LIMIT $2 OFFSET $3";
const COUNT: &str = "
SELECT COUNT(*) AS value FROM tenant
WHERE $1 = '' OR LOWER(tenant.slug || ' ' || tenant.display_name) LIKE $1 ESCAPE '\\'";
const SUSPEND: &str = "
UPDATE tenant SET suspended_at = $2, suspended_for = $3, updated_at = $2 WHERE id = $1 AND suspended_at IS NULL";
const RESUME: &str = "
UPDATE tenant SET suspended_at = NULL, suspended_for = NULL, updated_at = $2
WHERE id = $1 AND suspended_at IS NOT NULL";

struct SummaryRow(TenantSummary);

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
        }))
    }
}

impl Tenancy {
    /// A page of all tenants by short name, those whose names contain the words if any.
    pub async fn tenant_page(
        &self,
        _operator: &OperatorScope,
        query: &ListQuery,
    ) -> Result<Page<TenantSummary>, TenancyError> {
        let (words, number) = (pattern(&query.words), query.page.max(1));
        let total = self.control.read(COUNT).bind(words.as_str()).fetch_one().await?;
        let list = self.control.read(LIST).bind(words).bind(PAGE_SIZE);
        let rows: Vec<SummaryRow> = list.bind((number - 1).saturating_mul(PAGE_SIZE)).fetch_all().await?;
        Ok(Page { items: rows.into_iter().map(|row| row.0).collect(), total, number, size: PAGE_SIZE })
    }

    /// From the next request on nobody enters the tenant, by session or by key; its people read the reason.
    pub async fn tenant_suspend(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        reason: &str,
    ) -> Result<(), TenancyError> {
        let reason = reason.trim();
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
        let record = tenant::by_id(&mut tx, tenant).await?;
        let record = record.ok_or_else(|| TenancyError::NotFound { what: "such tenant".to_owned() })?;
        let changed = match suspended_for {
            Some(reason) => tx.query(SUSPEND).bind(tenant).bind(now).bind(reason).execute().await?,
            None => tx.query(RESUME).bind(tenant).bind(now).execute().await?,
        };
        if changed == 1 {
            for chain in [Chain::Platform, Chain::Tenant(tenant)] {
                let deed = Deed {
                    action: if suspended_for.is_some() { "tenant.suspend" } else { "tenant.resume" },
                    target: record.slug.as_str(),
                    before: Value::Null,
                    after: suspended_for.map_or(Value::Null, |reason| json!({ "reason": reason })),
                };
                audit::record(&mut tx, now, chain, operator.author(), deed).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The tenant's own log, newest first, from before number `before`.
    pub async fn audit_list(
        &self,
        scope: &crate::Scope,
        before: Option<i64>,
        words: &str,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        scope.require(Role::Admin)?;
        self.audit_entries(Chain::Tenant(scope.tenant()), before, words, PAGE_SIZE).await
    }

    /// The platform's log, newest first, from before number `before`.
    pub async fn audit_list_of_platform(
        &self,
        _operator: &OperatorScope,
        before: Option<i64>,
        words: &str,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        self.audit_entries(Chain::Platform, before, words, PAGE_SIZE).await
    }
}
