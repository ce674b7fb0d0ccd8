//! Keys that were looked up a moment ago, so that a program's calls need not ask the database each time.
//!
//! What always holds: what is known is younger than [`MAX_AGE`], so that a revocation counts within it on every node;
//! what this process makes, revokes or suspends counts at once. What opens nothing is remembered as well: a program that
//! goes on with a key that was revoked costs no looks.

use super::HolderRow;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// Well within the second that is promised.
const MAX_AGE: Duration = Duration::from_millis(500);
/// Keys that are remembered; all are looked up again when there are more.
const MOST: usize = 10_000;

/// Whoever a key belongs to; none: it opens nothing.
type Holder = Option<Arc<HolderRow>>;

/// By the hash of the secret.
#[derive(Clone, Default)]
pub(crate) struct RecentKeys {
    /// Held for an assignment, never across an await.
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    holders: HashMap<String, (Instant, Holder)>,
    /// How often all was forgotten: what was read before that is not remembered after it.
    forgotten: u64,
}

/// When a look began.
pub(super) struct Look {
    at: Instant,
    forgotten: u64,
}

impl RecentKeys {
    pub(super) fn get(&self, hash: &str) -> Option<Holder> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.holders.get(hash).filter(|(read, _)| read.elapsed() < MAX_AGE).map(|(_, holder)| holder.clone())
    }

    pub(super) fn look(&self) -> Look {
        let forgotten = self.known.read().unwrap_or_else(PoisonError::into_inner).forgotten;
        Look { at: Instant::now(), forgotten }
    }

    pub(super) fn remember(&self, look: Look, hash: String, holder: Holder) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.forgotten != look.forgotten {
            return;
        }
        if known.holders.len() >= MOST {
            known.holders.clear();
        }
        known.holders.insert(hash, (look.at, holder));
    }

    /// Every key is looked up again at its next call.
    pub(crate) fn forget(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.holders.clear();
        known.forgotten = known.forgotten.wrapping_add(1);
    }
}
