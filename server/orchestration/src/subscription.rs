//! Following a run: its stored events, then those that come, in order, each once.
//!
//! Every event a reader gets was read from the database; the hub only says that there is more. So it
//! does not matter when a reader comes, how slow it is, or how often it comes back.

use crate::{ChatError, event_log, hub::Progress, problem};
use contract::{RunEventRecord, RunId};
use futures::stream::{self, Stream};
use std::collections::VecDeque;
use store::TenantStore;
use tokio::sync::watch;

struct Reader {
    store: TenantStore,
    run: RunId,
    /// None: the run does not live in this process.
    progress: Option<watch::Receiver<Progress>>,
    /// The number of the last event that was handed out.
    last: i64,
    page: VecDeque<RunEventRecord>,
    over: bool,
}

/// Everything after `after`, then what comes; ends after the terminal event. `progress` must have been
/// taken before this call, so that nothing is stored unseen in between.
pub(crate) fn follow(
    store: TenantStore,
    run: RunId,
    after: i64,
    progress: Option<watch::Receiver<Progress>>,
) -> impl Stream<Item = Result<RunEventRecord, ChatError>> + Send + 'static {
    let reader = Reader { store, run, progress, last: after, page: VecDeque::new(), over: false };
    stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|record| (record, reader))) })
}

impl Reader {
    async fn next(&mut self) -> Result<Option<RunEventRecord>, ChatError> {
        loop {
            if let Some(record) = self.page.pop_front() {
                self.last = record.seq;
                self.over = record.event.is_terminal();
                return Ok(Some(record));
            }
            if self.over {
                return Ok(None);
            }
            // Before reading: what is stored later wakes the reader again.
            let seen = self.progress.as_mut().map(|progress| progress.borrow_and_update().clone());
            self.page = event_log::events_after(&self.store, self.run, self.last).await?.into();
            if !self.page.is_empty() {
                continue;
            }
            match (seen, &mut self.progress) {
                (Some(Progress { lost: None, ended: false, .. }), Some(progress)) => {
                    // An error means that the run's task is gone: the next turn finds `ended`.
                    let _ = progress.changed().await;
                }
                (Some(Progress { lost: Some(lost), .. }), _) => return Err(ChatError::RunLost(lost)),
                (Some(_) | None, _) => return self.ended().await,
            }
        }
    }

    /// Nothing follows. That is right after a terminal event, and a loss otherwise.
    async fn ended(&mut self) -> Result<Option<RunEventRecord>, ChatError> {
        match event_log::last_event(&self.store, self.run).await? {
            Some(last) if last.event.is_terminal() => {
                self.over = true;
                Ok(None)
            }
            Some(_) => Err(ChatError::RunLost(Box::new(problem::interrupted()))),
            None => Err(ChatError::NotFound { what: "run" }),
        }
    }
}
