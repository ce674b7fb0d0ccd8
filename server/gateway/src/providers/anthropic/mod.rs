//! Anthropic's Messages.
//!
//! Calls that come in this very dialect pass through (`native`); all others are put into it (`request`), and their answers
//! are read here. A stream is whole when `message_delta` has given the reason and `message_stop` has come. Event types
//! that are unknown here are passed over, as the protocol asks.
//! <https://docs.anthropic.com/en/api/messages-streaming>

mod native;
mod prefix;
mod request;

use super::{
    estimate,
    http::{Connection, ErrorObject, KeyHeader},
    outgoing::Outgoing,
};
use crate::{
    conversation::Need,
    provider::{ChatCall, ChatPart, ChatParts, Dialect, EmbedCall, Embeddings, Provider, ProviderError, ToolPart},
};
use async_stream::try_stream;
use async_trait::async_trait;
use contract::{FinishReason, ProviderKind, TokenUsage};
use futures::StreamExt;
use prefix::Prefixes;
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";
const VERSION: &str = "2023-06-01";

/// A server that speaks Anthropic's protocol.
pub struct Anthropic {
    connection: Connection,
    prefixes: Prefixes,
}

impl Anthropic {
    /// `timeout` bounds the wait for the head of an answer and the silence between two events.
    pub fn new(base_url: Option<&str>, key: Option<&str>, timeout: Duration) -> Result<Self, ProviderError> {
        // With or without the version in its path: people paste both.
        let base_url = base_url.unwrap_or(DEFAULT_BASE_URL).trim_end_matches('/').trim_end_matches("/v1");
        let connection = Connection::new(base_url, key, KeyHeader::XApiKey, timeout)?;
        let connection = connection.with_header("anthropic-version", VERSION);
        Ok(Self { connection, prefixes: Prefixes::default() })
    }

    /// The models this server offers; costs nothing, so it also tries a key.
    pub async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let request = self.connection.get("/v1/models?limit=100")?;
        let response = self.connection.send(request, "", &CancellationToken::new()).await?;
        let list: ModelList = self.connection.json(response).await?;
        Ok(list.data.into_iter().map(|model| model.id).collect())
    }
}

#[async_trait]
impl Provider for Anthropic {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Anthropic
    }

    fn unavailable_reason(&self, _model: &str) -> Option<String> {
        (!self.connection.has_key()).then(|| "this provider has no API key yet".to_owned())
    }

    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError> {
        if let Some(native) = &call.native {
            return native::chat(&self.connection, &call, native).await;
        }
        let mut body = request::written(&call);
        self.prefixes.mark(&call, &mut body);
        let request = self.connection.post("/v1/messages")?.json(&body);
        let response = self.connection.send(request, &call.model, &call.cancel).await?;
        let mut events = Box::pin(self.connection.events(response, call.cancel.clone())?);
        let connection = self.connection.clone();
        let stream = try_stream! {
            let mut answer = Answer::default();
            while let Some(event) = events.next().await {
                let event = event?;
                match event.name.as_str() {
                    "message_start" => answer.started(read::<MessageStart>(&event.data)?.message.usage),
                    "content_block_start" => {
                        let block = read::<BlockStart>(&event.data)?.content_block;
                        answer.without_arguments = block.kind == "tool_use";
                        if block.kind == "tool_use" {
                            yield ChatPart::Tool(ToolPart::Begins { id: block.id, name: block.name });
                        } else if !block.text.is_empty() {
                            yield ChatPart::Text(block.text);
                        }
                    }
                    "content_block_delta" => {
                        let delta = read::<BlockDelta>(&event.data)?.delta;
                        if !delta.partial_json.is_empty() {
                            answer.without_arguments = false;
                            yield ChatPart::Tool(ToolPart::Arguments(delta.partial_json));
                        } else if !delta.text.is_empty() {
                            yield ChatPart::Text(delta.text);
                        }
                    }
                    "content_block_stop" => {
                        if std::mem::take(&mut answer.without_arguments) {
                            yield ChatPart::Tool(ToolPart::Arguments("{}".to_owned()));
                        }
                    }
                    "message_delta" => {
                        let delta: MessageDelta = read(&event.data)?;
                        answer.progressed(delta.delta.stop_reason.as_deref().map(stop_reason).transpose()?, delta.usage);
                    }
                    "message_stop" => {
                        let reason = answer.reason.ok_or(ProviderError::Cut)?;
                        yield ChatPart::Finished { reason, usage: answer.usage() };
                        return;
                    }
                    "error" => {
                        let error = read::<StreamError>(&event.data)?.error;
                        Err(connection.streamed_error(error, &call.model))?;
                    }
                    // `ping`, and what may come in later versions.
                    _ => {}
                }
            }
            Err(ProviderError::Cut)?;
        };
        Ok(stream.boxed())
    }

    fn speaks(&self, dialect: Dialect) -> bool {
        dialect == Dialect::AnthropicMessages
    }

    fn can(&self, need: Need) -> bool {
        match need {
            Need::Tools | Need::Pictures | Need::Schema => true,
            Need::Json => false,
        }
    }

    async fn count(&self, call: ChatCall) -> Result<Option<i64>, ProviderError> {
        let path = "/v1/messages/count_tokens";
        let request = match &call.native {
            Some(native) => {
                let body = Outgoing::of(native, &call.model).without("stream");
                native::asked(&self.connection, path, native)?.json(&body)
            }
            None => {
                let mut body = request::read(&call);
                body.remove("stream");
                self.connection.post(path)?.json(&body)
            }
        };
        let response = self.connection.send(request, &call.model, &call.cancel).await?;
        Ok(Some(self.connection.json::<Counted>(response).await?.input_tokens))
    }

    async fn embed(&self, _call: EmbedCall) -> Result<Embeddings, ProviderError> {
        Err(ProviderError::NotReady("Anthropic offers no embeddings; name another provider for them".to_owned()))
    }

    fn count_tokens(&self, _model: &str, text: &str) -> i64 {
        estimate::tokens(text)
    }
}

fn read<T: DeserializeOwned>(data: &str) -> Result<T, ProviderError> {
    serde_json::from_str(data).map_err(|error| ProviderError::Malformed(format!("an event: {error}")))
}

/// What the events tell beside the text.
#[derive(Default)]
struct Answer {
    reason: Option<FinishReason>,
    input: InputUsage,
    output: Option<i64>,
    /// Whether a tool is being called of whose arguments nothing was said yet.
    without_arguments: bool,
}

impl Answer {
    fn started(&mut self, usage: MessageUsage) {
        self.input = usage.input;
        self.output = usage.output_tokens;
    }

    /// Counts are cumulative: the last ones hold.
    fn progressed(&mut self, reason: Option<FinishReason>, usage: Option<MessageUsage>) {
        self.reason = reason.or(self.reason);
        let Some(MessageUsage { input, output_tokens }) = usage else { return };
        self.output = output_tokens.or(self.output);
        self.input = InputUsage {
            input_tokens: input.input_tokens.or(self.input.input_tokens),
            cache_creation_input_tokens: input.cache_creation_input_tokens.or(self.input.cache_creation_input_tokens),
            cache_read_input_tokens: input.cache_read_input_tokens.or(self.input.cache_read_input_tokens),
            cache_creation: input.cache_creation.or(self.input.cache_creation),
        };
    }

    /// Anthropic counts apart what its cache read and took in; here `input` is all that was read.
    fn usage(&self) -> TokenUsage {
        let InputUsage { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, cache_creation } =
            self.input;
        let (cached, written) = (cache_read_input_tokens.unwrap_or(0), cache_creation_input_tokens.unwrap_or(0));
        TokenUsage {
            input: input_tokens.map(|fresh| fresh.saturating_add(cached).saturating_add(written)),
            cached_input: cache_read_input_tokens,
            cache_write: cache_creation_input_tokens,
            cache_write_1h: cache_creation.and_then(|creation| creation.ephemeral_1h_input_tokens),
            output: self.output,
            // Thoughts are part of what was said, and not told apart.
            reasoning: None,
        }
    }
}

fn stop_reason(text: &str) -> Result<FinishReason, ProviderError> {
    match text {
        "end_turn" | "stop_sequence" | "tool_use" | "pause_turn" => Ok(FinishReason::Stop),
        "max_tokens" | "model_context_window_exceeded" => Ok(FinishReason::Length),
        "refusal" => Ok(FinishReason::ContentFilter),
        other => {
            let shown: String = other.escape_debug().take(40).collect();
            Err(ProviderError::Malformed(format!("stop_reason “{shown}”")))
        }
    }
}

#[derive(Deserialize)]
struct MessageStart {
    message: StartedMessage,
}

#[derive(Deserialize)]
struct StartedMessage {
    #[serde(default)]
    usage: MessageUsage,
}

#[derive(Deserialize, Default)]
struct MessageUsage {
    #[serde(flatten)]
    input: InputUsage,
    #[serde(default)]
    output_tokens: Option<i64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct InputUsage {
    #[serde(default)]
    input_tokens: Option<i64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<i64>,
    #[serde(default)]
    cache_read_input_tokens: Option<i64>,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
}

/// For how long the cache keeps what it took in.
#[derive(Deserialize, Clone, Copy)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_1h_input_tokens: Option<i64>,
}

#[derive(Deserialize)]
struct BlockStart {
    content_block: Block,
}

/// A block of text or a call of a tool; of thinking, neither.
#[derive(Deserialize)]
struct Block {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct BlockDelta {
    delta: Delta,
}

/// Text has `text`, the input of a tool has `partial_json`; thinking and signatures have neither.
#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    text: String,
    #[serde(default)]
    partial_json: String,
}

#[derive(Deserialize)]
struct MessageDelta {
    delta: StopDelta,
    #[serde(default)]
    usage: Option<MessageUsage>,
}

#[derive(Deserialize)]
struct StopDelta {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Counted {
    input_tokens: i64,
}

#[derive(Deserialize)]
struct StreamError {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<ListedModel>,
}

#[derive(Deserialize)]
struct ListedModel {
    id: String,
}
