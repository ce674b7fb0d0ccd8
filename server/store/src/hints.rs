//! Hints: “there may be something new about this”, told to whoever waits, in this process and in all others.
//!
//! A hint may be lost, late or repeated, and says nothing but its topic: opaque ids, never text. Whoever waits asks
//! the database now and then all the same, so that hints only ever make things sooner. On PostgreSQL they travel
//! between processes by `LISTEN` and `NOTIFY` (`postgres/hints.rs`); on SQLite there is one process.

use crate::{
    Location,
    location::Place,
    postgres::{Telegraph, start_telegraph},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Topics that nobody waits for any more are forgotten when so many have gathered.
const TIDY_AT: usize = 256;

/// Tells and hears hints. Cheap to clone; clones are one.
#[derive(Clone)]
pub struct Hints {
    ears: Ears,
    /// None: there is no other process.
    telegraph: Option<Arc<Telegraph>>,
}

/// Who waits in this process, by topic.
#[derive(Clone, Default)]
pub(crate) struct Ears(Arc<Mutex<HashMap<String, watch::Sender<()>>>>);

/// Waits for hints about one topic. Each counts from the moment this was made.
#[derive(Debug, Clone)]
pub struct Hint(watch::Receiver<()>);

impl Hints {
    /// Must be called within a runtime, on which it listens until it is closed or dropped.
    pub fn open(location: &Location) -> Self {
        let ears = Ears::default();
        let telegraph = match &location.0 {
            Place::Files(_) => None,
            Place::Postgres(options) => Some(Arc::new(start_telegraph(options, ears.clone()))),
        };
        Self { ears, telegraph }
    }

    /// Tells whoever waits for the topic. Never waits; where too much is to be told, some of it is not.
    pub fn tell(&self, topic: &str) {
        self.ears.tell(topic);
        if let Some(telegraph) = &self.telegraph {
            telegraph.send(topic);
        }
    }

    /// Whether there are other processes to tell; without them nothing is sent.
    pub fn set_company(&self, others: bool) {
        if let Some(telegraph) = &self.telegraph {
            telegraph.set_company(others);
        }
    }

    pub fn about(&self, topic: &str) -> Hint {
        self.ears.about(topic)
    }

    /// Stops listening and telling.
    pub async fn close(&self) {
        if let Some(telegraph) = &self.telegraph {
            telegraph.close().await;
        }
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hints(…)")
    }
}

impl Ears {
    pub(crate) fn tell(&self, topic: &str) {
        if let Some(sender) = self.topics().get(topic) {
            sender.send_replace(());
        }
    }

    /// Something may have been missed.
    pub(crate) fn tell_all(&self) {
        for sender in self.topics().values() {
            sender.send_replace(());
        }
    }

    fn about(&self, topic: &str) -> Hint {
        let mut topics = self.topics();
        if topics.len() >= TIDY_AT {
            topics.retain(|_, sender| sender.receiver_count() > 0);
        }
        Hint(topics.entry(topic.to_owned()).or_insert_with(|| watch::Sender::new(())).subscribe())
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        // The map is consistent between any two of its operations, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hint {
    /// Resolves when there was a hint since this was made, or since it last resolved.
    pub async fn came(&mut self) {
        if self.0.changed().await.is_err() {
            // The ears are gone: whoever waits has its own clock.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_hint_reaches_whoever_waits_for_its_topic_and_is_heard_once() {
        let hints = Hints::open(&Location::files("nowhere"));
        let (mut one, mut other) = (hints.about("run/1"), hints.about("run/2"));
        hints.tell("run/1");
        hints.tell("run/1");
        one.came().await;
        assert!(one.came().now_or_never().is_none());
        assert!(other.came().now_or_never().is_none());
        hints.ears.tell_all();
        other.came().await;
    }

    #[tokio::test]
    async fn topics_that_nobody_waits_for_are_forgotten() {
        let hints = Hints::open(&Location::files("nowhere"));
        let kept = hints.about("kept");
        for number in 0..10 * TIDY_AT {
            drop(hints.about(&number.to_string()));
        }
        assert!(hints.ears.topics().len() <= TIDY_AT);
        drop(kept);
    }
}
