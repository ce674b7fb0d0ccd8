//! The engine's thread: loads what is there, then turns calls into tokens until it is told to end.
//!
//! One thread drives both models and is the only one that touches a llama.cpp context, so their workers never
//! compete with each other for the cores. Weights that arrive later (`seam models pull` beside a running
//! server) are noticed while it is idle.

use super::{
    LocalSettings,
    chat_engine::{ChatEngine, Step},
    chat_model::{ChatModel, LoadError},
    embedder::{Embedder, EmbeddingModel},
    models::{self, CHAT_MODEL, EMBEDDING_MODEL, ModelError},
    priority,
    queue::CallQueue,
    statistics::Counters,
};
use crate::provider::ProviderError;
use llama_cpp_2::{LogOptions, llama_backend::LlamaBackend, send_logs_to_tracing};
use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

/// How often an idle engine looks for weights that were missing.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How often it looks whether slow readers have caught up; nothing wakes it then.
const READER_POLL: Duration = Duration::from_millis(5);

/// A model as callers see it.
#[derive(Debug)]
pub(super) enum Model<T> {
    Loading,
    Ready(Arc<T>),
    /// Why not, and what to do.
    Unavailable(String),
}

/// What the engine's thread and its callers share.
pub(super) struct Shared {
    pub settings: LocalSettings,
    pub queue: CallQueue,
    pub counters: Counters,
    pub chat: RwLock<Model<ChatModel>>,
    pub embedding: RwLock<Model<EmbeddingModel>>,
    /// Turns true when the engine's thread has ended.
    pub ended: watch::Sender<bool>,
}

impl<T> Model<T> {
    pub fn read(lock: &RwLock<Self>) -> Result<Arc<T>, String> {
        match &*lock.read().unwrap_or_else(PoisonError::into_inner) {
            Self::Ready(model) => Ok(model.clone()),
            Self::Loading => Err("the local model is still loading; try again in a moment".to_owned()),
            Self::Unavailable(reason) => Err(reason.clone()),
        }
    }

    fn set(lock: &RwLock<Self>, model: Self) {
        *lock.write().unwrap_or_else(PoisonError::into_inner) = model;
    }
}

/// The thread's body. Whatever ends it, callers learn that it has ended.
pub(super) fn run(shared: &Shared) {
    let _ended = Ended(shared);
    priority::step_back();
    let backend = match backend() {
        Ok(backend) => backend,
        Err(reason) => {
            Model::set(&shared.chat, Model::Unavailable(reason.clone()));
            Model::set(&shared.embedding, Model::Unavailable(reason));
            return;
        }
    };
    let mut chat = Loader::new(shared, CHAT_MODEL);
    let mut embedding = Loader::new(shared, EMBEDDING_MODEL);
    while shared.queue.check_open().is_ok() {
        chat.load(&shared.chat, |path| ChatModel::load(backend, path));
        embedding.load(&shared.embedding, |path| EmbeddingModel::load(backend, path));
        serve(shared, backend, &chat, &embedding);
    }
}

/// Serves until the engine shall end, or until weights appear while it is idle.
fn serve(shared: &Shared, backend: &LlamaBackend, chat: &Loader, embedding: &Loader) {
    let LocalSettings { threads, slots, context_tokens, .. } = shared.settings;
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    let chat_model = Model::read(&shared.chat).ok();
    let embedding_model = Model::read(&shared.embedding).ok();
    let mut chats = chat_model.as_ref().and_then(|model| {
        ChatEngine::new(backend, model, slots, context_tokens, threads)
            .inspect_err(|error| Model::set(&shared.chat, Model::Unavailable(explain(error))))
            .ok()
    });
    let mut embedder = embedding_model.as_ref().and_then(|model| {
        Embedder::new(backend, model, threads)
            .inspect_err(|error| Model::set(&shared.embedding, Model::Unavailable(explain(error))))
            .ok()
    });
    while shared.queue.check_open().is_ok() {
        let chatted = match &mut chats {
            Some(chats) => chats.step(&shared.queue, &shared.counters),
            None => {
                // Accepted in the moment before the context could not be set up.
                while let Some(job) = shared.queue.take_chat(1) {
                    job.parts.refuse(not_set_up());
                }
                Step::Idle
            }
        };
        if let Some(job) = shared.queue.take_embed() {
            match &mut embedder {
                Some(embedder) => {
                    if let Some(rest) = embedder.step(job, chatted == Step::Worked, &shared.counters) {
                        shared.queue.give_back(rest);
                    }
                }
                None => job.refuse(not_set_up()),
            }
            continue;
        }
        match chatted {
            Step::Worked => {}
            Step::Paused => std::thread::sleep(READER_POLL),
            Step::Idle => {
                if chat.is_worth_another_look() || embedding.is_worth_another_look() {
                    return;
                }
                let missing = chat.failed || embedding.failed;
                shared.queue.wait(missing.then_some(LOOK_AGAIN));
            }
        }
    }
    if let Some(chats) = &mut chats {
        chats.cut_all();
    }
}

fn not_set_up() -> ProviderError {
    ProviderError::NotReady("the local model could not be set up".to_owned())
}

/// Loads one model, and knows when trying again makes sense.
struct Loader {
    name: &'static str,
    dir: PathBuf,
    /// The file's state when loading it failed.
    seen: Option<(u64, SystemTime)>,
    failed: bool,
}

impl Loader {
    fn new(shared: &Shared, name: &'static str) -> Self {
        Self { name, dir: shared.settings.models_dir.clone(), seen: None, failed: true }
    }

    fn load<T>(&mut self, place: &RwLock<Model<T>>, load: impl FnOnce(&Path) -> Result<T, LoadError>) {
        if !self.failed {
            return;
        }
        self.seen = self.file_state();
        let model = match self.usable().map_err(|error| explain(&error)) {
            Ok(path) => load(&path).map_err(|error| explain(&error)),
            Err(reason) => Err(reason),
        };
        self.failed = model.is_err();
        match model {
            Ok(model) => {
                tracing::info!(model = self.name, "local model ready");
                Model::set(place, Model::Ready(Arc::new(model)));
            }
            Err(reason) => {
                tracing::warn!(model = self.name, reason, "local model not available");
                Model::set(place, Model::Unavailable(reason));
            }
        }
    }

    fn usable(&self) -> Result<PathBuf, ModelError> {
        match models::find(self.name) {
            Some(weights) => models::usable(&self.dir, weights),
            None => Err(ModelError::Missing { path: self.dir.join(self.name) }),
        }
    }

    fn is_worth_another_look(&self) -> bool {
        self.failed && self.file_state().is_some_and(|now| self.seen != Some(now))
    }

    fn file_state(&self) -> Option<(u64, SystemTime)> {
        let file = std::fs::metadata(self.dir.join(models::find(self.name)?.file)).ok()?;
        Some((file.len(), file.modified().ok()?))
    }
}

/// llama.cpp's global state. It is set up once for the process and never torn down, because several engines
/// may share it (as in tests).
fn backend() -> Result<&'static LlamaBackend, String> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            // A hundred lines a start, and what matters comes back as an error.
            send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
            LlamaBackend::init().map_err(|error| format!("llama.cpp does not start: {error}"))
        })
        .as_ref()
        .map_err(Clone::clone)
}

/// An error with its causes, in one line.
fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The thread could not be started at all.
pub(super) fn not_started(shared: &Shared, error: &std::io::Error) {
    drop(Ended(shared));
    let reason = format!("the local engine's thread does not start: {error}");
    Model::set(&shared.chat, Model::Unavailable(reason.clone()));
    Model::set(&shared.embedding, Model::Unavailable(reason));
}

/// Tells callers that nothing more comes, even if the thread panics.
struct Ended<'shared>(&'shared Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let reason = "the local engine has ended; restart the server";
        Model::set(&self.0.chat, Model::Unavailable(reason.to_owned()));
        Model::set(&self.0.embedding, Model::Unavailable(reason.to_owned()));
        self.0.queue.close();
        self.0.ended.send_replace(true);
    }
}
