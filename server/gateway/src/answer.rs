//! What callers ask of the gateway, and what they get.

use crate::{
    CacheControl, CacheUse, GatewayError,
    conversation::{Conversation, Need},
    provider::{Native, Provider, ToolPart},
};
use contract::{AnswerDetails, FinishReason, NanoUsd, RequestId, TokenUsage};
use futures::stream::BoxStream;
use metering::Feature;
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A chat to be answered by whichever provider the model's config names.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The ledger's key: one request, whatever attempts it takes.
    pub request: RequestId,
    /// What clients call the model.
    pub model: String,
    pub conversation: Arc<Conversation>,
    /// The request as it was asked, when it came from outside in a dialect.
    pub foreign: Option<Foreign>,
    /// Name and version of the prompt config that applied.
    pub prompt: Option<(String, i64)>,
    pub feature: Feature,
    pub cache: CacheControl,
    /// Fire it when nobody wants the answer any more. Dropping the answer does the same.
    pub cancel: CancellationToken,
}

impl ChatRequest {
    /// Whether the answer is wanted at once and whole, rather than as it comes.
    pub fn is_whole(&self) -> bool {
        self.foreign.as_ref().is_some_and(|foreign| !foreign.native.streamed)
    }

    /// Whether a provider sends the answer at once and whole: it is asked for so, in a dialect that the provider speaks.
    pub(crate) fn is_sent_whole_by(&self, provider: &dyn Provider) -> bool {
        self.is_whole() && self.foreign.as_ref().is_some_and(|foreign| provider.speaks(foreign.native.dialect))
    }

    /// The bound that is asked for, in whichever words.
    pub fn max_output_tokens(&self) -> Option<i64> {
        let body = self.foreign.as_ref().map(|foreign| &foreign.native.body);
        let written = || {
            let names = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
            names.iter().find_map(|name| body?.get(*name)?.as_i64())
        };
        self.conversation.parameters.max_output_tokens.or_else(written)
    }
}

/// A request in a dialect, beside what of it is understood.
#[derive(Debug, Clone)]
pub struct Foreign {
    pub native: Native,
    /// The first field that only a provider of the same dialect can do justice to; such a request goes to no other.
    pub native_only: Option<String>,
    /// The fields from which the conversation's needs come.
    pub needs: Vec<(Need, String)>,
}

impl Foreign {
    /// The field to blame for a need that nobody meets.
    pub(crate) fn field_of(&self, need: Need) -> Option<String> {
        self.needs.iter().find(|(needed, _)| *needed == need).map(|(_, field)| field.clone())
    }
}

/// An answer that has begun.
pub struct Answering {
    /// Text and calls of tools, then `Finished` once and last. An error is the last item too, and never comes after `Finished`.
    pub parts: BoxStream<'static, Result<AnswerPart, GatewayError>>,
    /// What answers, such as `local/smollm2-135m-instruct`.
    pub route: String,
    /// Where it comes from.
    pub cache: CacheUse,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AnswerPart {
    Text(String),
    Tool(ToolPart),
    /// In the dialect that was asked in: an event of a stream, or a whole answer. Of an answer either all parts are, or none.
    Native(Value),
    /// The answer is whole, and its settlement is durable.
    Finished(Outcome),
}

/// What a whole answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub reason: FinishReason,
    pub usage: TokenUsage,
    /// Unknown cost is none, never zero.
    pub cost: Option<NanoUsd>,
    /// Whether the provider reported the usage, rather than that it was estimated.
    pub measured: bool,
    pub route: String,
    /// From the dispatch of the attempt that answered to its first text.
    pub first_token_ms: Option<i64>,
    /// Of that attempt.
    pub total_ms: i64,
    /// How many attempts it took.
    pub attempts: i64,
}

/// What an answer came to that did not get to its end. It has no reason to have finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialOutcome {
    pub usage: TokenUsage,
    pub cost: Option<NanoUsd>,
    pub measured: bool,
    /// Of the last attempt.
    pub route: String,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
    pub attempts: i64,
}

macro_rules! details {
    ($($outcome:ty),+) => {$(
        impl $outcome {
            /// The quiet line under an answer. `model` is what was asked for, `config` is `name@version`.
            pub fn details(&self, model: &str, config: &str) -> AnswerDetails {
                AnswerDetails {
                    model: model.to_owned(),
                    route: self.route.clone(),
                    usage: self.usage,
                    cost: self.cost,
                    measured: self.measured,
                    first_token_ms: self.first_token_ms,
                    total_ms: self.total_ms,
                    config: config.to_owned(),
                }
            }
        }
    )+};
}
details!(Outcome, PartialOutcome);

/// Texts to be turned into vectors.
#[derive(Debug, Clone)]
pub struct EmbedRequest {
    pub request: RequestId,
    pub model: String,
    pub inputs: Vec<String>,
    /// How long the vectors are to be; none: as long as the model makes them.
    pub dimensions: Option<u32>,
    pub feature: Feature,
    pub cancel: CancellationToken,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One unit-length vector an input, in order.
    pub vectors: Vec<Vec<f32>>,
    pub usage: TokenUsage,
    pub cost: Option<NanoUsd>,
    pub measured: bool,
    pub route: String,
}
