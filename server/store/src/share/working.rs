//! A future that goes on only while its tenant may be at work.

use super::{
    CURRENT, PATIENCE, Piece,
    floor::{Floor, Ticket},
};
use contract::TenantId;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    /// Work that takes turns with that of its tenant.
    #[must_use = "futures do nothing unless polled"]
    pub struct Working<F> {
        turn: Turn,
        #[pin]
        work: F,
    }
}

impl<F> Working<F> {
    pub(super) fn new(floor: &'static Floor, tenant: Option<TenantId>, work: F) -> Self {
        let piece = Arc::new(Piece::of(tenant));
        Self { turn: Turn { floor, piece, inside: false, ticket: None, patience: None }, work }
    }

    /// Goes on by `step` when it may; for what is polled otherwise than a future.
    pub fn poll_with<T>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut F>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let this = self.project();
        let (turn, work) = (this.turn, this.work);
        // Within work that has its turn already there is nothing to wait for.
        if CURRENT.try_with(|_| ()).is_ok() {
            return step(work, context);
        }
        ready!(turn.come(context));
        let went = CURRENT.sync_scope(Arc::clone(&turn.piece), || step(work, context));
        if went.is_ready() || !turn.piece.is_busy() {
            turn.go();
        }
        went
    }
}

impl<F: Future> Future for Working<F> {
    type Output = F::Output;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.poll_with(context, Future::poll)
    }
}

/// Whether a piece of work is at work, or waits in line.
struct Turn {
    floor: &'static Floor,
    piece: Arc<Piece>,
    inside: bool,
    ticket: Option<Ticket>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Turn {
    fn come(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(tenant) = self.piece.tenant() else { return Poll::Ready(()) };
        if self.inside {
            return Poll::Ready(());
        }
        let waits = self.ticket.is_some();
        if !self.floor.enter(tenant, &mut self.ticket, context.waker()) {
            let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
            if !waits {
                patience.as_mut().reset(Instant::now() + PATIENCE);
            }
            ready!(patience.as_mut().poll(context));
            self.floor.force(tenant, &mut self.ticket);
        }
        self.inside = true;
        Poll::Ready(())
    }

    fn go(&mut self) {
        if let (true, Some(tenant)) = (std::mem::take(&mut self.inside), self.piece.tenant()) {
            self.floor.leave(tenant);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.go();
        if let (Some(ticket), Some(tenant)) = (self.ticket.take(), self.piece.tenant()) {
            self.floor.give_up(tenant, ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::{Busy, belongs_to, current};
    use futures::{FutureExt, poll};
    use std::{future::pending, pin::pin, sync::LazyLock, task::Poll::Ready};
    use tokio::{sync::oneshot, task::yield_now};

    /// One processor, on which somebody else was just now.
    fn shared_floor() -> (&'static Floor, TenantId) {
        let (floor, other) = (Box::leak(Box::new(Floor::of(1))), TenantId::new());
        assert!(floor.enter(other, &mut None, std::task::Waker::noop()));
        floor.leave(other);
        (floor, TenantId::new())
    }

    #[tokio::test]
    async fn while_sqlite_works_for_one_the_tenants_others_wait_and_then_go_on_by_themselves() {
        let (floor, tenant) = shared_floor();
        let (done, asked) = oneshot::channel::<()>();
        let mut first = pin!(Working::new(floor, Some(tenant), async {
            let _busy = Busy::now();
            asked.await
        }));
        assert!(poll!(&mut first).is_pending());
        let second = tokio::spawn(Working::new(floor, Some(tenant), async { 2 }));
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!second.is_finished());
        assert_eq!(Working::new(floor, Some(TenantId::new()), async { 3 }).now_or_never(), Some(3), "another tenant's");
        done.send(()).unwrap();
        first.await.unwrap();
        assert_eq!(second.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn who_waits_for_something_else_than_sqlite_lets_others_go_on() {
        let (floor, tenant) = shared_floor();
        let mut waiting = pin!(Working::new(floor, Some(tenant), pending::<()>()));
        assert!(poll!(&mut waiting).is_pending());
        assert_eq!(Working::new(floor, Some(tenant), async { 2 }).now_or_never(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_stands_still_for_good_whatever_holds_up_the_line() {
        let (floor, tenant) = shared_floor();
        let mut stuck = pin!(Working::new(floor, Some(tenant), async {
            let _busy = Busy::now();
            pending::<()>().await;
        }));
        assert!(poll!(&mut stuck).is_pending());
        let begun = Instant::now();
        Working::new(floor, Some(tenant), async {}).await;
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn who_goes_away_at_work_or_in_line_leaves_room() {
        let (floor, tenant) = shared_floor();
        let mut first = Box::pin(Working::new(floor, Some(tenant), async {
            let _busy = Busy::now();
            pending::<()>().await;
        }));
        assert!(poll!(&mut first).is_pending());
        let mut second = Box::pin(Working::new(floor, Some(tenant), async {}));
        assert!(poll!(&mut second).is_pending());
        let mut third = Box::pin(Working::new(floor, Some(tenant), async {}));
        assert!(poll!(&mut third).is_pending());
        drop(second);
        drop(first);
        assert_eq!(poll!(&mut third), Ready(()));
    }

    #[tokio::test]
    async fn work_says_itself_whose_it_is_and_what_it_leaves_to_others_is_the_same_tenants() {
        static ANY: LazyLock<Floor> = LazyLock::new(|| Floor::of(1));
        let tenant = TenantId::new();
        let inherited = Working::new(&ANY, None, async {
            assert_eq!(current(), None);
            belongs_to(tenant);
            belongs_to(TenantId::new());
            yield_now().await;
            tokio::spawn(crate::share::split(async { current() })).await.unwrap()
        });
        assert_eq!(inherited.await, Some(tenant));
    }

    #[tokio::test]
    async fn work_within_work_has_its_turn_already() {
        let (floor, tenant) = shared_floor();
        let inner = Working::new(floor, Some(tenant), async { 1 });
        assert_eq!(Working::new(floor, Some(tenant), inner).now_or_never(), Some(1));
    }
}
