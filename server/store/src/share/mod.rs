//! A tenant's share of the processors: one that works as fast as it can must not slow another down.
//!
//! Work of a tenant (a request, a run) is a future that is polled only while its tenant may be at work. Without a
//! second tenant everybody may. With one, a tenant's first piece of work may always go on, and further ones only
//! while a processor is left for others; the rest waits in line. So whoever does little waits for nobody, and
//! whoever does much waits for itself.
//!
//! A piece of work is at work while it is polled, and while SQLite works for it or it waits for SQLite's writer
//! ([`Busy`]): that is where the time goes. Waiting for a model, a reader or a timer is not work. Nobody waits in line
//! for longer than [`PATIENCE`]: whatever holds up the line, nothing stands still for good.

mod floor;
mod working;

pub use working::Working;

use contract::TenantId;
use floor::Floor;
use std::{
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long a piece of work waits in line at most.
const PATIENCE: Duration = Duration::from_millis(100);

/// The processors are the process's, whatever is open in it.
static FLOOR: LazyLock<Floor> =
    LazyLock::new(|| Floor::of(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)));

tokio::task_local! {
    /// The piece of work that is polled now.
    static CURRENT: Arc<Piece>;
}

/// A piece of work: whose it is, once that is known, and in how many ways it wants SQLite now.
#[derive(Debug, Default)]
struct Piece {
    tenant: OnceLock<TenantId>,
    busy: AtomicUsize,
}

impl Piece {
    fn of(tenant: Option<TenantId>) -> Self {
        let piece = Self::default();
        if let Some(tenant) = tenant {
            let _ = piece.tenant.set(tenant);
        }
        piece
    }

    fn tenant(&self) -> Option<TenantId> {
        self.tenant.get().copied()
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }
}

/// Work of which it is not known yet whose it is: nobody's, until it says so itself by [`belongs_to`].
pub fn of_whoever<F>(work: F) -> Working<F> {
    Working::new(&FLOOR, None, work)
}

/// What the work that is polled now leaves to a task of its own: of the same tenant, if it is a tenant's at all.
pub fn split<F>(work: F) -> Working<F> {
    Working::new(&FLOOR, current(), work)
}

/// Whose the work is that is polled now.
pub fn current() -> Option<TenantId> {
    CURRENT.try_with(|piece| piece.tenant()).ok().flatten()
}

/// The work that is polled now is this tenant's from here on. Work that is a tenant's already stays that one's.
pub fn belongs_to(tenant: TenantId) {
    let _ = CURRENT.try_with(|piece| piece.tenant.set(tenant));
}

/// SQLite is wanted by the piece of work that is polled now, until this is dropped.
pub(crate) struct Busy(Option<Arc<Piece>>);

impl Busy {
    pub(crate) fn now() -> Self {
        let piece = CURRENT.try_with(Arc::clone).ok();
        if let Some(piece) = &piece {
            piece.busy.fetch_add(1, Ordering::Relaxed);
        }
        Self(piece)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(piece) = &self.0 {
            piece.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
