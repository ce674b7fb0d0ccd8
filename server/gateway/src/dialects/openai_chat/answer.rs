//! The answer to a request for a chat completion, whole or in chunks.

use crate::Outcome;
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
    /// Whether a provider that speaks the dialect says it all itself.
    passed_on: bool,
}

impl Telling {
    pub fn new(id: impl std::fmt::Display, created: i64, model: String, include_usage: bool) -> Self {
        Self { id: format!("chatcmpl-{id}"), created, model, include_usage, begun: false, passed_on: false }
    }

    /// A piece of text.
    pub fn text(&mut self, text: &str) -> Value {
        let delta = if std::mem::replace(&mut self.begun, true) {
            json!({ "content": text })
        } else {
            json!({ "role": "assistant", "content": text })
        };
        self.chunk(&json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": null }]))
    }

    /// What follows the last text: why it ended, and what it used if that was asked for.
    pub fn end(&self, outcome: &Outcome) -> Vec<Value> {
        if self.passed_on {
            return Vec::new();
        }
        let reason = finish_reason(outcome.reason);
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
    pub fn chunk_of_provider(&mut self, mut chunk: Value) -> Option<Value> {
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

    /// The whole answer of a provider that speaks the dialect itself.
    pub fn whole_of_provider(&self, mut answer: Value) -> Value {
        if let Some(object) = answer.as_object_mut() {
            object.insert("model".to_owned(), self.model.as_str().into());
        }
        answer
    }

    /// The whole answer.
    pub fn whole(&self, text: &str, outcome: &Outcome) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null,
                "finish_reason": finish_reason(outcome.reason),
            }],
            "usage": usage(&outcome.usage),
        })
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

const fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            reason: FinishReason::Length,
            usage: TokenUsage { input: Some(5), cached_input: None, output: Some(2) },
            cost: None,
            measured: true,
            route: "local/m".to_owned(),
            first_token_ms: None,
            total_ms: 1,
            attempts: 1,
        }
    }

    #[test]
    fn a_stream_begins_with_a_role_and_ends_with_a_reason_and_usage() {
        let mut telling = Telling::new("1", 7, "assistant".to_owned(), true);
        let first = telling.text("Hel");
        assert_eq!(first["choices"][0]["delta"], json!({ "role": "assistant", "content": "Hel" }));
        assert_eq!((&first["id"], &first["usage"]), (&json!("chatcmpl-1"), &Value::Null));
        assert_eq!(telling.text("lo")["choices"][0]["delta"], json!({ "content": "lo" }));
        let end = telling.end(&outcome());
        assert_eq!(end[0]["choices"][0]["finish_reason"], "length");
        assert_eq!((end.len(), &end[1]["choices"]), (2, &json!([])));
        assert_eq!(end[1]["usage"]["total_tokens"], 7);
        assert_eq!(Telling::new("1", 7, "m".to_owned(), false).end(&outcome()).len(), 1);
    }

    #[test]
    fn a_providers_chunk_names_the_model_that_was_asked_for_and_hides_usage_that_was_not() {
        let mut telling = Telling::new("1", 7, "assistant".to_owned(), false);
        let chunk = json!({ "id": "x", "model": "gpt", "choices": [{ "delta": {} }], "usage": null, "new": 1 });
        let told = telling.chunk_of_provider(chunk).unwrap();
        assert_eq!(told, json!({ "id": "x", "model": "assistant", "choices": [{ "delta": {} }], "new": 1 }));
        let usage = json!({ "choices": [], "usage": { "prompt_tokens": 1 } });
        assert_eq!(telling.chunk_of_provider(usage.clone()), None);
        let asked = Telling::new("1", 7, "assistant".to_owned(), true).chunk_of_provider(usage).unwrap();
        assert_eq!(asked["usage"]["prompt_tokens"], 1);
    }
}
