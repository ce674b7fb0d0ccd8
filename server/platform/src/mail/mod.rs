//! Mail: letters to people, handed to the relay that the operator names. Optional; without it links are shown.
//!
//! What always holds: nobody waits for a relay. A letter is queued, or turned away when the queue is full, and
//! a few at a time are handed over, each within [`SENDING`]. Nothing but our own templates (`letter`) is sent,
//! to one address each; neither links nor passwords reach the log.

mod errand;
mod letter;
mod relay;

pub(crate) use errand::{Errand, InvitationErrand, ResetErrand};
pub use relay::{MailRefused, MailSettings};

use errand::carry_out;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tenancy::Tenancy;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// How long handing over one letter may take, from the connection to the relay's last word.
pub const SENDING: Duration = Duration::from_secs(10);
/// Letters that wait: an admin who invites a whole company one by one does not notice a slow relay.
const MOST_WAITING: usize = 256;
/// Connections to the relay at once; many of them allow no more than a few.
const AT_ONCE: usize = 4;

/// The way out for letters. One task takes them from the queue; [`Mailer::close`] ends it.
pub(crate) struct Mailer {
    queue: Mutex<Option<mpsc::Sender<Errand>>>,
    postman: Mutex<Option<JoinHandle<()>>>,
}

impl Mailer {
    pub(crate) fn start(settings: MailSettings, tenancy: Tenancy) -> Self {
        let (queue, errands) = mpsc::channel(MOST_WAITING);
        let postman = tokio::spawn(work(errands, Arc::new(settings), tenancy));
        Self { queue: Mutex::new(Some(queue)), postman: Mutex::new(Some(postman)) }
    }

    /// False: too many wait already, or the server is closing.
    pub(crate) fn post(&self, errand: Errand) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().is_some_and(|queue| queue.try_send(errand).is_ok())
    }

    /// Takes nothing more, and lets what waits go out for as long as one letter may take.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let postman = self.postman.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut postman) = postman else { return };
        if timeout(SENDING, &mut postman).await.is_err() {
            postman.abort();
            tracing::warn!("some letters were not sent before the server closed");
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailer(…)")
    }
}

async fn work(mut errands: mpsc::Receiver<Errand>, settings: Arc<MailSettings>, tenancy: Tenancy) {
    let (under_way, places) = (TaskTracker::new(), Arc::new(Semaphore::new(AT_ONCE)));
    while let Some(errand) = errands.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (settings, tenancy) = (Arc::clone(&settings), tenancy.clone());
        under_way.spawn(async move {
            carry_out(errand, &settings, &tenancy).await;
            drop(place);
        });
    }
    under_way.close();
    under_way.wait().await;
}
