//! A request for a response.

use super::portable;
use crate::{
    dialects::{
        ChatAsked, UnusableField,
        asked::{decides_elsewhere, model_of, truth},
    },
    provider::Dialect,
};
use serde_json::{Map, Value, json};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Responses {
    pub model: String,
    pub streamed: bool,
    /// Whether the response is kept, so that another request can follow on it.
    pub stored: bool,
    /// The response that this request follows on.
    pub previous: Option<String>,
    body: Map<String, Value>,
}

impl Responses {
    /// Errors: what is wrong whoever answers. Everything else is left to the provider, which knows its own dialect.
    pub fn read(body: Map<String, Value>) -> Result<Self, UnusableField> {
        let model = model_of(&body)?;
        let empty = match body.get("input") {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => true,
        };
        if empty {
            return Err(UnusableField::new("input", "input is a text, or a list with at least one item."));
        }
        if let Some((field, _)) = body.iter().find(|(name, value)| !is_usual(name, value)) {
            return Err(decides_elsewhere(field));
        }
        let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
        if let Some(number) = tools.clone().position(|tool| !runs_at_the_callers(tool)) {
            return Err(decides_elsewhere(&format!("tools[{number}].type")));
        }
        let previous = match body.get("previous_response_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => {
                let detail = "previous_response_id is the id of a response.";
                return Err(UnusableField::new("previous_response_id", detail));
            }
        };
        let streamed = truth(&body, "stream")?;
        let stored = match body.get("store") {
            None | Some(Value::Null) => true,
            Some(_) => truth(&body, "store")?,
        };
        Ok(Self { model, streamed, stored, previous, body })
    }

    /// What was sent: the items of this request alone.
    pub fn input(&self) -> Vec<Value> {
        self.body.get("input").cloned().map(items).unwrap_or_default()
    }

    /// What the response repeats of the request.
    pub fn repeated(&self) -> Map<String, Value> {
        let repeated: [(&str, Value); 14] = [
            ("instructions", Value::Null),
            ("max_output_tokens", Value::Null),
            ("metadata", json!({})),
            ("parallel_tool_calls", true.into()),
            ("previous_response_id", Value::Null),
            ("reasoning", json!({ "effort": null, "summary": null })),
            ("store", true.into()),
            ("temperature", Value::Null),
            ("text", json!({ "format": { "type": "text" } })),
            ("tool_choice", "auto".into()),
            ("tools", json!([])),
            ("top_p", Value::Null),
            ("truncation", "disabled".into()),
            ("user", Value::Null),
        ];
        let said = |name: &str| self.body.get(name).filter(|value| !value.is_null()).cloned();
        repeated.into_iter().map(|(name, usual)| (name.to_owned(), said(name).unwrap_or(usual))).collect()
    }

    /// As the gateway is asked: all that came before stands in front of what was sent. Nothing is kept elsewhere.
    pub fn into_chat(mut self, before: Vec<Value>) -> ChatAsked {
        let mut input = before;
        input.extend(self.body.remove("input").map(items).unwrap_or_default());
        self.body.insert("input".to_owned(), input.into());
        self.body.remove("previous_response_id");
        self.body.insert("store".to_owned(), false.into());
        let portable = portable::read(&self.body);
        ChatAsked::new(Dialect::OpenAiResponses, self.model, self.streamed, self.body, portable)
    }
}

/// Input as a list; a text is what a user says.
fn items(input: Value) -> Vec<Value> {
    match input {
        Value::String(text) => vec![json!({ "role": "user", "content": text })],
        Value::Array(items) => items,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// Whether a field leaves it to Seam which model answers, what is kept and at what price.
fn is_usual(name: &str, value: &Value) -> bool {
    match name {
        // Kept at the provider, where all tenants look alike.
        "conversation" | "prompt" | "background" => value.is_null() || value == false,
        "models" | "route" | "provider" | "plugins" | "fallbacks" | "api_base" | "api_key" | "base_url" => {
            value.is_null()
        }
        "service_tier" => value.is_null() || value == "auto" || value == "default",
        _ => true,
    }
}

/// Other tools run at the provider, and stand on its bill beside the tokens.
fn runs_at_the_callers(tool: &Value) -> bool {
    matches!(tool["type"].as_str(), Some("function" | "custom" | "local_shell" | "apply_patch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<Responses, String> {
        Responses::read(body.as_object().unwrap().clone()).map_err(|unusable| unusable.field)
    }

    #[test]
    fn what_nobody_could_answer_is_refused_by_the_fields_name() {
        for (body, field) in [
            (json!({ "input": "hi" }), "model"),
            (json!({ "model": "m" }), "input"),
            (json!({ "model": "m", "input": "" }), "input"),
            (json!({ "model": "m", "input": [] }), "input"),
            (json!({ "model": "m", "input": "hi", "stream": "yes" }), "stream"),
            (json!({ "model": "m", "input": "hi", "store": 1 }), "store"),
            (json!({ "model": "m", "input": "hi", "previous_response_id": 5 }), "previous_response_id"),
            (json!({ "model": "m", "input": "hi", "conversation": "conv_1" }), "conversation"),
            (json!({ "model": "m", "input": "hi", "background": true }), "background"),
            (json!({ "model": "m", "input": "hi", "tools": [{ "type": "web_search" }] }), "tools[0].type"),
            (json!({ "model": "m", "input": "hi", "tools": [{ "type": "mcp" }] }), "tools[0].type"),
        ] {
            assert_eq!(read(body.clone()).unwrap_err(), field, "{body}");
        }
    }

    #[test]
    fn what_came_before_stands_in_front_and_nothing_is_kept_elsewhere() {
        let asked =
            read(json!({ "model": "m", "input": "and?", "previous_response_id": "resp_1", "metadata": { "a": "b" } }));
        let asked = asked.unwrap();
        assert_eq!((asked.previous.as_deref(), asked.stored, asked.streamed), (Some("resp_1"), true, false));
        let repeated = asked.repeated();
        assert_eq!((&repeated["metadata"], &repeated["tool_choice"]), (&json!({ "a": "b" }), &json!("auto")));
        let chat = asked.into_chat(vec![json!({ "role": "user", "content": "one" })]);
        let body = &chat.foreign.native.body;
        assert_eq!(body["input"], json!([{ "role": "user", "content": "one" }, { "role": "user", "content": "and?" }]));
        assert_eq!((body.get("previous_response_id"), &body["store"]), (None, &json!(false)));
        assert_eq!(chat.conversation.turns.len(), 2);
    }
}
