//! The ledger as those read it who manage a tenant: newest first, page by page.

use crate::{LedgerRow, Metering, MeteringError};
use contract::{AttemptNo, RequestId, Timestamp};
use std::{fmt, str::FromStr};
use tenancy::Manages;

const BEFORE: &str = "
SELECT request_id, attempt, account_id, feature, requested_model, provider, provider_model, prompt_name,
    prompt_version, status, error_code, input_tokens, cached_input_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, cost, price_version, measured, seeded, dispatched_at, settled_at, first_token_ms, total_ms, cache, saved, own_key
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3 AND dispatched_at <= $4
    AND (dispatched_at < $4 OR request_id < $5 OR (request_id = $5 AND attempt < $6))
ORDER BY dispatched_at DESC, request_id DESC, attempt DESC
LIMIT $7";

/// The most rows that are read at once.
const MOST_ROWS: i64 = 1_000;

/// A row's place in the order of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerPlace {
    pub dispatched_at: Timestamp,
    pub request: RequestId,
    pub attempt: AttemptNo,
}

impl LedgerPlace {
    pub const fn of(row: &LedgerRow) -> Self {
        Self { dispatched_at: row.dispatched_at, request: row.request, attempt: row.attempt }
    }
}

impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.dispatched_at.as_millis(), self.request, self.attempt.0)
    }
}

/// The text is no place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in the ledger; take it from “next” of an earlier answer as it is")]
pub struct UnknownLedgerPlace;

impl FromStr for LedgerPlace {
    type Err = UnknownLedgerPlace;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(UnknownLedgerPlace);
        let dispatched_at = part()?.parse().map_err(|_| UnknownLedgerPlace)?;
        let request = part()?.parse().map_err(|_| UnknownLedgerPlace)?;
        let attempt = part()?.parse().map_err(|_| UnknownLedgerPlace)?;
        Ok(Self { dispatched_at: Timestamp::from_millis(dispatched_at), request, attempt: AttemptNo(attempt) })
    }
}

impl Metering {
    /// A tenant's attempts that were dispatched from `from` until before `to`, newest first, those after `place`.
    pub async fn ledger_page(
        &self,
        manager: &impl Manages,
        (from, to): (Timestamp, Timestamp),
        place: Option<LedgerPlace>,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, MeteringError> {
        manager.require_manager()?;
        self.caught_up().await?;
        let page = self.control.read(BEFORE).bind(manager.tenant()).bind(from).bind(to);
        let page = match place {
            Some(place) => page.bind(place.dispatched_at).bind(place.request.to_string()).bind(place.attempt),
            None => page.bind(Timestamp::from_millis(i64::MAX)).bind(String::new()).bind(AttemptNo(i64::MAX)),
        };
        Ok(page.bind(limit.clamp(0, MOST_ROWS)).fetch_all().await?)
    }

    /// The attempts of one request of a tenant, in order; none when it is not there or not the tenant's.
    pub async fn ledger_of_request(
        &self,
        manager: &impl Manages,
        request: RequestId,
    ) -> Result<Vec<LedgerRow>, MeteringError> {
        manager.require_manager()?;
        self.ledger_rows(manager.tenant(), Some(request), MOST_ROWS).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_being_written_down() {
        let place = LedgerPlace {
            dispatched_at: Timestamp::from_millis(1_790_000_000_000),
            request: RequestId::new(),
            attempt: AttemptNo(2),
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "1", "1.2.3", "x", "1790000000000..1", "1790000000000.01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert_eq!(bad.parse::<LedgerPlace>(), Err(UnknownLedgerPlace), "{bad}");
        }
    }
}
