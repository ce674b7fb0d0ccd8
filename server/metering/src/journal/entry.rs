//! The journal's lines, and the rows that they come to.

use crate::{CacheHit, Intent, Settled, Settlement};
use contract::{AttemptNo, NodeId, RequestId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which attempt.
pub(crate) type Key = (TenantId, RequestId, AttemptNo);

/// Something that is written to the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    Intent { intent: Intent, node: NodeId },
    Settlement(Ended),
    Hit { hit: CacheHit, at: Timestamp },
}

/// How an attempt ended, and what that came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub tenant: TenantId,
    pub request: RequestId,
    pub attempt: AttemptNo,
    pub settlement: Settlement,
    pub settled: Settled,
    pub at: Timestamp,
}

impl Entry {
    pub const fn key(&self) -> Key {
        match self {
            Self::Intent { intent, .. } => (intent.tenant, intent.request, intent.attempt),
            Self::Settlement(ended) => (ended.tenant, ended.request, ended.attempt),
            Self::Hit { hit, .. } => (hit.tenant, hit.request, AttemptNo(1)),
        }
    }
}

/// A row that the table does not have.
#[derive(Debug)]
pub(crate) enum New<'e> {
    /// An attempt, and how it ended where that is known already.
    Attempt {
        intent: &'e Intent,
        node: NodeId,
        ended: Option<&'e Ended>,
    },
    Hit {
        hit: &'e CacheHit,
        at: Timestamp,
    },
}

/// What the table is told.
#[derive(Debug, Default)]
pub(crate) struct Changes<'e> {
    /// Of an attempt that began and ended meanwhile, one row.
    pub new: Vec<New<'e>>,
    /// Attempts that the table has, and that have ended.
    pub ended: Vec<&'e Ended>,
}

impl<'e> Changes<'e> {
    pub fn of(entries: &'e [Entry]) -> Self {
        let mut changes = Self::default();
        let mut begun = HashMap::new();
        for entry in entries {
            match entry {
                Entry::Intent { intent, node } => {
                    begun.insert(entry.key(), changes.new.len());
                    changes.new.push(New::Attempt { intent, node: *node, ended: None });
                }
                Entry::Settlement(ended) => match begun.get(&entry.key()).and_then(|at| changes.new.get_mut(*at)) {
                    Some(New::Attempt { ended: end @ None, .. }) => *end = Some(ended),
                    Some(_) | None => changes.ended.push(ended),
                },
                Entry::Hit { hit, at } => changes.new.push(New::Hit { hit, at: *at }),
            }
        }
        changes
    }
}
