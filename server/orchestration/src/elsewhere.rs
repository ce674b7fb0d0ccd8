//! Runs that another node drives: following them, stopping them, and ending those whose node is no more.
//!
//! The database says how far a run has come; hints (`store::Hints`) only say that it is worth a look. A request to
//! stop is a row that the driving node takes.

use crate::{ChatError, Chats, event_log, hub::EndCause, places::AbandonedPlace, start};
use contract::{NodeId, RunId, TenantId};
use std::time::Duration;
use store::{FromRow, Hint, Row, StoreError, TenantStore};
use tenancy::Scope;

/// Between two looks at a run that is told elsewhere: right after something came, and when nothing comes for long.
const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_millis(800);

const STOP_REQUEST: &str = "
INSERT INTO run_stop (node_id, tenant_id, run_id, requested_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (node_id, tenant_id, run_id) DO NOTHING";
const STOPS_WAITING: &str = "SELECT COUNT(*) AS value FROM run_stop WHERE node_id = $1";
const STOPS_TAKE: &str = "DELETE FROM run_stop WHERE node_id = $1 RETURNING tenant_id, run_id";
const STOPS_OF_THE_DEAD: &str = "
DELETE FROM run_stop WHERE NOT EXISTS (SELECT 1 FROM node WHERE node.id = run_stop.node_id)";

/// What hints about a run are told under.
pub(crate) fn topic_of_run(run: RunId) -> String {
    format!("run/{run}")
}

/// What hints to a node are told under.
fn topic_of_node(node: NodeId) -> String {
    format!("node/{node}")
}

struct StopRow {
    tenant: TenantId,
    run: RunId,
}

impl FromRow for StopRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { tenant: row.get("tenant_id")?, run: row.get("run_id")? })
    }
}

/// When to look at a run again.
pub(crate) struct Looks {
    hint: Hint,
    pause: Duration,
}

impl Looks {
    /// Something came: more is likely.
    pub(crate) const fn soon(&mut self) {
        self.pause = SOON;
    }

    /// Until there was a hint, or long enough without one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            () = self.hint.came() => {}
            () = tokio::time::sleep(self.pause) => self.pause = (self.pause * 2).min(LATE),
        }
    }
}

impl Chats {
    /// Does what runs need now and then, [`nodes::Nodes::pace`] apart: takes requests to stop, ends what could not be
    /// ended before, and lets go of runs that were taken from this node.
    pub async fn tend(&self) {
        self.inner.hub.stop_of_others(self.inner.nodes.id());
        self.take_stops().await;
        for (store, run) in self.inner.hub.take_unended() {
            if let Err(error) = self.abandon(&store, run).await {
                tracing::debug!(%run, %error, "the end of a run can still not be stored");
                self.inner.hub.leave_unended(store, run);
            }
        }
        self.inner.places.retire().await;
    }

    /// Stops the runs of this node that somebody asked another node to stop.
    pub async fn take_stops(&self) {
        if let Err(error) = self.try_take_stops().await {
            tracing::warn!(%error, "requests to stop could not be read; they are looked for again");
        }
    }

    /// Resolves soon after another node asks this one to stop a run; a hint, and as such not to be relied upon.
    pub fn stop_hint(&self) -> Hint {
        self.inner.nodes.hints().about(&topic_of_node(self.inner.nodes.id()))
    }

    /// Where nodes that are no more may have left runs; for [`Chats::recover`].
    pub async fn abandoned(&self) -> Result<Vec<AbandonedPlace>, ChatError> {
        self.inner.nodes.control().write(STOPS_OF_THE_DEAD).execute().await?;
        Ok(self.inner.places.abandoned().await?)
    }

    /// Ends the runs that a node which is no more has left in a tenant; returns how many. May be called by any number
    /// of nodes at once: each run ends once. `scope` is none where the tenant is no more either.
    pub async fn recover(&self, place: AbandonedPlace, scope: Option<&Scope>) -> Result<u64, ChatError> {
        let mut ended = 0;
        if let Some(scope) = scope {
            let store = scope.store(&self.inner.stores).await?;
            for run in event_log::running(&store, place.node()).await? {
                ended += u64::from(self.abandon(&store, run).await?);
            }
        }
        self.inner.places.cleared(place).await?;
        Ok(ended)
    }

    /// Whether another node drives the runs of `node`, so that they are none of ours to end. Asked only about runs
    /// that do not live in the hub: those of this very node have lost their task.
    pub(crate) async fn driven_elsewhere(&self, node: Option<NodeId>) -> Result<Option<NodeId>, StoreError> {
        match node {
            Some(node) if node != self.inner.nodes.id() && self.inner.nodes.is_here(node).await? => Ok(Some(node)),
            Some(_) | None => Ok(None),
        }
    }

    pub(crate) fn looks_at(&self, run: RunId) -> Looks {
        Looks { hint: self.inner.nodes.hints().about(&topic_of_run(run)), pause: SOON }
    }

    /// Asks the node that drives a run to stop it.
    pub(crate) async fn request_stop(&self, node: NodeId, tenant: TenantId, run: RunId) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let nodes = &self.inner.nodes;
        nodes.control().write(STOP_REQUEST).bind(node).bind(tenant).bind(run).bind(now).execute().await?;
        nodes.hints().tell(&topic_of_node(node));
        Ok(())
    }

    /// Ends a run that nobody drives any more; false when somebody else has.
    pub(crate) async fn abandon(&self, store: &TenantStore, run: RunId) -> Result<bool, ChatError> {
        let mut tx = store.begin().await?;
        let ended = start::abandon(&mut tx, store.tenant(), run, self.inner.clock.now()).await?;
        tx.commit().await?;
        self.inner.nodes.hints().tell(&topic_of_run(run));
        Ok(ended)
    }

    async fn try_take_stops(&self) -> Result<(), StoreError> {
        let (control, me) = (self.inner.nodes.control(), self.inner.nodes.id());
        // Most of the time there is none, and nothing is written.
        if control.read(STOPS_WAITING).bind(me).fetch_one::<i64>().await? == 0 {
            return Ok(());
        }
        for StopRow { tenant, run } in control.write(STOPS_TAKE).bind(me).fetch_all::<StopRow>().await? {
            // One that has ended meanwhile is stopped enough.
            self.inner.hub.stop(tenant, run, EndCause::Member);
        }
        Ok(())
    }
}
