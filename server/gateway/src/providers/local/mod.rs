//! Models that run inside this process: SmolLM2 for chat and MiniLM for embeddings, on llama.cpp.
//!
//! ```text
//! callers (tokio) ── tokenise ── queue.rs ──▶ engine.rs, one thread
//!        ▲                                      ├─ chat_engine.rs: slots, batches   (generation.rs, slot.rs)
//!        └────────────── delivery.rs ◀──────────┴─ embedder.rs
//! ```
//!
//! What always holds: no caller ever waits for the engine's thread, and that thread never waits for a caller;
//! a slot is freed before the next token once its answer is unwanted; what a slot remembers is used by its
//! own tenant only. Why llama.cpp and why in-process: docs/adr/0002-local-engine.md.

mod chat_engine;
mod chat_model;
mod delivery;
mod embedder;
mod engine;
mod generation;
pub mod models;
mod parameters;
mod priority;
mod queue;
mod slot;
mod statistics;
mod text;

pub use statistics::LocalStatistics;

use crate::provider::{ChatCall, ChatParts, EmbedCall, Embeddings, Provider, ProviderError};
use async_trait::async_trait;
use contract::ProviderKind;
use delivery::PartSender;
use engine::{Model, Shared};
use futures::StreamExt;
use models::{CHAT_MODEL, EMBEDDING_DIMENSIONS, EMBEDDING_MODEL};
use parameters::Generating;
use queue::{CallQueue, ChatJob, EmbedJob};
use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
};
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;

/// The engine's thread runs llama.cpp's graph code, which likes a deep stack.
const STACK_BYTES: usize = 8 << 20;

/// How the local engine is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// Where the weights are; see [`models`].
    pub models_dir: PathBuf,
    /// Threads that evaluate; more than cores makes it slower.
    pub threads: usize,
    /// Answers made at the same time. Each more makes the others a little slower and costs the memory of one
    /// context.
    pub slots: usize,
    /// The longest conversation of a slot, prompt and answer together. A token costs 23 kB in every slot,
    /// used or not, and a full context takes many seconds to read on a small machine. The model's own limit
    /// is 8192.
    pub context_tokens: usize,
    /// Calls that may wait for a slot; more are refused as saturated.
    pub queue: usize,
}

impl LocalSettings {
    /// All cores, 4 slots of 4096 tokens (377 MB), 32 waiting calls.
    pub fn new(models_dir: impl Into<PathBuf>) -> Self {
        Self {
            models_dir: models_dir.into(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            slots: 4,
            context_tokens: 4096,
            queue: 32,
        }
    }

    /// Within what llama.cpp accepts; contexts are multiples of 256 tokens there.
    fn bounded(self) -> Self {
        Self {
            threads: self.threads.clamp(1, 512),
            slots: self.slots.clamp(1, 64),
            context_tokens: self.context_tokens.clamp(256, 8192).next_multiple_of(256),
            ..self
        }
    }
}

/// The provider of the local models. Dropping it ends its thread; [`Self::shutdown`] also waits for that.
pub struct LocalProvider {
    shared: Arc<Shared>,
}

impl LocalProvider {
    /// Starts the engine and returns at once; the weights are loaded on the engine's own thread.
    pub fn start(settings: LocalSettings) -> Arc<Self> {
        let settings = settings.bounded();
        let shared = Arc::new(Shared {
            queue: CallQueue::new(settings.queue),
            counters: statistics::Counters::default(),
            chat: RwLock::new(Model::Loading),
            embedding: RwLock::new(Model::Loading),
            ended: watch::Sender::new(false),
            settings,
        });
        let engine = shared.clone();
        let thread = std::thread::Builder::new().name("seam-local".to_owned()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || engine::run(&engine)) {
            tracing::error!(%error, "the local engine's thread does not start");
            engine::not_started(&shared, &error);
        }
        Arc::new(Self { shared })
    }

    /// Ends the engine: answers in the making are cut, waiting calls are refused. Returns when its memory is
    /// freed. The runtime owns graceful waiting; call this after it.
    pub async fn shutdown(&self) {
        self.shared.queue.close();
        let mut ended = self.shared.ended.subscribe();
        // Fails only when the sender is gone, which `self` keeps alive.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    pub fn statistics(&self) -> LocalStatistics {
        self.shared.counters.read(self.shared.settings.slots, self.shared.queue.len())
    }
}

impl Drop for LocalProvider {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    fn unavailable_reason(&self, model: &str) -> Option<String> {
        match model {
            CHAT_MODEL => Model::read(&self.shared.chat).err(),
            EMBEDDING_MODEL => Model::read(&self.shared.embedding).err(),
            unknown => Some(ProviderError::UnknownModel(unknown.to_owned()).to_string()),
        }
    }

    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError> {
        if call.model != CHAT_MODEL {
            return Err(ProviderError::UnknownModel(call.model));
        }
        let model = Model::read(&self.shared.chat).map_err(ProviderError::NotReady)?;
        let generating = Generating::parse(&call.conversation.parameters)?;
        let ChatCall { tenant, conversation, cancel, .. } = call;
        // A long conversation takes milliseconds to tokenise: not on the runtime.
        let prompt = blocking(move || model.prompt(&conversation)).await??;
        let limit = self.shared.settings.context_tokens;
        if prompt.len() > limit {
            let count = |tokens: usize| i64::try_from(tokens).unwrap_or(i64::MAX);
            return Err(ProviderError::ContextExceeded { tokens: count(prompt.len()), limit: count(limit) });
        }
        let (parts, receiver) = PartSender::new();
        self.shared.queue.push_chat(ChatJob { tenant, prompt, generating, parts, cancel })?;
        Ok(ReceiverStream::new(receiver).boxed())
    }

    async fn embed(&self, call: EmbedCall) -> Result<Embeddings, ProviderError> {
        if call.model != EMBEDDING_MODEL {
            return Err(ProviderError::UnknownModel(call.model));
        }
        call.require_dimensions(EMBEDDING_DIMENSIONS)?;
        let model = Model::read(&self.shared.embedding).map_err(ProviderError::NotReady)?;
        let EmbedCall { inputs, cancel, .. } = call;
        let inputs = blocking(move || inputs.iter().map(|input| model.tokens(input)).collect()).await?;
        let (reply, answer) = oneshot::channel();
        let job = EmbedJob { inputs, vectors: Vec::new(), tokens: 0, reply, cancel: cancel.clone() };
        self.shared.queue.push_embed(job)?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ProviderError::Cancelled),
            answer = answer => answer.unwrap_or(Err(ProviderError::Cut)),
        }
    }

    fn count_tokens(&self, model: &str, text: &str) -> i64 {
        let exact = match model {
            CHAT_MODEL => Model::read(&self.shared.chat).ok().map(|model| model.count(text)),
            EMBEDDING_MODEL => Model::read(&self.shared.embedding).ok().map(|model| model.count(text)),
            _ => None,
        };
        exact.unwrap_or_else(|| i64::try_from(text.chars().count().div_ceil(4)).unwrap_or(i64::MAX))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ProviderError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ProviderError::Failed { status: 500, message: format!("tokenising failed: {error}") })
}
