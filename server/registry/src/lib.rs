//! The registry seam: which prompt, model and parameters apply, resolved from versioned rows, not from code.
//!
//! What always holds:
//! - A version never changes; its content hash proves it. A label is a pointer to a version, and moving it
//!   is what promoting and rolling back are.
//! - Reads come from memory, at most one second old ([`MAX_AGE`]), and survive a database that fails: the last
//!   known pointers are served and the log says so.
//!
//! `prompt.rs` and `model.rs` (with `behaviour.rs`) have the aggregates with their SQL, `cache.rs` is what is held in memory,
//! `canonical.rs` is the form that a hash is taken of.

mod behaviour;
mod cache;
mod canonical;
mod error;
mod model;
mod prompt;

pub use behaviour::{Behaviour, CachePolicy, Disconnect, UnknownDisconnect};
pub use cache::MAX_AGE;
pub use canonical::canonical;
pub use error::RegistryError;
pub use model::{ModelConfig, Strategy, Target, UnknownStrategy};
pub use prompt::{NewPrompt, PromptConfig, content_hash};

use cache::{Cache, Snapshot};
use contract::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use store::{ControlStore, StoreError, Transaction};
use tenancy::{Change, SharedClock};

/// Prompts and models, read from memory. Cheap to clone; clones share the memory.
#[derive(Clone)]
pub struct Registry {
    cache: Arc<Cache>,
}

impl Registry {
    pub fn new(control: ControlStore, clock: SharedClock) -> Self {
        Self { cache: Arc::new(Cache::new(control, clock)) }
    }

    /// The version of a prompt that a label points at.
    ///
    /// # Errors
    /// `UnknownPrompt`; `Corrupt` when the version is not what its hash says; `Store` only as long as the
    /// database has never answered.
    pub async fn resolve(&self, name: &str, label: &str) -> Result<PromptConfig, RegistryError> {
        self.snapshot().await?.prompt(name, label)
    }

    /// Where a model that clients ask for is answered.
    pub async fn model(&self, name: &str) -> Result<Arc<ModelConfig>, RegistryError> {
        self.snapshot().await?.model(name)
    }

    /// All models, by name.
    pub async fn models(&self) -> Result<Vec<ModelConfig>, RegistryError> {
        Ok(self.snapshot().await?.models())
    }

    /// A model as it stands inside a transaction, for changes that build on it.
    pub async fn model_in(tx: &mut Transaction, name: &str) -> Result<ModelConfig, RegistryError> {
        model::in_transaction(tx, name).await
    }

    /// Creates or changes a model. Every provider it names must exist in the same transaction.
    pub async fn apply_model(
        tx: &mut Transaction,
        now: Timestamp,
        model: &ModelConfig,
    ) -> Result<Change, RegistryError> {
        model::apply(tx, now, model).await
    }

    /// What is told of a model as it is now, for the log; none where there is none.
    pub async fn model_told(tx: &mut Transaction, name: &str) -> Result<Option<Value>, StoreError> {
        model::told_now(tx, name).await
    }

    /// All models inside a transaction, by name.
    pub async fn models_in(tx: &mut Transaction) -> Result<Vec<ModelConfig>, StoreError> {
        model::list(tx).await
    }

    /// Takes a model away, unless somebody needs it: the inner error says who.
    pub async fn remove_model(tx: &mut Transaction, name: &str) -> Result<Result<(), String>, StoreError> {
        model::remove(tx, name).await
    }

    /// Adds a version of a prompt unless there is one with the same content, and moves the label to it.
    pub async fn apply_prompt(
        tx: &mut Transaction,
        now: Timestamp,
        prompt: &NewPrompt,
    ) -> Result<Change, RegistryError> {
        prompt::apply(tx, now, prompt).await
    }

    /// Reads the registry anew: what was committed before this call is resolved after it.
    pub async fn invalidate(&self) {
        self.cache.reload().await;
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, RegistryError> {
        self.cache.current().await
    }
}
