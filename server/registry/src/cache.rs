//! What the registry holds in memory, and when it reads anew.
//!
//! A snapshot counts from the moment before it was read, so whatever was committed [`MAX_AGE`] ago is in
//! what is served. Versions never change: a reload reads the pointers, and only those texts it has not seen.
//! While the database fails, the last snapshot is served and the database is asked once per [`MAX_AGE`].

use crate::{ModelConfig, PromptConfig, RegistryError, model, prompt};
use contract::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use store::{ControlStore, StoreError};
use tenancy::SharedClock;
use tokio::sync::Semaphore;

/// How old what is served may be.
pub const MAX_AGE: Duration = Duration::from_secs(1);

/// A request does not wait longer than this for fresher pointers when it could have the last known ones.
const RELOAD_PATIENCE: Duration = Duration::from_millis(250);

type Loaded = Result<Arc<PromptConfig>, Broken>;

/// A version that a label points at and that cannot be used.
#[derive(Debug, Clone)]
struct Broken {
    version: i64,
    reason: String,
}

#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// By name, then label.
    prompts: BTreeMap<String, BTreeMap<String, Loaded>>,
    models: BTreeMap<String, Arc<ModelConfig>>,
}

#[derive(Default)]
struct State {
    known: Option<Known>,
    failed_at: Option<Timestamp>,
}

#[derive(Clone)]
struct Known {
    snapshot: Arc<Snapshot>,
    /// The moment before it was read.
    as_of: Timestamp,
}

pub(crate) struct Cache {
    control: ControlStore,
    clock: SharedClock,
    /// Held for a few assignments, never across an await.
    state: RwLock<State>,
    /// One permit: reads follow each other, so that none that began earlier replaces a newer one.
    reading: Semaphore,
}

impl Cache {
    pub(crate) fn new(control: ControlStore, clock: SharedClock) -> Self {
        Self { control, clock, state: RwLock::default(), reading: Semaphore::new(1) }
    }

    /// A snapshot that is fresh enough, or the last known one where a fresher cannot be had.
    pub(crate) async fn current(&self) -> Result<Arc<Snapshot>, RegistryError> {
        if let Some(snapshot) = self.servable() {
            return Ok(snapshot);
        }
        // On the heap, so that those who need no look are small.
        Box::pin(self.looked()).await
    }

    async fn looked(&self) -> Result<Arc<Snapshot>, RegistryError> {
        let Some(known) = self.read().known.clone() else { return self.refreshed().await };
        match tokio::time::timeout(RELOAD_PATIENCE, self.refreshed()).await {
            Ok(Ok(fresh)) => Ok(fresh),
            Ok(Err(error)) => Ok(self.fall_back(known, &error)),
            Err(elapsed) => Ok(self.fall_back(known, &elapsed)),
        }
    }

    /// Reads anew whatever the age; on failure the next request tries again.
    pub(crate) async fn reload(&self) {
        let _turn = self.reading.acquire().await;
        if let Err(error) = self.load().await {
            tracing::warn!(%error, "the registry could not be read anew");
            let mut state = self.write();
            state.failed_at = None;
            if let Some(known) = &mut state.known {
                known.as_of = Timestamp::from_millis(i64::MIN);
            }
        }
    }

    /// What can be served without asking the database: what is recent, or, shortly after a failure, what is known.
    fn servable(&self) -> Option<Arc<Snapshot>> {
        let now = self.clock.now();
        let state = self.read();
        let known = state.known.as_ref()?;
        let servable = is_recent(known.as_of, now) || state.failed_at.is_some_and(|failed| is_recent(failed, now));
        servable.then(|| Arc::clone(&known.snapshot))
    }

    /// Waits for its turn and reads, unless that has been done while it waited.
    async fn refreshed(&self) -> Result<Arc<Snapshot>, RegistryError> {
        // The semaphore is never closed; were it, reading without a turn is still right.
        let _turn = self.reading.acquire().await;
        match self.servable() {
            Some(snapshot) => Ok(snapshot),
            None => self.load().await,
        }
    }

    fn fall_back(&self, known: Known, error: &dyn std::fmt::Display) -> Arc<Snapshot> {
        tracing::warn!(%error, "the registry cannot be read; the last known prompts and models are served");
        self.write().failed_at = Some(self.clock.now());
        known.snapshot
    }

    async fn load(&self) -> Result<Arc<Snapshot>, RegistryError> {
        let as_of = self.clock.now();
        let before = self.read().known.as_ref().map(|known| Arc::clone(&known.snapshot));
        let snapshot = Arc::new(Snapshot::read(&self.control, before.as_deref()).await?);
        *self.write() = State { known: Some(Known { snapshot: Arc::clone(&snapshot), as_of }), failed_at: None };
        Ok(snapshot)
    }

    // Each write of the state leaves it consistent, so a panic elsewhere leaves it usable.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that was set back makes nothing recent: the answer is to read anew.
fn is_recent(moment: Timestamp, now: Timestamp) -> bool {
    u64::try_from(now.millis_since(moment)).is_ok_and(|age| Duration::from_millis(age) < MAX_AGE)
}

impl Snapshot {
    /// Pointers first: whatever model a version names was committed no later than its label.
    async fn read(control: &ControlStore, before: Option<&Self>) -> Result<Self, StoreError> {
        let pointers: Vec<prompt::Pointer> = control.read(prompt::POINTERS).fetch_all().await?;
        let models: Vec<ModelConfig> = control.read(model::MODELS).fetch_all().await?;
        let models = models.into_iter().map(|model| (model.name.clone(), Arc::new(model))).collect();
        let mut snapshot = Self { prompts: BTreeMap::new(), models };
        for prompt::Pointer { name, label, version } in pointers {
            let seen = snapshot.version(&name, version).or_else(|| before?.version(&name, version));
            let loaded = match seen {
                Some(config) => Ok(config),
                None => version_read(control, &name, version).await?,
            };
            snapshot.prompts.entry(name).or_default().insert(label, loaded);
        }
        Ok(snapshot)
    }

    /// A version that some label points at.
    fn version(&self, name: &str, version: i64) -> Option<Arc<PromptConfig>> {
        let mut configs = self.prompts.get(name)?.values().flatten();
        configs.find(|config| config.version == version).map(Arc::clone)
    }

    pub(crate) fn prompt(&self, name: &str, label: &str) -> Result<PromptConfig, RegistryError> {
        match self.prompts.get(name).and_then(|labels| labels.get(label)) {
            Some(Ok(config)) => Ok(config.as_ref().clone()),
            Some(Err(Broken { version, reason })) => {
                Err(RegistryError::Corrupt { name: name.to_owned(), version: *version, reason: reason.clone() })
            }
            None => Err(RegistryError::UnknownPrompt { name: name.to_owned(), label: label.to_owned() }),
        }
    }

    pub(crate) fn model(&self, name: &str) -> Result<Arc<ModelConfig>, RegistryError> {
        self.models.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.models.keys().map(String::as_str).take(20).collect();
            RegistryError::UnknownModel { name: name.chars().take(100).collect(), known: known.join(", ") }
        })
    }

    pub(crate) fn models(&self) -> Vec<ModelConfig> {
        self.models.values().map(|model| model.as_ref().clone()).collect()
    }
}

/// A version with its hash compared. One that was tampered with takes out its own labels and nothing else.
async fn version_read(control: &ControlStore, name: &str, version: i64) -> Result<Loaded, StoreError> {
    let stored: prompt::StoredVersion = control.read(prompt::VERSION).bind(name).bind(version).fetch_one().await?;
    Ok(stored.verified().map(Arc::new).map_err(|reason| {
        tracing::error!(prompt = name, version, reason, "a prompt version cannot be used");
        Broken { version, reason }
    }))
}
