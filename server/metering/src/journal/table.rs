//! The journal's entries become rows of the ledger.

use super::entry::{Changes, Ended, Entry, New};
use crate::{CacheHit, Intent, Settlement, ledger::SETTLE};
use contract::{AttemptNo, NanoUsd, NodeId, Timestamp};
use std::sync::LazyLock;
use store::{ControlStore, Statement, StoreError, Transaction};

/// One row. After a crash entries are written again: of a row that is there already its end is all that may be missing.
const ROW_INSERT: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model,
    prompt_name, prompt_version, dispatched_at, own_key, node_id,
    status, error_code, input_tokens, cached_input_tokens, output_tokens, cost, price_version, measured,
    first_token_ms, total_ms, settled_at, cache, saved, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29)
ON CONFLICT (tenant_id, request_id, attempt) DO UPDATE
SET status = excluded.status, error_code = excluded.error_code, input_tokens = excluded.input_tokens,
    cached_input_tokens = excluded.cached_input_tokens, output_tokens = excluded.output_tokens, cost = excluded.cost,
    price_version = excluded.price_version, measured = excluded.measured, first_token_ms = excluded.first_token_ms,
    total_ms = excluded.total_ms, settled_at = excluded.settled_at, cache_write_tokens = excluded.cache_write_tokens,
    cache_write_1h_tokens = excluded.cache_write_1h_tokens, reasoning_tokens = excluded.reasoning_tokens
WHERE ledger_attempt.settled_at IS NULL AND excluded.settled_at IS NOT NULL AND excluded.cache IS NULL";

/// Columns of a row.
const WIDTH: usize = 29;
/// Most rows of a statement, as a power of two. SQLite takes 32,766 values.
const LARGEST: u32 = 8;
/// The same for 1, 2, 4, … rows: each statement costs a hand-over to SQLite's thread, and any number of rows is a sum of
/// few of these, so that they stay prepared.
static ROWS_INSERT: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..=LARGEST).map(|power| rows_insert(1 << power)).collect());

fn rows_insert(rows: usize) -> String {
    let (head, rest) = ROW_INSERT.split_once("VALUES (").unwrap_or_default();
    let (_, tail) = rest.split_once(")\n").unwrap_or_default();
    let row = format!("({})", ["?"; WIDTH].join(", "));
    format!("{head}VALUES {}\n{tail}", vec![row; rows].join(", "))
}

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
    let mut left = changes.new.as_slice();
    while let Some(power) = left.len().checked_ilog2() {
        let power = power.min(LARGEST) as usize;
        let (lot, others) = left.split_at(1 << power);
        left = others;
        let Some(sql) = ROWS_INSERT.get(power) else { break };
        lot.iter().fold(tx.query(sql), row).execute().await?;
    }
    for ended in &changes.ended {
        if settle(tx, ended).execute().await? == 0 {
            // As it should be where it is written again after a crash.
            tracing::info!(tenant = %ended.tenant, request = %ended.request, "the ledger has this end already");
        }
    }
    Ok(())
}

/// Binds the columns of a row, in their order.
fn row<'t>(into: Statement<'t>, new: &New<'_>) -> Statement<'t> {
    match new {
        New::Attempt { intent, node, ended } => of_attempt(into, intent, *node, *ended),
        New::Hit { hit, at } => of_hit(into, hit, *at),
    }
}

fn of_attempt<'t>(into: Statement<'t>, intent: &Intent, node: NodeId, ended: Option<&Ended>) -> Statement<'t> {
    let (prompt, version) = intent.prompt.as_ref().map(|(name, version)| (name.as_str(), *version)).unzip();
    let (settlement, settled) = ended.map(|ended| (&ended.settlement, ended.settled)).unzip();
    let usage = settlement.map(|settlement| settlement.usage).unwrap_or_default();
    let into = into.bind(intent.tenant).bind(intent.request).bind(intent.attempt).bind(intent.user);
    let into = into.bind(intent.feature.as_str()).bind(intent.requested_model.as_str());
    let into = into.bind(intent.provider.as_str()).bind(intent.provider_model.as_str()).bind(prompt).bind(version);
    let into = into.bind(intent.dispatched_at).bind(intent.own_key).bind(node);
    let into = into.bind(settlement.map_or("dispatched", |settlement| settlement.status.as_str()));
    let into = into.bind(settlement.and_then(|settlement| settlement.error_code.as_deref()));
    let into = into.bind(usage.input).bind(usage.cached_input).bind(usage.output);
    let into = into.bind(settled.and_then(|settled| settled.cost));
    let into = into.bind(settled.and_then(|settled| settled.price_version));
    let into = into.bind(settlement.is_some_and(|settlement| settlement.measured));
    let into = into.bind(settlement.and_then(|settlement| settlement.first_token_ms));
    let into = into.bind(settlement.map(|settlement| settlement.total_ms)).bind(ended.map(|ended| ended.at));
    let into = into.bind(None::<&str>).bind(None::<NanoUsd>);
    into.bind(usage.cache_write).bind(usage.cache_write_1h).bind(usage.reasoning)
}

fn of_hit<'t>(into: Statement<'t>, hit: &CacheHit, at: Timestamp) -> Statement<'t> {
    let (prompt, version) = hit.prompt.as_ref().map(|(name, version)| (name.as_str(), *version)).unzip();
    let into = into.bind(hit.tenant).bind(hit.request).bind(AttemptNo(1)).bind(hit.user);
    let into = into.bind(hit.feature.as_str()).bind(hit.requested_model.as_str());
    let into = into.bind(hit.provider.as_str()).bind(hit.provider_model.as_str()).bind(prompt).bind(version);
    let into = into.bind(at).bind(false).bind(None::<NodeId>).bind("succeeded").bind(None::<&str>);
    let into = into.bind(0_i64).bind(0_i64).bind(0_i64).bind(NanoUsd::ZERO).bind(None::<i64>).bind(true);
    let into = into.bind(0_i64).bind(0_i64).bind(at).bind(hit.kind.as_str()).bind(hit.saved);
    into.bind(None::<i64>).bind(None::<i64>).bind(None::<i64>)
}

fn settle<'t>(tx: &'t mut Transaction, ended: &Ended) -> Statement<'t> {
    let Settlement { status, error_code, usage, measured, first_token_ms, total_ms } = &ended.settlement;
    let row = tx.query(SETTLE).bind(ended.tenant).bind(ended.request).bind(ended.attempt);
    let row = row.bind(status.as_str()).bind(error_code.as_deref());
    let row = row.bind(usage.input).bind(usage.cached_input).bind(usage.output);
    let row = row.bind(ended.settled.cost).bind(ended.settled.price_version).bind(*measured);
    let row = row.bind(*first_token_ms).bind(*total_ms).bind(ended.at);
    row.bind(usage.cache_write).bind(usage.cache_write_1h).bind(usage.reasoning)
}
