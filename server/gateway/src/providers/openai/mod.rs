//! OpenAI's chat completions and embeddings, and with them every compatible server.
//!
//! Calls that come in this very dialect pass through (`native`, and `responses` at OpenAI itself); all others are put into it (`request`), and their answers
//! are read here. A stream is whole when `finish_reason` has been seen and `[DONE]` has come; without either it was cut.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

mod native;
mod request;
mod responses;

use super::{
    estimate,
    http::{Connection, ErrorObject, KeyHeader},
    vector::unit_length,
};
use crate::{
    conversation::Need,
    provider::{ChatCall, ChatPart, ChatParts, Dialect, EmbedCall, Embeddings, Provider, ProviderError, ToolPart},
};
use async_stream::try_stream;
use async_trait::async_trait;
use contract::{FinishReason, ProviderKind, TokenUsage};
use futures::StreamExt;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
/// The longest page of models that is read.
const MAX_LISTED_MODELS: usize = 500;

/// A server that speaks OpenAI's protocol.
pub struct OpenAi {
    connection: Connection,
}

impl OpenAi {
    /// `timeout` bounds the wait for the head of an answer and the silence between two events.
    pub fn new(base_url: Option<&str>, key: Option<&str>, timeout: Duration) -> Result<Self, ProviderError> {
        let base_url = base_url.unwrap_or(DEFAULT_BASE_URL);
        Ok(Self { connection: Connection::new(base_url, key, KeyHeader::Bearer, timeout)? })
    }

    /// OpenAI itself, and Azure, which serves its models, want `max_completion_tokens`; compatible servers know the older
    /// name.
    fn is_openai_itself(&self) -> bool {
        let host = self.connection.base_url().strip_prefix("https://").and_then(|rest| rest.split(['/', ':']).next());
        host.is_some_and(|host| {
            host == "api.openai.com" || host.ends_with(".api.openai.com") || host.ends_with(".openai.azure.com")
        })
    }

    /// The models this server offers; costs nothing, so it also tries a key.
    pub async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let response = self.connection.send(self.connection.get("/models")?, "", &CancellationToken::new()).await?;
        let list: ModelList = self.connection.json(response).await?;
        Ok(list.data.into_iter().take(MAX_LISTED_MODELS).map(|model| model.id).collect())
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Openai
    }

    fn unavailable_reason(&self, _model: &str) -> Option<String> {
        (self.is_openai_itself() && !self.connection.has_key()).then(|| "this provider has no API key yet".to_owned())
    }

    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError> {
        match &call.native {
            Some(native) if native.dialect == Dialect::OpenAiResponses => {
                return responses::chat(&self.connection, &call, native).await;
            }
            Some(native) => return native::chat(&self.connection, &call, native).await,
            None => {}
        }
        let body = request::written(&call, self.is_openai_itself());
        let request = self.connection.post("/chat/completions")?.json(&body);
        let response = self.connection.send(request, &call.model, &call.cancel).await?;
        let mut events = Box::pin(self.connection.events(response, call.cancel.clone())?);
        let connection = self.connection.clone();
        let stream = try_stream! {
            let mut finish = None;
            let mut usage = TokenUsage::default();
            let mut calls = Calls::default();
            while let Some(event) = events.next().await {
                let event = event?;
                if event.data == "[DONE]" {
                    let reason = finish.ok_or(ProviderError::Cut)?;
                    yield ChatPart::Finished { reason, usage };
                    return;
                }
                let chunk: Chunk = serde_json::from_str(&event.data)
                    .map_err(|error| ProviderError::Malformed(format!("a chunk: {error}")))?;
                if let Some(error) = chunk.error {
                    Err(connection.streamed_error(error, &call.model))?;
                }
                if chunk.choices.is_none() && chunk.usage.is_none() && chunk.id.is_none() {
                    Err(ProviderError::Malformed("a chunk without choices".to_owned()))?;
                }
                if let Some(reported) = chunk.usage {
                    usage = reported.into();
                }
                let Some(choice) = chunk.choices.into_iter().flatten().find(|choice| choice.index == 0) else { continue };
                for text in [choice.delta.content, choice.delta.refusal].into_iter().flatten() {
                    if !text.is_empty() {
                        yield ChatPart::Text(text);
                    }
                }
                for part in choice.delta.tool_calls.into_iter().flatten() {
                    for part in calls.hear(part)? {
                        yield ChatPart::Tool(part);
                    }
                }
                if let Some(reason) = choice.finish_reason {
                    finish = Some(finish_reason(&reason)?);
                }
            }
            Err(ProviderError::Cut)?;
        };
        Ok(stream.boxed())
    }

    fn speaks(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::OpenAiChat => true,
            // Few compatible servers do, and those in part.
            Dialect::OpenAiResponses => self.is_openai_itself(),
            Dialect::AnthropicMessages => false,
        }
    }

    fn can(&self, need: Need) -> bool {
        match need {
            Need::Tools | Need::Pictures | Need::Json | Need::Schema => true,
        }
    }

    async fn embed(&self, call: EmbedCall) -> Result<Embeddings, ProviderError> {
        let body = EmbedRequest {
            model: &call.model,
            input: &call.inputs,
            dimensions: call.dimensions,
            encoding_format: "float",
        };
        let request = self.connection.post("/embeddings")?.json(&body);
        let response = self.connection.send(request, &call.model, &call.cancel).await?;
        let mut answer: EmbedResponse = self.connection.json(response).await?;
        answer.data.sort_by_key(|item| item.index);
        if answer.data.len() != call.inputs.len() {
            let (got, wanted) = (answer.data.len(), call.inputs.len());
            return Err(ProviderError::Malformed(format!("{got} embeddings for {wanted} inputs")));
        }
        let vectors = answer.data.into_iter().map(|item| unit_length(item.embedding)).collect();
        let input = answer.usage.and_then(|usage| usage.prompt_tokens);
        Ok(Embeddings { vectors, usage: TokenUsage { input, output: Some(0), ..TokenUsage::default() } })
    }

    fn count_tokens(&self, _model: &str, text: &str) -> i64 {
        estimate::tokens(text)
    }
}

/// The calls of tools in an answer, whose fragments come by number.
#[derive(Default)]
struct Calls {
    begun: usize,
}

impl Calls {
    /// Fragments of an earlier call after a later one has begun would end up in the wrong one.
    fn hear(&mut self, part: CallPart) -> Result<Vec<ToolPart>, ProviderError> {
        let function = part.function.unwrap_or_default();
        // Some servers number none of them, and send each call whole.
        let number = part.index.unwrap_or(if part.id.is_some() { self.begun } else { self.begun.saturating_sub(1) });
        let mut heard = Vec::new();
        if number == self.begun {
            let name = function.name.filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| ProviderError::Malformed("a call of a tool without its name".to_owned()))?;
            let id = part.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{number}"));
            heard.push(ToolPart::Begins { id, name });
            self.begun += 1;
        } else if number + 1 != self.begun {
            return Err(ProviderError::Malformed(format!("a fragment of call {number} among those of another")));
        }
        heard.extend(function.arguments.filter(|json| !json.is_empty()).map(ToolPart::Arguments));
        Ok(heard)
    }
}

fn finish_reason(text: &str) -> Result<FinishReason, ProviderError> {
    match text {
        // A call of tools ends the turn like any other. Some servers name the token at the end.
        "stop" | "tool_calls" | "function_call" | "eos" | "eos_token" | "stop_sequence" => Ok(FinishReason::Stop),
        "length" => Ok(FinishReason::Length),
        "content_filter" => Ok(FinishReason::ContentFilter),
        other => {
            let shown: String = other.escape_debug().take(40).collect();
            Err(ProviderError::Malformed(format!("finish_reason “{shown}”")))
        }
    }
}

#[derive(Deserialize)]
struct Chunk {
    /// Some servers send chunks that have nothing but their head.
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: i64,
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<CallPart>>,
}

#[derive(Deserialize)]
struct CallPart {
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionPart>,
}

#[derive(Deserialize, Default)]
struct FunctionPart {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<i64>,
    #[serde(default)]
    completion_tokens: Option<i64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptTokens>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionTokens>,
}

#[derive(Deserialize)]
struct PromptTokens {
    #[serde(default)]
    cached_tokens: Option<i64>,
}

#[derive(Deserialize)]
struct CompletionTokens {
    #[serde(default)]
    reasoning_tokens: Option<i64>,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_tokens,
            cached_input: usage.prompt_tokens_details.and_then(|details| details.cached_tokens),
            output: usage.completion_tokens,
            reasoning: usage.completion_tokens_details.and_then(|details| details.reasoning_tokens),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
struct EmbedRequest<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct EmbedResponse {
    data: Vec<Embedding>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<ListedModel>,
}

#[derive(Deserialize)]
struct ListedModel {
    id: String,
}
