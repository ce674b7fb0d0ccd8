//! Past usage for a demo: rows as traffic would have left them, and marked as not being traffic.

use crate::{Feature, MeteringError, Settled, cost::plausible, ledger, price};
use contract::{RequestId, TenantId, Timestamp, TokenUsage, UserId};
use store::Transaction;

/// A request of the past that succeeded at its first attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededAttempt {
    pub tenant: TenantId,
    /// Decides what is new: seeding the same request again changes nothing.
    pub request: RequestId,
    pub user: Option<UserId>,
    pub feature: Feature,
    pub requested_model: String,
    pub provider: String,
    pub provider_model: String,
    pub prompt: Option<(String, i64)>,
    pub usage: TokenUsage,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
    pub dispatched_at: Timestamp,
}

pub(crate) async fn write(tx: &mut Transaction, now: Timestamp, rows: &[SeededAttempt]) -> Result<u64, MeteringError> {
    let mut new = 0;
    for row in rows {
        if row.dispatched_at > now {
            return Err(MeteringError::Invalid {
                what: format!("seeded request {}", row.request),
                field: "dispatched_at",
                reason: "lies in the future; seeded usage is past usage".to_owned(),
            });
        }
        let price = price::in_force(tx, &row.provider, &row.provider_model, row.dispatched_at).await?;
        let settled = Settled {
            cost: price.and_then(|price| price.cost_of(&plausible(&row.usage))),
            price_version: price.map(|price| price.version),
        };
        let settled_at = row.dispatched_at.plus_millis(row.total_ms).min(now);
        new += u64::from(ledger::seed_in(tx, row, settled_at, settled).await?);
    }
    Ok(new)
}
