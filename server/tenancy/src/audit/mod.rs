//! The audit log: who changed what, when, from where, from what to what.
//!
//! What always holds: an entry is written in the transaction of the change, so there is neither without the
//! other; each entry's hash covers the entry and the hash before it, so one that is altered, removed from the
//! middle or put in between is noticed. Each tenant has a chain of its own, and the platform another: nobody needs a
//! stranger's entries to verify their own. What is cut off at the end of a chain is noticed by the seals over all
//! of them (`seal.rs`).

mod seal;

use crate::{Author, Manages, OperatorScope, Scope, Tenancy, TenancyError, digest, member::PAGE_SIZE};
use contract::{AuditEntry, TenantId, Timestamp};
pub use seal::{ChainCheck, NoSeal, Seal, Unsealed, owner};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ControlStore, FromRow, Row, StoreError, Transaction};

/// The chain of the platform itself.
const PLATFORM: &str = "";
/// The hash before the first entry.
const BEGINNING: &str = "";
/// Entries are verified in pages of this many.
const PAGE: i64 = 1_000;

const LAST: &str = "SELECT seq, hash FROM audit_entry WHERE chain = $1 ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "
INSERT INTO audit_entry (chain, seq, at, actor, name, on_behalf_of, address, action, target, change, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const NEWEST: &str = "
SELECT seq, at, actor, name, on_behalf_of, address, action, target, change
FROM audit_entry
WHERE chain = $1 AND seq < $2
    AND ($3 = '' OR LOWER(name || ' ' || action || ' ' || target) LIKE $3 ESCAPE '\\')
ORDER BY seq DESC LIMIT $4";
const ONWARD: &str = "
SELECT chain, seq, at, actor, name, on_behalf_of, address, action, target, change, hash
FROM audit_entry WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3";
const CHAINS: &str = "SELECT DISTINCT chain AS value FROM audit_entry ORDER BY chain";

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    Platform,
    Tenant(TenantId),
}

impl Chain {
    fn name(self) -> String {
        match self {
            Self::Platform => PLATFORM.to_owned(),
            Self::Tenant(tenant) => tenant.to_string(),
        }
    }
}

/// A change, as the log will tell it. Values are what people may read: never secrets, never hashes of them.
#[derive(Debug, Clone)]
pub(crate) struct Deed<'a> {
    /// `noun.verb`, such as `member.invite`.
    pub action: &'static str,
    /// What it was done to, such as an e-mail address.
    pub target: &'a str,
    pub before: Value,
    pub after: Value,
}

/// What the check of a chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    pub chain: String,
    pub entries: i64,
    /// The hash of the last sound entry.
    pub last_hash: String,
    /// The number of the first entry that does not fit.
    pub broken_at: Option<i64>,
}

/// What the check of all chains found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    pub chains: Vec<ChainReport>,
    /// Keep it elsewhere: nothing that came before it can be changed unnoticed then. None where nothing was sealed yet.
    pub seal: Option<Seal>,
    pub unsealed: Option<Unsealed>,
}

impl AuditReport {
    /// The first thing that is not as it was written, for people.
    pub fn fault(&self) -> Option<String> {
        let broken = self.chains.iter().find_map(|chain| chain.broken_at.map(|at| (&chain.chain, at)));
        let broken =
            broken.map(|(chain, at)| format!("entry {at} of {} was altered, or one before it removed", owner(chain)));
        broken.or_else(|| self.unsealed.as_ref().map(ToString::to_string))
    }
}

struct Link {
    seq: i64,
    hash: String,
}

impl FromRow for Link {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { seq: row.get("seq")?, hash: row.get("hash")? })
    }
}

/// An entry with the hash that seals it and all before it: what an export is verified by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEntry {
    /// A tenant's id; empty for the platform's.
    pub chain: String,
    #[serde(flatten)]
    pub entry: AuditEntry,
    pub hash: String,
}

impl FromRow for SealedEntry {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { chain: row.get("chain")?, entry: EntryRow::from_row(row)?.0, hash: row.get("hash")? })
    }
}

struct EntryRow(AuditEntry);

impl FromRow for EntryRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(AuditEntry {
            seq: row.get("seq")?,
            at: row.get("at")?,
            actor: row.get("actor")?,
            name: row.get("name")?,
            on_behalf_of: row.get("on_behalf_of")?,
            address: row.get("address")?,
            action: row.get("action")?,
            target: row.get("target")?,
            change: row.get("change")?,
        }))
    }
}

/// Writes an entry at the end of a chain. The control plane has one writer at a time, so numbers have no gaps.
pub(crate) async fn record(
    tx: &mut Transaction,
    now: Timestamp,
    chain: Chain,
    author: &Author,
    deed: Deed<'_>,
) -> Result<(), StoreError> {
    let chain = chain.name();
    let last = tx.query(LAST).bind(chain.as_str()).fetch_optional::<Link>().await?;
    let (seq, before) = last.map_or((1, BEGINNING.to_owned()), |last| (last.seq + 1, last.hash));
    let entry = AuditEntry {
        seq,
        at: now,
        actor: author.actor().to_string(),
        name: author.name().to_owned(),
        on_behalf_of: author.on_behalf_of().map(str::to_owned),
        address: author.from().map(str::to_owned),
        action: deed.action.to_owned(),
        target: deed.target.to_owned(),
        change: json!({ "before": deed.before, "after": deed.after }).to_string(),
    };
    let hash = hash(&chain, &before, &entry);
    let insert =
        tx.query(INSERT).bind(chain.as_str()).bind(entry.seq).bind(entry.at).bind(entry.actor).bind(entry.name);
    let insert =
        insert.bind(entry.on_behalf_of).bind(entry.address).bind(entry.action).bind(entry.target).bind(entry.change);
    insert.bind(hash.as_str()).execute().await?;
    seal::seal(tx, &chain, seq, &hash).await
}

/// Seals a chain that came in an archive, up to its end, in the transaction that makes its tenant.
pub async fn audit_seal_tenant(tx: &mut Transaction, tenant: TenantId) -> Result<(), StoreError> {
    let chain = Chain::Tenant(tenant).name();
    let Some(last) = tx.query(LAST).bind(chain.as_str()).fetch_optional::<Link>().await? else { return Ok(()) };
    seal::seal(tx, &chain, last.seq, &last.hash).await
}

/// Writes what concerns a tenant and the platform at the end of both their chains.
pub(crate) async fn record_in_both(
    tx: &mut Transaction,
    now: Timestamp,
    tenant: TenantId,
    author: &Author,
    deed: &Deed<'_>,
) -> Result<(), StoreError> {
    for chain in [Chain::Platform, Chain::Tenant(tenant)] {
        record(tx, now, chain, author, deed.clone()).await?;
    }
    Ok(())
}

impl Tenancy {
    /// Writes what was done to something of a tenant, inside the transaction that does it, into the tenant's log. `change` is
    /// how it was before, and how it is after.
    pub async fn note_of_tenant(
        tx: &mut Transaction,
        now: Timestamp,
        manager: &impl Manages,
        action: &'static str,
        target: &str,
        (before, after): (Value, Value),
    ) -> Result<(), StoreError> {
        let deed = Deed { action, target, before, after };
        record(tx, now, Chain::Tenant(manager.tenant()), manager.author(), deed).await
    }
}

/// SHA-256 over the fields as a JSON list, which says where each of them ends.
fn hash(chain: &str, before: &str, entry: &AuditEntry) -> String {
    let AuditEntry { seq, at, actor, name, on_behalf_of, address, action, target, change } = entry;
    let mut fields = vec![
        json!(chain),
        json!(before),
        json!(seq),
        json!(at.as_millis()),
        json!(actor),
        json!(name),
        json!(address),
        json!(action),
        json!(target),
        json!(change),
    ];
    // Last, and only where there is one: entries that were written before it existed keep their hash.
    fields.extend(on_behalf_of.as_ref().map(|whom| json!(whom)));
    digest::sha256(&Value::Array(fields).to_string())
}

impl Tenancy {
    /// The tenant's own log, newest first, from before number `before`.
    pub async fn audit_list(
        &self,
        scope: &Scope,
        before: Option<i64>,
        words: &str,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        self.audit_page(scope, before, words, PAGE_SIZE).await
    }

    /// The same, `size` entries at once.
    pub async fn audit_page(
        &self,
        scope: &impl Manages,
        before: Option<i64>,
        words: &str,
        size: i64,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        scope.require_manager()?;
        self.audit_entries(Chain::Tenant(scope.tenant()), before, words, size).await
    }

    /// The platform's log, newest first, from before number `before`.
    pub async fn audit_list_of_platform(
        &self,
        _operator: &OperatorScope,
        before: Option<i64>,
        words: &str,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        self.audit_entries(Chain::Platform, before, words, PAGE_SIZE).await
    }

    /// The same, `size` entries at once.
    pub async fn audit_page_of_platform(
        &self,
        _operator: &OperatorScope,
        before: Option<i64>,
        words: &str,
        size: i64,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        self.audit_entries(Chain::Platform, before, words, size).await
    }

    /// The tenant's own log with its seals, oldest first, the next thousand after number `after`.
    pub async fn audit_export(&self, scope: &impl Manages, after: i64) -> Result<Vec<SealedEntry>, TenancyError> {
        scope.require_manager()?;
        Ok(onward(&self.control, &Chain::Tenant(scope.tenant()).name(), after).await?)
    }

    /// The platform's log with its seals, oldest first, the next thousand after number `after`.
    pub async fn audit_export_of_platform(
        &self,
        _operator: &OperatorScope,
        after: i64,
    ) -> Result<Vec<SealedEntry>, TenancyError> {
        Ok(onward(&self.control, PLATFORM, after).await?)
    }

    /// The newest entries before number `before`, those that mention `words` if any.
    async fn audit_entries(
        &self,
        chain: Chain,
        before: Option<i64>,
        words: &str,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, TenancyError> {
        let newest = self.control.read(NEWEST).bind(chain.name()).bind(before.unwrap_or(i64::MAX));
        let rows: Vec<EntryRow> = newest.bind(pattern(words)).bind(limit).fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

/// Checks every chain from its beginning, and that none of them lost its end; reads only. `kept` is a seal that
/// somebody kept from an earlier time.
pub async fn audit_verify(control: &ControlStore, kept: Option<&Seal>) -> Result<AuditReport, StoreError> {
    let mut chains = Vec::new();
    for chain in control.read(CHAINS).fetch_all::<String>().await? {
        chains.push(verify(control, chain).await?);
    }
    let (seal, unsealed) = seal::verify(control, &chains, kept).await?;
    Ok(AuditReport { chains, seal, unsealed })
}

async fn onward(control: &ControlStore, chain: &str, after: i64) -> Result<Vec<SealedEntry>, StoreError> {
    control.read(ONWARD).bind(chain).bind(after).bind(PAGE).fetch_all().await
}

/// Checks one tenant's chain from its beginning; reads only.
pub async fn audit_verify_tenant(control: &ControlStore, tenant: TenantId) -> Result<ChainReport, StoreError> {
    verify(control, Chain::Tenant(tenant).name()).await
}

/// The hash of an entry in a tenant's chain after the entry with the hash `before`; empty before the first. For a
/// chain that is copied under another tenant's id: the id is covered by every hash.
pub fn audit_link(tenant: TenantId, before: &str, entry: &AuditEntry) -> String {
    hash(&Chain::Tenant(tenant).name(), before, entry)
}

async fn verify(control: &ControlStore, chain: String) -> Result<ChainReport, StoreError> {
    let mut check = ChainCheck::new(chain);
    loop {
        let page = onward(control, &check.report().chain, check.report().entries).await?;
        if page.is_empty() || !page.iter().all(|entry| check.take(entry)) {
            return Ok(check.into_report());
        }
    }
}

/// Empty for no words: then a list is not narrowed.
pub(crate) fn pattern(words: &str) -> String {
    let words = words.trim();
    if words.is_empty() { String::new() } else { store::containing(words) }
}
