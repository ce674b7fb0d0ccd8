//! What one tenant used, by model, person, day and so on; from the ledger itself.

use crate::{Metering, MeteringError};
use contract::{NanoUsd, Timestamp};
use std::{fmt, str::FromStr};
use store::{FromRow, Row, StoreError};
use tenancy::Manages;

// A request counts as unpriced when any settled attempt of it has an unknown cost; what is under way is not
// unpriced yet. The cost of a group of which nothing is priced is NULL. GROUPS counts all of them, since
// LIMIT comes after it.
const BY_MODEL: &str = "
SELECT
    provider || '/' || provider_model AS name, COUNT(DISTINCT request_id) AS requests, COUNT(*) AS attempts,
    COUNT(DISTINCT CASE WHEN settled_at IS NOT NULL AND cost IS NULL THEN request_id END) AS unpriced_requests,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(cost) AS BIGINT) AS cost, COUNT(*) OVER () AS total
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3
GROUP BY provider || '/' || provider_model
ORDER BY COALESCE(SUM(cost), 0) DESC, 1 LIMIT $4 OFFSET $5";
const BY_REQUESTED_MODEL: &str = "
SELECT
    requested_model AS name, COUNT(DISTINCT request_id) AS requests, COUNT(*) AS attempts,
    COUNT(DISTINCT CASE WHEN settled_at IS NOT NULL AND cost IS NULL THEN request_id END) AS unpriced_requests,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(cost) AS BIGINT) AS cost, COUNT(*) OVER () AS total
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3
GROUP BY requested_model
ORDER BY COALESCE(SUM(cost), 0) DESC, 1 LIMIT $4 OFFSET $5";
const BY_USER: &str = "
SELECT
    account_id AS name, COUNT(DISTINCT request_id) AS requests, COUNT(*) AS attempts,
    COUNT(DISTINCT CASE WHEN settled_at IS NOT NULL AND cost IS NULL THEN request_id END) AS unpriced_requests,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(cost) AS BIGINT) AS cost, COUNT(*) OVER () AS total
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3
GROUP BY account_id
ORDER BY COALESCE(SUM(cost), 0) DESC, COALESCE(account_id, '') LIMIT $4 OFFSET $5";
const BY_PROMPT: &str = "
SELECT
    prompt_name || '@' || CAST(prompt_version AS TEXT) AS name,
    COUNT(DISTINCT request_id) AS requests, COUNT(*) AS attempts,
    COUNT(DISTINCT CASE WHEN settled_at IS NOT NULL AND cost IS NULL THEN request_id END) AS unpriced_requests,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(cost) AS BIGINT) AS cost, COUNT(*) OVER () AS total
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3
GROUP BY prompt_name, prompt_version
ORDER BY COALESCE(SUM(cost), 0) DESC, COALESCE(prompt_name, ''), prompt_version LIMIT $4 OFFSET $5";
// A day of UTC, as its number since the epoch.
const BY_DAY: &str = "
SELECT
    CAST(dispatched_at / 86400000 AS TEXT) AS name, COUNT(DISTINCT request_id) AS requests, COUNT(*) AS attempts,
    COUNT(DISTINCT CASE WHEN settled_at IS NOT NULL AND cost IS NULL THEN request_id END) AS unpriced_requests,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(cost) AS BIGINT) AS cost, COUNT(*) OVER () AS total
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3
GROUP BY dispatched_at / 86400000
ORDER BY dispatched_at / 86400000 LIMIT $4 OFFSET $5";
const BY_FEATURE: &str = "
SELECT
    feature AS name, COUNT(DISTINCT request_id) AS requests, COUNT(*) AS attempts,
    COUNT(DISTINCT CASE WHEN settled_at IS NOT NULL AND cost IS NULL THEN request_id END) AS unpriced_requests,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(cost) AS BIGINT) AS cost, COUNT(*) OVER () AS total
FROM ledger_attempt
WHERE tenant_id = $1 AND dispatched_at >= $2 AND dispatched_at < $3
GROUP BY feature
ORDER BY COALESCE(SUM(cost), 0) DESC, 1 LIMIT $4 OFFSET $5";

/// What usage can be told apart by: what the ledger records of each attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageBy {
    /// Provider and its own name of the model: what answered.
    Model,
    /// What was asked for, such as `assistant`.
    RequestedModel,
    User,
    /// Name and version of the prompt config that applied.
    Prompt,
    /// Days of UTC.
    Day,
    Feature,
}

impl UsageBy {
    pub const ALL: [Self; 6] = [Self::Model, Self::RequestedModel, Self::User, Self::Prompt, Self::Day, Self::Feature];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::RequestedModel => "requested_model",
            Self::User => "user",
            Self::Prompt => "prompt",
            Self::Day => "day",
            Self::Feature => "feature",
        }
    }

    const fn statement(self) -> &'static str {
        match self {
            Self::Model => BY_MODEL,
            Self::RequestedModel => BY_REQUESTED_MODEL,
            Self::User => BY_USER,
            Self::Prompt => BY_PROMPT,
            Self::Day => BY_DAY,
            Self::Feature => BY_FEATURE,
        }
    }
}

impl fmt::Display for UsageBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names nothing that the ledger can tell usage apart by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("usage cannot be told apart by “{0}”; use model, requested_model, user, prompt, day or feature")]
pub struct UnknownUsageBy(String);

impl FromStr for UsageBy {
    type Err = UnknownUsageBy;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|by| by.as_str() == text);
        known.ok_or_else(|| UnknownUsageBy(text.chars().take(40).collect()))
    }
}

/// The usage of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageGroup {
    /// What all of it has in common; none where the ledger has none (an answer without a prompt). Of a day, the
    /// number of days since 1970.
    pub name: Option<String>,
    pub requests: i64,
    pub attempts: i64,
    /// Requests whose cost is unknown in whole or in part; while there are any, `cost` is a lower bound.
    pub unpriced_requests: i64,
    /// Tokens are unknown where no attempt of the group told them.
    pub input_tokens: Option<i64>,
    pub cached_input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// All cost that is known; none when none is.
    pub cost: Option<NanoUsd>,
}

struct GroupRow {
    group: UsageGroup,
    total: i64,
}

impl FromRow for GroupRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let group = UsageGroup {
            name: row.get("name")?,
            requests: row.get("requests")?,
            attempts: row.get("attempts")?,
            unpriced_requests: row.get("unpriced_requests")?,
            input_tokens: row.get("input_tokens")?,
            cached_input_tokens: row.get("cached_input_tokens")?,
            output_tokens: row.get("output_tokens")?,
            cost: row.get("cost")?,
        };
        Ok(Self { group, total: row.get("total")? })
    }
}

/// From which moment on, before which, and which of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageWindow {
    pub from: Timestamp,
    pub to: Timestamp,
    pub limit: i64,
    pub offset: i64,
}

impl Metering {
    /// A tenant's usage by group, and how many groups there are. Days come in order, all else by cost.
    pub async fn usage_groups(
        &self,
        manager: &impl Manages,
        by: UsageBy,
        window: UsageWindow,
    ) -> Result<(Vec<UsageGroup>, i64), MeteringError> {
        manager.require_manager()?;
        let rows = self.groups(manager, by, window).await?;
        let total = match rows.first() {
            Some(row) => row.total,
            // Past the end nobody says how many there are.
            None if window.offset > 0 => {
                let first = self.groups(manager, by, UsageWindow { limit: 1, offset: 0, ..window }).await?;
                first.first().map_or(0, |row| row.total)
            }
            None => 0,
        };
        Ok((rows.into_iter().map(|row| row.group).collect(), total))
    }

    async fn groups(
        &self,
        manager: &impl Manages,
        by: UsageBy,
        window: UsageWindow,
    ) -> Result<Vec<GroupRow>, MeteringError> {
        self.caught_up().await?;
        let groups = self.control.read(by.statement()).bind(manager.tenant()).bind(window.from).bind(window.to);
        Ok(groups.bind(window.limit).bind(window.offset).fetch_all().await?)
    }
}
