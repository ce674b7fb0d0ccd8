//! One seal over all logs: whoever keeps its number and hash elsewhere can say later that nothing before it was changed.
//!
//! What always holds: every entry of every chain is sealed in the transaction that writes it, in the order in which they
//! were written, and each seal's hash covers the one before it. So entries that are missing at the end of a chain, or
//! a chain that is missing as a whole, are noticed here, and seals that are missing at the end by whoever kept a
//! later one. Deleting a tenant takes its entries away and leaves their seals, which are hashes; the platform's log says
//! that it was deleted, and that releases them.

use super::{ChainReport, PLATFORM, SealedEntry};
use crate::digest;
use contract::TenantId;
use serde_json::{Value, json};
use std::{collections::HashMap, fmt, str::FromStr};
use store::{ControlStore, FromRow, Row, StoreError, Transaction};

/// Seals are verified in pages of this many.
const PAGE: i64 = 1_000;

/// Of 32 bytes in base64url.
const HASH_CHARS: usize = 43;

const LAST: &str = "SELECT number, hash FROM audit_seal ORDER BY number DESC LIMIT 1";
const INSERT: &str = "INSERT INTO audit_seal (number, chain, seq, entry_hash, hash) VALUES ($1, $2, $3, $4, $5)";
const ONWARD: &str = "
SELECT
    audit_seal.number, audit_seal.chain, audit_seal.seq, audit_seal.entry_hash, audit_seal.hash,
    audit_entry.hash AS found,
    CASE WHEN audit_entry.chain = '' AND audit_entry.action = 'tenant.delete' THEN audit_entry.change END AS deletion
FROM audit_seal
LEFT JOIN audit_entry ON audit_entry.chain = audit_seal.chain AND audit_entry.seq = audit_seal.seq
WHERE audit_seal.number > $1
ORDER BY audit_seal.number LIMIT $2";
const ANY_TENANT: &str = "SELECT id AS value FROM tenant LIMIT 1";
const UNDER_WAY: &str = "SELECT tenant_id AS value FROM tenant_operation";

/// Where the log as a whole stood: `12:` and the hash of the twelfth seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub number: i64,
    pub hash: String,
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

/// It is no seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a seal is a number, a colon and {HASH_CHARS} letters, digits, - and _, as seam doctor prints it")]
pub struct NoSeal;

impl FromStr for Seal {
    type Err = NoSeal;

    fn from_str(text: &str) -> Result<Self, NoSeal> {
        let (number, hash) = text.trim().split_once(':').ok_or(NoSeal)?;
        let number: i64 = number.parse().map_err(|_| NoSeal)?;
        let plain = hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if number < 1 || hash.len() != HASH_CHARS || !plain {
            return Err(NoSeal);
        }
        Ok(Self { number, hash: hash.to_owned() })
    }
}

impl FromRow for Seal {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { number: row.get("number")?, hash: row.get("hash")? })
    }
}

/// What is wrong with the log as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    #[error("seal {0} was altered, or one before it removed")]
    Seal(i64),
    #[error("entry {seq} of {} was removed or altered after it was sealed", owner(.chain))]
    Entry { chain: String, seq: i64 },
    #[error("entry {seq} of {} was put there without a seal", owner(.chain))]
    Entered { chain: String, seq: i64 },
    #[error("the seals over entries of {} before number {seq} are not there any more", owner(.chain))]
    Missing { chain: String, seq: i64 },
    #[error("there are tenants, and not one entry or seal that tells how they came to be: the logs were removed")]
    Gone,
    #[error("seal {0}, which you kept, is not there any more: the end of the log was cut off")]
    Cut(i64),
    #[error("seal {0} is not the one that you kept: the log was written anew")]
    Other(i64),
}

/// Whose chain it is, for people.
pub fn owner(chain: &str) -> String {
    if chain == PLATFORM { "the platform".to_owned() } else { format!("tenant {chain}") }
}

/// Seals an entry that was just written.
pub(super) async fn seal(tx: &mut Transaction, chain: &str, seq: i64, entry_hash: &str) -> Result<(), StoreError> {
    let last = tx.query(LAST).fetch_optional::<Seal>().await?;
    let (number, before) = last.map_or((1, String::new()), |last| (last.number + 1, last.hash));
    let hash = hash(&before, number, chain, seq, entry_hash);
    tx.query(INSERT).bind(number).bind(chain).bind(seq).bind(entry_hash).bind(hash).execute().await?;
    Ok(())
}

/// SHA-256 over the fields as a JSON list, which says where each of them ends.
fn hash(before: &str, number: i64, chain: &str, seq: i64, entry_hash: &str) -> String {
    digest::sha256(&json!([before, number, chain, seq, entry_hash]).to_string())
}

struct Stored {
    seal: Seal,
    chain: String,
    seq: i64,
    entry_hash: String,
    /// The hash of the entry, where it is there.
    found: Option<String>,
    deletion: Option<String>,
}

impl FromRow for Stored {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            seal: Seal::from_row(row)?,
            chain: row.get("chain")?,
            seq: row.get("seq")?,
            entry_hash: row.get("entry_hash")?,
            found: row.get("found")?,
            deletion: row.get("deletion")?,
        })
    }
}

/// How far a chain is sealed, and the first of its entries that is not as it was.
struct Sealed {
    upto: i64,
    /// The first number before which seals are missing.
    unsealed: Option<i64>,
    wrong: Option<i64>,
}

/// The last seal, and what is wrong if anything is. `chains` were verified before: what was written since is sealed.
pub(super) async fn verify(
    control: &ControlStore,
    chains: &[ChainReport],
    kept: Option<&Seal>,
) -> Result<(Option<Seal>, Option<Unsealed>), StoreError> {
    let mut last: Option<Seal> = None;
    let mut sealed: HashMap<String, Sealed> = HashMap::new();
    loop {
        let after = last.as_ref().map_or(0, |last| last.number);
        let page: Vec<Stored> = control.read(ONWARD).bind(after).bind(PAGE).fetch_all().await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            let Stored { seal, chain, seq, entry_hash, found, deletion } = stored;
            let (expected, before) = last.as_ref().map_or((1, ""), |last| (last.number + 1, last.hash.as_str()));
            if seal.number != expected || seal.hash != hash(before, seal.number, &chain, seq, &entry_hash) {
                return Ok((last, Some(Unsealed::Seal(expected))));
            }
            if kept.is_some_and(|kept| kept.number == seal.number && kept.hash != seal.hash) {
                let number = seal.number;
                return Ok((Some(seal), Some(Unsealed::Other(number))));
            }
            // What stood there of a tenant that was deleted is gone for good.
            if let Some(tenant) = deletion.as_deref().and_then(deleted) {
                sealed.remove(&tenant.to_string());
            }
            // A chain that came with an archive has one seal at its end; the platform's comes with none.
            let begun = if chain == PLATFORM { 0 } else { seq - 1 };
            let of_chain = sealed.entry(chain).or_insert(Sealed { upto: begun, unsealed: None, wrong: None });
            if seq != of_chain.upto + 1 {
                of_chain.unsealed.get_or_insert(seq);
            }
            of_chain.upto = seq;
            if found.as_deref() != Some(entry_hash.as_str()) {
                of_chain.wrong.get_or_insert(seq);
            }
            last = Some(seal);
        }
    }
    if let Some(kept) = kept.filter(|kept| last.as_ref().is_none_or(|last| last.number < kept.number)) {
        return Ok((last, Some(Unsealed::Cut(kept.number))));
    }
    let bare = chains.is_empty() && last.is_none();
    if bare && control.read(ANY_TENANT).fetch_optional::<String>().await?.is_some() {
        return Ok((last, Some(Unsealed::Gone)));
    }
    let mut wrong: Vec<Unsealed> = Vec::new();
    for (chain, of_chain) in &sealed {
        wrong.extend(of_chain.wrong.map(|seq| Unsealed::Entry { chain: chain.clone(), seq }));
        wrong.extend(of_chain.unsealed.map(|seq| Unsealed::Missing { chain: chain.clone(), seq }));
    }
    for report in chains.iter().filter(|report| report.broken_at.is_none()) {
        let upto = sealed.get(&report.chain).map_or(0, |of_chain| of_chain.upto);
        if upto < report.entries {
            wrong.push(Unsealed::Entered { chain: report.chain.clone(), seq: upto + 1 });
        }
    }
    if !wrong.is_empty() {
        // Of a tenant that is being imported or deleted just now, entries come and go before the log says so.
        let under_way: Vec<String> = control.read(UNDER_WAY).fetch_all().await?;
        wrong.retain(|found| match found {
            Unsealed::Entry { chain, .. } | Unsealed::Entered { chain, .. } | Unsealed::Missing { chain, .. } => {
                !under_way.contains(chain)
            }
            Unsealed::Seal(_) | Unsealed::Gone | Unsealed::Cut(_) | Unsealed::Other(_) => true,
        });
    }
    wrong.sort_by_key(ToString::to_string);
    Ok((last, wrong.into_iter().next()))
}

/// The tenant of a certificate in the platform's log.
fn deleted(change: &str) -> Option<TenantId> {
    let change: Value = serde_json::from_str(change).ok()?;
    change.pointer("/after/certificate/tenant")?.as_str()?.parse().ok()
}

/// Checks a chain entry by entry, wherever the entries come from.
#[derive(Debug)]
pub struct ChainCheck(ChainReport);

impl ChainCheck {
    pub fn new(chain: String) -> Self {
        Self(ChainReport { chain, entries: 0, last_hash: String::new(), broken_at: None })
    }

    /// Takes the next entry. False: it does not fit, and nothing after it can.
    pub fn take(&mut self, SealedEntry { entry, hash: stored, .. }: &SealedEntry) -> bool {
        let next = self.0.entries + 1;
        if self.0.broken_at.is_some()
            || entry.seq != next
            || &super::hash(&self.0.chain, &self.0.last_hash, entry) != stored
        {
            self.0.broken_at.get_or_insert(next);
            return false;
        }
        self.0.entries = next;
        self.0.last_hash.clone_from(stored);
        true
    }

    pub const fn report(&self) -> &ChainReport {
        &self.0
    }

    pub fn into_report(self) -> ChainReport {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_read_as_it_is_printed() {
        let seal = Seal { number: 12, hash: "aB-_".repeat(10) + "xyz" };
        assert_eq!(seal.to_string().parse(), Ok(seal));
        for wrong in ["", "12", "12:ab", &format!("0:{}", "a".repeat(43)), &format!("1:{}", "a/+".repeat(14) + "a")] {
            assert_eq!(wrong.parse::<Seal>(), Err(NoSeal), "{wrong}");
        }
    }

    #[test]
    fn a_certificate_names_its_tenant() {
        let tenant = TenantId::new();
        let change = json!({ "after": { "certificate": { "tenant": tenant } } }).to_string();
        assert_eq!(deleted(&change), Some(tenant));
        assert_eq!(deleted("{}"), None);
    }
}
