//! This process among the nodes: it joins, beats, watches the others, and leaves.
//!
//! No clock is compared with another. A node counts its own beat up; the others see that it moves. One whose beat has
//! not moved in [`DEAD_AFTER`] looks in a row, each of them after a beat of the looker's own that the database took, is
//! removed. So a database that stands still makes nobody look dead, and neither does a looker that stood still itself.
//! The removal names the beat that was seen: a node that beats at the last moment stays.

use crate::{NodeView, list};
use contract::NodeId;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use store::{ControlStore, Hints, StoreError};
use tenancy::SharedClock;
use tokio::sync::Semaphore;

/// Where several may serve: a node beats and looks this often.
const PACE: Duration = Duration::from_millis(500);
/// Where one serves alone, nobody waits for its beat.
const PACE_ALONE: Duration = Duration::from_secs(10);
/// After so many beats that did not come, a node no longer takes for granted that it is one: well before the others
/// could have removed it.
const DOUBTFUL_AFTER: u32 = 4;
/// Looks in a row that find a beat where it was.
pub const DEAD_AFTER: u32 = 12;

const JOIN: &str = "
INSERT INTO node (id, name, version, started_at, beat, seen_at)
VALUES ($1, $2, $3, $4, 0, $5)";
const BEAT: &str = "UPDATE node SET beat = beat + 1, seen_at = $2 WHERE id = $1";
const REMOVE_SILENT: &str = "DELETE FROM node WHERE id = $1 AND beat = $2";
const LEAVE: &str = "DELETE FROM node WHERE id = $1";
const REMOVE_OTHERS: &str = "DELETE FROM node WHERE id <> $1";
const HERE: &str = "SELECT id AS value FROM node WHERE id = $1";

/// How a process joins.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// For people: where it runs and listens.
    pub name: String,
    /// Of Seam.
    pub version: String,
    /// Whether others may serve from the same database. Where not, whoever is in the table is left over from a crash.
    pub shared: bool,
}

impl NodeSettings {
    /// The only one there can be.
    pub fn alone(name: &str) -> Self {
        Self { name: name.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), shared: false }
    }

    /// One of several.
    pub fn beside_others(name: &str) -> Self {
        Self { shared: true, ..Self::alone(name) }
    }
}

/// What a look around found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// This node had been removed and has joined anew: what it had under way is no longer its own.
    pub rejoined: bool,
    /// Nodes that this one has just removed; what they had under way waits to be ended.
    pub removed: Vec<NodeId>,
    /// How many other nodes there are now.
    pub others: usize,
}

/// The nodes, seen from one of them. Cheap to clone; clones are the same node.
#[derive(Clone)]
pub struct Nodes(Arc<Inner>);

struct Inner {
    control: ControlStore,
    clock: SharedClock,
    hints: Hints,
    settings: NodeSettings,
    state: Mutex<State>,
    /// One turn at a time.
    turns: Semaphore,
}

struct State {
    me: NodeId,
    /// The last moment before a beat that the database took.
    beaten: Instant,
    /// The others' last seen beats, and how often each was found there again.
    seen: HashMap<NodeId, (i64, u32)>,
}

impl Nodes {
    /// Joins under a new id.
    pub async fn join(
        control: ControlStore,
        clock: SharedClock,
        hints: Hints,
        settings: NodeSettings,
    ) -> Result<Self, StoreError> {
        let state = Mutex::new(State { me: NodeId::new(), beaten: Instant::now(), seen: HashMap::new() });
        let nodes = Self(Arc::new(Inner { control, clock, hints, settings, state, turns: Semaphore::new(1) }));
        let me = nodes.id();
        nodes.insert(me).await?;
        if !nodes.0.settings.shared {
            nodes.0.control.write(REMOVE_OTHERS).bind(me).execute().await?;
        }
        Ok(nodes)
    }

    /// Under which id this process works now.
    pub fn id(&self) -> NodeId {
        self.state().me
    }

    pub fn hints(&self) -> &Hints {
        &self.0.hints
    }

    pub fn control(&self) -> &ControlStore {
        &self.0.control
    }

    /// How often [`Nodes::turn`] wants to be called.
    pub fn pace(&self) -> Duration {
        if self.0.settings.shared { PACE } else { PACE_ALONE }
    }

    /// Whether a node has joined and was not removed. It may have died a moment ago.
    pub async fn is_here(&self, node: NodeId) -> Result<bool, StoreError> {
        Ok(self.0.control.read(HERE).bind(node).fetch_optional::<String>().await?.is_some())
    }

    /// Beats, looks around, and removes whoever has fallen silent.
    pub async fn turn(&self) -> Result<Turn, StoreError> {
        // Never closed; were it, a turn beside another does no harm.
        let _turn = self.0.turns.acquire().await;
        let rejoined = self.beat().await?;
        let others: Vec<NodeView> = list(&self.0.control).await?;
        let me = self.id();
        let others: Vec<NodeView> = others.into_iter().filter(|node| node.id != me).collect();
        self.0.hints.set_company(!others.is_empty());
        let mut removed = Vec::new();
        for silent in self.silent(&others) {
            let gone = self.0.control.write(REMOVE_SILENT).bind(silent.id).bind(silent.beat).execute().await?;
            if gone == 1 {
                tracing::warn!(node = %silent.id, name = silent.name, "a node has fallen silent and is removed");
                removed.push(silent.id);
            }
        }
        let others = others.len() - removed.len();
        Ok(Turn { rejoined, removed, others })
    }

    /// Sees to it that this process is among the nodes; whether it had to join anew.
    pub async fn stay(&self) -> Result<bool, StoreError> {
        let _turn = self.0.turns.acquire().await;
        self.beat().await
    }

    /// The same for whoever is about to begin something. Asks the database only where this process has not beaten for
    /// a while, as when it stood still.
    pub async fn confirm(&self) -> Result<(), StoreError> {
        let doubtful = self.state().beaten.elapsed() >= self.pace() * DOUBTFUL_AFTER;
        if doubtful { self.stay().await.map(drop) } else { Ok(()) }
    }

    /// Leaves: whatever is still its own may be ended by anybody.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let _turn = self.0.turns.acquire().await;
        self.0.control.write(LEAVE).bind(self.id()).execute().await?;
        Ok(())
    }

    async fn beat(&self) -> Result<bool, StoreError> {
        let (now, before) = (self.0.clock.now(), Instant::now());
        if self.0.control.write(BEAT).bind(self.id()).bind(now).execute().await? == 1 {
            self.state().beaten = before;
            return Ok(false);
        }
        let new = NodeId::new();
        self.insert(new).await?;
        let old = {
            let mut state = self.state();
            state.beaten = before;
            std::mem::replace(&mut state.me, new)
        };
        tracing::warn!(%old, %new, "the other nodes took this one for dead; it has joined them anew");
        Ok(true)
    }

    async fn insert(&self, id: NodeId) -> Result<(), StoreError> {
        let Inner { control, clock, settings, .. } = &*self.0;
        let (name, version, now) = (settings.name.as_str(), settings.version.as_str(), clock.now());
        control.write(JOIN).bind(id).bind(name).bind(version).bind(now).bind(now).execute().await?;
        Ok(())
    }

    /// Notes where everybody's beat is; returns those who have been where they are for too long.
    fn silent(&self, others: &[NodeView]) -> Vec<NodeView> {
        let mut state = self.state();
        let seen = others.iter().map(|node| {
            let looks = match state.seen.get(&node.id) {
                Some((beat, looks)) if *beat == node.beat => looks.saturating_add(1),
                Some(_) | None => 0,
            };
            (node.id, (node.beat, looks))
        });
        let seen: HashMap<_, _> = seen.collect();
        let silent = others.iter().filter(|node| seen.get(&node.id).is_some_and(|(_, looks)| *looks >= DEAD_AFTER));
        let silent = silent.cloned().collect();
        state.seen = seen;
        silent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a single assignment, so a panic elsewhere leaves it usable.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Nodes").field(&self.id()).finish()
    }
}
