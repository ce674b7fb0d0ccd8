//! In which tenants this node may be driving runs, written down where the other nodes find it.
//!
//! A tenant's runs are in the tenant's own store. Whoever has to end the runs of a node that died reads here which
//! tenants to open, rather than all of them. A row is written before the first run begins, covers all that follow, and
//! is removed when there has been none for a while: a busy tenant costs no write for each run. A crash between
//! the two databases leaves a row too many, never one too few.

use crate::ChatError;
use contract::{NodeId, TenantId};
use nodes::Nodes;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use store::{FromRow, Row, StoreError};
use tokio::{sync::OnceCell, time::Instant};

/// How long a place stays written down after its last run.
const IDLE: Duration = Duration::from_secs(60);
/// Places that are looked at in one go.
const MOST_ABANDONED: i64 = 200;

const ANNOUNCE: &str = "
INSERT INTO run_place (tenant_id, mark, node_id)
SELECT $1, $2, node.id
FROM node
WHERE node.id = $3";
// A node uses no mark twice.
const REMOVE: &str = "DELETE FROM run_place WHERE node_id = $1 AND mark = $2";
const CLEAR: &str = "DELETE FROM run_place WHERE node_id = $1";
const ABANDONED: &str = "
SELECT run_place.node_id, run_place.tenant_id, run_place.mark, tenant.id IS NOT NULL AS tenant_exists
FROM run_place
LEFT JOIN node ON node.id = run_place.node_id
LEFT JOIN tenant ON tenant.id = run_place.tenant_id
WHERE node.id IS NULL
ORDER BY run_place.node_id, run_place.tenant_id, run_place.mark
LIMIT $1";

/// A node in a tenant. Held by each run there.
#[derive(Debug)]
pub(crate) struct Place {
    key: PlaceKey,
    announced: OnceCell<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PlaceKey {
    node: NodeId,
    tenant: TenantId,
    mark: i64,
}

/// Where a node that is no more may have left runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbandonedPlace {
    key: PlaceKey,
    /// Otherwise there is nothing to end, and nothing to open.
    pub tenant_exists: bool,
}

impl AbandonedPlace {
    pub const fn tenant(&self) -> TenantId {
        self.key.tenant
    }

    pub const fn node(&self) -> NodeId {
        self.key.node
    }
}

impl FromRow for AbandonedPlace {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let key = PlaceKey { node: row.get("node_id")?, tenant: row.get("tenant_id")?, mark: row.get("mark")? };
        Ok(Self { key, tenant_exists: row.get("tenant_exists")? })
    }
}

impl Place {
    /// One that is written nowhere, of a node of its own.
    #[cfg(test)]
    pub(crate) fn for_test(tenant: TenantId) -> Self {
        Self { key: PlaceKey { node: NodeId::new(), tenant, mark: 0 }, announced: OnceCell::new() }
    }

    /// The node as which the runs here are driven.
    pub(crate) const fn node(&self) -> NodeId {
        self.key.node
    }
}

#[derive(Debug)]
struct Held {
    place: Arc<Place>,
    last_used: Instant,
}

/// The places of this node.
#[derive(Debug)]
pub(crate) struct Places {
    nodes: Nodes,
    held: Mutex<HashMap<TenantId, Held>>,
    marks: AtomicI64,
}

impl Places {
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self { nodes, held: Mutex::default(), marks: AtomicI64::new(1) }
    }

    /// The place for a run that is about to begin; written down when this returns.
    pub(crate) async fn hold(&self, tenant: TenantId) -> Result<Arc<Place>, ChatError> {
        self.nodes.confirm().await?;
        match self.written(tenant).await {
            Err(ChatError::Removed) => {
                // The others took this node for dead, and it has not noticed yet.
                self.nodes.stay().await?;
                self.written(tenant).await
            }
            held => held,
        }
    }

    /// Removes places where nothing has been driven for a while.
    pub(crate) async fn retire(&self) {
        for key in self.take_idle() {
            // A row that stays is one too many, and is removed with the node.
            if let Err(error) = self.remove(key).await {
                tracing::debug!(%error, "a place without runs could not be removed");
            }
        }
    }

    /// Removes all places of this node, where it is known that nothing is driven any more.
    pub(crate) async fn clear(&self) {
        self.held().clear();
        if let Err(error) = self.nodes.control().write(CLEAR).bind(self.nodes.id()).execute().await {
            tracing::debug!(%error, "the places of this node could not be removed");
        }
    }

    pub(crate) async fn abandoned(&self) -> Result<Vec<AbandonedPlace>, StoreError> {
        self.nodes.control().read(ABANDONED).bind(MOST_ABANDONED).fetch_all().await
    }

    /// Notes that nothing is left to end in a place.
    pub(crate) async fn cleared(&self, place: AbandonedPlace) -> Result<(), StoreError> {
        self.remove(place.key).await
    }

    async fn written(&self, tenant: TenantId) -> Result<Arc<Place>, ChatError> {
        let place = self.current(tenant);
        place.announced.get_or_try_init(|| self.announce(place.key)).await?;
        Ok(place)
    }

    fn current(&self, tenant: TenantId) -> Arc<Place> {
        let node = self.nodes.id();
        let new = || {
            let key = PlaceKey { node, tenant, mark: self.marks.fetch_add(1, Ordering::Relaxed) };
            Held { place: Arc::new(Place { key, announced: OnceCell::new() }), last_used: Instant::now() }
        };
        let mut held = self.held();
        let found = held.entry(tenant).or_insert_with(new);
        if found.place.key.node != node {
            *found = new();
        }
        found.last_used = Instant::now();
        Arc::clone(&found.place)
    }

    fn take_idle(&self) -> Vec<PlaceKey> {
        let mut held = self.held();
        let idle = |held: &Held| Arc::strong_count(&held.place) == 1 && held.last_used.elapsed() >= IDLE;
        let mut taken = Vec::new();
        held.retain(|_, one| {
            if idle(one) {
                taken.push(one.place.key);
            }
            !idle(one)
        });
        taken
    }

    async fn announce(&self, key: PlaceKey) -> Result<(), ChatError> {
        let PlaceKey { node, tenant, mark } = key;
        match self.nodes.control().write(ANNOUNCE).bind(tenant).bind(mark).bind(node).execute().await {
            Ok(0) => Err(ChatError::Removed),
            // Written by somebody who went away before they heard of it.
            Ok(_) | Err(StoreError::Constraint(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn remove(&self, key: PlaceKey) -> Result<(), StoreError> {
        self.nodes.control().write(REMOVE).bind(key.node).bind(key.mark).execute().await?;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, HashMap<TenantId, Held>> {
        // The map is consistent between any two of its operations, so a panic elsewhere leaves it usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
