//! Counting what there is of a tenant before it is deleted, and looking for what came back afterwards.

use crate::{
    LedgerTotal, Lifecycle, LifecycleError, Place, Plane,
    coverage::{Known, Rows, pair},
};
use contract::TenantId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{FromRow, Matching, Row, StoreError, Value};
use tenancy::{OperatorScope, audit_verify_tenant};

const MILLIS_A_DAY: i64 = 24 * 60 * 60 * 1000;

const LEDGER: &str = "
SELECT
    provider, dispatched_at / 86400000 AS day, COUNT(*) AS attempts, COUNT(cost) AS known,
    CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS cost
FROM ledger_attempt WHERE tenant_id = $1
GROUP BY provider, dispatched_at / 86400000
ORDER BY 2, 1";
/// Whoever belongs to this tenant alone. Operators stay.
const LEAVING: &str = "
SELECT account.id, account.email
FROM account
JOIN membership ON membership.account_id = account.id
WHERE membership.tenant_id = $1 AND account.operator = FALSE
    AND NOT EXISTS (
        SELECT 1 FROM membership AS other WHERE other.account_id = account.id AND other.tenant_id <> $2
    )
ORDER BY account.id";

/// What there was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Survey {
    pub(crate) places: Vec<Place>,
    pub(crate) accounts: u64,
    pub(crate) ledger: Vec<LedgerTotal>,
    pub(crate) audit_entries: i64,
    pub(crate) audit_last_hash: String,
}

/// An account that goes with the tenant.
pub(crate) struct Leaving {
    pub(crate) id: String,
    pub(crate) email: contract::Email,
}

impl FromRow for Leaving {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, email: row.get("email")? })
    }
}

struct LedgerDay {
    provider: String,
    day: i64,
    attempts: i64,
    known: i64,
    cost: i64,
}

impl FromRow for LedgerDay {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            provider: row.get("provider")?,
            day: row.get("day")?,
            attempts: row.get("attempts")?,
            known: row.get("known")?,
            cost: row.get("cost")?,
        })
    }
}

pub(crate) async fn leaving(tx: &mut store::Transaction, tenant: TenantId) -> Result<Vec<Leaving>, StoreError> {
    tx.query(LEAVING).bind(tenant).bind(tenant).fetch_all().await
}

/// The condition under which rows of a table are the tenant's.
pub(crate) const fn of_tenant(rows: Rows) -> Option<&'static str> {
    match rows {
        Rows::Tenants(condition) => Some(condition),
        Rows::Fleeting { of_tenant, .. } => of_tenant,
        Rows::Accounts { .. } | Rows::PointedAt(_) | Rows::Throttle { .. } | Rows::Operators(_) => None,
    }
}

/// The condition under which rows of a table belong to an account that leaves, and what stands for `$1` in it.
pub(crate) fn of_account(rows: Rows, leaving: &Leaving) -> Option<Matching> {
    let id = || Value::Text(Some(leaving.id.clone()));
    match rows {
        Rows::Accounts { of_account, .. } => Some(Matching::new(of_account, id())),
        Rows::Fleeting { of_account, .. } => of_account.map(|condition| Matching::new(condition, id())),
        Rows::Throttle { of_subject, .. } => {
            let subject = tenancy::account_subject(&leaving.email);
            Some(Matching::new(of_subject, Value::Text(Some(subject))))
        }
        Rows::Tenants(_) | Rows::PointedAt(_) | Rows::Operators(_) => None,
    }
}

pub(crate) fn matching(condition: &'static str, tenant: TenantId) -> Matching {
    Matching::new(condition, Value::Text(Some(tenant.to_string())))
}

impl Lifecycle {
    /// Counts everything; reads only.
    pub(crate) async fn survey(&self, operator: &OperatorScope, tenant: TenantId) -> Result<Survey, LifecycleError> {
        let mut survey = Survey::default();
        let mut tx = self.control.snapshot().await?;
        let leaving = leaving(&mut tx, tenant).await?;
        survey.accounts = leaving.len() as u64;
        for Known { table, rows } in pair(Plane::Control, tx.tables().await?)? {
            let mut count = 0;
            if let Some(condition) = of_tenant(rows) {
                count += tx.rows_count(&table, &matching(condition, tenant)).await?;
            }
            let mut looked_at = of_tenant(rows).is_some();
            for account in &leaving {
                if let Some(which) = of_account(rows, account) {
                    looked_at = true;
                    count += tx.rows_count(&table, &which).await?;
                }
            }
            if looked_at {
                let place = format!("control plane, table {}", table.name());
                survey.places.push(Place { place, rows: Some(count), bytes: None });
            }
        }
        let days: Vec<LedgerDay> = tx.query(LEDGER).bind(tenant).fetch_all().await?;
        survey.ledger = by_month(days);
        drop(tx);
        let audit = audit_verify_tenant(&self.control, tenant).await?;
        (survey.audit_entries, survey.audit_last_hash) = (audit.entries, audit.last_hash);
        let files = operator.tenant_plane_files(&self.stores, tenant);
        if self.location.is_shared() || !files.is_empty() {
            match self.plane_places(operator, tenant).await {
                Ok(places) => survey.places.extend(places),
                // It goes all the same.
                Err(error) => tracing::warn!(%tenant, %error, "the rows of the tenant's store could not be counted"),
            }
        }
        for file in operator.tenant_plane_files(&self.stores, tenant) {
            survey.places.push(Place { place: format!("file {}", file.name), rows: None, bytes: Some(file.bytes) });
        }
        Ok(survey)
    }

    async fn plane_places(&self, operator: &OperatorScope, tenant: TenantId) -> Result<Vec<Place>, LifecycleError> {
        let plane = operator.tenant_plane(&self.stores, tenant).await?;
        let mut tx = plane.snapshot().await?;
        let mut places = Vec::new();
        for Known { table, rows } in pair(Plane::Tenant, tx.tables().await?)? {
            if let Some(condition) = of_tenant(rows) {
                let rows = tx.rows_count(&table, &matching(condition, tenant)).await?;
                let place = format!("tenant plane, table {}", table.name());
                places.push(Place { place, rows: Some(rows), bytes: None });
            }
        }
        Ok(places)
    }
}

fn by_month(days: Vec<LedgerDay>) -> Vec<LedgerTotal> {
    let mut months: BTreeMap<(String, String), LedgerTotal> = BTreeMap::new();
    for LedgerDay { provider, day, attempts, known, cost } in days {
        let month = jiff::Timestamp::from_millisecond(day.saturating_mul(MILLIS_A_DAY))
            .map_or_else(|_| day.to_string(), |at| at.strftime("%Y-%m").to_string());
        let total = months.entry((month.clone(), provider.clone())).or_insert_with(|| LedgerTotal {
            month,
            provider,
            attempts: 0,
            cost_nanousd: 0,
            attempts_of_unknown_cost: 0,
        });
        total.attempts = total.attempts.saturating_add(attempts);
        total.cost_nanousd = total.cost_nanousd.saturating_add(cost);
        total.attempts_of_unknown_cost = total.attempts_of_unknown_cost.saturating_add(attempts.saturating_sub(known));
    }
    months.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_months_of_a_provider_and_unknown_costs_are_counted_apart() {
        let day = |day, provider: &str, attempts, known, cost| LedgerDay {
            provider: provider.to_owned(),
            day,
            attempts,
            known,
            cost,
        };
        // 2026-01-31, 2026-02-01 and 2026-02-02.
        let totals = by_month(vec![day(20484, "a", 2, 2, 10), day(20485, "a", 3, 1, 20), day(20486, "a", 1, 1, 5)]);
        let told: Vec<_> = totals
            .iter()
            .map(|total| (total.month.as_str(), total.attempts, total.cost_nanousd, total.attempts_of_unknown_cost))
            .collect();
        assert_eq!(told, [("2026-01", 2, 10, 0), ("2026-02", 4, 25, 2)]);
    }
}
