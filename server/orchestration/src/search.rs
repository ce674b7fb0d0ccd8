//! Searches take turns: one at a time in a tenant.
//!
//! A search reads every message of a member, and the engine goes on with one that nobody waits for any more. In
//! turns, and each to its end, searches use one of the tenant's connections and leave the others to its chats.

use crate::ChatError;
use contract::TenantId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use store::share;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Default)]
pub(crate) struct Searches(Mutex<HashMap<TenantId, Weak<Semaphore>>>);

impl Searches {
    /// Runs `search` when those before it in the tenant are done, and to its end even if nobody waits for it.
    pub async fn in_turn<T: Send + 'static>(
        &self,
        tenant: TenantId,
        search: impl Future<Output = Result<T, ChatError>> + Send + 'static,
    ) -> Result<T, ChatError> {
        let turn = self.turn(tenant).await?;
        let searched = tokio::spawn(share::split(async move {
            let _turn = turn;
            search.await
        }));
        searched.await.map_err(|_| ChatError::Panicked)?
    }

    async fn turn(&self, tenant: TenantId) -> Result<OwnedSemaphorePermit, ChatError> {
        let line = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match lines.get(&tenant).and_then(Weak::upgrade) {
                Some(line) => line,
                None => {
                    lines.retain(|_, line| line.strong_count() > 0);
                    let line = Arc::new(Semaphore::new(1));
                    lines.insert(tenant, Arc::downgrade(&line));
                    line
                }
            }
        };
        line.acquire_owned().await.map_err(|_| ChatError::ShuttingDown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    #[tokio::test(start_paused = true)]
    async fn one_tenants_searches_take_turns_also_when_nobody_waits_and_another_tenants_do_not_wait() {
        let searches = Arc::new(Searches::default());
        let (one, other) = (TenantId::new(), TenantId::new());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let search = || {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        };
        // Somebody who leaves at once.
        let _ = tokio::time::timeout(Duration::from_millis(10), searches.in_turn(one, search())).await;
        let started = tokio::time::Instant::now();
        searches.in_turn(other, async { Ok(()) }).await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        let all = (0..5).map(|_| searches.in_turn(one, search()));
        futures::future::try_join_all(all).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 1);
        searches.in_turn(other, async { Ok(()) }).await.unwrap();
        assert!(searches.0.lock().unwrap().len() <= 2);
    }
}
