//! What each tenant used, cost and brought in: the margin, worst first.

use crate::{Bill, MeteringError, PlanTerms};
use contract::{NanoUsd, Slug, TenantId, Timestamp};
use store::{ControlStore, FromRow, Row, StoreError};

// A request counts as unpriced when any settled attempt of it has an unknown cost; what is under way is not
// unpriced yet. Tenants without usage are in the list: their fee is revenue too.
const USAGE_BY_TENANT: &str = "
SELECT t.id, t.slug, t.display_name, t.plan, p.monthly_fee, p.included_credit, p.overage_markup,
    COUNT(DISTINCT a.request_id) AS requests,
    COUNT(DISTINCT CASE WHEN a.settled_at IS NOT NULL AND a.cost IS NULL THEN a.request_id END) AS unpriced_requests,
    COALESCE(CAST(SUM(a.input_tokens) AS BIGINT), 0) AS input_tokens,
    COALESCE(CAST(SUM(a.cached_input_tokens) AS BIGINT), 0) AS cached_input_tokens,
    COALESCE(CAST(SUM(a.output_tokens) AS BIGINT), 0) AS output_tokens,
    COALESCE(CAST(SUM(a.cost) AS BIGINT), 0) AS cost
FROM tenant AS t
LEFT JOIN plan AS p ON p.name = t.plan
LEFT JOIN ledger_attempt AS a ON a.tenant_id = t.id AND a.dispatched_at >= $1 AND a.dispatched_at < $2
GROUP BY t.id, t.slug, t.display_name, t.plan, p.monthly_fee, p.included_credit, p.overage_markup";

/// One tenant's usage in a span of time, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantUsage {
    pub tenant: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub plan: Option<String>,
    pub requests: i64,
    /// Requests whose cost is unknown in whole or in part; while there are any, `cost` is a lower bound.
    pub unpriced_requests: i64,
    pub input_tokens: i64,
    /// Those of `input_tokens` that providers read from their caches.
    pub cached_input_tokens: i64,
    pub output_tokens: i64,
    /// All cost that is known.
    pub cost: NanoUsd,
    pub bill: Bill,
}

impl FromRow for TenantUsage {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let plan: Option<String> = row.get("plan")?;
        let terms = match plan {
            None => PlanTerms::NONE,
            Some(_) => PlanTerms {
                monthly_fee: row.get("monthly_fee")?,
                included_credit: row.get("included_credit")?,
                overage_markup_millionths: row.get("overage_markup")?,
            },
        };
        let cost = row.get("cost")?;
        Ok(Self {
            tenant: row.get("id")?,
            slug: row.get("slug")?,
            display_name: row.get("display_name")?,
            plan,
            requests: row.get("requests")?,
            unpriced_requests: row.get("unpriced_requests")?,
            input_tokens: row.get("input_tokens")?,
            cached_input_tokens: row.get("cached_input_tokens")?,
            output_tokens: row.get("output_tokens")?,
            cost,
            bill: terms.bill(cost),
        })
    }
}

pub(crate) async fn by_tenant(
    control: &ControlStore,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<TenantUsage>, MeteringError> {
    let mut tenants: Vec<TenantUsage> = control.read(USAGE_BY_TENANT).bind(from).bind(to).fetch_all().await?;
    tenants.sort_by(|a, b| (a.bill.margin, &a.slug).cmp(&(b.bill.margin, &b.slug)));
    Ok(tenants)
}
