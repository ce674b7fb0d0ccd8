//! Hints between processes: one connection listens, one tells, for the whole process.
//!
//! Telling is no part of the transaction that gives cause to it: PostgreSQL lets transactions that notify commit one
//! by one, and an answer would wait for all others at each word. What is told meanwhile is gathered and sent at once.

use super::{CONTROL, plane::settings};
use crate::{StoreError, hints::Ears};
use sqlx::{
    AssertSqlSafe, Executor, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

const CHANNEL: &str = "seam";
const TELL: &str = "SELECT pg_notify('seam', topic) FROM unnest($1::text[]) AS topic";

/// Topics waiting to be told: more than a node's answers give cause to between two messages. Beyond it hints are
/// lost, which costs their readers a moment.
const QUEUE: usize = 4096;
/// Between two messages, so that a fast model does not fill PostgreSQL's queue with the same few topics.
const GATHER: Duration = Duration::from_millis(5);
const RECONNECT: Duration = Duration::from_millis(500);

/// The process's end of the line. Dropped, it falls silent.
pub(crate) struct Telegraph {
    queue: mpsc::Sender<String>,
    company: AtomicBool,
    pool: PgPool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

pub(crate) fn start_telegraph(options: &PgConnectOptions, ears: Ears) -> Telegraph {
    let as_role = format!("SET ROLE {}; SET synchronous_commit = off", CONTROL.role);
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            let as_role = as_role.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(as_role)).await.map(|_| ()) })
        })
        .connect_lazy_with(settings(options, &CONTROL, false));
    let (queue, topics) = mpsc::channel(QUEUE);
    let tasks =
        vec![tokio::spawn(listen_for_ever(pool.clone(), ears)), tokio::spawn(tell_for_ever(pool.clone(), topics))];
    Telegraph { queue, company: AtomicBool::new(true), pool, tasks: Mutex::new(tasks) }
}

impl Telegraph {
    pub(crate) fn send(&self, topic: &str) {
        if self.company.load(Ordering::Relaxed) {
            // Full: a hint less.
            let _ = self.queue.try_send(topic.to_owned());
        }
    }

    pub(crate) fn set_company(&self, others: bool) {
        self.company.store(others, Ordering::Relaxed);
    }

    pub(crate) async fn close(&self) {
        self.abort();
        self.pool.close().await;
    }

    fn abort(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl Drop for Telegraph {
    fn drop(&mut self) {
        self.abort();
    }
}

async fn listen_for_ever(pool: PgPool, ears: Ears) {
    loop {
        if let Err(error) = listen(&pool, &ears).await {
            tracing::debug!(%error, "hints cannot be heard for now; readers ask by themselves");
        }
        ears.tell_all();
        sleep(RECONNECT).await;
    }
}

/// Until the connection is lost.
async fn listen(pool: &PgPool, ears: &Ears) -> Result<(), StoreError> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What was told while nobody listened.
    ears.tell_all();
    while let Some(hint) = listener.try_recv().await? {
        ears.tell(hint.payload());
    }
    Ok(())
}

async fn tell_for_ever(pool: PgPool, mut topics: mpsc::Receiver<String>) {
    while let Some(first) = topics.recv().await {
        let mut gathered = HashSet::from([first]);
        while let Ok(more) = topics.try_recv() {
            gathered.insert(more);
        }
        let gathered: Vec<String> = gathered.into_iter().collect();
        if let Err(error) = sqlx::query(TELL).bind(gathered).execute(&pool).await {
            tracing::debug!(%error, "hints cannot be told for now; readers ask by themselves");
            sleep(RECONNECT).await;
        }
        sleep(GATHER).await;
    }
}
