//! What every provider is to the rest of Seam: something that turns a call into a stream of parts.
//!
//! Adapters live under `providers/`, one small folder each. They speak their own protocol and nothing
//! else: no routing, no retries, no money. The router calls them and nobody else does.

use crate::conversation::{Conversation, Need, TOKENS_OF_MEDIA};
use async_trait::async_trait;
use contract::{FinishReason, ProviderKind, TenantId, TokenUsage};
use futures::stream::BoxStream;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A language in which models are asked over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// <https://platform.openai.com/docs/api-reference/chat>
    OpenAiChat,
    /// <https://platform.openai.com/docs/api-reference/responses>
    OpenAiResponses,
    /// <https://docs.anthropic.com/en/api/messages>
    AnthropicMessages,
}

/// A request in the words of whoever asks, for providers that speak the same dialect: what Seam has no name for passes
/// through to them as it came.
#[derive(Debug, Clone)]
pub struct Native {
    pub dialect: Dialect,
    /// The whole request; `model` and how it is streamed are the adapter's.
    pub body: Arc<Map<String, Value>>,
    /// Whether the answer is wanted as it comes, or at once and whole.
    pub streamed: bool,
    /// What Anthropic's dialect has beside the body: the names of what is being tried out, by commas.
    pub betas: Option<Arc<str>>,
}

impl Native {
    /// About how many tokens a model reads of it, by `count` for its texts.
    pub(crate) fn estimate(&self, count: &impl Fn(&str) -> i64) -> i64 {
        let read = [
            "system",
            "instructions",
            "messages",
            "input",
            "tools",
            "functions",
            "response_format",
            "text",
            "output_config",
        ];
        read.iter().filter_map(|name| self.body.get(*name)).map(|value| estimate(value, count)).sum()
    }
}

fn estimate(value: &Value, count: &impl Fn(&str) -> i64) -> i64 {
    match value {
        Value::String(text) if text.starts_with("data:") => TOKENS_OF_MEDIA,
        Value::String(text) => count(text),
        Value::Array(items) => items.iter().map(|item| estimate(item, count)).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| match name.as_str() {
                "image_url" | "input_audio" | "file" | "source" if !field.is_null() => TOKENS_OF_MEDIA,
                // Words of the dialect, not of the conversation.
                "type" | "role" | "cache_control" | "signature" => 0,
                _ => estimate(field, count),
            })
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// How long a provider may take for an answer that it sends at once and whole. Official SDKs wait as long; who asks again
/// sooner pays twice.
pub(crate) const WHOLE_ANSWER: Duration = Duration::from_secs(600);

/// A chat call to one provider's model.
#[derive(Debug, Clone)]
pub struct ChatCall {
    /// Whose call it is. Whatever a provider keeps between calls (a warm prefix) it keeps per tenant.
    pub tenant: TenantId,
    /// The provider's own name of the model.
    pub model: String,
    pub conversation: Arc<Conversation>,
    /// The same in the caller's own words, if the provider speaks their dialect: it replaces what stands above.
    pub native: Option<Native>,
    /// Fires when nobody wants the answer any more; the adapter frees what it holds at once.
    pub cancel: CancellationToken,
}

/// A part of an answer. `Finished` comes once and last; a stream that ends without it was cut.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatPart {
    Text(String),
    Tool(ToolPart),
    /// In the dialect of a [`Native`] call.
    Native(NativePart),
    Finished {
        reason: FinishReason,
        usage: TokenUsage,
    },
}

/// A piece of a tool's call. Calls come one after the other: what comes after the beginning of one is its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolPart {
    Begins {
        id: String,
        name: String,
    },
    /// A fragment of a JSON object's text.
    Arguments(String),
}

/// An event of a streamed answer, or the whole of one that is not, as the provider said it.
#[derive(Debug, Clone, PartialEq)]
pub struct NativePart {
    pub value: Value,
    /// What of it the model wrote, for an estimate should the answer be cut.
    pub said: String,
    /// Whether the answer has begun with it. What comes before (a role, an id) is kept back until then, so that
    /// somebody else can still answer.
    pub begins: bool,
}

pub type ChatParts = BoxStream<'static, Result<ChatPart, ProviderError>>;

#[derive(Debug, Clone)]
pub struct EmbedCall {
    pub tenant: TenantId,
    pub model: String,
    pub inputs: Vec<String>,
    /// How long the vectors are to be; none: as long as the model makes them.
    pub dimensions: Option<u32>,
    pub cancel: CancellationToken,
}

impl EmbedCall {
    /// For models whose vectors have one length alone.
    pub(crate) fn require_dimensions(&self, own: usize) -> Result<(), ProviderError> {
        match self.dimensions {
            Some(asked) if usize::try_from(asked) != Ok(own) => {
                let message = format!("this model makes vectors of {own} dimensions, and not of {asked}");
                Err(ProviderError::Rejected { status: 400, message })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One unit-length vector an input, in order.
    pub vectors: Vec<Vec<f32>>,
    pub usage: TokenUsage,
}

/// Why a provider did not answer. The message is for operators and logs; it holds no secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    #[error("the provider could not be reached: {0}")]
    Unreachable(String),
    #[error("the provider did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the provider asks to slow down")]
    RateLimited { retry_after: Option<Duration> },
    #[error("the provider refused its key; check the key of this provider")]
    Unauthorised,
    /// Its key is good, but not for this.
    #[error("the provider does not let its key do this ({0})")]
    Forbidden(String),
    #[error("the provider does not know the model “{0}”")]
    UnknownModel(String),
    #[error("the provider refused the request ({status}): {message}")]
    Rejected { status: u16, message: String },
    #[error("the conversation has {tokens} tokens and the model reads at most {limit}")]
    ContextExceeded { tokens: i64, limit: i64 },
    #[error("the provider failed ({status}): {message}")]
    Failed { status: u16, message: String },
    #[error("the provider sent something that is not its protocol: {0}")]
    Malformed(String),
    #[error("the provider's stream was cut before its end")]
    Cut,
    /// The model broke off by itself: what was asked was too much for it, or it lost its way.
    #[error("the model broke off its answer: {0}")]
    GaveUp(String),
    #[error("all places of this provider are taken; try again in a moment")]
    Saturated,
    #[error("{0}")]
    NotReady(String),
    #[error("nobody waits for the answer any more")]
    Cancelled,
}

impl ProviderError {
    /// Whether another provider, or the same one later, may succeed where this one did not.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::RateLimited { .. }
            | Self::Unauthorised
            | Self::Forbidden(_)
            | Self::UnknownModel(_)
            | Self::Failed { .. }
            | Self::Malformed(_)
            | Self::Cut
            | Self::GaveUp(_)
            | Self::Saturated
            | Self::NotReady(_) => true,
            Self::Rejected { .. } | Self::ContextExceeded { .. } | Self::Cancelled => false,
        }
    }

    /// Whether the same provider may succeed in a moment; where not, the next one is asked at once.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::RateLimited { .. }
            | Self::Failed { .. }
            | Self::Malformed(_)
            | Self::Cut
            | Self::GaveUp(_)
            | Self::Saturated => true,
            Self::Unauthorised
            | Self::Forbidden(_)
            | Self::UnknownModel(_)
            | Self::NotReady(_)
            | Self::Rejected { .. }
            | Self::ContextExceeded { .. }
            | Self::Cancelled => false,
        }
    }

    /// Whether it says something about the place that was asked, rather than about who asked what.
    pub const fn is_the_places_own(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::Unauthorised
            | Self::Failed { .. }
            | Self::Malformed(_)
            | Self::Cut => true,
            // What is not there, or not allowed, may be something that the request points at; what a model makes of a
            // request is owed to the request.
            Self::UnknownModel(_) | Self::Forbidden(_) | Self::GaveUp(_) => false,
            // It answers others, or says itself when to come back.
            Self::Saturated
            | Self::RateLimited { .. }
            | Self::NotReady(_)
            | Self::Rejected { .. }
            | Self::ContextExceeded { .. }
            | Self::Cancelled => false,
        }
    }

    /// Whether a model may have read the prompt before it failed. Where not, no token was used.
    pub const fn may_have_used_tokens(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::Failed { .. }
            | Self::Malformed(_)
            | Self::Cut
            | Self::GaveUp(_)
            | Self::Cancelled => true,
            Self::Unreachable(_)
            | Self::RateLimited { .. }
            | Self::Unauthorised
            | Self::Forbidden(_)
            | Self::UnknownModel(_)
            | Self::NotReady(_)
            | Self::Saturated
            | Self::Rejected { .. }
            | Self::ContextExceeded { .. } => false,
        }
    }

    /// For a tenant that tries a key of its own: without the provider's words and the operator's addresses.
    pub const fn told_to_tenants(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "the provider could not be reached",
            Self::TimedOut(_) => "the provider did not answer in time",
            Self::RateLimited { .. } | Self::Saturated => "the provider asks to slow down; try again in a moment",
            Self::Unauthorised => "the provider refused the key",
            Self::Forbidden(_) => "the provider does not let this key list its models",
            Self::UnknownModel(_)
            | Self::Rejected { .. }
            | Self::ContextExceeded { .. }
            | Self::Failed { .. }
            | Self::Malformed(_)
            | Self::Cut
            | Self::GaveUp(_)
            | Self::NotReady(_)
            | Self::Cancelled => "the provider did not answer as it should",
        }
    }

    /// What the ledger calls it; stable.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "timed_out",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden(_) => "forbidden",
            Self::UnknownModel(_) => "unknown_model",
            Self::Rejected { .. } => "rejected",
            Self::ContextExceeded { .. } => "context_exceeded",
            Self::Failed { .. } => "failed",
            Self::Malformed(_) => "malformed",
            Self::Cut => "cut",
            Self::GaveUp(_) => "gave_up",
            Self::Saturated => "saturated",
            Self::NotReady(_) => "not_ready",
            Self::Cancelled => "cancelled",
        }
    }
}

#[async_trait]
pub trait Provider: Send + Sync + 'static {
    fn kind(&self) -> ProviderKind;

    /// Why this provider cannot answer right now (weights missing, still loading); none when it can.
    fn unavailable_reason(&self, model: &str) -> Option<String>;

    /// Starts an answer. Errors before the first part are returned here or as the first item.
    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError>;

    /// Whether it takes a call in this dialect as it is.
    fn speaks(&self, _dialect: Dialect) -> bool {
        false
    }

    /// Whether it has words for this of a conversation.
    fn can(&self, _need: Need) -> bool {
        false
    }

    /// How many tokens the model would read of a call, where the provider can be asked at no cost. None: an estimate by
    /// `count_tokens` has to do.
    async fn count(&self, _call: ChatCall) -> Result<Option<i64>, ProviderError> {
        Ok(None)
    }

    async fn embed(&self, call: EmbedCall) -> Result<Embeddings, ProviderError>;

    /// An estimate of the tokens in `text`, for billing what was produced before a cut. Exact where the
    /// provider has its tokenizer at hand.
    fn count_tokens(&self, model: &str, text: &str) -> i64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_picture_is_not_estimated_by_the_length_of_its_bytes() {
        let picture = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let content = json!([{ "type": "text", "text": "What is it?" }, { "type": "image_url", "image_url": { "url": picture } }]);
        let body = json!({ "messages": [{ "role": "user", "content": content }], "tools": [{ "type": "function", "name": "look" }] });
        let native = Native {
            dialect: Dialect::OpenAiChat,
            body: Arc::new(body.as_object().unwrap().clone()),
            streamed: true,
            betas: None,
        };
        let letters = |text: &str| i64::try_from(text.len()).unwrap();
        assert_eq!(native.estimate(&letters), 11 + TOKENS_OF_MEDIA + 4);
    }
}
