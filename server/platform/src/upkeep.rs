//! What a node does now and then: it beats, takes requests to stop runs, and ends what nodes left open that are no more.

use crate::OpenError;
use metering::Metering;
use metrics::gauge;
use nodes::{Nodes, Turn};
use orchestration::Chats;
use std::time::Duration;
use tenancy::Tenancy;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// What another node removed is looked for this often: it may have died in the middle of ending it.
const SWEEP: Duration = Duration::from_secs(5);

/// The layers that have something to end.
#[derive(Clone)]
pub(crate) struct Caretaker {
    pub nodes: Nodes,
    pub tenancy: Tenancy,
    pub metering: Metering,
    pub chats: Chats,
}

/// The task that takes care; dropped, it ends.
pub(crate) struct Upkeep {
    stop: CancellationToken,
    tasks: TaskTracker,
    _guard: DropGuard,
}

/// Between two turns.
struct State {
    /// When it was last looked for what others left.
    swept: Instant,
    /// The last turn failed.
    failing: bool,
}

impl Upkeep {
    /// Ends the task where it stands between two turns.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Caretaker {
    pub fn start(self) -> Upkeep {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(self.take_care(stop.clone()));
        tasks.close();
        Upkeep { _guard: stop.clone().drop_guard(), stop, tasks }
    }

    /// Ends what nodes did not that are no more: attempts in the ledger first, then the runs that made them.
    pub async fn recover(&self) -> Result<(), OpenError> {
        let attempts = self.metering.resolve_abandoned().await?;
        let (mut runs, mut failed) = (0, false);
        loop {
            let places = self.chats.abandoned().await?;
            for place in &places {
                let scope = place.tenant_exists.then(|| self.tenancy.upkeep_scope(place.tenant()));
                match self.chats.recover(*place, scope.as_ref()).await {
                    Ok(ended) => runs += ended,
                    Err(error) => {
                        failed = true;
                        tracing::error!(tenant = %place.tenant(), %error, "the tenant's open runs could not be ended");
                    }
                }
            }
            // What could not be ended would only come again; it waits for the next time.
            if places.is_empty() || failed {
                break;
            }
        }
        if attempts + runs > 0 {
            tracing::warn!(attempts, runs, "a Seam ended in the middle of answers; they are closed now");
        }
        Ok(())
    }

    async fn take_care(self, stop: CancellationToken) {
        let mut ticks = interval(self.nodes.pace());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut state = State { swept: Instant::now(), failing: false };
        let (mut me, mut stops) = (self.nodes.id(), self.chats.stop_hint());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = stops.came() => self.chats.take_stops().await,
                _ = ticks.tick() => self.turn(&mut state).await,
            }
            if me != self.nodes.id() {
                (me, stops) = (self.nodes.id(), self.chats.stop_hint());
            }
        }
    }

    async fn turn(&self, state: &mut State) {
        let Turn { rejoined, removed, others } = match self.nodes.turn().await {
            Ok(turn) => turn,
            Err(error) => {
                // Said once, not twice a second for as long as the database is away.
                if !std::mem::replace(&mut state.failing, true) {
                    tracing::warn!(%error, "this node cannot tell the others that it lives");
                }
                return;
            }
        };
        if std::mem::replace(&mut state.failing, false) {
            tracing::info!("this node tells the others again that it lives");
        }
        gauge!("seam_nodes").set(others as f64 + 1.0);
        self.chats.tend().await;
        if rejoined || !removed.is_empty() || state.swept.elapsed() >= SWEEP {
            state.swept = Instant::now();
            if let Err(error) = self.recover().await {
                tracing::warn!(%error, "what other nodes left open could not be looked for");
            }
        }
    }
}
