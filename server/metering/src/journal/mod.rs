//! The ledger's journal, for the process that is the only one to write: an entry is a line in a file before anybody acts
//! upon it, and a row of the table some milliseconds later, together with what came meanwhile.
//!
//! What always holds: a line outlives the process however it ends, and the next start brings the table up to it. A row
//! has reached the disk; a line may be lost with the power, which is the price for answers that wait for no disk
//! (docs/adr/0016).
//!
//! `segments.rs` are the files, `entry.rs` the lines, `table.rs` writes rows, `replay.rs` is the next start,
//! `unread.rs` what that could not read.

mod entry;
mod replay;
mod segments;
mod table;
mod unread;

pub(crate) use entry::{Ended, Entry, Key};

use crate::MeteringError;
use contract::{NodeId, TenantId, Timestamp};
use segments::Segments;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use store::{ControlStore, StoreError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// So long entries wait for company. It costs nobody time, and bounds what a loss of power can take.
const GATHERING: Duration = Duration::from_millis(50);
/// So long the beginning of an attempt waits for its end, so that both are one row at once.
const WITHHELD: Duration = Duration::from_secs(1);
/// So many go into the table at once: the control plane's other writers wait for so long.
const LOT: usize = 1_000;
/// With so many that are not in the table nothing new begins.
const MOST_WAITING: usize = 50_000;
/// So many attempts are remembered as recorded; what is older is refused by the table's key.
const REMEMBERED: usize = 4_096;
/// Between tries of a table that cannot be written.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

/// An attempt that has not ended yet.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub provider: String,
    pub model: String,
    pub dispatched_at: Timestamp,
    pub own_key: bool,
}

/// Cheap to clone. When the last one goes, what waits is written.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Arc<Inner>,
    _ends: Arc<DropGuard>,
}

struct Inner {
    control: ControlStore,
    book: Mutex<Book>,
    /// Something waits.
    came: Notify,
    /// Somebody wants to read the table.
    wanted: Notify,
    /// How far the table is.
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    in_table: u64,
    /// How often in a row it could not be written.
    failures: usize,
}

/// An entry and its number.
type Numbered = (u64, Entry);

struct Book {
    segments: Segments,
    /// Entries so far. Each has a number, from one.
    written: u64,
    waiting: VecDeque<Numbered>,
    /// Beginnings of attempts that were taken before and have waited for their ends since.
    withheld: Vec<(Numbered, Instant)>,
    /// So far somebody wants the table to be.
    wanted: u64,
    open: HashMap<Key, Open>,
    recent: Recent,
    /// Tenants that are being deleted, or were.
    closed: HashSet<TenantId>,
}

impl Journal {
    /// Brings the table up to what an earlier process left in the directory, and begins anew.
    pub async fn open(control: ControlStore, directory: &Path) -> Result<Self, MeteringError> {
        replay::replay(&control, directory).await?;
        let segments = Segments::begin(directory).map_err(MeteringError::Journal)?;
        let book = Book {
            segments,
            written: 0,
            waiting: VecDeque::new(),
            withheld: Vec::new(),
            wanted: 0,
            open: HashMap::new(),
            recent: Recent::default(),
            closed: HashSet::new(),
        };
        let inner = Arc::new(Inner {
            control,
            book: Mutex::new(book),
            came: Notify::new(),
            wanted: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
        });
        let ends = CancellationToken::new();
        tokio::spawn(Arc::clone(&inner).keep_up(ends.clone()));
        Ok(Self { inner, _ends: Arc::new(ends.drop_guard()) })
    }

    /// Brings the table up to what a process left that is no more.
    pub async fn recover(control: &ControlStore, directory: &Path) -> Result<(), MeteringError> {
        replay::replay(control, directory).await
    }

    /// Takes away what the lines say of a tenant that could not be read.
    pub fn forget_unread(directory: &Path, tenant: TenantId) -> Result<(), MeteringError> {
        unread::forget(directory, tenant).map_err(MeteringError::Journal)
    }

    /// Notes that an attempt begins.
    pub fn intent(&self, intent: &crate::Intent, node: NodeId) -> Result<(), MeteringError> {
        let entry = Entry::Intent { intent: intent.clone(), node };
        let open = Open {
            provider: intent.provider.clone(),
            model: intent.provider_model.clone(),
            dispatched_at: intent.dispatched_at,
            own_key: intent.own_key,
        };
        let mut book = self.inner.book();
        book.admit(entry.key())?;
        let key = self.inner.add(&mut book, entry)?;
        book.open.insert(key, open);
        Ok(())
    }

    /// Notes an answer that was there already.
    pub fn hit(&self, hit: &crate::CacheHit, at: Timestamp) -> Result<(), MeteringError> {
        let entry = Entry::Hit { hit: hit.clone(), at };
        let mut book = self.inner.book();
        book.admit(entry.key())?;
        self.inner.add(&mut book, entry).map(drop)
    }

    /// An attempt that began here and has not ended.
    pub fn opened(&self, key: &Key) -> Option<Open> {
        self.inner.book().open.get(key).cloned()
    }

    /// Notes how an attempt ended; whether it had not ended before.
    pub fn settle(&self, ended: Ended) -> Result<bool, MeteringError> {
        let entry = Entry::Settlement(ended);
        let mut book = self.inner.book();
        let Some((key, open)) = book.open.remove_entry(&entry.key()) else { return Ok(false) };
        if let Err(error) = self.inner.add(&mut book, entry) {
            // It can be tried again.
            book.open.insert(key, open);
            return Err(error);
        }
        Ok(true)
    }

    /// Forgets what the table does not have of a tenant that is being deleted, and takes nothing more of it.
    pub async fn close_tenant(&self, tenant: TenantId) -> Result<(), MeteringError> {
        {
            let mut book = self.inner.book();
            book.closed.insert(tenant);
            book.waiting.retain(|(_, entry)| entry.key().0 != tenant);
            book.withheld.retain(|((_, entry), _)| entry.key().0 != tenant);
            book.open.retain(|(of, _, _), _| *of != tenant);
            let written = book.written;
            book.segments.begin_next(written).map_err(MeteringError::Journal)?;
            unread::forget(book.segments.directory(), tenant).map_err(MeteringError::Journal)?;
        }
        // What was on its way is in the table after this, where the deletion finds it, and no file has its lines.
        self.caught_up().await
    }

    pub fn has_closed(&self, tenant: TenantId) -> bool {
        self.inner.book().closed.contains(&tenant)
    }

    /// The tenant is here again, from an archive.
    pub fn open_tenant(&self, tenant: TenantId) {
        self.inner.book().closed.remove(&tenant);
    }

    /// Returns when the table has all that was written before.
    pub async fn caught_up(&self) -> Result<(), MeteringError> {
        let mut progress = self.inner.progress.subscribe();
        let goal = {
            let mut book = self.inner.book();
            if progress.borrow().in_table >= book.written {
                return Ok(());
            }
            book.wanted = book.written;
            book.written
        };
        let before = progress.borrow().failures;
        self.inner.wanted.notify_one();
        // The sender lives as long as this journal.
        let reached = progress.wait_for(|now| now.in_table >= goal || now.failures > before).await;
        if reached.is_ok_and(|now| now.in_table >= goal) { Ok(()) } else { Err(MeteringError::Behind) }
    }
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics between two changes that belong together.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the line; after this it may be acted upon.
    fn add(&self, book: &mut Book, entry: Entry) -> Result<Key, MeteringError> {
        let mut line = serde_json::to_vec(&entry).map_err(|error| MeteringError::Journal(error.into()))?;
        line.push(b'\n');
        book.segments.append(&line).map_err(MeteringError::Journal)?;
        let key = entry.key();
        book.recent.add(key);
        book.written += 1;
        let number = book.written;
        book.waiting.push_back((number, entry));
        if book.waiting.len() == 1 {
            self.came.notify_one();
        }
        Ok(key)
    }

    /// Writes what waits, until nobody adds anything any more.
    async fn keep_up(self: Arc<Self>, ends: CancellationToken) {
        loop {
            let withholds = !self.book().withheld.is_empty();
            tokio::select! {
                () = ends.cancelled() => {}
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(WITHHELD), if withholds => {}
                () = self.came.notified() => tokio::select! {
                    () = tokio::time::sleep(GATHERING) => {}
                    () = self.wanted.notified() => {}
                    () = ends.cancelled() => {}
                },
            }
            let last = ends.is_cancelled();
            if last {
                let mut book = self.book();
                book.wanted = book.written;
            }
            self.write_waiting(&ends).await;
            if last {
                return;
            }
        }
    }

    /// Writes what waits now. What comes meanwhile gathers again: else each sync would have the few that came during the one
    /// before.
    async fn write_waiting(&self, ends: &CancellationToken) {
        loop {
            let lot = self.next_lot();
            while !lot.is_empty()
                && let Err(error) = table::write(&self.control, &lot).await
            {
                if ends.is_cancelled() {
                    tracing::warn!(%error, "the ledger's last entries are left to the next start");
                    return;
                }
                self.failed(&error, ends).await;
            }
            // Also when nothing was on its way: what was forgotten counts as written.
            self.in_table();
            if lot.len() < LOT {
                return;
            }
        }
    }

    async fn failed(&self, error: &StoreError, ends: &CancellationToken) {
        let mut failures = 0;
        self.progress.send_modify(|progress| {
            failures = progress.failures;
            progress.failures += 1;
        });
        if failures == 0 {
            tracing::error!(%error, "the ledger's table cannot be written; entries wait in its journal");
        }
        let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ends.cancelled() => {}
        }
    }

    fn next_lot(&self) -> Vec<Entry> {
        let mut book = self.book();
        let lot = book.next_lot();
        let written = book.written;
        if let Err(error) = book.segments.turn_over(written) {
            tracing::warn!(%error, "the ledger's journal could not begin its next file and goes on with this one");
        }
        lot
    }

    /// The lot that was taken last, if any, is in the table.
    fn in_table(&self) {
        let mut book = self.book();
        let (in_table, written) = (book.in_table(), book.written);
        if let Err(error) = book.segments.forget(in_table, in_table == written) {
            tracing::warn!(%error, "a file of the ledger's journal could not be emptied; the next start reads it again");
        }
        drop(book);
        self.progress.send_modify(|progress| *progress = Progress { in_table, failures: 0 });
    }
}

impl Book {
    /// What is to be written next. An attempt that has just begun is left for later, unless somebody wants to see it.
    fn next_lot(&mut self) -> Vec<Entry> {
        let Self { waiting, withheld, wanted, open, .. } = self;
        let now = Instant::now();
        let ripe = |number: u64, entry: &Entry, since: Instant| {
            let begins = matches!(entry, Entry::Intent { .. }) && open.contains_key(&entry.key());
            !begins || number <= *wanted || now.duration_since(since) >= WITHHELD
        };
        let mut lot = Vec::with_capacity(LOT.min(waiting.len()));
        for ((number, entry), since) in std::mem::take(withheld) {
            if lot.len() < LOT && ripe(number, &entry, since) {
                lot.push(entry);
            } else {
                withheld.push(((number, entry), since));
            }
        }
        while lot.len() < LOT
            && let Some((number, entry)) = waiting.pop_front()
        {
            if ripe(number, &entry, now) {
                lot.push(entry);
            } else {
                withheld.push(((number, entry), now));
            }
        }
        lot
    }

    /// The table has all up to this one, once it has what was taken.
    fn in_table(&self) -> u64 {
        let first = |numbered: Option<&Numbered>| numbered.map_or(self.written, |(number, _)| number - 1);
        first(self.waiting.front()).min(first(self.withheld.first().map(|(numbered, _)| numbered)))
    }

    /// Whether an attempt may be recorded.
    fn admit(&self, key: Key) -> Result<(), MeteringError> {
        let (tenant, request, attempt) = key;
        if self.closed.contains(&tenant) {
            return Err(MeteringError::Closed { request, attempt });
        }
        if self.open.contains_key(&key) || self.recent.contains(&key) {
            return Err(MeteringError::AlreadyRecorded { request, attempt });
        }
        if self.waiting.len() >= MOST_WAITING { Err(MeteringError::Behind) } else { Ok(()) }
    }
}

/// The last attempts that were recorded.
#[derive(Default)]
struct Recent {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

impl Recent {
    fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    fn add(&mut self, key: Key) {
        if !self.keys.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}
