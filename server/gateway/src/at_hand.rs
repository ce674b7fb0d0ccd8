//! Work that is done by whoever waits for what comes of it, and goes on as a task of its own when they go away.
//!
//! A whole answer is waited for by one who does nothing else meanwhile: as a task, each word of it would be handed from
//! one processor to another. Measured, that made no difference yet beside the other hand-overs (docs/performance.md).

use futures::future::BoxFuture;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// Work under way, and who finishes it when its owner does not.
pub(crate) struct AtHand {
    /// Counted among the tasks, so that whoever waits for those waits for it too.
    work: Option<(BoxFuture<'static, ()>, TaskTrackerToken)>,
    tasks: TaskTracker,
}

impl AtHand {
    /// Done by whoever owns this, and only while it waits ([`AtHand::until`]).
    pub fn begin(work: BoxFuture<'static, ()>, tasks: &TaskTracker) -> Self {
        Self { work: Some((work, tasks.token())), tasks: tasks.clone() }
    }

    /// A task from the start, for those who do other things between two looks.
    pub fn apart(work: BoxFuture<'static, ()>, tasks: &TaskTracker) -> Self {
        tasks.spawn(work);
        Self { work: None, tasks: tasks.clone() }
    }

    /// Waits for what the work brings about, and does it meanwhile.
    pub async fn until<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        let mut awaited = pin!(awaited);
        poll_fn(|context| {
            if let Poll::Ready(done) = awaited.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            // Taken out meanwhile: work that panics is not polled again.
            if let Some((mut work, counted)) = self.work.take()
                && work.as_mut().poll(context).is_pending()
            {
                self.work = Some((work, counted));
            }
            awaited.as_mut().poll(context)
        })
        .await
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        // Without a runtime the process ends; what is open is closed at the next start.
        if let (Some((work, _counted)), Ok(_runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            self.tasks.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::time::Duration;
    use tokio::sync::{mpsc, oneshot};

    #[tokio::test]
    async fn whoever_waits_does_the_work() {
        let tasks = TaskTracker::new();
        let (tell, mut told) = mpsc::channel(1);
        let work = async move {
            for number in 0..5 {
                tell.send(number).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut at_hand = AtHand::begin(work.boxed(), &tasks);
        let mut heard = Vec::new();
        while let Some(number) = at_hand.until(told.recv()).await {
            heard.push(number);
        }
        assert_eq!((heard, tasks.len()), (vec![0, 1, 2, 3, 4], 0));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_done_all_the_same() {
        let tasks = TaskTracker::new();
        let (tell, told) = oneshot::channel();
        let work = async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            tell.send(7).unwrap();
        };
        let mut at_hand = AtHand::begin(work.boxed(), &tasks);
        let waited = tokio::time::timeout(Duration::from_millis(1), at_hand.until(std::future::pending::<()>())).await;
        assert!(waited.is_err());
        drop(at_hand);
        assert_eq!(told.await, Ok(7));
    }
}
