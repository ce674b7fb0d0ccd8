//! Anthropic's Messages.
//!
//! A stream is whole when `message_delta` has given the reason and `message_stop` has come. Event types
//! that are unknown here are passed over, as the protocol asks.
//! <https://docs.anthropic.com/en/api/messages-streaming>

use super::{
    estimate,
    http::{Connection, ErrorObject, KeyHeader},
};
use crate::provider::{ChatCall, ChatPart, ChatParts, EmbedCall, Embeddings, Provider, ProviderError};
use async_stream::try_stream;
use async_trait::async_trait;
use contract::{FinishReason, MessageRole, ProviderKind, TokenUsage};
use futures::StreamExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";
const VERSION: &str = "2023-06-01";
/// The protocol demands a limit; this is what an answer gets that names none.
const DEFAULT_MAX_TOKENS: i64 = 4096;

/// A server that speaks Anthropic's protocol.
pub struct Anthropic {
    connection: Connection,
}

impl Anthropic {
    /// `timeout` bounds the wait for the head of an answer and the silence between two events.
    pub fn new(base_url: Option<&str>, key: Option<&str>, timeout: Duration) -> Result<Self, ProviderError> {
        // With or without the version in its path: people paste both.
        let base_url = base_url.unwrap_or(DEFAULT_BASE_URL).trim_end_matches('/').trim_end_matches("/v1");
        let connection = Connection::new(base_url, key, KeyHeader::XApiKey, timeout)?;
        Ok(Self { connection: connection.with_header("anthropic-version", VERSION) })
    }

    /// The models this server offers; costs nothing, so it also tries a key.
    pub async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let request = self.connection.get("/v1/models?limit=100");
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
        let request = self.connection.post("/v1/messages").json(&Request::new(&call));
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
                        if let Some(text) = read::<BlockStart>(&event.data)?.content_block.text {
                            yield ChatPart::Text(text);
                        }
                    }
                    "content_block_delta" => {
                        if let Some(text) = read::<BlockDelta>(&event.data)?.delta.text {
                            yield ChatPart::Text(text);
                        }
                    }
                    "message_delta" => answer.progressed(read(&event.data)?)?,
                    "message_stop" => {
                        let reason = answer.reason.ok_or(ProviderError::Cut)?;
                        yield ChatPart::Finished { reason, usage: answer.usage() };
                        return;
                    }
                    "error" => {
                        let error = read::<StreamError>(&event.data)?.error;
                        Err(connection.streamed_error(error, &call.model))?;
                    }
                    // `ping`, `content_block_stop`, and what may come in later versions.
                    _ => {}
                }
            }
            Err(ProviderError::Cut)?;
        };
        // Blocks begin with an empty text.
        Ok(stream.filter(|part| futures::future::ready(!matches!(part, Ok(ChatPart::Text(t)) if t.is_empty()))).boxed())
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
}

impl Answer {
    fn started(&mut self, usage: MessageUsage) {
        self.input = usage.input;
        self.output = usage.output_tokens;
    }

    /// Output counts are cumulative: the last one holds.
    fn progressed(&mut self, delta: MessageDelta) -> Result<(), ProviderError> {
        self.output = delta.usage.and_then(|usage| usage.output_tokens).or(self.output);
        if let Some(reason) = delta.delta.stop_reason {
            self.reason = Some(stop_reason(&reason)?);
        }
        Ok(())
    }

    /// Anthropic counts cached tokens apart; here `input` is all that was read.
    fn usage(&self) -> TokenUsage {
        let InputUsage { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = self.input;
        let cached = cache_read_input_tokens.unwrap_or(0);
        TokenUsage {
            input: input_tokens.map(|fresh| fresh + cached + cache_creation_input_tokens.unwrap_or(0)),
            cached_input: cache_read_input_tokens,
            output: self.output,
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

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: i64,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Request<'a> {
    fn new(call: &'a ChatCall) -> Self {
        // Blank turns (an answer that failed before its first word) are refused by the protocol.
        let turns = call.turns.iter().filter(|turn| !turn.text.trim().is_empty()).map(|turn| Message {
            role: match turn.role {
                MessageRole::User => "user",
                MessageRole::Assistant => "assistant",
            },
            content: &turn.text,
        });
        let parameters = &call.parameters;
        Self {
            model: &call.model,
            max_tokens: parameters.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            messages: turns.collect(),
            stream: true,
            system: call.system.as_deref().filter(|text| !text.trim().is_empty()),
            // Its scale ends at 1 where others end at 2.
            temperature: parameters.temperature.map(|temperature| temperature.clamp(0.0, 1.0)),
            // Newer models refuse a call that sets both.
            top_p: parameters.top_p.filter(|_| parameters.temperature.is_none()),
            stop_sequences: &parameters.stop,
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
}

#[derive(Deserialize)]
struct BlockStart {
    content_block: TextOrOther,
}

#[derive(Deserialize)]
struct BlockDelta {
    delta: TextOrOther,
}

/// Text has `text`; thinking, signatures and tool input do not.
#[derive(Deserialize)]
struct TextOrOther {
    #[serde(default)]
    text: Option<String>,
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
