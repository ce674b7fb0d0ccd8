//! What was read a moment ago, so that requests on the way at once read the database once.

use crate::GatewayError;
use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{PoisonError, RwLock},
};
use tokio::time::Instant;

/// As old as what the registry and the directory serve.
const MAX_AGE: std::time::Duration = registry::MAX_AGE;
/// Entries that are remembered; all are read again when there are more.
const MOST: usize = 10_000;

/// Values by key, at most a second old.
pub(crate) struct Recent<K, V> {
    /// Held for an assignment, never across an await.
    known: RwLock<HashMap<K, (Instant, V)>>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { known: RwLock::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// What is known of the key is read again at the next look.
    pub fn forget(&self, key: &K) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// What is known of the key, or what is read now. Errors are not remembered.
    pub async fn get<F, R>(&self, key: K, read: F) -> Result<V, GatewayError>
    where
        F: FnOnce() -> R,
        R: Future<Output = Result<V, GatewayError>>,
    {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((at, value)) = known
            && at.elapsed() < MAX_AGE
        {
            return Ok(value);
        }
        // From before it was read: what is committed after that is not in it.
        let at = Instant::now();
        // On the heap, so that those who need no look are small.
        let value = Box::pin(read()).await?;
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, (at, value.clone()));
        Ok(value)
    }
}
