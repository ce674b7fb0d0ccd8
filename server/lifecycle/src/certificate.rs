//! What a deletion certifies: each place, what was there, and what remains.

use contract::{Slug, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// One place where something of the tenant was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Such as `control plane, table membership` or `file tenants/<id>.db`.
    pub place: String,
    /// Rows that were there; of files none.
    pub rows: Option<u64>,
    /// Of files alone.
    pub bytes: Option<u64>,
}

/// What the deleted rows of the ledger came to: the operator's books, of which nobody can be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerTotal {
    /// Such as `2026-11`, in UTC.
    pub month: String,
    pub provider: String,
    pub attempts: i64,
    pub cost_nanousd: i64,
    /// Attempts whose cost nobody knows: not in the sum.
    pub attempts_of_unknown_cost: i64,
}

/// Says that a tenant was deleted. The platform's audit log has it too, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub tenant: TenantId,
    pub name: Slug,
    pub engine: String,
    pub begun_at: Timestamp,
    pub begun_by: String,
    pub completed_at: Timestamp,
    pub completed_by: String,
    pub places: Vec<Place>,
    /// Accounts that belonged to no other tenant and went with this one.
    pub accounts: u64,
    pub ledger: Vec<LedgerTotal>,
    /// The tenant's audit log as it was: how many entries, and the hash of the last.
    pub audit_entries: i64,
    pub audit_last_hash: String,
    /// What stays, and why.
    pub remains: Vec<String>,
    /// SHA-256 over all of the above, as JSON without this field.
    pub sha256: String,
}

impl Certificate {
    /// With the hash that belongs to it.
    pub(crate) fn sealed(mut self) -> Result<Self, serde_json::Error> {
        self.sha256 = self.hash()?;
        Ok(self)
    }

    fn hash(&self) -> Result<String, serde_json::Error> {
        let plain = serde_json::to_string(&Self { sha256: String::new(), ..self.clone() })?;
        Ok(crate::archive::hex(&Sha256::digest(plain.as_bytes())))
    }

    /// Whether its hash fits it.
    pub fn is_genuine(&self) -> bool {
        self.hash().is_ok_and(|hash| hash == self.sha256)
    }
}

/// For people: what `seam tenant delete` prints.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Certificate of deletion")?;
        writeln!(f, "  tenant     {} ({})", self.name, self.tenant)?;
        writeln!(f, "  begun      {} by {}", moment(self.begun_at), self.begun_by)?;
        writeln!(f, "  completed  {} by {}", moment(self.completed_at), self.completed_by)?;
        writeln!(f, "Removed")?;
        let width = self.places.iter().map(|place| place.place.chars().count()).max().unwrap_or(0);
        for Place { place, rows, bytes } in &self.places {
            let counted = match (rows, bytes) {
                (Some(rows), _) => format!("{rows} rows"),
                (None, Some(bytes)) => format!("{bytes} bytes"),
                (None, None) => String::new(),
            };
            writeln!(f, "  {place:<width$}  {counted:>16}")?;
        }
        writeln!(f, "  accounts that belonged to nobody else: {}", self.accounts)?;
        writeln!(f, "Its audit log had {} entries; the last hash was “{}”", self.audit_entries, self.audit_last_hash)?;
        if !self.ledger.is_empty() {
            writeln!(f, "Its ledger came to")?;
        }
        for total in &self.ledger {
            let dollars = contract::NanoUsd::from_nanos(total.cost_nanousd);
            write!(f, "  {}  {}: ${dollars} in {} attempts", total.month, total.provider, total.attempts)?;
            match total.attempts_of_unknown_cost {
                0 => writeln!(f)?,
                unknown => writeln!(f, ", of which {unknown} of unknown cost")?,
            }
        }
        writeln!(f, "What remains")?;
        for remains in &self.remains {
            writeln!(f, "  {remains}")?;
        }
        writeln!(f, "SHA-256  {}", self.sha256)
    }
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map_or_else(|_| at.as_millis().to_string(), |at| at.to_string())
}
