//! A response, whole or in events. <https://platform.openai.com/docs/api-reference/responses-streaming>

use crate::{
    AnswerPart, Outcome,
    dialects::{self, Called, Event, WHOSE, Whole},
    provider::{ProviderError, ToolPart},
};
use contract::{FinishReason, RequestId, TokenUsage};
use serde_json::{Map, Value, json};

/// Puts one answer into the dialect.
#[derive(Debug, Clone)]
pub struct Telling {
    id: String,
    /// Seconds since 1970.
    created: i64,
    /// As it was asked for.
    model: String,
    /// What it repeats of the request.
    repeated: Map<String, Value>,
    sequence: u64,
    begun: bool,
    /// The items that are whole.
    output: Vec<Value>,
    open: Option<Open>,
    /// The response as it is told at the end of a stream.
    told: Option<Value>,
    /// The last event of a provider that speaks the dialect, until its end is settled.
    last: Option<Event>,
}

/// The item that is being told.
#[derive(Debug, Clone)]
enum Open {
    Message { id: String, text: String },
    Call { id: String, call: Called },
}

impl Telling {
    pub fn new(id: impl std::fmt::Display, created: i64, model: String, repeated: Map<String, Value>) -> Self {
        let id = format!("resp_{id}");
        Self {
            id,
            created,
            model,
            repeated,
            sequence: 0,
            begun: false,
            output: Vec::new(),
            open: None,
            told: None,
            last: None,
        }
    }

    /// Under which it can be asked for again.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn response(&self, status: &str, output: &[Value], outcome: Option<&Outcome>) -> Value {
        let incomplete = match outcome.map(|outcome| outcome.reason) {
            Some(FinishReason::Length) => json!({ "reason": "max_output_tokens" }),
            Some(FinishReason::ContentFilter) => json!({ "reason": "content_filter" }),
            Some(FinishReason::Stop) | None => Value::Null,
        };
        let mut response = self.repeated.clone();
        let own = json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": incomplete,
            "model": self.model,
            "output": output,
            "usage": outcome.map(|outcome| usage(&outcome.usage)),
        });
        if let Value::Object(own) = own {
            response.extend(own);
        }
        response.into()
    }

    fn event(&mut self, kind: &str, mut event: Value) -> Event {
        event["type"] = kind.into();
        event["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        Event { name: Some(kind.to_owned()), data: event.to_string() }
    }

    fn begin(&mut self, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            let response = self.response("in_progress", &[], None);
            for kind in ["response.created", "response.in_progress"] {
                events.push(self.event(kind, json!({ "response": response })));
            }
        }
    }

    fn text(&mut self, more: &str, events: &mut Vec<Event>) {
        if !matches!(self.open, Some(Open::Message { .. })) {
            self.begin(events);
            self.close("completed", events);
            let id = format!("msg_{}", RequestId::new());
            let at = self.output.len();
            let item = message(&id, "in_progress", None);
            events.push(self.event("response.output_item.added", json!({ "output_index": at, "item": item })));
            let part = json!({ "item_id": id, "output_index": at, "content_index": 0, "part": output_text("") });
            events.push(self.event("response.content_part.added", part));
            self.open = Some(Open::Message { id, text: String::new() });
        }
        let at = self.output.len();
        if let Some(Open::Message { id, text }) = &mut self.open {
            text.push_str(more);
            let delta = json!({ "item_id": id, "output_index": at, "content_index": 0, "delta": more, "logprobs": [] });
            events.push(self.event("response.output_text.delta", delta));
        }
    }

    fn tool(&mut self, part: ToolPart, events: &mut Vec<Event>) {
        match part {
            ToolPart::Begins { id, name } => {
                self.begin(events);
                self.close("completed", events);
                let call = Called { id, name, arguments: String::new() };
                let id = format!("fc_{}", RequestId::new());
                let item = function_call(&id, &call, "in_progress");
                let at = self.output.len();
                events.push(self.event("response.output_item.added", json!({ "output_index": at, "item": item })));
                self.open = Some(Open::Call { id, call });
            }
            ToolPart::Arguments(more) => {
                let at = self.output.len();
                if let Some(Open::Call { id, call }) = &mut self.open {
                    call.arguments.push_str(&more);
                    let delta = json!({ "item_id": id, "output_index": at, "delta": more });
                    events.push(self.event("response.function_call_arguments.delta", delta));
                }
            }
        }
    }

    /// Tells the end of the item that is open.
    fn close(&mut self, status: &str, events: &mut Vec<Event>) {
        let at = self.output.len();
        let item = match self.open.take() {
            None => return,
            Some(Open::Message { id, text }) => {
                let place = json!({ "item_id": id, "output_index": at, "content_index": 0 });
                let with = |name: &str, value: Value| {
                    let mut told = place.clone();
                    told[name] = value;
                    told
                };
                let mut done = with("text", text.as_str().into());
                done["logprobs"] = json!([]);
                events.push(self.event("response.output_text.done", done));
                events.push(self.event("response.content_part.done", with("part", output_text(&text))));
                message(&id, status, Some(&text))
            }
            Some(Open::Call { id, call }) => {
                let done = json!({ "item_id": id, "output_index": at, "name": call.name, "arguments": call.arguments });
                events.push(self.event("response.function_call_arguments.done", done));
                function_call(&id, &call, status)
            }
        };
        events.push(self.event("response.output_item.done", json!({ "output_index": at, "item": item })));
        self.output.push(item);
    }

    fn end(&mut self, outcome: &Outcome, events: &mut Vec<Event>) {
        self.begin(events);
        let (status, kind) = ended(outcome.reason);
        self.close(status, events);
        let response = self.response(status, &self.output, Some(outcome));
        events.push(self.event(kind, json!({ "response": response })));
        self.told = Some(response);
    }

    /// The last event waits until the answer is settled, and its response until it is kept.
    fn event_of_provider(&mut self, mut event: Value) -> Option<Event> {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        if let Some(response) = event.get_mut("response") {
            self.own(response);
        }
        let told = Event { name: Some(kind.clone()), data: event.to_string() };
        if kind == "response.completed" || kind == "response.incomplete" {
            self.told = event.get_mut("response").map(Value::take);
            self.last = Some(told);
            return None;
        }
        Some(told)
    }

    /// As the provider says it, under the name and the id that are known here.
    fn own(&self, response: &mut Value) {
        if let Some(response) = response.as_object_mut() {
            for name in ["previous_response_id", "store"] {
                response.insert(name.to_owned(), self.repeated.get(name).cloned().unwrap_or_default());
            }
            // An answer that is given again was asked for by somebody else, in whose words it repeats them.
            for name in WHOSE {
                if response.contains_key(name) {
                    response.insert(name.to_owned(), self.repeated.get(name).cloned().unwrap_or_default());
                }
            }
            response.insert("id".to_owned(), self.id.as_str().into());
            response.insert("model".to_owned(), self.model.as_str().into());
        }
    }
}

impl dialects::Telling for Telling {
    fn events(&mut self, part: AnswerPart) -> Vec<Event> {
        let mut events = Vec::new();
        match part {
            AnswerPart::Text(text) => self.text(&text, &mut events),
            AnswerPart::Tool(part) => self.tool(part, &mut events),
            AnswerPart::Native(event) => events.extend(self.event_of_provider(event)),
            AnswerPart::Finished(outcome) => match self.last.take() {
                Some(last) => events.push(last),
                None => self.end(&outcome, &mut events),
            },
        }
        events
    }

    fn whole(&self, answer: Whole) -> Result<Value, ProviderError> {
        if let Some(mut native) = answer.native {
            self.own(&mut native);
            return Ok(native);
        }
        let (status, _) = ended(answer.outcome.reason);
        let mut output = Vec::with_capacity(1 + answer.calls.len());
        if !answer.text.is_empty() || answer.calls.is_empty() {
            output.push(message(&format!("msg_{}", RequestId::new()), status, Some(&answer.text)));
        }
        output.extend(answer.calls.iter().map(|call| function_call(&format!("fc_{}", RequestId::new()), call, status)));
        Ok(self.response(status, &output, Some(&answer.outcome)))
    }

    fn told(&self) -> Option<&Value> {
        self.told.as_ref()
    }
}

const fn ended(reason: FinishReason) -> (&'static str, &'static str) {
    match reason {
        FinishReason::Stop => ("completed", "response.completed"),
        FinishReason::Length | FinishReason::ContentFilter => ("incomplete", "response.incomplete"),
    }
}

fn output_text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(id: &str, status: &str, text: Option<&str>) -> Value {
    let content: Vec<Value> = text.map(output_text).into_iter().collect();
    json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content })
}

fn function_call(id: &str, call: &Called, status: &str) -> Value {
    json!({
        "id": id,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    })
}

/// The dialect knows no unknown: what was not told counts as nothing here, and as unknown in the ledger.
fn usage(usage: &TokenUsage) -> Value {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": usage.cached_input.unwrap_or(0) },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning.unwrap_or(0) },
        "total_tokens": input.saturating_add(output),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::Telling as _;

    fn outcome(reason: FinishReason) -> Outcome {
        Outcome {
            reason,
            usage: TokenUsage { input: Some(5), output: Some(2), ..TokenUsage::default() },
            cost: None,
            measured: true,
            route: "local/m".to_owned(),
            first_token_ms: None,
            total_ms: 1,
            attempts: 1,
        }
    }

    fn telling() -> Telling {
        let repeated = json!({ "store": true, "previous_response_id": null, "tools": [] });
        Telling::new("1", 7, "assistant".to_owned(), repeated.as_object().unwrap().clone())
    }

    #[test]
    fn what_a_provider_repeats_of_the_request_is_whose_it_is_told_to() {
        let own = json!({ "store": false, "previous_response_id": null, "metadata": { "customer": "b" } });
        let telling = Telling::new("1", 7, "assistant".to_owned(), own.as_object().unwrap().clone());
        let mut others = json!({ "id": "resp_9", "metadata": { "customer": "a" }, "user": "a", "output": [] });
        telling.own(&mut others);
        assert_eq!((&others["metadata"], &others["user"]), (&json!({ "customer": "b" }), &Value::Null));
        assert_eq!(others.get("safety_identifier"), None, "what the provider does not tell is not told");
    }

    #[test]
    fn items_are_told_one_after_the_other_and_whole_at_the_end() {
        let mut telling = telling();
        let begins = AnswerPart::Tool(ToolPart::Begins { id: "c1".to_owned(), name: "f".to_owned() });
        let arguments = |json: &str| AnswerPart::Tool(ToolPart::Arguments(json.to_owned()));
        let text = |text: &str| AnswerPart::Text(text.to_owned());
        let parts = [
            text("Hel"),
            text("lo"),
            begins,
            arguments("{"),
            arguments("}"),
            AnswerPart::Finished(outcome(FinishReason::Stop)),
        ];
        let told: Vec<Value> = parts
            .into_iter()
            .flat_map(|part| telling.events(part))
            .map(|event| {
                let data: Value = serde_json::from_str(&event.data).unwrap();
                assert_eq!(event.name.as_deref(), data["type"].as_str());
                data
            })
            .collect();
        let kinds: Vec<&str> =
            told.iter().map(|event| event["type"].as_str().unwrap().strip_prefix("response.").unwrap()).collect();
        let expected = [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ];
        assert_eq!(kinds, expected);
        let numbers: Vec<u64> = told.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..15).collect::<Vec<_>>());
        let response = &told[14]["response"];
        assert_eq!(
            (&response["id"], &response["status"], &response["usage"]["total_tokens"]),
            (&json!("resp_1"), &json!("completed"), &json!(7))
        );
        assert_eq!(response["output"][0]["content"][0]["text"], "Hello");
        assert_eq!(
            (&response["output"][1]["call_id"], &response["output"][1]["arguments"]),
            (&json!("c1"), &json!("{}"))
        );
        assert_eq!(telling.told(), Some(response));
    }

    #[test]
    fn an_answer_that_was_cut_short_by_its_limit_is_incomplete() {
        let answer =
            Whole { text: "Hi".to_owned(), calls: Vec::new(), native: None, outcome: outcome(FinishReason::Length) };
        let response = telling().whole(answer).unwrap();
        assert_eq!(
            (&response["status"], &response["incomplete_details"]["reason"]),
            (&json!("incomplete"), &json!("max_output_tokens"))
        );
    }

    #[test]
    fn a_provider_that_speaks_it_is_passed_on_under_our_id_and_name() {
        let mut telling = telling();
        let event = json!({ "type": "response.completed", "response": { "id": "resp_up", "model": "gpt", "store": false, "output": [{ "type": "x" }], "new": 1 } });
        assert!(telling.events(AnswerPart::Native(event)).is_empty(), "before it is settled");
        let last = telling.events(AnswerPart::Finished(outcome(FinishReason::Stop))).remove(0);
        let last: Value = serde_json::from_str(&last.data).unwrap();
        let expected = json!({ "id": "resp_1", "model": "assistant", "store": true, "previous_response_id": null, "output": [{ "type": "x" }], "new": 1 });
        assert_eq!((&last["response"], telling.told()), (&expected, Some(&expected)));
    }
}
