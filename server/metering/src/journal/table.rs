//! The journal's entries become rows of the ledger.

use super::entry::{Change, Ended, Entry, changes};
use crate::{Settlement, ledger::SETTLE};
use contract::{NodeId, RequestId, TenantId, Timestamp};
use store::{ControlStore, Statement, StoreError, Transaction};

/// Of one attempt that is there already nothing changes: so entries may be written again after a crash.
const ENTRY_INSERT: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model,
    prompt_name, prompt_version, dispatched_at, own_key, node_id,
    status, error_code, input_tokens, cached_input_tokens, output_tokens, cost, price_version, measured,
    first_token_ms, total_ms, settled_at, cache, saved
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26
)
ON CONFLICT (tenant_id, request_id, attempt) DO NOTHING";

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
    for change in changes(entries) {
        if !apply(&mut tx, &change).await? {
            let (tenant, request) = change.whose();
            // After a crash this is how it should be.
            tracing::debug!(%tenant, %request, "the ledger has an entry of its journal already");
        }
    }
    tx.commit().await
}

async fn one_by_one(control: &ControlStore, entries: &[Entry]) -> Result<(), StoreError> {
    for change in changes(entries) {
        let mut tx = control.begin().await?;
        match apply(&mut tx, &change).await {
            Ok(_) => tx.commit().await?,
            Err(StoreError::Constraint(reason)) => {
                tracing::error!(?change, %reason, "an entry of the ledger's journal cannot be a row, and is lost");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether it changed the table.
async fn apply(tx: &mut Transaction, change: &Change<'_>) -> Result<bool, StoreError> {
    let changed = match change {
        Change::Begun { intent, node, ended } => {
            let (prompt, version) = intent.prompt.clone().unzip();
            let row = tx.query(ENTRY_INSERT).bind(intent.tenant).bind(intent.request).bind(intent.attempt);
            let row = row.bind(intent.user).bind(intent.feature.as_str()).bind(intent.requested_model.as_str());
            let row = row.bind(intent.provider.as_str()).bind(intent.provider_model.as_str());
            let row = row.bind(prompt).bind(version).bind(intent.dispatched_at).bind(intent.own_key).bind(*node);
            let row = match ended {
                Some(ended) => outcome(row, ended).bind(ended.at),
                None => unsettled(row),
            };
            row.bind(None::<String>).bind(None::<i64>).execute().await?
        }
        Change::Ended(ended) => {
            let row = tx.query(SETTLE).bind(ended.tenant).bind(ended.request).bind(ended.attempt);
            outcome(row, ended).bind(ended.at).execute().await?
        }
        Change::Hit { hit, at } => {
            let (prompt, version) = hit.prompt.clone().unzip();
            let row = tx.query(ENTRY_INSERT).bind(hit.tenant).bind(hit.request).bind(1_i64);
            let row = row.bind(hit.user).bind(hit.feature.as_str()).bind(hit.requested_model.as_str());
            let row = row.bind(hit.provider.as_str()).bind(hit.provider_model.as_str());
            let row = row.bind(prompt).bind(version).bind(*at).bind(false).bind(None::<NodeId>);
            let row = row.bind("succeeded").bind(None::<String>).bind(0_i64).bind(0_i64).bind(0_i64).bind(0_i64);
            let row = row.bind(None::<i64>).bind(true).bind(0_i64).bind(0_i64).bind(*at);
            row.bind(hit.kind.as_str()).bind(hit.saved).execute().await?
        }
    };
    Ok(changed == 1)
}

/// From `status` to `total_ms`.
fn outcome<'t>(row: Statement<'t>, ended: &Ended) -> Statement<'t> {
    let Settlement { status, error_code, usage, measured, first_token_ms, total_ms } = &ended.settlement;
    let row = row.bind(status.as_str()).bind(error_code.as_deref());
    let row = row.bind(usage.input).bind(usage.cached_input).bind(usage.output);
    let row = row.bind(ended.settled.cost).bind(ended.settled.price_version).bind(*measured);
    row.bind(*first_token_ms).bind(*total_ms)
}

/// The same columns, and the moment.
fn unsettled(row: Statement<'_>) -> Statement<'_> {
    let row = row.bind("dispatched").bind(None::<String>);
    let row = row.bind(None::<i64>).bind(None::<i64>).bind(None::<i64>).bind(None::<i64>).bind(None::<i64>);
    row.bind(false).bind(None::<i64>).bind(None::<i64>).bind(None::<Timestamp>)
}

impl Change<'_> {
    const fn whose(&self) -> (TenantId, RequestId) {
        match self {
            Self::Begun { intent, .. } => (intent.tenant, intent.request),
            Self::Ended(ended) => (ended.tenant, ended.request),
            Self::Hit { hit, .. } => (hit.tenant, hit.request),
        }
    }
}
