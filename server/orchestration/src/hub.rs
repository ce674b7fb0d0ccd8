//! Which runs live in this process: how far each is stored, and the way to stop it.
//!
//! Nothing of an answer passes through here, only the number of its last stored event; readers fetch the
//! rows themselves. So a reader can neither miss nor repeat an event, and a slow one holds nothing.

use crate::ChatError;
use contract::{Problem, RunId, TenantId};
use metrics::gauge;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker, task::task_tracker::TaskTrackerToken};

/// Why a run is ended before its answer is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndCause {
    Member,
    Shutdown,
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
    closing: bool,
}

/// All live runs of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
    tasks: TaskTracker,
}

/// A run's place in the hub; its task holds it. Dropped, the run no longer lives.
#[derive(Debug)]
pub(crate) struct LiveRun {
    hub: Hub,
    key: (TenantId, RunId),
    progress: watch::Sender<Progress>,
    stop: StopSwitch,
    /// Shutdown waits for it.
    _counted: TaskTrackerToken,
}

impl Hub {
    /// Gives a new run its place, before anything of it is stored.
    pub(crate) fn register(&self, tenant: TenantId, run: RunId) -> Result<LiveRun, ChatError> {
        let (progress, receiver) = watch::channel(Progress::default());
        let stop = StopSwitch::new();
        let mut state = self.state();
        if state.closing {
            return Err(ChatError::ShuttingDown);
        }
        state.runs.insert((tenant, run), Live { progress: receiver, stop: stop.clone() });
        gauge!("seam_runs_active").increment(1);
        drop(state);
        Ok(LiveRun { hub: self.clone(), key: (tenant, run), progress, stop, _counted: self.tasks.token() })
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
    }

    /// Tells readers that the run is over and its end could not be stored.
    pub(crate) fn lost(&self, problem: Problem) {
        self.progress.send_modify(|progress| progress.lost = Some(Box::new(problem)));
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

    #[tokio::test]
    async fn a_dropped_run_is_gone_and_its_readers_are_told() {
        let hub = Hub::default();
        let (tenant, run) = (TenantId::new(), RunId::new());
        let live = hub.register(tenant, run).unwrap();
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
        let hub = Hub::default();
        let tenant = TenantId::new();
        let live = hub.register(tenant, RunId::new()).unwrap();
        hub.close();
        assert!(matches!(hub.register(tenant, RunId::new()), Err(ChatError::ShuttingDown)));
        let waiting = hub.clone();
        let waiter = tokio::spawn(async move { waiting.all_ended().await });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        hub.stop_all(EndCause::Shutdown);
        assert_eq!(live.stop().cause(), Some(EndCause::Shutdown));
        drop(live);
        waiter.await.unwrap();
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
