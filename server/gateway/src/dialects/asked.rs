//! What a request for a chat comes to, in whichever dialect it was made.

use crate::{
    CacheControl, ChatRequest, Foreign,
    conversation::{Conversation, Need, Picture},
    provider::{Dialect, Native},
};
use contract::RequestId;
use metering::Feature;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A field of a request that cannot be used, whoever answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct UnusableField {
    /// As a path, such as `messages[2].role`.
    pub field: String,
    pub detail: String,
}

impl UnusableField {
    pub(crate) fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// A chat that is asked for.
#[derive(Debug, Clone)]
pub struct ChatAsked {
    pub model: String,
    pub streamed: bool,
    pub conversation: Arc<Conversation>,
    /// The request as it came.
    pub foreign: Foreign,
}

impl ChatAsked {
    /// `portable`: what of the body has other words, or the first field that has none.
    pub(super) fn new(
        dialect: Dialect,
        model: String,
        streamed: bool,
        body: Map<String, Value>,
        portable: Result<Portable, String>,
    ) -> Self {
        let (portable, native_only) = match portable {
            Ok(portable) => (portable, None),
            Err(field) => (Portable::default(), Some(field)),
        };
        Self {
            model,
            streamed,
            conversation: Arc::new(portable.conversation),
            foreign: Foreign {
                native: Native { dialect, body: Arc::new(body), streamed, betas: None },
                native_only,
                needs: portable.needs,
            },
        }
    }

    /// As the gateway is asked.
    pub fn into_request(self, request: RequestId, cache: CacheControl, cancel: CancellationToken) -> ChatRequest {
        ChatRequest {
            request,
            model: self.model,
            conversation: self.conversation,
            foreign: Some(self.foreign),
            prompt: None,
            feature: Feature::Api,
            cache,
            cancel,
        }
    }
}

/// A request in Seam's own words.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Portable {
    pub conversation: Conversation,
    /// The fields from which its needs come.
    pub needs: Vec<(Need, String)>,
}

impl Portable {
    /// The first field of each need is the one to blame.
    pub fn needs(&mut self, need: Need, field: impl Into<String>) {
        if self.needs.iter().all(|(known, _)| *known != need) {
            self.needs.push((need, field.into()));
        }
    }
}

/// The name of the model to ask.
pub(super) fn model_of(body: &Map<String, Value>) -> Result<String, UnusableField> {
    match body.get("model") {
        Some(Value::String(model)) if !model.is_empty() => Ok(model.clone()),
        _ => Err(UnusableField::new("model", "Name the model to ask, such as “assistant”.")),
    }
}

/// A list of messages with something in it.
pub(super) fn require_messages(body: &Map<String, Value>) -> Result<(), UnusableField> {
    match body.get("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => Ok(()),
        _ => Err(UnusableField::new("messages", "messages is a list with at least one message.")),
    }
}

/// What would let the provider ask another model, call somebody else, or charge another price than the one that the ledger
/// knows.
pub(super) fn decides_elsewhere(field: &str) -> UnusableField {
    let detail = format!("“{field}” would change which model answers or what it costs; that is for whoever runs Seam.");
    UnusableField::new(field, detail)
}

pub(super) fn truth(object: &Map<String, Value>, name: &str) -> Result<bool, UnusableField> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(_) => Err(UnusableField::new(name, format!("{name} is true or false."))),
    }
}

/// A picture by its address, or with its bytes in the address.
pub(super) fn picture(url: &str) -> Option<Picture> {
    let Some(data) = url.strip_prefix("data:") else {
        return (url.starts_with("https://") || url.starts_with("http://")).then(|| Picture::Url(url.to_owned()));
    };
    let (media_type, base64) = data.split_once(";base64,")?;
    Some(Picture::Data { media_type: media_type.to_owned(), base64: base64.to_owned() })
}

/// Texts of a list.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_somewhere_or_comes_along() {
        assert_eq!(picture("https://a.test/x.png"), Some(Picture::Url("https://a.test/x.png".to_owned())));
        let data = Picture::Data { media_type: "image/png".to_owned(), base64: "AA==".to_owned() };
        assert_eq!(picture("data:image/png;base64,AA=="), Some(data));
        for other in ["file:///etc/passwd", "data:image/png,AA", "", "x"] {
            assert_eq!(picture(other), None, "{other}");
        }
    }
}
