//! Following a run: its stored events, then those that come, in order, each once.
//!
//! Every event a reader gets was read from the database; the hub only says that there is more, and of a run that
//! another node drives a hint says so, or a while that has passed. So it does not matter when a reader comes, how slow
//! it is, how often it comes back, or which node it asks.

use crate::{ChatError, elsewhere::Looks, event_log, hub::Progress, problem};
use contract::{RunEventRecord, RunId};
use futures::stream::{self, Stream};
use std::collections::VecDeque;
use store::TenantStore;
use tokio::sync::watch;

/// Who says that there is more.
pub(crate) enum Source {
    /// The run lives in this process.
    Here(watch::Receiver<Progress>),
    /// It lives in another one.
    Elsewhere(Looks),
    /// Nothing more will come.
    Over,
}

struct Reader {
    store: TenantStore,
    run: RunId,
    source: Source,
    /// The number of the last event that was handed out.
    last: i64,
    page: VecDeque<RunEventRecord>,
    over: bool,
}

/// Everything after `after`, then what comes; ends after the terminal event. `source` must have been
/// taken before this call, so that nothing is stored unseen in between.
pub(crate) fn follow(
    store: TenantStore,
    run: RunId,
    after: i64,
    source: Source,
) -> impl Stream<Item = Result<RunEventRecord, ChatError>> + Send + 'static {
    let reader = Reader { store, run, source, last: after, page: VecDeque::new(), over: false };
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
            let seen = match &mut self.source {
                Source::Here(progress) => Some(progress.borrow_and_update().clone()),
                Source::Elsewhere(_) | Source::Over => None,
            };
            self.page = event_log::events_after(&self.store, self.run, self.last).await?.into();
            if !self.page.is_empty() {
                if let Source::Elsewhere(looks) = &mut self.source {
                    looks.soon();
                }
                continue;
            }
            match (seen, &mut self.source) {
                (Some(Progress { lost: None, ended: false, .. }), Source::Here(progress)) => {
                    // An error means that the run's task is gone: the next turn finds `ended`.
                    let _ = progress.changed().await;
                }
                (Some(Progress { lost: Some(lost), .. }), _) => return Err(ChatError::RunLost(lost)),
                (_, Source::Elsewhere(looks)) => {
                    // Whoever drives it ends it; when that node dies, another one does.
                    if event_log::is_running(&self.store, self.run).await? == Some(true) {
                        looks.next().await;
                    } else {
                        // What was stored since the page was read is read by the next turn.
                        self.source = Source::Over;
                    }
                }
                (_, Source::Here(_) | Source::Over) => return self.ended().await,
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
