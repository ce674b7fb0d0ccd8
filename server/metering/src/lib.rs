//! The margin layer: prices, plans, and the ledger of every attempt at a model.
//!
//! What always holds:
//! - An attempt is in the ledger before it is dispatched, and is settled exactly once.
//! - A settled row is never rewritten: a later price changes nothing that was billed.
//! - Unknown cost is absent (`NULL`, `None`), never zero.
//!
//! `attempt.rs` has the words of the ledger, `ledger.rs` (with `journal/`) is the one place that writes it, `cost.rs` is the
//! arithmetic, `price.rs` and `plan.rs` are what operators write, `price_book.rs` is how prices are looked up,
//! `usage.rs` is the margin per tenant; `usage_groups.rs` and `ledger_page.rs` are what those read who manage a tenant.

mod attempt;
mod cost;
mod error;
mod journal;
mod ledger;
mod ledger_page;
mod plan;
mod price;
mod price_book;
mod seed;
mod usage;
mod usage_groups;

pub use attempt::{
    AttemptStatus, CacheHit, CacheKind, Feature, Intent, LedgerRow, Settled, Settlement, UnknownCacheKind,
    UnknownFeature, UnknownStatus,
};
pub use cost::{AttemptPrice, MAX_TOKENS_PER_ATTEMPT};
pub use error::MeteringError;
pub use ledger_page::{LedgerPlace, UnknownLedgerPlace};
pub use plan::{Bill, Millionths, NewPlan, NoFactor, PlanTerms};
pub use price::NewPrice;
pub use seed::SeededAttempt;
pub use usage::TenantUsage;
pub use usage_groups::{UnknownUsageBy, UsageBy, UsageGroup, UsageWindow};

use contract::{AttemptNo, NanoUsd, RequestId, TenantId, Timestamp};
use journal::Journal;
use ledger::Ledger;
use nodes::Nodes;
use price_book::PriceBook;
use serde_json::Value;
use std::path::Path;
use store::{ControlStore, StoreError, Transaction};
use tenancy::{Change, OperatorScope, SharedClock};

/// Prices, plans and the ledger. Cheap to clone.
#[derive(Clone)]
pub struct Metering {
    control: ControlStore,
    clock: SharedClock,
    prices: PriceBook,
    ledger: Ledger,
}

impl Metering {
    /// Where several processes may write the ledger: each entry goes straight into its table.
    pub fn new(control: ControlStore, clock: SharedClock, nodes: Nodes) -> Self {
        Self::with(control, clock, nodes, None)
    }

    /// Where this process alone writes the ledger: entries go into a journal in the directory first, and the table
    /// follows within milliseconds. What an earlier process left there goes into the table now.
    pub async fn journaled(
        control: ControlStore,
        clock: SharedClock,
        nodes: Nodes,
        directory: &Path,
    ) -> Result<Self, MeteringError> {
        let journal = Journal::open(control.clone(), directory).await?;
        Ok(Self::with(control, clock, nodes, Some(journal)))
    }

    /// Writes into the table what a process left in its journal that is no more; for commands that run where none does.
    pub async fn recover(control: &ControlStore, directory: &Path) -> Result<(), MeteringError> {
        Journal::recover(control, directory).await
    }

    /// Of the journal's lines that could not be read, which lie beside it, takes away those that name the tenant; for
    /// deletions where no server runs.
    pub fn forget_unread(directory: &Path, tenant: TenantId) -> Result<(), MeteringError> {
        Journal::forget_unread(directory, tenant)
    }

    fn with(control: ControlStore, clock: SharedClock, nodes: Nodes, journal: Option<Journal>) -> Self {
        let prices = PriceBook::new(control.clone());
        let ledger = Ledger::new(control.clone(), clock.clone(), nodes, prices.clone(), journal);
        Self { control, clock, prices, ledger }
    }

    /// Returns when the ledger's table has all that was recorded here before; those who read it through this crate need
    /// not ask.
    pub async fn caught_up(&self) -> Result<(), MeteringError> {
        self.ledger.caught_up().await
    }

    /// Of a tenant that is being deleted nothing is recorded any more: an answer that ends later fails instead. A tenant
    /// that comes back from an archive is recorded again.
    ///
    /// # Errors
    /// `Behind` while the table cannot be written, `Journal` while its files cannot: something of the tenant could become
    /// a row afterwards, so that it must not be deleted yet.
    pub async fn close_tenant(&self, tenant: TenantId) -> Result<(), MeteringError> {
        self.ledger.close_tenant(tenant).await
    }

    /// Reads prices anew at the next settlement; after writes by `apply_price` in this process. Without it they hold
    /// within a second.
    pub fn invalidate(&self) {
        self.prices.invalidate();
    }

    /// Records that an attempt is about to be dispatched; durable when this returns.
    ///
    /// # Errors
    /// `AlreadyRecorded` when this (request, attempt) is in the ledger; `Removed` when this node is no longer one, `Closed` when
    /// the tenant is being deleted, or was.
    pub async fn intent(&self, intent: &Intent) -> Result<(), MeteringError> {
        self.ledger.intent(intent).await
    }

    /// Records how an attempt ended and what it cost, once; durable when this returns.
    ///
    /// The cost is that of the price version in force when the attempt was dispatched. It is unknown when
    /// there is no such version, or when the usage lacks input or output tokens.
    ///
    /// # Errors
    /// `NotRecorded` without an intent, `AlreadySettled` the second time, `NotAnOutcome` for `Dispatched`.
    pub async fn settle(
        &self,
        tenant: TenantId,
        request: RequestId,
        attempt: AttemptNo,
        settlement: &Settlement,
    ) -> Result<Settled, MeteringError> {
        self.ledger.settle(tenant, request, attempt, settlement).await
    }

    /// Records an answer that was there already; durable when this returns.
    ///
    /// # Errors
    /// `AlreadyRecorded` when the request is in the ledger.
    pub async fn hit(&self, hit: &CacheHit) -> Result<(), MeteringError> {
        self.ledger.hit(hit).await
    }

    /// What an answer cost that was given again while it was still being made.
    pub async fn hit_saved(
        &self,
        tenant: TenantId,
        request: RequestId,
        saved: Option<NanoUsd>,
    ) -> Result<(), MeteringError> {
        self.ledger.saved(tenant, request, saved).await
    }

    /// Ends what nodes left open that are no more, as `interrupted` with unknown cost; returns how many attempts that
    /// were. May be called at any time, by any number of nodes at once.
    pub async fn resolve_abandoned(&self) -> Result<u64, MeteringError> {
        self.ledger.resolve_abandoned().await
    }

    /// A tenant's ledger, newest first, or the attempts of one request in order. At most 1,000 rows.
    pub async fn ledger_rows(
        &self,
        tenant: TenantId,
        request: Option<RequestId>,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, MeteringError> {
        self.ledger.rows(tenant, request, limit).await
    }

    /// What each tenant used, cost and brought in from `from` until before `to`; the worst margin first.
    ///
    /// The plan's fee and credit count whole, so the span should be one billing month.
    pub async fn usage_by_tenant(&self, from: Timestamp, to: Timestamp) -> Result<Vec<TenantUsage>, MeteringError> {
        self.caught_up().await?;
        usage::by_tenant(&self.control, from, to).await
    }

    /// All plans, by name.
    pub async fn plan_list(&self) -> Result<Vec<NewPlan>, MeteringError> {
        plan::list(&self.control).await
    }

    /// The same for commands beside a server.
    pub async fn plans_in(control: &ControlStore) -> Result<Vec<NewPlan>, MeteringError> {
        plan::list(control).await
    }

    /// # Errors
    /// `Tenancy(NotFound)`.
    pub async fn plan_find(&self, _operator: &OperatorScope, name: &str) -> Result<NewPlan, MeteringError> {
        plan::find(&self.control, name).await
    }

    /// Creates a plan, or puts this one in the place of that of its name; what it says of months holds from now on.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn plan_set(&self, operator: &OperatorScope, plan: &NewPlan) -> Result<Change, MeteringError> {
        let mut tx = self.control.begin().await?;
        let change = plan::put(&mut tx, self.clock.now(), operator, plan).await?;
        tx.commit().await?;
        Ok(change)
    }

    /// # Errors
    /// `PlanInUse` while tenants are on it; `Tenancy(NotFound)`.
    pub async fn plan_delete(&self, operator: &OperatorScope, name: &str) -> Result<(), MeteringError> {
        let mut tx = self.control.begin().await?;
        plan::delete(&mut tx, self.clock.now(), operator, name).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Adds a price version, unless the same one is there.
    ///
    /// # Errors
    /// `PriceConflict` when another price takes effect at the same moment: versions are never edited.
    pub async fn apply_price(tx: &mut Transaction, now: Timestamp, price: &NewPrice) -> Result<Change, MeteringError> {
        price::apply(tx, now, price).await
    }

    /// What is told of the price in force at the moment from which this one holds, for the log.
    pub async fn price_told(tx: &mut Transaction, price: &NewPrice) -> Result<Option<Value>, StoreError> {
        price::told_now(tx, price).await
    }

    /// What an attempt at a place would be billed by, at most a second old; none when nobody knows.
    pub async fn price_in_force(
        &self,
        provider: &str,
        model: &str,
        at: Timestamp,
    ) -> Result<Option<AttemptPrice>, MeteringError> {
        Ok(self.prices.at(provider, model, at).await?)
    }

    /// Creates or changes a plan.
    pub async fn apply_plan(tx: &mut Transaction, now: Timestamp, plan: &NewPlan) -> Result<Change, MeteringError> {
        plan::apply(tx, now, plan).await
    }

    /// The names of all plans, inside a transaction.
    pub async fn plan_names(tx: &mut Transaction) -> Result<Vec<String>, StoreError> {
        plan::names(tx).await
    }

    /// Takes a plan away that is on nobody, for `seam apply`, which tells the log itself.
    ///
    /// # Errors
    /// `PlanInUse` while tenants are on it.
    pub async fn remove_plan(tx: &mut Transaction, name: &str) -> Result<(), MeteringError> {
        plan::remove(tx, name).await.map(drop)
    }

    /// What is told of a plan as it is now, for the log; none where there is none.
    pub async fn plan_told(tx: &mut Transaction, name: &str) -> Result<Option<Value>, StoreError> {
        plan::told_now(tx, name).await
    }

    /// Writes past usage for a demo, marked as seeded and priced as of its own time; returns how many rows
    /// were new. Rows that are there already stay as they are.
    pub async fn seed_usage(
        tx: &mut Transaction,
        now: Timestamp,
        rows: &[SeededAttempt],
    ) -> Result<u64, MeteringError> {
        seed::write(tx, now, rows).await
    }
}
