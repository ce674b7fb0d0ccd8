//! In which dialect a request is made, and how each of them tells a refusal.

use super::refusal::Refusal;
use axum::extract::{FromRequestParts, Request};
use gateway::{dialects::Event, provider};
use http::{HeaderMap, Uri, request::Parts};
use serde_json::{Value, json};
use std::convert::Infallible;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `{"error": {"message", "type", "param", "code"}}`. <https://platform.openai.com/docs/guides/error-codes>
    OpenAi,
    /// The same shape; in a stream an event `error` that has it as well.
    OpenAiResponses,
    /// `{"type": "error", "error": {"type", "message"}}`. <https://docs.anthropic.com/en/api/errors>
    Anthropic,
}

impl Dialect {
    pub fn of(request: &Request) -> Self {
        Self::asked_in(request.uri(), request.headers())
    }

    /// Anthropic's SDKs name the version that they speak, also on paths that both have.
    fn asked_in(uri: &Uri, headers: &HeaderMap) -> Self {
        let messages = uri.path() == "/v1/messages" || uri.path().starts_with("/v1/messages/");
        if messages || headers.contains_key("anthropic-version") { Self::Anthropic } else { Self::OpenAi }
    }

    /// The event in place of a stream's end.
    pub fn error(self, refusal: &Refusal) -> Event {
        let (name, mut data) = (Some("error".to_owned()), self.refusal(refusal));
        match self {
            Self::OpenAi => return Event { name: None, data: data.to_string() },
            Self::Anthropic => {}
            Self::OpenAiResponses => {
                let told = json!({ "type": "error", "code": refusal.code(), "message": refusal.detail(), "param": refusal.field() });
                if let (Some(data), Value::Object(told)) = (data.as_object_mut(), told) {
                    data.extend(told);
                }
            }
        }
        Event { name, data: data.to_string() }
    }

    pub fn refusal(self, refusal: &Refusal) -> Value {
        match self {
            Self::OpenAi | Self::OpenAiResponses => {
                let kind = match refusal.status().as_u16() {
                    429 => "rate_limit_error",
                    400..500 => "invalid_request_error",
                    _ => "server_error",
                };
                let error = json!({ "message": refusal.detail(), "type": kind, "param": refusal.field(), "code": refusal.code() });
                json!({ "error": error })
            }
            Self::Anthropic => {
                let kind = match refusal.status().as_u16() {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    413 => "request_too_large",
                    429 => "rate_limit_error",
                    400..500 => "invalid_request_error",
                    503 => "overloaded_error",
                    _ => "api_error",
                };
                // The dialect has no place for the field; its own errors name it first too.
                let message = match refusal.field() {
                    Some(field) => format!("{field}: {}", refusal.detail()),
                    None => refusal.detail().to_owned(),
                };
                json!({ "type": "error", "error": { "type": kind, "message": message } })
            }
        }
    }
}

impl From<provider::Dialect> for Dialect {
    fn from(dialect: provider::Dialect) -> Self {
        match dialect {
            provider::Dialect::OpenAiChat => Self::OpenAi,
            provider::Dialect::OpenAiResponses => Self::OpenAiResponses,
            provider::Dialect::AnthropicMessages => Self::Anthropic,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Dialect {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::asked_in(&parts.uri, &parts.headers))
    }
}
