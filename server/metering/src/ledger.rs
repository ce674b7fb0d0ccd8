//! The one place that writes the ledger.
//!
//! A row is inserted before dispatch and completed once: every update carries `settled_at IS NULL`, so of
//! any number of settlements one wins and the others learn that they did not. Where this process alone writes, entries
//! go through its journal (`journal/`); where several do, straight into the table, which syncs for several at once.

use crate::{
    AttemptPrice, AttemptStatus, CacheHit, Intent, LedgerRow, MeteringError, SeededAttempt, Settled, Settlement,
    cost::plausible,
    journal::{Ended, Journal, Key},
    price_book::PriceBook,
};
use contract::{AttemptNo, NanoUsd, NodeId, RequestId, TenantId, Timestamp, TokenUsage};
use nodes::Nodes;
use store::{ControlStore, FromRow, Row, Statement, StoreError, Transaction};
use tenancy::SharedClock;

// Only a node that is among the nodes may dispatch: what another one left open is closed by whoever comes upon it. And only
// for a tenant that is there, or for the platform itself: a request that outlives its tenant leaves no trace of it. The
// deletion, which writes alone, is before this statement or after it.
const INTENT_INSERT: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model,
    prompt_name, prompt_version, dispatched_at, own_key, node_id, status
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, node.id, 'dispatched'
FROM node
WHERE node.id = $13
    AND ($1 = '00000000-0000-0000-0000-000000000000' OR EXISTS (SELECT 1 FROM tenant WHERE tenant.id = $1))";

const TENANT_HERE: &str = "SELECT id AS value FROM tenant WHERE id = $1";

// The price is looked up by the row's own time of dispatch, in the transaction that writes the cost.
const ATTEMPT_WITH_PRICE: &str = "
SELECT a.settled_at, a.own_key, p.id AS price_id, p.input, p.cached_input, p.cache_write, p.cache_write_1h, p.output,
    p.reasoning
FROM ledger_attempt AS a
LEFT JOIN price_version AS p ON p.id = (
    SELECT v.id
    FROM price_version AS v
    WHERE v.provider = a.provider AND v.model = a.provider_model AND v.effective_from <= a.dispatched_at
    ORDER BY v.effective_from DESC
    LIMIT 1
)
WHERE a.tenant_id = $1 AND a.request_id = $2 AND a.attempt = $3";

pub(crate) const SETTLE: &str = "
UPDATE ledger_attempt
SET status = $4, error_code = $5, input_tokens = $6, cached_input_tokens = $7, output_tokens = $8,
    cost = $9, price_version = $10, measured = $11, first_token_ms = $12, total_ms = $13, settled_at = $14,
    cache_write_tokens = $15, cache_write_1h_tokens = $16, reasoning_tokens = $17
WHERE tenant_id = $1 AND request_id = $2 AND attempt = $3 AND settled_at IS NULL";

// Reads ledger_unsettled, a partial index that holds only what is open. A node that has gone never comes back under its
// id, so that what this statement reads of nodes cannot be undone beside it.
const INTERRUPT_ABANDONED: &str = "
UPDATE ledger_attempt
SET status = 'interrupted', error_code = 'interrupted', measured = FALSE, settled_at = $1
WHERE settled_at IS NULL AND NOT EXISTS (SELECT 1 FROM node WHERE node.id = ledger_attempt.node_id)";

// An answer that was there already: nothing was dispatched, so that the row is complete at once.
const HIT_INSERT: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model,
    prompt_name, prompt_version, dispatched_at, settled_at, status, input_tokens, cached_input_tokens, output_tokens,
    cost, measured, first_token_ms, total_ms, cache, saved
)
SELECT $1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $10, 'succeeded', 0, 0, 0, 0, TRUE, 0, 0, $11, $12
FROM tenant
WHERE tenant.id = $1";

const HIT_SAVED: &str = "
UPDATE ledger_attempt SET saved = $3 WHERE tenant_id = $1 AND request_id = $2 AND attempt = 1 AND cache IS NOT NULL";

const TENANT_WORKS: &str = "SELECT id AS value FROM tenant WHERE id = $1 AND suspended_at IS NULL";

const SEEDED_INSERT: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model,
    prompt_name, prompt_version, dispatched_at, status, input_tokens, cached_input_tokens, output_tokens,
    cost, price_version, measured, seeded, settled_at, first_token_ms, total_ms
) VALUES (
    $1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, 'succeeded', $11, $12, $13, $14, $15, TRUE, TRUE, $16, $17, $18
)
ON CONFLICT (tenant_id, request_id, attempt) DO NOTHING";

const ROWS_OF_TENANT: &str = "
SELECT request_id, attempt, account_id, feature, requested_model, provider, provider_model, prompt_name,
    prompt_version, status, error_code, input_tokens, cached_input_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, cost, price_version, measured, seeded, dispatched_at, settled_at, first_token_ms, total_ms, cache, saved, own_key
FROM ledger_attempt
WHERE tenant_id = $1
ORDER BY dispatched_at DESC, request_id DESC, attempt DESC
LIMIT $2";

const ROWS_OF_REQUEST: &str = "
SELECT request_id, attempt, account_id, feature, requested_model, provider, provider_model, prompt_name,
    prompt_version, status, error_code, input_tokens, cached_input_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, cost, price_version, measured, seeded, dispatched_at, settled_at, first_token_ms, total_ms, cache, saved, own_key
FROM ledger_attempt
WHERE tenant_id = $1 AND request_id = $2
ORDER BY attempt
LIMIT $3";

const MOST_ROWS: i64 = 1_000;

#[derive(Clone)]
pub(crate) struct Ledger {
    control: ControlStore,
    clock: SharedClock,
    nodes: Nodes,
    prices: PriceBook,
    journal: Option<Journal>,
}

/// What settling needs to know of an attempt.
struct Attempt {
    settled_at: Option<Timestamp>,
    own_key: bool,
    price: Option<AttemptPrice>,
}

impl FromRow for Attempt {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let price = match row.get::<Option<i64>>("price_id")? {
            None => None,
            Some(version) => Some(AttemptPrice {
                version,
                input: row.get("input")?,
                cached_input: row.get("cached_input")?,
                cache_write: row.get("cache_write")?,
                cache_write_1h: row.get("cache_write_1h")?,
                output: row.get("output")?,
                reasoning: row.get("reasoning")?,
            }),
        };
        Ok(Self { settled_at: row.get("settled_at")?, own_key: row.get("own_key")?, price })
    }
}

impl Ledger {
    /// Straight into the table, or through a journal.
    pub(crate) const fn new(
        control: ControlStore,
        clock: SharedClock,
        nodes: Nodes,
        prices: PriceBook,
        journal: Option<Journal>,
    ) -> Self {
        Self { control, clock, nodes, prices, journal }
    }

    pub(crate) async fn intent(&self, intent: &Intent) -> Result<(), MeteringError> {
        if let Some(journal) = &self.journal {
            self.reopen(journal, intent.tenant).await?;
            return journal.intent(intent, self.nodes.id());
        }
        match Box::pin(insert_intent(self.control.write(INTENT_INSERT), intent, self.nodes.id())).await {
            Ok(0) => Err(Box::pin(self.why_not_recorded(intent)).await?),
            Ok(_) => Ok(()),
            // The row names no price yet, so the only thing that can stand in its way is its own key.
            Err(error) => Err(in_the_way(error, intent.request, intent.attempt)),
        }
    }

    /// The table took nothing.
    async fn why_not_recorded(&self, intent: &Intent) -> Result<MeteringError, MeteringError> {
        let Intent { tenant, request, attempt, .. } = *intent;
        Ok(match is_here(&self.control, tenant).await? {
            // This node is none any more.
            true => MeteringError::Removed { request, attempt },
            false => MeteringError::Closed { request, attempt },
        })
    }

    pub(crate) async fn settle(
        &self,
        tenant: TenantId,
        request: RequestId,
        attempt: AttemptNo,
        settlement: &Settlement,
    ) -> Result<Settled, MeteringError> {
        if settlement.status == AttemptStatus::Dispatched {
            return Err(MeteringError::NotAnOutcome { request, attempt });
        }
        let key = (tenant, request, attempt);
        if let Some(journal) = &self.journal
            && let Some(settled) = self.settle_in_journal(journal, key, settlement).await?
        {
            return Ok(settled);
        }
        // On the heap, so that those who need no table are small.
        Box::pin(self.settle_in_table(key, settlement)).await
    }

    async fn settle_in_table(&self, key: Key, settlement: &Settlement) -> Result<Settled, MeteringError> {
        // It is not open in the journal. The table knows what became of it.
        self.caught_up().await?;
        let mut tx = self.control.begin().await?;
        let settled = settle_in(&mut tx, self.clock.now(), key, settlement).await?;
        tx.commit().await?;
        Ok(settled)
    }

    /// None when the attempt is not one that is open here.
    async fn settle_in_journal(
        &self,
        journal: &Journal,
        key: Key,
        settlement: &Settlement,
    ) -> Result<Option<Settled>, MeteringError> {
        let Some(open) = journal.opened(&key) else { return Ok(None) };
        let usage = believed(key, &settlement.usage);
        let price = match open.own_key {
            true => None,
            false => self.prices.at(&open.provider, &open.model, open.dispatched_at).await?,
        };
        let settled = cost_of(open.own_key, price, &usage);
        let settlement = Settlement { usage, ..settlement.clone() };
        let (tenant, request, attempt) = key;
        let ended = Ended { tenant, request, attempt, settlement, settled, at: self.clock.now() };
        Ok(journal.settle(ended)?.then_some(settled))
    }

    /// A tenant that was deleted and came back from an archive is written about again.
    async fn reopen(&self, journal: &Journal, tenant: TenantId) -> Result<(), MeteringError> {
        if !journal.has_closed(tenant) {
            return Ok(());
        }
        // On the heap, so that those who need no look are small.
        if Box::pin(self.control.read(TENANT_WORKS).bind(tenant).fetch_optional::<String>()).await?.is_some() {
            journal.open_tenant(tenant);
        }
        Ok(())
    }

    pub(crate) async fn close_tenant(&self, tenant: TenantId) -> Result<(), MeteringError> {
        match &self.journal {
            Some(journal) => journal.close_tenant(tenant).await,
            None => Ok(()),
        }
    }

    /// Returns when the table has all that was written here before.
    pub(crate) async fn caught_up(&self) -> Result<(), MeteringError> {
        match &self.journal {
            Some(journal) => journal.caught_up().await,
            None => Ok(()),
        }
    }

    pub(crate) async fn hit(&self, hit: &CacheHit) -> Result<(), MeteringError> {
        if let Some(journal) = &self.journal {
            self.reopen(journal, hit.tenant).await?;
            return journal.hit(hit, self.clock.now());
        }
        match Box::pin(insert_hit(self.control.write(HIT_INSERT), hit, self.clock.now())).await {
            Ok(0) => Err(MeteringError::Closed { request: hit.request, attempt: AttemptNo(1) }),
            Ok(_) => Ok(()),
            Err(error) => Err(in_the_way(error, hit.request, AttemptNo(1))),
        }
    }

    pub(crate) async fn saved(
        &self,
        tenant: TenantId,
        request: RequestId,
        saved: Option<NanoUsd>,
    ) -> Result<(), MeteringError> {
        self.caught_up().await?;
        self.control.write(HIT_SAVED).bind(tenant).bind(request).bind(saved).execute().await?;
        Ok(())
    }

    pub(crate) async fn resolve_abandoned(&self) -> Result<u64, MeteringError> {
        self.caught_up().await?;
        let resolved = self.control.write(INTERRUPT_ABANDONED).bind(self.clock.now()).execute().await?;
        if resolved > 0 {
            tracing::warn!(attempts = resolved, "attempts left open by a crash are closed with unknown cost");
        }
        Ok(resolved)
    }

    pub(crate) async fn rows(
        &self,
        tenant: TenantId,
        request: Option<RequestId>,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, MeteringError> {
        self.caught_up().await?;
        let limit = limit.clamp(0, MOST_ROWS);
        let rows = match request {
            Some(request) => self.control.read(ROWS_OF_REQUEST).bind(tenant).bind(request),
            None => self.control.read(ROWS_OF_TENANT).bind(tenant),
        };
        Ok(rows.bind(limit).fetch_all().await?)
    }
}

/// Whether attempts of the tenant can be recorded: it was not deleted, or is the platform itself.
pub(crate) async fn is_here(control: &ControlStore, tenant: TenantId) -> Result<bool, StoreError> {
    let found = || control.read(TENANT_HERE).bind(tenant).fetch_optional::<String>();
    Ok(tenant == TenantId::PLATFORM || found().await?.is_some())
}

async fn insert_intent(insert: Statement<'_>, intent: &Intent, node: NodeId) -> Result<u64, StoreError> {
    let (prompt, prompt_version) = intent.prompt.clone().unzip();
    let row = insert.bind(intent.tenant).bind(intent.request).bind(intent.attempt).bind(intent.user);
    let row = row.bind(intent.feature.as_str()).bind(intent.requested_model.as_str());
    let row = row.bind(intent.provider.as_str()).bind(intent.provider_model.as_str());
    let row = row.bind(prompt).bind(prompt_version).bind(intent.dispatched_at).bind(intent.own_key);
    row.bind(node).execute().await
}

async fn insert_hit(insert: Statement<'_>, hit: &CacheHit, now: Timestamp) -> Result<u64, StoreError> {
    let (prompt, prompt_version) = hit.prompt.clone().unzip();
    let row = insert.bind(hit.tenant).bind(hit.request).bind(hit.user);
    let row = row.bind(hit.feature.as_str()).bind(hit.requested_model.as_str()).bind(hit.provider.as_str());
    let row = row.bind(hit.provider_model.as_str()).bind(prompt).bind(prompt_version).bind(now);
    row.bind(hit.kind.as_str()).bind(hit.saved).execute().await
}

fn in_the_way(error: StoreError, request: RequestId, attempt: AttemptNo) -> MeteringError {
    if let StoreError::Constraint(_) = error {
        return MeteringError::AlreadyRecorded { request, attempt };
    }
    error.into()
}

/// What an attempt comes to.
fn cost_of(own_key: bool, price: Option<AttemptPrice>, usage: &TokenUsage) -> Settled {
    if own_key {
        // The tenant's provider bills the tenant.
        return Settled { cost: Some(NanoUsd::ZERO), price_version: None };
    }
    Settled { cost: price.and_then(|price| price.cost_of(usage)), price_version: price.map(|price| price.version) }
}

/// Settles one attempt inside a transaction that the caller commits.
async fn settle_in(
    tx: &mut Transaction,
    now: Timestamp,
    key: (TenantId, RequestId, AttemptNo),
    settlement: &Settlement,
) -> Result<Settled, MeteringError> {
    let (tenant, request, attempt) = key;
    let found: Option<Attempt> =
        tx.query(ATTEMPT_WITH_PRICE).bind(tenant).bind(request).bind(attempt).fetch_optional().await?;
    let Attempt { settled_at, own_key, price } = found.ok_or(MeteringError::NotRecorded { request, attempt })?;
    if settled_at.is_some() {
        return Err(MeteringError::AlreadySettled { request, attempt });
    }
    let usage = believed(key, &settlement.usage);
    let settled = cost_of(own_key, price, &usage);
    let changed = tx
        .query(SETTLE)
        .bind(tenant)
        .bind(request)
        .bind(attempt)
        .bind(settlement.status.as_str())
        .bind(settlement.error_code.as_deref())
        .bind(usage.input)
        .bind(usage.cached_input)
        .bind(usage.output)
        .bind(settled.cost)
        .bind(settled.price_version)
        .bind(settlement.measured)
        .bind(settlement.first_token_ms)
        .bind(settlement.total_ms)
        .bind(now)
        .bind(usage.cache_write)
        .bind(usage.cache_write_1h)
        .bind(usage.reasoning)
        .execute()
        .await?;
    // Where writers run side by side, another may have settled between the two statements.
    if changed == 1 { Ok(settled) } else { Err(MeteringError::AlreadySettled { request, attempt }) }
}

/// Writes a past attempt, complete; returns whether it was new.
pub(crate) async fn seed_in(
    tx: &mut Transaction,
    row: &SeededAttempt,
    settled_at: Timestamp,
    settled: Settled,
) -> Result<bool, MeteringError> {
    let usage = plausible(&row.usage);
    let (prompt, prompt_version) = row.prompt.clone().unzip();
    let inserted = tx
        .query(SEEDED_INSERT)
        .bind(row.tenant)
        .bind(row.request)
        .bind(row.user)
        .bind(row.feature.as_str())
        .bind(row.requested_model.as_str())
        .bind(row.provider.as_str())
        .bind(row.provider_model.as_str())
        .bind(prompt)
        .bind(prompt_version)
        .bind(row.dispatched_at)
        .bind(usage.input)
        .bind(usage.cached_input)
        .bind(usage.output)
        .bind(settled.cost)
        .bind(settled.price_version)
        .bind(settled_at)
        .bind(row.first_token_ms)
        .bind(row.total_ms)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// What of a provider's report goes into the ledger; says so in the log when it is not all.
fn believed((tenant, request, attempt): (TenantId, RequestId, AttemptNo), reported: &TokenUsage) -> TokenUsage {
    let usage = plausible(reported);
    if usage != *reported {
        tracing::warn!(
            %tenant, %request, attempt = attempt.0, ?reported, recorded = ?usage,
            "a provider reported token counts that cannot be: more cached than read, negative, or beyond any model",
        );
    }
    usage
}
