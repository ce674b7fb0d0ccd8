//! How many statements of one database may be under way at once in this process.
//!
//! Whoever waits for a lock waits here first and holds no connection meanwhile: writers can never starve readers of
//! connections, nor one tenant the others of all of them.

use super::Access;
use crate::StoreError;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long a statement waits for its turn before the database counts as overloaded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Turns {
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    all_writers: u32,
}

impl Turns {
    /// All of them together are as many as the control plane's connections.
    pub(crate) fn of_control() -> Self {
        Self::new(8, 4)
    }

    /// As many readers as a tenant's file has (`tenant.rs`).
    pub(crate) fn of_tenant() -> Self {
        Self::new(3, 2)
    }

    fn new(readers: usize, all_writers: u32) -> Self {
        Self {
            readers: Arc::new(Semaphore::new(readers)),
            writers: Arc::new(Semaphore::new(all_writers as usize)),
            all_writers,
        }
    }

    /// Waits for a turn; first come, first served. It is given back by dropping it.
    pub(crate) async fn take(&self, access: Access) -> Result<OwnedSemaphorePermit, StoreError> {
        let (queue, places) = match access {
            Access::Read | Access::Snapshot => (&self.readers, 1),
            Access::Write => (&self.writers, 1),
            Access::Transaction => (&self.writers, self.all_writers),
        };
        match timeout(PATIENCE, Arc::clone(queue).acquire_many_owned(places)).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(StoreError::Busy(sqlx::Error::PoolClosed)),
            Err(_) => Err(StoreError::Busy(sqlx::Error::PoolTimedOut)),
        }
    }
}
