//! A provider that is configured and cannot be used, with the reason: its key cannot be unsealed, its
//! address is no address. It stays in the list, so that the reason is shown where its models are.

use crate::provider::{ChatCall, ChatParts, EmbedCall, Embeddings, Provider, ProviderError};
use async_trait::async_trait;
use contract::ProviderKind;

pub(crate) struct Unusable {
    pub kind: ProviderKind,
    pub reason: String,
}

#[async_trait]
impl Provider for Unusable {
    fn kind(&self) -> ProviderKind {
        self.kind
    }

    fn unavailable_reason(&self, _model: &str) -> Option<String> {
        Some(self.reason.clone())
    }

    async fn chat(&self, _call: ChatCall) -> Result<ChatParts, ProviderError> {
        Err(ProviderError::NotReady(self.reason.clone()))
    }

    async fn embed(&self, _call: EmbedCall) -> Result<Embeddings, ProviderError> {
        Err(ProviderError::NotReady(self.reason.clone()))
    }

    fn count_tokens(&self, _model: &str, text: &str) -> i64 {
        super::estimate::tokens(text)
    }
}
