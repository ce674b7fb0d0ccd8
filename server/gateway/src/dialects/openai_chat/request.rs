//! A request for a chat completion.

use super::portable;
use crate::{
    dialects::{
        ChatAsked, UnusableField,
        asked::{decides_elsewhere, model_of, require_messages, truth},
    },
    provider::Dialect,
};
use serde_json::{Map, Value};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ChatCompletion {
    pub chat: ChatAsked,
    /// Whether a streamed answer ends with what it used.
    pub include_usage: bool,
}

impl ChatCompletion {
    /// Errors: what is wrong whoever answers. Everything else is left to the provider, which knows its own dialect.
    pub fn read(body: Map<String, Value>) -> Result<Self, UnusableField> {
        let model = model_of(&body)?;
        require_messages(&body)?;
        if let Some((field, _)) = body.iter().find(|(name, value)| !is_usual(name, value)) {
            return Err(decides_elsewhere(field));
        }
        let streamed = truth(&body, "stream")?;
        let include_usage = match body.get("stream_options") {
            None | Some(Value::Null) => false,
            Some(Value::Object(_)) if !streamed => {
                let detail = "stream_options is only understood together with “stream”: true.";
                return Err(UnusableField::new("stream_options", detail));
            }
            Some(Value::Object(options)) => truth(options, "include_usage")?,
            Some(_) => return Err(UnusableField::new("stream_options", "stream_options is an object.")),
        };
        let portable = portable::read(&body);
        let chat = ChatAsked::new(Dialect::OpenAiChat, model, streamed, body, portable);
        Ok(Self { chat, include_usage })
    }
}

/// Whether a field leaves it to Seam which model answers, and at what price.
fn is_usual(name: &str, value: &Value) -> bool {
    match name {
        "models"
        | "route"
        | "provider"
        | "plugins"
        | "transforms"
        | "fallbacks"
        | "web_search_options"
        | "api_base"
        | "api_key"
        | "api_version"
        | "base_url"
        | "custom_llm_provider"
        | "model_list"
        | "mock_response" => value.is_null(),
        "service_tier" => value.is_null() || value == "auto" || value == "default",
        "modalities" => value.as_array().is_none_or(|all| all.iter().all(|one| one == "text")),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<ChatCompletion, String> {
        ChatCompletion::read(body.as_object().unwrap().clone()).map_err(|unusable| unusable.field)
    }

    #[test]
    fn what_nobody_could_answer_is_refused_by_the_fields_name() {
        let hi = json!([{ "role": "user", "content": "hi" }]);
        for (body, field) in [
            (json!({ "messages": hi }), "model"),
            (json!({ "model": 5, "messages": hi }), "model"),
            (json!({ "model": "m" }), "messages"),
            (json!({ "model": "m", "messages": [] }), "messages"),
            (json!({ "model": "m", "messages": "hi" }), "messages"),
            (json!({ "model": "m", "messages": hi, "stream": "yes" }), "stream"),
            (json!({ "model": "m", "messages": hi, "stream_options": { "include_usage": true } }), "stream_options"),
            (json!({ "model": "m", "messages": hi, "stream": true, "stream_options": 1 }), "stream_options"),
            (json!({ "model": "m", "messages": hi, "service_tier": "priority" }), "service_tier"),
            (json!({ "model": "m", "messages": hi, "models": ["dear"] }), "models"),
            (json!({ "model": "m", "messages": hi, "web_search_options": {} }), "web_search_options"),
            (json!({ "model": "m", "messages": hi, "modalities": ["text", "audio"] }), "modalities"),
        ] {
            assert_eq!(read(body.clone()).unwrap_err(), field, "{body}");
        }
    }

    #[test]
    fn what_only_the_same_dialect_has_words_for_is_kept_for_it() {
        let hi = json!([{ "role": "user", "content": "hi" }]);
        let plain = read(json!({ "model": "m", "messages": hi, "stream": true })).unwrap().chat;
        assert_eq!((plain.foreign.native_only, plain.streamed, plain.conversation.turns.len()), (None, true, 1));
        let odds = read(json!({ "model": "m", "messages": hi, "logprobs": true })).unwrap().chat;
        assert_eq!(odds.foreign.native_only.as_deref(), Some("logprobs"));
        assert_eq!(odds.foreign.native.body["logprobs"], true);
    }
}
