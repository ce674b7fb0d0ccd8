//! A request for a chat completion.

use super::portable;
use crate::{
    Foreign,
    dialects::UnusableField,
    provider::{ChatParameters, ChatTurn, Dialect, Native},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ChatCompletion {
    pub model: String,
    pub streamed: bool,
    /// Whether a streamed answer ends with what it used.
    pub include_usage: bool,
    pub system: Option<String>,
    pub turns: Vec<ChatTurn>,
    pub parameters: ChatParameters,
    /// The request as it came.
    pub foreign: Foreign,
}

impl ChatCompletion {
    /// Errors: what is wrong whoever answers. Everything else is left to the provider, which knows its own dialect.
    pub fn read(body: Map<String, Value>) -> Result<Self, UnusableField> {
        let model = match body.get("model") {
            Some(Value::String(model)) if !model.is_empty() => model.clone(),
            _ => return Err(UnusableField::new("model", "Name the model to ask, such as “assistant”.")),
        };
        match body.get("messages") {
            Some(Value::Array(messages)) if !messages.is_empty() => {}
            _ => return Err(UnusableField::new("messages", "messages is a list with at least one message.")),
        }
        if let Some(field) = body.iter().find_map(|(name, value)| decides_elsewhere(name, value)) {
            let detail =
                format!("“{field}” would change which model answers or what it costs; that is for whoever runs Seam.");
            return Err(UnusableField::new(field, detail));
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
        let (read, native_only) = match portable::read(&body) {
            Ok(read) => (read, None),
            Err(field) => (portable::Portable::default(), Some(field)),
        };
        let native = Native { dialect: Dialect::OpenAiChat, body: Arc::new(body), streamed };
        Ok(Self {
            model,
            streamed,
            include_usage,
            system: read.system,
            turns: read.turns,
            parameters: read.parameters,
            foreign: Foreign { native, native_only },
        })
    }
}

/// What would pass through and let the provider ask another model, call somebody else, or charge another price than the one
/// that the ledger knows.
fn decides_elsewhere<'a>(name: &'a str, value: &Value) -> Option<&'a str> {
    let usual = match name {
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
        "service_tier" => value.is_null() || value == "auto" || value == "default" || value == "flex",
        "modalities" => value.as_array().is_none_or(|all| all.iter().all(|one| one == "text")),
        _ => true,
    };
    (!usual).then_some(name)
}

fn truth(object: &Map<String, Value>, name: &str) -> Result<bool, UnusableField> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(_) => Err(UnusableField::new(name, format!("{name} is true or false."))),
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
        let plain = read(json!({ "model": "m", "messages": hi, "stream": true })).unwrap();
        assert_eq!((plain.foreign.native_only.as_deref(), plain.streamed, plain.turns.len()), (None, true, 1));
        let tools = json!({ "model": "m", "messages": hi, "tools": [{ "type": "function" }] });
        let tools = read(tools).unwrap();
        assert_eq!(tools.foreign.native_only.as_deref(), Some("tools"));
        assert_eq!(tools.foreign.native.body["tools"][0]["type"], "function");
    }
}
