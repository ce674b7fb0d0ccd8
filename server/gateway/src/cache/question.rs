//! What a request asks, as answers are found by it: the same to the letter, or alike in what was said last.

use crate::{ChatRequest, dialects::WHOSE, provider::Dialect};
use contract::{MessageRole, TenantId};
use registry::{ModelConfig, canonical};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Changes whenever answers that are stored can no longer be read, or no longer fit the questions.
const FORM: &str = "answer 2";
/// Say what becomes of the answer, and nothing about it.
const BESIDE_THE_POINT: [&str; 3] = ["stream", "stream_options", "store"];

/// A request as the cache knows it. The tenant is part of both hashes: nobody else's question is ever the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Of all that decides the answer.
    pub key: String,
    /// Of all that but what was said last; none where that is not a text.
    pub alike: Option<Alike>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alike {
    pub family: String,
    pub said_last: String,
}

impl Question {
    /// None: the request is not of a kind whose answers are kept.
    pub fn of(tenant: TenantId, config: &ModelConfig, request: &ChatRequest) -> Option<Self> {
        let native = &request.foreign.as_ref()?.native;
        let mut body = Map::clone(&native.body);
        for field in BESIDE_THE_POINT.into_iter().chain(WHOSE) {
            body.remove(field);
        }
        let places: Vec<String> = config.targets.iter().map(registry::Target::route).collect();
        let asked = |body: &Map<String, Value>| {
            let all = json!([
                FORM,
                tenant,
                config.name,
                places,
                request.prompt,
                name(native.dialect),
                native.streamed,
                native.betas.as_deref(),
                body
            ]);
            hash(&canonical(&all))
        };
        let key = asked(&body);
        let last = request.conversation.turns.last().filter(|turn| turn.role == MessageRole::User);
        let alike = last.and_then(|turn| {
            let said_last = turn.text().trim().to_owned();
            forget_last(native.dialect, &mut body)?;
            (!said_last.is_empty()).then(|| Alike { family: asked(&body), said_last })
        });
        Some(Self { key, alike })
    }
}

impl Alike {
    /// Whether two texts name the same numbers: a vector hardly tells 2023 from 2024.
    pub fn counts_as(&self, other: &str) -> bool {
        numbers(&self.said_last).eq(numbers(other))
    }
}

fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_numeric()).filter(|part| !part.is_empty())
}

const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "chat",
        Dialect::OpenAiResponses => "responses",
        Dialect::AnthropicMessages => "messages",
    }
}

/// Takes what was said last out of a request; none where it is more than a text.
fn forget_last(dialect: Dialect, body: &mut Map<String, Value>) -> Option<()> {
    let messages = match dialect {
        Dialect::OpenAiChat | Dialect::AnthropicMessages => "messages",
        Dialect::OpenAiResponses => "input",
    };
    let content = match body.get_mut(messages)? {
        text @ Value::String(_) => text,
        Value::Array(all) => all.last_mut()?.get_mut("content")?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let text = match content {
        Value::String(_) => content,
        Value::Array(parts) => match parts.as_mut_slice() {
            [only] => only.get_mut("text")?,
            _ => return None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    *text = Value::Null;
    Some(())
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CacheControl, dialects::openai_chat::ChatCompletion};
    use contract::RequestId;
    use registry::Target;
    use tokio_util::sync::CancellationToken;

    fn request(body: Value) -> ChatRequest {
        let asked = ChatCompletion::read(body.as_object().unwrap().clone()).unwrap();
        asked.chat.into_request(RequestId::new(), CacheControl::Usual, CancellationToken::new())
    }

    fn config() -> ModelConfig {
        ModelConfig::new("m", vec![Target { provider: "p".to_owned(), model: "x".to_owned(), weight: 1 }])
    }

    fn question(tenant: TenantId, body: Value) -> Question {
        Question::of(tenant, &config(), &request(body)).unwrap()
    }

    #[test]
    fn what_decides_the_answer_is_in_the_key_and_nothing_else_is() {
        let tenant = TenantId::new();
        let said = |text: &str| json!({ "role": "user", "content": text });
        let key = |body: Value| question(tenant, body).key;
        let base = key(json!({ "model": "m", "messages": [said("hi")] }));
        assert_eq!(base, key(json!({ "messages": [said("hi")], "model": "m", "user": "ada", "store": true })));
        for other in [
            json!({ "model": "m", "messages": [said("hi ")] }),
            json!({ "model": "m", "messages": [said("hi")], "temperature": 0.5 }),
            json!({ "model": "m", "messages": [said("hi")], "stream": true }),
            json!({ "model": "m", "messages": [said("hi")], "whatever": 1 }),
        ] {
            assert_ne!(base, key(other.clone()), "{other}");
        }
        let asked = json!({ "model": "m", "messages": [said("hi")] });
        assert_ne!(base, question(TenantId::new(), asked.clone()).key, "another tenant's");
        let mut elsewhere = config();
        elsewhere.targets[0].model = "y".to_owned();
        assert_ne!(base, Question::of(tenant, &elsewhere, &request(asked)).unwrap().key, "another model answers");
    }

    #[test]
    fn questions_are_alike_when_all_but_the_last_text_is_the_same() {
        let tenant = TenantId::new();
        let ask = |system: &str, last: Value| {
            let messages = json!([{ "role": "system", "content": system }, { "role": "user", "content": last }]);
            question(tenant, json!({ "model": "m", "messages": messages }))
        };
        let one = ask("Be brief.", "What is a cat?".into()).alike.unwrap();
        let two = ask("Be brief.", "What's a cat".into()).alike.unwrap();
        assert_eq!((one.family.as_str(), one.said_last.as_str()), (two.family.as_str(), "What is a cat?"));
        assert_ne!(one.family, ask("Be long.", "What is a cat?".into()).alike.unwrap().family);
        let picture = json!([{ "type": "text", "text": "x" }, { "type": "image_url", "image_url": { "url": "https://a.test/x" } }]);
        assert_eq!(ask("Be brief.", picture).alike, None);
        assert!(one.counts_as("a cat, what is that?") && !one.counts_as("What are 2 cats?"));
    }
}
