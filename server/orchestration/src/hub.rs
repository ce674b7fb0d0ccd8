//! Which runs live in this process: how far each is stored, and the way to stop it.
//!
//! Nothing of an answer passes through here, only the number of its last stored event; readers fetch the
//! rows themselves. So a reader can neither miss nor repeat an event, and a slow one holds nothing.

use crate::{ChatError, elsewhere::topic_of_run, places::Place};
use contract::{NodeId, Problem, RunId, TenantId};
use metrics::gauge;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use store::{Hints, TenantStore};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker, task::task_tracker::TaskTrackerToken};

/// Why a run is ended before its answer is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndCause {
    Member,
    Shutdown,
    /// The other nodes took this one for dead; they have ended the run, or are about to.
    Removed,
}

/// How far a run has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// The number of the last stored event.
    pub last_seq: i64,
    /// Set when no further event will come although the last one is not terminal: the end could not be stored.
    pub lost: Option<Box<Problem>>,
    /// Nothing follows.
    pub ended: bool,
}

#[derive(Debug)]
struct Live {
    progress: watch::Receiver<Progress>,
    stop: StopSwitch,
    node: NodeId,
}

/// Ends a run early; the first cause counts.
#[derive(Debug, Clone)]
pub(crate) struct StopSwitch {
    cancel: CancellationToken,
    cause: Arc<OnceLock<EndCause>>,
}

impl StopSwitch {
    fn new() -> Self {
        Self { cancel: CancellationToken::new(), cause: Arc::default() }
    }

    fn press(&self, cause: EndCause) {
        // Whoever comes second finds it pressed already.
        let _ = self.cause.set(cause);
        self.cancel.cancel();
    }

    pub(crate) fn cause(&self) -> Option<EndCause> {
        self.cause.get().copied()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.cancel
    }
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<(TenantId, RunId), Live>,
    /// Over, and their end could not be stored.
    unended: Vec<(TenantStore, RunId)>,
    closing: bool,
}

/// All live runs of this process.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
    tasks: TaskTracker,
    /// For readers in other processes.
    hints: Hints,
}

/// A run's place in the hub; its task holds it. Dropped, the run no longer lives.
#[derive(Debug)]
pub(crate) struct LiveRun {
    hub: Hub,
    key: (TenantId, RunId),
    progress: watch::Sender<Progress>,
    stop: StopSwitch,
    topic: String,
    /// Says to the other nodes where they would have to look for it.
    place: Arc<Place>,
    /// Shutdown waits for it.
    _counted: TaskTrackerToken,
}

impl Hub {
    pub(crate) fn new(hints: Hints) -> Self {
        Self { state: Arc::default(), tasks: TaskTracker::new(), hints }
    }

    /// Takes a new run in, before anything of it is stored.
    pub(crate) fn register(&self, tenant: TenantId, run: RunId, place: Arc<Place>) -> Result<LiveRun, ChatError> {
        let (progress, receiver) = watch::channel(Progress::default());
        let stop = StopSwitch::new();
        let mut state = self.state();
        if state.closing {
            return Err(ChatError::ShuttingDown);
        }
        state.runs.insert((tenant, run), Live { progress: receiver, stop: stop.clone(), node: place.node() });
        gauge!("seam_runs_active").increment(1);
        drop(state);
        let topic = topic_of_run(run);
        Ok(LiveRun {
            hub: self.clone(),
            key: (tenant, run),
            progress,
            stop,
            topic,
            place,
            _counted: self.tasks.token(),
        })
    }

    /// Follows a run; none when it does not live here.
    pub(crate) fn watch(&self, tenant: TenantId, run: RunId) -> Option<watch::Receiver<Progress>> {
        self.state().runs.get(&(tenant, run)).map(|live| live.progress.clone())
    }

    pub(crate) fn is_live(&self, tenant: TenantId, run: RunId) -> bool {
        self.state().runs.contains_key(&(tenant, run))
    }

    /// Ends a run early; false when it does not live here.
    pub(crate) fn stop(&self, tenant: TenantId, run: RunId, cause: EndCause) -> bool {
        let switch = self.state().runs.get(&(tenant, run)).map(|live| live.stop.clone());
        match switch {
            Some(switch) => {
                switch.press(cause);
                true
            }
            None => false,
        }
    }

    /// From now on no run starts.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.tasks.close();
    }

    /// Ends every run of a tenant that lives here.
    pub(crate) fn stop_tenant(&self, tenant: TenantId, cause: EndCause) {
        let state = self.state();
        let of_tenant = state.runs.iter().filter(|((whose, _), _)| *whose == tenant);
        let switches: Vec<_> = of_tenant.map(|(_, live)| live.stop.clone()).collect();
        drop(state);
        for switch in switches {
            switch.press(cause);
        }
    }

    pub(crate) fn stop_all(&self, cause: EndCause) {
        let switches: Vec<_> = self.state().runs.values().map(|live| live.stop.clone()).collect();
        for switch in switches {
            switch.press(cause);
        }
    }

    /// Lets go of runs that were begun under another id of this node than `me`: they were taken from it.
    pub(crate) fn stop_of_others(&self, me: NodeId) {
        let taken: Vec<_> =
            self.state().runs.values().filter(|live| live.node != me).map(|live| live.stop.clone()).collect();
        for switch in taken {
            switch.press(EndCause::Removed);
        }
    }

    /// Keeps a run in mind whose end could not be stored, to be tried again.
    pub(crate) fn leave_unended(&self, store: TenantStore, run: RunId) {
        self.state().unended.push((store, run));
    }

    pub(crate) fn has_unended(&self) -> bool {
        !self.state().unended.is_empty()
    }

    pub(crate) fn take_unended(&self) -> Vec<(TenantStore, RunId)> {
        std::mem::take(&mut self.state().unended)
    }

    /// Waits until no run lives; only after `close`.
    pub(crate) async fn all_ended(&self) {
        self.tasks.wait().await;
    }

    /// The owner of the tasks that drive runs.
    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The map is consistent between any two of its operations, so a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveRun {
    /// Tells readers that events up to `last_seq` are stored.
    pub(crate) fn stored(&self, last_seq: i64) {
        self.progress.send_modify(|progress| progress.last_seq = progress.last_seq.max(last_seq));
        self.hub.hints.tell(&self.topic);
    }

    /// Tells readers that the run is over and its end could not be stored; it is tried again later.
    pub(crate) fn lost(&self, store: TenantStore, problem: Problem) {
        self.hub.leave_unended(store, self.key.1);
        self.progress.send_modify(|progress| progress.lost = Some(Box::new(problem)));
    }

    /// The node as which the run is driven.
    pub(crate) fn node(&self) -> NodeId {
        self.place.node()
    }

    pub(crate) const fn stop(&self) -> &StopSwitch {
        &self.stop
    }
}

impl Drop for LiveRun {
    fn drop(&mut self) {
        self.hub.state().runs.remove(&self.key);
        gauge!("seam_runs_active").decrement(1);
        self.progress.send_modify(|progress| progress.ended = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Location;

    fn hub() -> Hub {
        Hub::new(Hints::open(&Location::files("unused")))
    }

    fn register(hub: &Hub, tenant: TenantId, run: RunId) -> Result<LiveRun, ChatError> {
        hub.register(tenant, run, Arc::new(Place::for_test(tenant)))
    }

    #[tokio::test]
    async fn a_dropped_run_is_gone_and_its_readers_are_told() {
        let hub = hub();
        let (tenant, run) = (TenantId::new(), RunId::new());
        let live = register(&hub, tenant, run).unwrap();
        let mut reader = hub.watch(tenant, run).unwrap();
        live.stored(3);
        live.stored(2);
        assert_eq!(reader.borrow_and_update().last_seq, 3);
        drop(live);
        assert!(reader.borrow_and_update().ended);
        assert!(hub.watch(tenant, run).is_none());
        assert!(!hub.stop(tenant, run, EndCause::Member));
    }

    #[tokio::test]
    async fn a_closed_hub_takes_no_run_and_waits_for_those_it_has() {
        let hub = hub();
        let tenant = TenantId::new();
        let live = register(&hub, tenant, RunId::new()).unwrap();
        hub.close();
        assert!(matches!(register(&hub, tenant, RunId::new()), Err(ChatError::ShuttingDown)));
        let waiting = hub.clone();
        let waiter = tokio::spawn(async move { waiting.all_ended().await });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        hub.stop_all(EndCause::Shutdown);
        assert_eq!(live.stop().cause(), Some(EndCause::Shutdown));
        drop(live);
        waiter.await.unwrap();
    }

    #[tokio::test]
    async fn runs_of_an_earlier_id_of_this_node_are_let_go() {
        let (hub, tenant) = (hub(), TenantId::new());
        let (ours, taken) =
            (register(&hub, tenant, RunId::new()).unwrap(), register(&hub, tenant, RunId::new()).unwrap());
        hub.stop_of_others(ours.node());
        assert_eq!((ours.stop().cause(), taken.stop().cause()), (None, Some(EndCause::Removed)));
    }

    #[test]
    fn the_first_cause_counts() {
        let switch = StopSwitch::new();
        switch.press(EndCause::Member);
        switch.press(EndCause::Shutdown);
        assert_eq!(switch.cause(), Some(EndCause::Member));
        assert!(switch.token().is_cancelled());
    }
}
