//! What Anthropic is asked to keep in its cache, so that the next request that begins alike is read at a tenth of the price.
//!
//! Taking something in costs more than reading it once, so that only what came before is marked, as it is likely to come
//! again: instructions and tools that the same tenant sent shortly before, and a conversation that goes on where a request
//! of that tenant ended.
//! <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>

use crate::{conversation::Need, provider::ChatCall};
use serde_json::{Map, Value, json};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// As long as the provider keeps what was last read.
const KEPT: Duration = Duration::from_secs(300);
/// Fewer bytes are fewer tokens than any of its models keeps.
const SHORTEST: usize = 2 << 10;
/// Beginnings that are remembered; when there are more, all are learnt again.
const MOST: usize = 10_000;

/// The beginnings of requests that were sent lately.
#[derive(Default)]
pub(super) struct Prefixes {
    hasher: RandomState,
    /// When each was sent last. Held for a look, never across an await.
    sent: Mutex<HashMap<u64, Instant>>,
}

impl Prefixes {
    /// Marks what of a written request is worth keeping.
    pub fn mark(&self, call: &ChatCall, body: &mut Map<String, Value>) {
        let (system, tools) = (body.get("system"), body.get("tools"));
        let told = system.and_then(Value::as_str).map_or(0, str::len);
        let length = told + tools.map_or(0, |tools| tools.to_string().len());
        let beginning = self.hasher.hash_one((call.tenant, &call.model, system, tools));
        let same = length >= SHORTEST && self.note(beginning);
        let long = call.conversation.bytes() >= SHORTEST || call.conversation.needs().contains(&Need::Pictures);
        let goes_on = long && self.goes_on(beginning, body.get("messages").and_then(Value::as_array));
        if same {
            mark_beginning(body);
        }
        if goes_on {
            mark_conversation(body);
        }
    }

    /// Whether all up to the last answer was sent as a request of its own; examples that are sent along were not.
    fn goes_on(&self, beginning: u64, messages: Option<&Vec<Value>>) -> bool {
        let Some(messages) = messages else { return false };
        let hash = |messages: &[Value]| self.hasher.hash_one((beginning, messages));
        self.note(hash(messages));
        let answered = messages.iter().rposition(|message| message["role"] == "assistant");
        answered.and_then(|last| messages.get(..last)).is_some_and(|before| self.came_before(hash(before)))
    }

    fn came_before(&self, beginning: u64) -> bool {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(&beginning).is_some_and(|at| at.elapsed() < KEPT)
    }

    /// Remembers that it is sent now; whether it came before.
    fn note(&self, beginning: u64) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= MOST {
            sent.retain(|_, at| at.elapsed() < KEPT);
            if sent.len() >= MOST {
                sent.clear();
            }
        }
        sent.insert(beginning, Instant::now()).is_some_and(|at| at.elapsed() < KEPT)
    }
}

/// Instructions come after tools: a mark at their end is after both.
fn mark_beginning(body: &mut Map<String, Value>) {
    if let Some(system) = body.get_mut("system") {
        let text = system.take();
        *system = json!([marked(json!({ "type": "text", "text": text }))]);
    } else if let Some(last) = body.get_mut("tools").and_then(Value::as_array_mut).and_then(|tools| tools.last_mut()) {
        *last = marked(last.take());
    }
}

fn mark_conversation(body: &mut Map<String, Value>) {
    let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    match messages.last_mut().map(|message| &mut message["content"]) {
        Some(Value::Array(blocks)) => {
            if let Some(last) = blocks.last_mut() {
                *last = marked(last.take());
            }
        }
        Some(content @ Value::String(_)) => {
            let text = content.take();
            *content = json!([marked(json!({ "type": "text", "text": text }))]);
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
    }
}

fn marked(mut block: Value) -> Value {
    block["cache_control"] = json!({ "type": "ephemeral" });
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conversation::{ChatTurn, Conversation, Tool, Toolbox},
        providers::anthropic::request,
    };
    use contract::{MessageRole, TenantId};
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    fn call(tenant: TenantId, conversation: Conversation) -> ChatCall {
        ChatCall {
            tenant,
            model: "m".to_owned(),
            conversation: Arc::new(conversation),
            native: None,
            cancel: CancellationToken::new(),
        }
    }

    fn sent(prefixes: &Prefixes, call: &ChatCall) -> Map<String, Value> {
        let mut body = request::written(call);
        prefixes.mark(call, &mut body);
        body
    }

    fn asks(system: Option<String>, turns: Vec<ChatTurn>) -> Conversation {
        Conversation { system, turns, ..Conversation::default() }
    }

    fn question() -> Vec<ChatTurn> {
        vec![ChatTurn::of_text(MessageRole::User, "Hello")]
    }

    #[test]
    fn instructions_are_kept_from_the_second_time_on_and_for_each_tenant_apart() {
        let (prefixes, acme) = (Prefixes::default(), TenantId::new());
        let long = "Be brief. ".repeat(300);
        let asked = |tenant| sent(&prefixes, &call(tenant, asks(Some(long.clone()), question())));
        assert_eq!(asked(acme)["system"], json!(long));
        assert_eq!(
            asked(acme)["system"],
            json!([{ "type": "text", "text": long, "cache_control": { "type": "ephemeral" } }])
        );
        assert_eq!(asked(TenantId::new())["system"], json!(long), "another tenant's first time");
    }

    #[test]
    fn what_is_too_short_to_be_kept_is_not_marked() {
        let (prefixes, acme) = (Prefixes::default(), TenantId::new());
        for _ in 0..2 {
            let body = sent(&prefixes, &call(acme, asks(Some("Be brief.".to_owned()), question())));
            assert_eq!(body["system"], json!("Be brief."));
        }
    }

    #[test]
    fn without_instructions_the_tools_are_kept() {
        let (prefixes, acme) = (Prefixes::default(), TenantId::new());
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: Some("It says what it says. ".repeat(100)),
            schema: json!({ "type": "object" }),
            strict: None,
        };
        let tools = Toolbox { offered: vec![tool("f"), tool("g")], ..Toolbox::default() };
        let conversation = Conversation { turns: question(), tools, ..Conversation::default() };
        sent(&prefixes, &call(acme, conversation.clone()));
        let body = sent(&prefixes, &call(acme, conversation));
        assert_eq!(body["tools"][0]["cache_control"], Value::Null);
        assert_eq!(body["tools"][1]["cache_control"], json!({ "type": "ephemeral" }));
    }

    #[test]
    fn a_conversation_is_kept_once_it_has_gone_on() {
        let (prefixes, acme) = (Prefixes::default(), TenantId::new());
        let long = "A long story. ".repeat(300);
        let mut turns = vec![ChatTurn::of_text(MessageRole::User, &long)];
        let body = sent(&prefixes, &call(acme, asks(None, turns.clone())));
        assert_eq!(body["messages"][0]["content"], json!(long));
        turns.push(ChatTurn::of_text(MessageRole::Assistant, "I see."));
        turns.push(ChatTurn::of_text(MessageRole::User, "And then?"));
        // Sent along by somebody who never asked it, it is an example and no conversation.
        let examples = sent(&Prefixes::default(), &call(acme, asks(None, turns.clone())));
        assert_eq!(examples["messages"][2]["content"], json!("And then?"));
        let others = sent(&prefixes, &call(TenantId::new(), asks(None, turns.clone())));
        assert_eq!(others["messages"][2]["content"], json!("And then?"));
        let body = sent(&prefixes, &call(acme, asks(None, turns)));
        assert_eq!(body["messages"][0]["content"], json!(long));
        let mark = json!({ "type": "ephemeral" });
        assert_eq!(
            body["messages"][2]["content"],
            json!([{ "type": "text", "text": "And then?", "cache_control": mark }])
        );
    }
}
