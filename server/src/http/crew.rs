//! Threads that serve connections: one for each processor, each a runtime by itself (docs/adr/0017).
//!
//! All that a connection sets off stays on its thread, with connections to providers of its own, so that no word of an
//! answer is handed from one processor to another. What is not a connection's runs elsewhere, as before.

use std::{
    future::Future,
    io,
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::{runtime, sync::mpsc};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Cheap to clone. Work that is under way when the last one goes is dropped where it stands.
#[derive(Clone)]
pub struct Crew {
    hands: Arc<[Hand]>,
}

impl Crew {
    /// # Errors
    /// When the system gives no more threads.
    pub fn start() -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let hands: io::Result<Vec<Hand>> = (0..processors).map(|_| Hand::start()).collect();
        Ok(Self { hands: hands?.into() })
    }

    /// Nobody but whoever gives the work.
    #[cfg(test)]
    pub(super) fn of_one() -> Self {
        Self { hands: Arc::default() }
    }

    /// Has the work done by the thread that has least to do.
    pub(super) fn give(&self, work: impl Future<Output = ()> + Send + 'static) {
        match self.hands.iter().min_by_key(|hand| hand.busy.load(Ordering::Relaxed)) {
            Some(hand) => hand.give(work),
            None => drop(tokio::spawn(work)),
        }
    }
}

struct Hand {
    given: mpsc::UnboundedSender<Work>,
    /// How much it has under way.
    busy: Arc<AtomicUsize>,
}

impl Hand {
    fn start() -> io::Result<Self> {
        let (given, mut works) = mpsc::unbounded_channel::<Work>();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("connections".to_owned()).spawn(move || {
            runtime.block_on(async {
                while let Some(work) = works.recv().await {
                    tokio::spawn(work);
                }
            });
        })?;
        Ok(Self { given, busy: Arc::default() })
    }

    fn give(&self, work: impl Future<Output = ()> + Send + 'static) {
        let busy = Busy::with(&self.busy);
        let work = Box::pin(async move {
            let _busy = busy;
            work.await;
        });
        // Refused only when its thread is no more: then the work is dropped, and with it the connection.
        let _ = self.given.send(work);
    }
}

/// One more under way, for as long as this is there.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn with(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, thread::ThreadId, time::Duration};
    use tokio::sync::oneshot;

    /// On which thread it is done; holds its place until told.
    fn hold(crew: &Crew) -> (oneshot::Receiver<ThreadId>, oneshot::Sender<()>) {
        let ((told, tells), (over, ends)) = (oneshot::channel(), oneshot::channel());
        crew.give(async move {
            let here = thread::current().id();
            // What it sets off stays where it is.
            assert_eq!(tokio::spawn(async { thread::current().id() }).await.unwrap(), here);
            told.send(here).unwrap();
            let _ = ends.await;
        });
        (tells, over)
    }

    #[tokio::test]
    async fn each_thread_has_work_before_one_has_more() {
        let crew = Crew::start().unwrap();
        let (mut seen, mut held) = (HashSet::new(), Vec::new());
        for _ in 0..crew.hands.len() {
            let (tells, over) = hold(&crew);
            seen.insert(tells.await.unwrap());
            held.push(over);
        }
        assert_eq!(seen.len(), crew.hands.len());
        assert!(crew.hands.iter().all(|hand| hand.busy.load(Ordering::Relaxed) == 1));
    }

    #[tokio::test]
    async fn work_that_panics_is_under_way_no_more() {
        let crew = Crew::start().unwrap();
        crew.give(async { panic!("on purpose") });
        let all_idle = async {
            while crew.hands.iter().any(|hand| hand.busy.load(Ordering::Relaxed) > 0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), all_idle).await.unwrap();
        for _ in 0..2 * crew.hands.len() {
            let (tells, _over) = hold(&crew);
            tells.await.unwrap();
        }
    }
}
