//! The journal's entries become rows of the ledger.

use super::entry::{Changes, Ended, Entry, New};
use crate::{CacheHit, Intent, Settlement, ledger::SETTLE};
use contract::{NodeId, Timestamp};
use serde_json::{Map, Value, json};
use store::{ControlStore, Statement, StoreError, Transaction};

/// Many rows at once: the columns of each in their order, under a number. After a crash entries are written again: of a
/// row that is there already its end is all that may be missing.
const ROWS_INSERT: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model,
    prompt_name, prompt_version, dispatched_at, own_key, node_id,
    status, error_code, input_tokens, cached_input_tokens, output_tokens, cost, price_version, measured,
    first_token_ms, total_ms, settled_at, cache, saved
)
SELECT e.value ->> 0, e.value ->> 1, CAST(e.value ->> 2 AS BIGINT), e.value ->> 3, e.value ->> 4, e.value ->> 5,
    e.value ->> 6, e.value ->> 7, e.value ->> 8, CAST(e.value ->> 9 AS BIGINT), CAST(e.value ->> 10 AS BIGINT),
    CAST(e.value ->> 11 AS BOOLEAN), e.value ->> 12, e.value ->> 13, e.value ->> 14, CAST(e.value ->> 15 AS BIGINT),
    CAST(e.value ->> 16 AS BIGINT), CAST(e.value ->> 17 AS BIGINT), CAST(e.value ->> 18 AS BIGINT),
    CAST(e.value ->> 19 AS BIGINT), CAST(e.value ->> 20 AS BOOLEAN), CAST(e.value ->> 21 AS BIGINT),
    CAST(e.value ->> 22 AS BIGINT), CAST(e.value ->> 23 AS BIGINT), e.value ->> 24, CAST(e.value ->> 25 AS BIGINT)
FROM jsonb_each($1) AS e
WHERE TRUE
ON CONFLICT (tenant_id, request_id, attempt) DO UPDATE
SET status = excluded.status, error_code = excluded.error_code, input_tokens = excluded.input_tokens,
    cached_input_tokens = excluded.cached_input_tokens, output_tokens = excluded.output_tokens, cost = excluded.cost,
    price_version = excluded.price_version, measured = excluded.measured, first_token_ms = excluded.first_token_ms,
    total_ms = excluded.total_ms, settled_at = excluded.settled_at
WHERE ledger_attempt.settled_at IS NULL AND excluded.settled_at IS NOT NULL AND excluded.cache IS NULL";

/// Writes entries, all or none; durable when this returns.
pub(super) async fn write(control: &ControlStore, entries: &[Entry]) -> Result<(), StoreError> {
    match together(control, entries).await {
        // One of them cannot be: the others must not wait for it for ever.
        Err(StoreError::Constraint(_)) => one_by_one(control, entries).await,
        written => written,
    }
}

async fn together(control: &ControlStore, entries: &[Entry]) -> Result<(), StoreError> {
    let mut tx = control.begin().await?;
    apply(&mut tx, &Changes::of(entries)).await?;
    tx.commit().await
}

async fn one_by_one(control: &ControlStore, entries: &[Entry]) -> Result<(), StoreError> {
    for entry in entries {
        let mut tx = control.begin().await?;
        match apply(&mut tx, &Changes::of(std::slice::from_ref(entry))).await {
            Ok(()) => tx.commit().await?,
            Err(StoreError::Constraint(reason)) => {
                tracing::error!(?entry, %reason, "an entry of the ledger's journal cannot be a row, and is lost");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn apply(tx: &mut Transaction, changes: &Changes<'_>) -> Result<(), StoreError> {
    if !changes.new.is_empty() {
        let rows: Map<String, Value> =
            changes.new.iter().enumerate().map(|(number, new)| (number.to_string(), row(new))).collect();
        tx.query(ROWS_INSERT).bind(Value::Object(rows).to_string()).execute().await?;
    }
    for ended in &changes.ended {
        if settle(tx, ended).execute().await? == 0 {
            // As it should be where it is written again after a crash.
            tracing::info!(tenant = %ended.tenant, request = %ended.request, "the ledger has this end already");
        }
    }
    Ok(())
}

fn row(new: &New<'_>) -> Value {
    match new {
        New::Attempt { intent, node, ended } => of_attempt(intent, *node, *ended),
        New::Hit { hit, at } => of_hit(hit, *at),
    }
}

fn of_attempt(intent: &Intent, node: NodeId, ended: Option<&Ended>) -> Value {
    let (prompt, version) = intent.prompt.as_ref().map(|(name, version)| (name, version)).unzip();
    let end = ended.map(|ended| (&ended.settlement, ended.settled, ended.at));
    let (settlement, settled, at) = match end {
        Some((settlement, settled, at)) => (Some(settlement), Some(settled), Some(at)),
        None => (None, None, None),
    };
    let usage = settlement.map(|settlement| settlement.usage).unwrap_or_default();
    json!([
        intent.tenant,
        intent.request,
        intent.attempt,
        intent.user,
        intent.feature,
        intent.requested_model,
        intent.provider,
        intent.provider_model,
        prompt,
        version,
        intent.dispatched_at,
        intent.own_key,
        node,
        settlement.map_or("dispatched", |settlement| settlement.status.as_str()),
        settlement.and_then(|settlement| settlement.error_code.as_ref()),
        usage.input,
        usage.cached_input,
        usage.output,
        settled.and_then(|settled| settled.cost),
        settled.and_then(|settled| settled.price_version),
        settlement.is_some_and(|settlement| settlement.measured),
        settlement.and_then(|settlement| settlement.first_token_ms),
        settlement.map(|settlement| settlement.total_ms),
        at,
        Value::Null,
        Value::Null,
    ])
}

fn of_hit(hit: &CacheHit, at: Timestamp) -> Value {
    let (prompt, version) = hit.prompt.as_ref().map(|(name, version)| (name, version)).unzip();
    json!([
        hit.tenant,
        hit.request,
        1,
        hit.user,
        hit.feature,
        hit.requested_model,
        hit.provider,
        hit.provider_model,
        prompt,
        version,
        at,
        false,
        Value::Null,
        "succeeded",
        Value::Null,
        0,
        0,
        0,
        0,
        Value::Null,
        true,
        0,
        0,
        at,
        hit.kind.as_str(),
        hit.saved,
    ])
}

fn settle<'t>(tx: &'t mut Transaction, ended: &Ended) -> Statement<'t> {
    let Settlement { status, error_code, usage, measured, first_token_ms, total_ms } = &ended.settlement;
    let row = tx.query(SETTLE).bind(ended.tenant).bind(ended.request).bind(ended.attempt);
    let row = row.bind(status.as_str()).bind(error_code.as_deref());
    let row = row.bind(usage.input).bind(usage.cached_input).bind(usage.output);
    let row = row.bind(ended.settled.cost).bind(ended.settled.price_version).bind(*measured);
    row.bind(*first_token_ms).bind(*total_ms).bind(ended.at)
}
