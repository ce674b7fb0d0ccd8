//! A message, whole or in events. <https://docs.anthropic.com/en/api/messages-streaming>

use crate::{
    AnswerPart, Outcome,
    dialects::{self, Event, Whole},
    provider::{ProviderError, ToolPart},
};
use contract::{FinishReason, TokenUsage};
use serde_json::{Value, json};

/// What a block holds that is being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Tool,
}

/// Puts one answer into the dialect.
#[derive(Debug, Clone)]
pub struct Telling {
    id: String,
    /// As it was asked for.
    model: String,
    begun: bool,
    /// The block that is open; those before it are closed.
    open: Option<Block>,
    blocks: usize,
    called: bool,
    /// The last event of a provider that speaks the dialect, until its end is settled.
    last: Option<Event>,
}

impl Telling {
    pub fn new(id: impl std::fmt::Display, model: String) -> Self {
        let id = format!("msg_{id}");
        Self { id, model, begun: false, open: None, blocks: 0, called: false, last: None }
    }

    /// What comes before everything else. How much was read is told at the end, when it is known.
    fn begin(&mut self, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            let message = self.message(&json!([]), &Value::Null, &json!({ "input_tokens": 0, "output_tokens": 0 }));
            events.push(named(&json!({ "type": "message_start", "message": message })));
        }
    }

    fn open(&mut self, kind: Block, block: &Value, events: &mut Vec<Event>) {
        self.begin(events);
        self.close(events);
        self.open = Some(kind);
        self.blocks += 1;
        let index = self.blocks - 1;
        events.push(named(&json!({ "type": "content_block_start", "index": index, "content_block": block })));
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        if self.open.take().is_some() {
            events.push(named(&json!({ "type": "content_block_stop", "index": self.blocks - 1 })));
        }
    }

    fn delta(&self, delta: &Value) -> Event {
        let index = self.blocks.saturating_sub(1);
        named(&json!({ "type": "content_block_delta", "index": index, "delta": delta }))
    }

    fn text(&mut self, text: &str, events: &mut Vec<Event>) {
        if self.open != Some(Block::Text) {
            self.open(Block::Text, &json!({ "type": "text", "text": "" }), events);
        }
        events.push(self.delta(&json!({ "type": "text_delta", "text": text })));
    }

    fn tool(&mut self, part: ToolPart, events: &mut Vec<Event>) {
        match part {
            ToolPart::Begins { id, name } => {
                self.called = true;
                self.open(Block::Tool, &json!({ "type": "tool_use", "id": id, "name": name, "input": {} }), events);
            }
            ToolPart::Arguments(json) => {
                events.push(self.delta(&json!({ "type": "input_json_delta", "partial_json": json })));
            }
        }
    }

    fn end(&mut self, outcome: &Outcome, events: &mut Vec<Event>) {
        self.begin(events);
        self.close(events);
        let delta = json!({ "stop_reason": stop_reason(outcome.reason, self.called), "stop_sequence": null });
        events.push(named(&json!({ "type": "message_delta", "delta": delta, "usage": usage(&outcome.usage) })));
        events.push(named(&json!({ "type": "message_stop" })));
    }

    /// An event of a provider that speaks the dialect itself; the last one waits until the answer is settled.
    fn event_of_provider(&mut self, mut event: Value) -> Option<Event> {
        if event["type"] == "message_stop" {
            self.last = Some(named(&event));
            return None;
        }
        if let Some(message) = event.get_mut("message").and_then(Value::as_object_mut) {
            message.insert("model".to_owned(), self.model.as_str().into());
        }
        Some(named(&event))
    }

    fn message(&self, content: &Value, stop_reason: &Value, usage: &Value) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": usage,
        })
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
            if let Some(object) = native.as_object_mut() {
                object.insert("model".to_owned(), self.model.as_str().into());
            }
            return Ok(native);
        }
        let mut content = Vec::with_capacity(1 + answer.calls.len());
        if !answer.text.is_empty() {
            content.push(json!({ "type": "text", "text": answer.text }));
        }
        for call in &answer.calls {
            let input = serde_json::from_str::<Value>(&call.arguments).ok().filter(Value::is_object);
            let unsayable =
                || ProviderError::Malformed(format!("arguments of the tool “{}”: no JSON object", call.name));
            let input = input.ok_or_else(unsayable)?;
            content.push(json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input }));
        }
        let reason = stop_reason(answer.outcome.reason, !answer.calls.is_empty());
        Ok(self.message(&content.into(), &reason.into(), &usage(&answer.outcome.usage)))
    }
}

/// Each event says its own name, in its head and in its data.
fn named(event: &Value) -> Event {
    Event { name: event["type"].as_str().map(str::to_owned), data: event.to_string() }
}

const fn stop_reason(reason: FinishReason, called: bool) -> &'static str {
    match reason {
        FinishReason::Stop if called => "tool_use",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ContentFilter => "refusal",
    }
}

/// The dialect counts what a cache read and took in apart from the rest of what was read, and knows no unknown.
fn usage(usage: &TokenUsage) -> Value {
    let (cached, written) = (usage.cached_input.unwrap_or(0), usage.cache_write.unwrap_or(0));
    json!({
        "input_tokens": usage.input.unwrap_or(0).saturating_sub(cached.saturating_add(written)).max(0),
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
        "output_tokens": usage.output.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{Called, Telling as _};

    fn outcome() -> Outcome {
        Outcome {
            reason: FinishReason::Stop,
            usage: TokenUsage { input: Some(5), cached_input: Some(4), output: Some(2), ..TokenUsage::default() },
            cost: None,
            measured: true,
            route: "local/m".to_owned(),
            first_token_ms: None,
            total_ms: 1,
            attempts: 1,
        }
    }

    #[test]
    fn text_and_tools_are_blocks_one_after_the_other() {
        let mut telling = Telling::new("1", "assistant".to_owned());
        let begins = |id: &str| AnswerPart::Tool(ToolPart::Begins { id: id.to_owned(), name: "f".to_owned() });
        let arguments = |json: &str| AnswerPart::Tool(ToolPart::Arguments(json.to_owned()));
        let text = |text: &str| AnswerPart::Text(text.to_owned());
        let parts =
            [text("Hel"), text("lo"), begins("a"), arguments("{}"), begins("b"), AnswerPart::Finished(outcome())];
        let events: Vec<Event> = parts.into_iter().flat_map(|part| telling.events(part)).collect();
        let told: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect();
        let shape: Vec<String> = told
            .iter()
            .map(|event| {
                format!(
                    "{} {}",
                    event["type"].as_str().unwrap(),
                    event["index"].as_u64().map_or(String::new(), |n| n.to_string())
                )
            })
            .collect();
        let expected = [
            "message_start ",
            "content_block_start 0",
            "content_block_delta 0",
            "content_block_delta 0",
            "content_block_stop 0",
            "content_block_start 1",
            "content_block_delta 1",
            "content_block_stop 1",
            "content_block_start 2",
            "content_block_stop 2",
            "message_delta ",
            "message_stop ",
        ];
        assert_eq!(shape, expected);
        assert!(events.iter().zip(&told).all(|(event, told)| event.name.as_deref() == told["type"].as_str()));
        assert_eq!(told[10]["delta"]["stop_reason"], "tool_use");
        assert_eq!(
            (&told[10]["usage"]["input_tokens"], &told[10]["usage"]["cache_read_input_tokens"]),
            (&json!(1), &json!(4))
        );
    }

    #[test]
    fn a_whole_message_holds_objects_and_refuses_what_is_none() {
        let telling = Telling::new("1", "assistant".to_owned());
        let answer = |arguments: &str| {
            let call = Called { id: "t".to_owned(), name: "f".to_owned(), arguments: arguments.to_owned() };
            Whole { text: "Hi".to_owned(), calls: vec![call], native: None, outcome: outcome() }
        };
        let message = telling.whole(answer("{\"a\":1}")).unwrap();
        let content = json!([{ "type": "text", "text": "Hi" }, { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } }]);
        assert_eq!((&message["content"], &message["stop_reason"]), (&content, &json!("tool_use")));
        assert!(telling.whole(answer("{\"a\"")).is_err());
        assert!(telling.whole(answer("5")).is_err());
    }

    #[test]
    fn a_provider_that_speaks_it_is_passed_on_under_the_name_that_was_asked_for() {
        let mut telling = Telling::new("1", "assistant".to_owned());
        let start = json!({ "type": "message_start", "message": { "id": "x", "model": "claude", "new": 1 } });
        let told = telling.events(AnswerPart::Native(start)).remove(0);
        let event: Value = serde_json::from_str(&told.data).unwrap();
        assert_eq!(event["message"], json!({ "id": "x", "model": "assistant", "new": 1 }));
        assert_eq!(told.name.as_deref(), Some("message_start"));
        assert!(
            telling.events(AnswerPart::Native(json!({ "type": "message_stop" }))).is_empty(),
            "before it is settled"
        );
        assert_eq!(telling.events(AnswerPart::Finished(outcome()))[0].name.as_deref(), Some("message_stop"));
    }
}
