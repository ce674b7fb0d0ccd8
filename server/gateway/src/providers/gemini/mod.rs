//! Google's Gemini.
//!
//! A stream has no mark at its end: it is whole when a reason to finish has come before the connection ended.
//! <https://ai.google.dev/api/generate-content>

mod request;
mod signatures;

use super::{
    estimate,
    http::{Connection, ErrorObject, KeyHeader},
};
use crate::{
    conversation::Need,
    provider::{ChatCall, ChatPart, ChatParts, EmbedCall, Embeddings, Provider, ProviderError, ToolPart},
};
use async_stream::try_stream;
use async_trait::async_trait;
use contract::{FinishReason, ProviderKind, RequestId, TokenUsage};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use signatures::Signatures;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub const DEFAULT_BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";

/// Of one request for embeddings; more are refused.
const MOST_TEXTS: usize = 100;

/// A server that speaks Gemini's protocol.
pub struct Gemini {
    connection: Connection,
    signatures: Arc<Signatures>,
}

impl Gemini {
    /// `timeout` bounds the wait for the head of an answer and the silence between two events.
    pub fn new(base_url: Option<&str>, key: Option<&str>, timeout: Duration) -> Result<Self, ProviderError> {
        let base_url = base_url.unwrap_or(DEFAULT_BASE_URL);
        let connection = Connection::new(base_url, key, KeyHeader::XGoogApiKey, timeout)?;
        Ok(Self { connection, signatures: Arc::default() })
    }

    /// The models of this server that chat; costs nothing, so it also tries a key.
    pub async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let request = self.connection.get("/models?pageSize=1000")?;
        let response = self.connection.send(request, "", &CancellationToken::new()).await.map_err(meaning)?;
        let list: ModelList = self.connection.json(response).await?;
        let chats = |model: &ListedModel| model.methods.iter().any(|method| method == "generateContent");
        let name = |model: ListedModel| model.name.strip_prefix("models/").unwrap_or(&model.name).to_owned();
        Ok(list.models.into_iter().filter(chats).map(name).collect())
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        method: &str,
        body: &Value,
        model: &str,
        cancel: &CancellationToken,
    ) -> Result<T, ProviderError> {
        let request = self.connection.post(&path(model, method))?.json(body);
        let response = self.connection.send(request, model, cancel).await.map_err(meaning)?;
        self.connection.json(response).await
    }
}

/// A model's name comes from configuration; it may be tuned, and then has its own place.
fn full_name(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

fn path(model: &str, method: &str) -> String {
    format!("/{}:{method}", full_name(model))
}

/// A wrong key is told as a wrong argument.
fn meaning(error: ProviderError) -> ProviderError {
    if let ProviderError::Rejected { message, .. } = &error
        && (message.starts_with("API key not valid") || message.starts_with("API key expired"))
    {
        return ProviderError::Unauthorised;
    }
    error
}

#[async_trait]
impl Provider for Gemini {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Gemini
    }

    fn unavailable_reason(&self, _model: &str) -> Option<String> {
        (!self.connection.has_key()).then(|| "this provider has no API key yet".to_owned())
    }

    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError> {
        let body = request::written(&call, &self.signatures)?;
        let request = self.connection.post(&path(&call.model, "streamGenerateContent?alt=sse"))?.json(&body);
        let response = self.connection.send(request, &call.model, &call.cancel).await.map_err(meaning)?;
        let mut events = Box::pin(self.connection.events(response, call.cancel.clone())?);
        let (connection, signatures) = (self.connection.clone(), Arc::clone(&self.signatures));
        let stream = try_stream! {
            let (mut reason, mut usage, mut called) = (None, TokenUsage::default(), false);
            let one_at_a_time = call.conversation.tools.one_at_a_time;
            while let Some(event) = events.next().await {
                let chunk: Chunk = serde_json::from_str(&event?.data)
                    .map_err(|error| ProviderError::Malformed(format!("a chunk: {error}")))?;
                let says_nothing = chunk.says_nothing();
                if let Some(error) = chunk.error {
                    Err(connection.streamed_error(error, &call.model))?;
                }
                if says_nothing {
                    Err(ProviderError::Malformed("a chunk without candidates".to_owned()))?;
                }
                if let Some(used) = chunk.usage_metadata {
                    usage = used.into();
                }
                // A prompt that a filter stopped has no candidate at all.
                if chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
                    reason = Some(FinishReason::ContentFilter);
                }
                let Some(candidate) = chunk.candidates.into_iter().flatten().next() else { continue };
                for part in candidate.content.into_iter().flat_map(|content| content.parts) {
                    // It cannot be told to call one tool at a time: the first call is the answer then.
                    if part.function_call.is_some() && std::mem::replace(&mut called, true) && one_at_a_time {
                        continue;
                    }
                    for part in part.told(|id, signature| signatures.keep(call.tenant, &call.model, id, signature)) {
                        yield part;
                    }
                }
                if let Some(text) = candidate.finish_reason {
                    reason = Some(finish_reason(&text)?);
                }
            }
            let reason = reason.ok_or(ProviderError::Cut)?;
            yield ChatPart::Finished { reason, usage };
        };
        Ok(stream.boxed())
    }

    fn can(&self, need: Need) -> bool {
        match need {
            Need::Tools | Need::Pictures | Need::Json | Need::Schema => true,
        }
    }

    async fn count(&self, call: ChatCall) -> Result<Option<i64>, ProviderError> {
        let mut asked = request::read(&call, &self.signatures)?;
        asked.insert("model".to_owned(), full_name(&call.model).into());
        let body = json!({ "generateContentRequest": asked });
        Ok(Some(self.ask::<Counted>("countTokens", &body, &call.model, &call.cancel).await?.total_tokens))
    }

    async fn embed(&self, call: EmbedCall) -> Result<Embeddings, ProviderError> {
        let mut vectors = Vec::with_capacity(call.inputs.len());
        for texts in call.inputs.chunks(MOST_TEXTS) {
            let requests: Vec<Value> = texts.iter().map(|text| embedding_asked(&call, text)).collect();
            let body = json!({ "requests": requests });
            let answer: Embedded = self.ask("batchEmbedContents", &body, &call.model, &call.cancel).await?;
            if answer.embeddings.len() != texts.len() {
                let (got, wanted) = (answer.embeddings.len(), texts.len());
                return Err(ProviderError::Malformed(format!("{got} embeddings for {wanted} inputs")));
            }
            vectors.extend(answer.embeddings.into_iter().map(|one| super::vector::unit_length(one.values)));
        }
        // How much was read is not told.
        Ok(Embeddings { vectors, usage: TokenUsage { output: Some(0), ..TokenUsage::default() } })
    }

    fn count_tokens(&self, _model: &str, text: &str) -> i64 {
        estimate::tokens(text)
    }
}

fn embedding_asked(call: &EmbedCall, text: &str) -> Value {
    let mut asked = json!({ "model": full_name(&call.model), "content": { "parts": [{ "text": text }] } });
    if let Some(dimensions) = call.dimensions {
        asked["outputDimensionality"] = dimensions.into();
    }
    asked
}

fn finish_reason(text: &str) -> Result<FinishReason, ProviderError> {
    match text {
        "STOP" => Ok(FinishReason::Stop),
        "MAX_TOKENS" => Ok(FinishReason::Length),
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" | "IMAGE_SAFETY" => {
            Ok(FinishReason::ContentFilter)
        }
        // MALFORMED_FUNCTION_CALL, OTHER and whatever comes to be.
        other => {
            let shown: String = other.escape_debug().take(40).collect();
            Err(ProviderError::GaveUp(format!("finishReason “{shown}”")))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    #[serde(default)]
    candidates: Option<Vec<Candidate>>,
    #[serde(default)]
    prompt_feedback: Option<PromptFeedback>,
    #[serde(default)]
    usage_metadata: Option<Usage>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

impl Chunk {
    /// Nothing that the protocol has a name for.
    const fn says_nothing(&self) -> bool {
        self.candidates.is_none() && self.prompt_feedback.is_none() && self.usage_metadata.is_none()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: Option<String>,
    /// Whether the text is a thought and no part of the answer.
    #[serde(default)]
    thought: bool,
    #[serde(default)]
    function_call: Option<FunctionCall>,
    #[serde(default)]
    thought_signature: Option<String>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Option<Value>,
}

impl Part {
    /// A call comes whole, and mostly without an id. `sign`: told a call's id with its signature.
    fn told(self, sign: impl FnOnce(&str, &str)) -> Vec<ChatPart> {
        if let Some(FunctionCall { id, name, args }) = self.function_call {
            let id = id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| format!("call_{}", RequestId::new()));
            if let Some(signature) = &self.thought_signature {
                sign(&id, signature);
            }
            let arguments = args.unwrap_or_else(|| json!({})).to_string();
            let parts = [ToolPart::Begins { id, name }, ToolPart::Arguments(arguments)];
            return parts.map(ChatPart::Tool).into();
        }
        self.text.filter(|text| !text.is_empty() && !self.thought).map(ChatPart::Text).into_iter().collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default)]
    prompt_token_count: Option<i64>,
    #[serde(default)]
    cached_content_token_count: Option<i64>,
    #[serde(default)]
    candidates_token_count: Option<i64>,
    #[serde(default)]
    thoughts_token_count: Option<i64>,
}

impl From<Usage> for TokenUsage {
    /// Cached tokens are part of what was read; thoughts are billed as what was said, and counted beside it.
    fn from(usage: Usage) -> Self {
        let said = usage.candidates_token_count;
        let thought = usage.thoughts_token_count;
        Self {
            input: usage.prompt_token_count,
            cached_input: usage.cached_content_token_count,
            output: said.map_or(thought, |said| Some(said.saturating_add(thought.unwrap_or(0)))),
            reasoning: thought,
            ..Self::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    total_tokens: i64,
}

#[derive(Deserialize)]
struct Embedded {
    #[serde(default)]
    embeddings: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct ModelList {
    #[serde(default)]
    models: Vec<ListedModel>,
}

#[derive(Deserialize)]
struct ListedModel {
    name: String,
    #[serde(default, rename = "supportedGenerationMethods")]
    methods: Vec<String>,
}
