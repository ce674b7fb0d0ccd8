//! Writes of the ledger that wait for the one writer are committed together.
//!
//! Whoever comes first takes the writer and commits what waits by then, its own and the others'; those who come meanwhile
//! are the next lot. So nobody waits for company, and at full load one sync to the disk serves many.

use crate::MeteringError;
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use store::{ControlStore, StoreError, Transaction};
use tokio::sync::oneshot;

/// So many are committed at once; a crash in between undoes no more than these, none of which anybody has seen.
const MOST_TOGETHER: usize = 64;

/// Something that is written inside a transaction. A statement of it that fails must not leave half of it behind.
pub(crate) trait Write: Send + Sync + 'static {
    type Written: Send + 'static;

    fn write(&self, tx: &mut Transaction) -> impl Future<Output = Result<Self::Written, MeteringError>> + Send;

    /// The same by itself, where nobody else waits.
    fn write_alone(&self, control: &ControlStore) -> impl Future<Output = Result<Self::Written, MeteringError>> + Send;
}

type Told<W> = oneshot::Sender<Result<<W as Write>::Written, MeteringError>>;

/// What is to be written, and who is told.
type Waiting<W> = (W, Told<W>);

/// Those who wait.
pub(crate) struct Line<W: Write> {
    control: ControlStore,
    waiting: Arc<Mutex<Vec<Waiting<W>>>>,
    /// Whoever holds it commits for the others.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<W: Write> Clone for Line<W> {
    fn clone(&self) -> Self {
        Self { control: self.control.clone(), waiting: Arc::clone(&self.waiting), turn: Arc::clone(&self.turn) }
    }
}

impl<W: Write> Line<W> {
    pub fn new(control: ControlStore) -> Self {
        Self { control, waiting: Arc::default(), turn: Arc::default() }
    }

    /// Writes; durable when this returns.
    pub async fn write(&self, write: W) -> Result<W::Written, MeteringError> {
        let (tell, mut told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((write, tell));
        loop {
            tokio::select! {
                biased;
                written = &mut told => return written.unwrap_or(Err(MeteringError::Unwritten)),
                _turn = self.turn.lock() => self.commit().await,
            }
        }
    }

    /// Commits those who wait. Whoever does so must not go away meanwhile: the others would have to be told that nothing was
    /// written.
    async fn commit(&self) {
        let lot: Vec<Waiting<W>> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let many = waiting.len().min(MOST_TOGETHER);
            waiting.drain(..many).collect()
        };
        if lot.is_empty() {
            return;
        }
        let together = if lot.len() > 1 { self.together(&lot).await.ok() } else { None };
        match together {
            Some(written) => {
                for ((_, tell), written) in lot.into_iter().zip(written) {
                    // Who has gone needs no word.
                    let _ = tell.send(written);
                }
            }
            // There is but one, or one of them broke the transaction: by itself it breaks nobody else's.
            None => {
                for (write, tell) in lot {
                    let _ = tell.send(write.write_alone(&self.control).await);
                }
            }
        }
    }

    /// What became of each; an error where all of them are undone.
    async fn together(&self, lot: &[Waiting<W>]) -> Result<Vec<Result<W::Written, MeteringError>>, StoreError> {
        let mut tx = self.control.begin().await?;
        let mut all = Vec::with_capacity(lot.len());
        for (write, _) in lot {
            match write.write(&mut tx).await {
                Err(MeteringError::Store(error)) => return Err(error),
                written => all.push(written),
            }
        }
        tx.commit().await?;
        Ok(all)
    }
}
