//! What answers in the local model's place: the simulated provider, with a context that a test can shrink.

use async_trait::async_trait;
use contract::ProviderKind;
use gateway::{
    conversation::ChatTurn,
    provider::{ChatCall, ChatParts, EmbedCall, Embeddings, Provider, ProviderError},
    providers::{Simulated, SimulatedOptions},
};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

pub struct StandIn {
    simulated: Simulated,
    /// In words, which are the simulated provider's tokens.
    context: AtomicI64,
    silent: watch::Sender<bool>,
    read: Mutex<Vec<ChatTurn>>,
}

impl StandIn {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            simulated: Simulated::new(SimulatedOptions::default(), timeout),
            context: AtomicI64::new(i64::MAX),
            silent: watch::Sender::new(false),
            read: Mutex::default(),
        }
    }

    /// From now on a call with more words than this is more than the model can read.
    pub fn reads_at_most(&self, words: i64) {
        self.context.store(words, Ordering::SeqCst);
    }

    /// While it is silent, calls are taken and nothing is said to them.
    pub fn silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// What the last call gave it to read.
    pub fn read(&self) -> Vec<ChatTurn> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Provider for StandIn {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    fn unavailable_reason(&self, _model: &str) -> Option<String> {
        None
    }

    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError> {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = call.conversation.turns.clone();
        // An error means that there is no stand-in any more, whose method this is.
        let _ = self.silent.subscribe().wait_for(|silent| !silent).await;
        let limit = self.context.load(Ordering::SeqCst);
        let tokens = call.conversation.estimate(|text| self.simulated.count_tokens(&call.model, text));
        if tokens > limit {
            return Err(ProviderError::ContextExceeded { tokens, limit });
        }
        self.simulated.chat(call).await
    }

    async fn embed(&self, call: EmbedCall) -> Result<Embeddings, ProviderError> {
        self.simulated.embed(call).await
    }

    fn count_tokens(&self, model: &str, text: &str) -> i64 {
        self.simulated.count_tokens(model, text)
    }
}
