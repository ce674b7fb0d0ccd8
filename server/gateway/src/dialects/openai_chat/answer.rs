//! The answer to a request for a chat completion, whole or in chunks.

use crate::{
    AnswerPart, Outcome,
    dialects::{self, Event, Whole},
    provider::{ProviderError, ToolPart},
};
use contract::{FinishReason, TokenUsage};
use serde_json::{Value, json};

/// Puts one answer into the dialect.
#[derive(Debug, Clone)]
pub struct Telling {
    id: String,
    /// Seconds since 1970.
    created: i64,
    /// As it was asked for.
    model: String,
    include_usage: bool,
    begun: bool,
    /// How many tools were called.
    calls: usize,
    /// Whether a provider that speaks the dialect says it all itself.
    passed_on: bool,
}

impl Telling {
    pub fn new(id: impl std::fmt::Display, created: i64, model: String, include_usage: bool) -> Self {
        let id = format!("chatcmpl-{id}");
        Self { id, created, model, include_usage, begun: false, calls: 0, passed_on: false }
    }

    /// A piece of what is said or called.
    fn delta(&mut self, mut delta: Value) -> Value {
        if !std::mem::replace(&mut self.begun, true) {
            delta["role"] = "assistant".into();
        }
        self.chunk(&json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": null }]))
    }

    fn call(&mut self, part: ToolPart) -> Value {
        let call = match part {
            ToolPart::Begins { id, name } => {
                self.calls += 1;
                let function = json!({ "name": name, "arguments": "" });
                json!({ "index": self.calls - 1, "id": id, "type": "function", "function": function })
            }
            ToolPart::Arguments(json) => {
                json!({ "index": self.calls.saturating_sub(1), "function": { "arguments": json } })
            }
        };
        self.delta(json!({ "tool_calls": [call] }))
    }

    /// What follows the last piece: why it ended, and what it used if that was asked for.
    fn end(&self, outcome: &Outcome) -> Vec<Value> {
        if self.passed_on {
            return Vec::new();
        }
        let reason = finish_reason(outcome.reason, self.calls > 0);
        let last = json!([{ "index": 0, "delta": {}, "logprobs": null, "finish_reason": reason }]);
        let mut chunks = vec![self.chunk(&last)];
        if self.include_usage {
            let mut chunk = self.chunk(&json!([]));
            chunk["usage"] = usage(&outcome.usage);
            chunks.push(chunk);
        }
        chunks
    }

    /// A chunk of a provider that speaks the dialect itself; none when it only tells what nobody asked for.
    fn chunk_of_provider(&mut self, mut chunk: Value) -> Option<Value> {
        self.passed_on = true;
        let object = chunk.as_object_mut()?;
        object.insert("model".to_owned(), self.model.as_str().into());
        if !self.include_usage {
            let only_usage = object.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty);
            if object.remove("usage").is_some_and(|usage| !usage.is_null()) && only_usage {
                return None;
            }
        }
        Some(chunk)
    }

    fn chunk(&self, choices: &Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

impl dialects::Telling for Telling {
    /// Chunks, and `[DONE]` after the last one.
    fn events(&mut self, part: AnswerPart) -> Vec<Event> {
        match part {
            AnswerPart::Text(text) => vec![Event::unnamed(&self.delta(json!({ "content": text })))],
            AnswerPart::Tool(part) => vec![Event::unnamed(&self.call(part))],
            AnswerPart::Native(chunk) => self.chunk_of_provider(chunk).iter().map(Event::unnamed).collect(),
            AnswerPart::Finished(outcome) => {
                let done = Event { name: None, data: "[DONE]".to_owned() };
                self.end(&outcome).iter().map(Event::unnamed).chain([done]).collect()
            }
        }
    }

    fn whole(&self, answer: Whole) -> Result<Value, ProviderError> {
        if let Some(mut native) = answer.native {
            if let Some(object) = native.as_object_mut() {
                object.insert("model".to_owned(), self.model.as_str().into());
            }
            return Ok(native);
        }
        let mut message = json!({ "role": "assistant", "content": answer.text, "refusal": null });
        let called = !answer.calls.is_empty();
        if called {
            if answer.text.is_empty() {
                message["content"] = Value::Null;
            }
            message["tool_calls"] = answer
                .calls
                .iter()
                .map(|call| {
                    let function = json!({ "name": call.name, "arguments": call.arguments });
                    json!({ "id": call.id, "type": "function", "function": function })
                })
                .collect();
        }
        Ok(json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_reason(answer.outcome.reason, called),
            }],
            "usage": usage(&answer.outcome.usage),
        }))
    }
}

const fn finish_reason(reason: FinishReason, called: bool) -> &'static str {
    match reason {
        FinishReason::Stop if called => "tool_calls",
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
    }
}

/// The dialect knows no unknown: what was not told counts as nothing here, and as unknown in the ledger.
fn usage(usage: &TokenUsage) -> Value {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input.saturating_add(output),
        "prompt_tokens_details": { "cached_tokens": usage.cached_input.unwrap_or(0) },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning.unwrap_or(0) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::Called;

    fn outcome() -> Outcome {
        Outcome {
            reason: FinishReason::Length,
            usage: TokenUsage { input: Some(5), output: Some(2), ..TokenUsage::default() },
            cost: None,
            measured: true,
            route: "local/m".to_owned(),
            first_token_ms: None,
            total_ms: 1,
            attempts: 1,
        }
    }

    fn told(telling: &mut Telling, part: AnswerPart) -> Vec<Value> {
        let events = dialects::Telling::events(telling, part);
        events.iter().filter_map(|event| serde_json::from_str(&event.data).ok()).collect()
    }

    fn text(telling: &mut Telling, text: &str) -> Value {
        told(telling, AnswerPart::Text(text.to_owned())).remove(0)
    }

    #[test]
    fn a_stream_begins_with_a_role_and_ends_with_a_reason_and_usage() {
        let mut telling = Telling::new("1", 7, "assistant".to_owned(), true);
        let first = text(&mut telling, "Hel");
        assert_eq!(first["choices"][0]["delta"], json!({ "role": "assistant", "content": "Hel" }));
        assert_eq!((&first["id"], &first["usage"]), (&json!("chatcmpl-1"), &Value::Null));
        assert_eq!(text(&mut telling, "lo")["choices"][0]["delta"], json!({ "content": "lo" }));
        let end = told(&mut telling, AnswerPart::Finished(outcome()));
        assert_eq!(end[0]["choices"][0]["finish_reason"], "length");
        assert_eq!((end.len(), &end[1]["choices"]), (2, &json!([])));
        assert_eq!(end[1]["usage"]["total_tokens"], 7);
        let mut quiet = Telling::new("1", 7, "m".to_owned(), false);
        let end = dialects::Telling::events(&mut quiet, AnswerPart::Finished(outcome()));
        assert_eq!((end.len(), end[1].data.as_str()), (2, "[DONE]"));
    }

    #[test]
    fn tools_are_called_by_number() {
        let mut telling = Telling::new("1", 7, "assistant".to_owned(), false);
        let begins = |id: &str| AnswerPart::Tool(ToolPart::Begins { id: id.to_owned(), name: "f".to_owned() });
        let arguments = |json: &str| AnswerPart::Tool(ToolPart::Arguments(json.to_owned()));
        let mut deltas = Vec::new();
        for part in [begins("a"), arguments("{}"), begins("b"), arguments("{"), arguments("}")] {
            deltas.push(told(&mut telling, part)[0]["choices"][0]["delta"].clone());
        }
        let call = |index: usize, id: &str| json!({ "index": index, "id": id, "type": "function", "function": { "name": "f", "arguments": "" } });
        assert_eq!(deltas[0], json!({ "role": "assistant", "tool_calls": [call(0, "a")] }));
        assert_eq!(deltas[2], json!({ "tool_calls": [call(1, "b")] }));
        assert_eq!(deltas[4], json!({ "tool_calls": [{ "index": 1, "function": { "arguments": "}" } }] }));
        let stopped = Outcome { reason: FinishReason::Stop, ..outcome() };
        let end = told(&mut telling, AnswerPart::Finished(stopped.clone()));
        assert_eq!(end[0]["choices"][0]["finish_reason"], "tool_calls");
        let call = Called { id: "a".to_owned(), name: "f".to_owned(), arguments: "{\"a\"".to_owned() };
        let whole = Whole { text: String::new(), calls: vec![call], native: None, outcome: stopped };
        let choice = dialects::Telling::whole(&telling, whole).unwrap()["choices"][0].clone();
        assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
        assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"a\"", "as the model wrote it");
    }

    #[test]
    fn a_providers_chunk_names_the_model_that_was_asked_for_and_hides_usage_that_was_not() {
        let mut telling = Telling::new("1", 7, "assistant".to_owned(), false);
        let chunk = json!({ "id": "x", "model": "gpt", "choices": [{ "delta": {} }], "usage": null, "new": 1 });
        let named = telling.chunk_of_provider(chunk).unwrap();
        assert_eq!(named, json!({ "id": "x", "model": "assistant", "choices": [{ "delta": {} }], "new": 1 }));
        let usage = json!({ "choices": [], "usage": { "prompt_tokens": 1 } });
        assert_eq!(telling.chunk_of_provider(usage.clone()), None);
        let asked = Telling::new("1", 7, "assistant".to_owned(), true).chunk_of_provider(usage).unwrap();
        assert_eq!(asked["usage"]["prompt_tokens"], 1);
    }
}
