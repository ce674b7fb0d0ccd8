//! What of a request can be said in other words: to providers of other dialects, and to models of this process.

use crate::provider::{ChatParameters, ChatTurn};
use contract::MessageRole;
use serde_json::{Map, Value};

/// A request in Seam's own words.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Portable {
    pub system: Option<String>,
    pub turns: Vec<ChatTurn>,
    pub parameters: ChatParameters,
}

/// Where it is read already, or does not change what is answered.
const APART: [&str; 12] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "metadata",
    "store",
    "service_tier",
    "parallel_tool_calls",
];

/// Errors: the first field that has no other words.
pub(super) fn read(body: &Map<String, Value>) -> Result<Portable, String> {
    let (system, turns) = conversation(body.get("messages"))?;
    let mut read = Portable { system, turns, parameters: ChatParameters::default() };
    for (name, value) in body {
        if !APART.contains(&name.as_str()) && !is_neutral(name, value) {
            parameter(&mut read.parameters, name, value).ok_or_else(|| name.clone())?;
        }
    }
    Ok(read)
}

/// What says the same as if it were not there.
fn is_neutral(name: &str, value: &Value) -> bool {
    match (name, value) {
        (_, Value::Null) | ("logprobs", Value::Bool(false)) => true,
        ("n", one) => one.as_u64() == Some(1),
        ("frequency_penalty" | "presence_penalty", zero) => zero.as_f64() == Some(0.0),
        ("tools" | "functions" | "stop", Value::Array(none)) => none.is_empty(),
        ("logit_bias", Value::Object(none)) => none.is_empty(),
        ("tool_choice" | "function_call", choice) => choice == "none" || choice == "auto",
        ("response_format", format) => format.get("type").is_some_and(|kind| kind == "text"),
        ("modalities", only) => only.as_array().is_some_and(|only| only.len() == 1 && only[0] == "text"),
        _ => false,
    }
}

fn parameter(parameters: &mut ChatParameters, name: &str, value: &Value) -> Option<()> {
    match name {
        "temperature" => parameters.temperature = Some(value.as_f64()?),
        "top_p" => parameters.top_p = Some(value.as_f64()?),
        "max_tokens" | "max_completion_tokens" => {
            parameters.max_output_tokens = Some(value.as_i64().filter(|limit| *limit > 0)?);
        }
        "seed" => parameters.seed = Some(u32::try_from(value.as_u64()?).ok()?),
        "stop" => {
            parameters.stop = match value {
                Value::String(one) => vec![one.clone()],
                Value::Array(several) => {
                    several.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<_>>()?
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
            };
        }
        _ => return None,
    }
    Some(())
}

/// The instructions at the beginning, and the turns.
fn conversation(messages: Option<&Value>) -> Result<(Option<String>, Vec<ChatTurn>), String> {
    let (mut system, mut turns) = (Vec::new(), Vec::new());
    for (number, message) in messages.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = format!("messages[{number}]");
        let message = message.as_object().ok_or_else(|| at.clone())?;
        if let Some((other, _)) = message.iter().find(|(name, value)| {
            !matches!(name.as_str(), "role" | "content")
                && !value.is_null()
                && value.as_array().is_none_or(|all| !all.is_empty())
        }) {
            return Err(format!("{at}.{other}"));
        }
        let text = text(message.get("content"), &at)?;
        match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") if turns.is_empty() => system.push(text),
            Some("user") => turns.push(ChatTurn { role: MessageRole::User, text }),
            Some("assistant") => turns.push(ChatTurn { role: MessageRole::Assistant, text }),
            // Instructions in mid-conversation have no place elsewhere.
            _ => return Err(format!("{at}.role")),
        }
    }
    Ok(((!system.is_empty()).then(|| system.join("\n\n")), turns))
}

fn text(content: Option<&Value>, at: &str) -> Result<String, String> {
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let mut whole = String::new();
            for (number, part) in parts.iter().enumerate() {
                let text = part
                    .get("text")
                    .and_then(Value::as_str)
                    .filter(|_| part.get("type").is_some_and(|kind| kind == "text"));
                whole.push_str(text.ok_or_else(|| format!("{at}.content[{number}]"))?);
            }
            Ok(whole)
        }
        _ => Err(format!("{at}.content")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(more: Value) -> Result<Portable, String> {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(body.as_object().unwrap())
    }

    #[test]
    fn instructions_text_parts_and_parameters_can_be_said_in_other_words() {
        let messages = json!([
            { "role": "developer", "content": "Be brief." },
            { "role": "system", "content": [{ "type": "text", "text": "And kind." }] },
            { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "content": "c", "refusal": null, "annotations": [], "tool_calls": [] },
            { "role": "user", "content": "d" },
        ]);
        let read =
            of(json!({ "messages": messages, "temperature": 0, "max_completion_tokens": 9, "stop": "x", "seed": 7,
            "top_p": 0.5, "n": 1, "tools": [], "response_format": { "type": "text" }, "user": "u", "logprobs": false }))
            .unwrap();
        assert_eq!(read.system.as_deref(), Some("Be brief.\n\nAnd kind."));
        let turns: Vec<_> = read.turns.iter().map(|turn| (turn.role, turn.text.as_str())).collect();
        assert_eq!(turns, [(MessageRole::User, "ab"), (MessageRole::Assistant, "c"), (MessageRole::User, "d")]);
        let expected = ChatParameters {
            temperature: Some(0.0),
            top_p: Some(0.5),
            max_output_tokens: Some(9),
            seed: Some(7),
            stop: vec!["x".to_owned()],
        };
        assert_eq!(read.parameters, expected);
    }

    #[test]
    fn what_cannot_is_named() {
        let message = |message: Value| json!({ "messages": [message] });
        for (more, field) in [
            (json!({ "n": 2 }), "n"),
            (json!({ "tools": [{}] }), "tools"),
            (json!({ "logprobs": true }), "logprobs"),
            (json!({ "response_format": { "type": "json_object" } }), "response_format"),
            (json!({ "a_field_of_tomorrow": 1 }), "a_field_of_tomorrow"),
            (json!({ "temperature": "hot" }), "temperature"),
            (json!({ "seed": -1 }), "seed"),
            (message(json!({ "role": "tool", "content": "x" })), "messages[0].role"),
            (message(json!({ "role": "user", "content": "x", "name": "ada" })), "messages[0].name"),
            (message(json!({ "role": "assistant", "content": null, "tool_calls": [{}] })), "messages[0].tool_calls"),
            (message(json!({ "role": "user", "content": [{ "type": "image_url" }] })), "messages[0].content[0]"),
            (message(json!({ "role": "user" })), "messages[0].content"),
        ] {
            assert_eq!(of(more.clone()).unwrap_err(), field, "{more}");
        }
        let late = json!([{ "role": "user", "content": "a" }, { "role": "system", "content": "b" }]);
        assert_eq!(of(json!({ "messages": late })).unwrap_err(), "messages[1].role");
    }
}
