//! What of a request can be said in other words: to providers of other dialects, and to models of this process.

use crate::{
    conversation::{ChatParameters, ChatTurn, Conversation, Format, Need, Piece, Tool, ToolCall, ToolResult},
    dialects::{
        asked::{Portable, picture, texts},
        openai,
    },
};
use contract::MessageRole;
use serde_json::{Map, Value};

/// Where it is read already, or does not change what is answered.
const APART: [&str; 11] = [
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
];

/// Errors: the first field that has no other words.
pub(super) fn read(body: &Map<String, Value>) -> Result<Portable, String> {
    let mut read = Portable::default();
    conversation(body.get("messages"), &mut read)?;
    for (name, value) in body {
        if !APART.contains(&name.as_str()) && !is_neutral(name, value) {
            field(&mut read, name, value)?;
        }
    }
    Ok(read)
}

/// What says the same as if it were not there.
fn is_neutral(name: &str, value: &Value) -> bool {
    match (name, value) {
        (_, Value::Null) | ("logprobs", Value::Bool(false)) | ("parallel_tool_calls", Value::Bool(true)) => true,
        ("n", one) => one.as_u64() == Some(1),
        ("frequency_penalty" | "presence_penalty", zero) => zero.as_f64() == Some(0.0),
        ("tools" | "functions" | "stop", Value::Array(none)) => none.is_empty(),
        ("logit_bias", Value::Object(none)) => none.is_empty(),
        ("tool_choice" | "function_call", choice) => choice == "auto",
        ("response_format", format) => format.get("type").is_some_and(|kind| kind == "text"),
        ("modalities", only) => only.as_array().is_some_and(|only| only.len() == 1 && only[0] == "text"),
        _ => false,
    }
}

fn field(read: &mut Portable, name: &str, value: &Value) -> Result<(), String> {
    let Conversation { parameters, tools, format, .. } = &mut read.conversation;
    let or = |read: Option<()>| read.ok_or_else(|| name.to_owned());
    match name {
        "tools" => {
            tools.offered = offered(value)?;
            read.needs(Need::Tools, name);
        }
        "tool_choice" => {
            tools.choice = openai::choice(value, &value["function"]["name"]).ok_or_else(|| name.to_owned())?
        }
        "parallel_tool_calls" => tools.one_at_a_time = value == false,
        "response_format" => {
            *format = wanted(value).ok_or_else(|| name.to_owned())?;
            let need = if *format == Format::Json { Need::Json } else { Need::Schema };
            read.needs(need, name);
        }
        _ => or(parameter(parameters, name, value))?,
    }
    Ok(())
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
            parameters.stop = match value.as_str() {
                Some(one) => vec![one.to_owned()],
                None => texts(value)?,
            };
        }
        _ => return None,
    }
    Some(())
}

fn offered(tools: &Value) -> Result<Vec<Tool>, String> {
    let tools = tools.as_array().ok_or("tools")?;
    tools.iter().enumerate().map(|(number, tool)| function(tool).ok_or_else(|| format!("tools[{number}]"))).collect()
}

/// Functions alone have the same meaning everywhere.
fn function(tool: &Value) -> Option<Tool> {
    let function = tool.get("function").filter(|_| tool["type"] == "function")?.as_object()?;
    if function.keys().any(|name| !matches!(name.as_str(), "name" | "description" | "parameters" | "strict")) {
        return None;
    }
    openai::function(function)
}

fn wanted(format: &Value) -> Option<Format> {
    match format["type"].as_str()? {
        "json_object" => Some(Format::Json),
        "json_schema" => {
            let described = format["json_schema"].as_object()?;
            Some(Format::Schema {
                name: described.get("name").and_then(Value::as_str).map(str::to_owned),
                schema: described.get("schema")?.clone(),
                strict: described.get("strict").and_then(Value::as_bool),
            })
        }
        _ => None,
    }
}

/// The instructions at the beginning, and the turns.
fn conversation(messages: Option<&Value>, read: &mut Portable) -> Result<(), String> {
    let mut system = Vec::new();
    for (number, message) in messages.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = format!("messages[{number}]");
        let message = message.as_object().ok_or_else(|| at.clone())?;
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if let Some(other) = message.iter().find_map(|(name, value)| beside(role, name, value)) {
            return Err(format!("{at}.{other}"));
        }
        let content = message.get("content");
        match role {
            "system" | "developer" if read.conversation.turns.is_empty() => system.push(text(content, &at)?),
            "user" => {
                let pieces = pieces(content, &at, read)?;
                read.conversation.turns.push(ChatTurn { role: MessageRole::User, pieces });
            }
            "assistant" => {
                let pieces = said_and_called(message, &at, read)?;
                read.conversation.turns.push(ChatTurn { role: MessageRole::Assistant, pieces });
            }
            "tool" => {
                let call = message.get("tool_call_id").and_then(Value::as_str);
                let call = call.ok_or_else(|| format!("{at}.tool_call_id"))?.to_owned();
                let result = ToolResult { call, text: text(content, &at)?, failed: false };
                read.needs(Need::Tools, format!("{at}.role"));
                result_of(result, &mut read.conversation.turns);
            }
            // Instructions in mid-conversation have no place elsewhere.
            _ => return Err(format!("{at}.role")),
        }
    }
    read.conversation.system = (!system.is_empty()).then(|| system.join("\n\n"));
    Ok(())
}

/// What tools say one after the other is one turn.
fn result_of(result: ToolResult, turns: &mut Vec<ChatTurn>) {
    match turns.last_mut() {
        Some(turn) if matches!(turn.pieces.last(), Some(Piece::Result(_))) => turn.pieces.push(Piece::Result(result)),
        Some(_) | None => turns.push(ChatTurn { role: MessageRole::User, pieces: vec![Piece::Result(result)] }),
    }
}

/// A field of a message that has no place elsewhere.
fn beside<'a>(role: &str, name: &'a str, value: &Value) -> Option<&'a str> {
    let known = match name {
        "role" | "content" => true,
        "tool_calls" => role == "assistant",
        "tool_call_id" => role == "tool",
        _ => false,
    };
    let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    (!known && !nothing).then_some(name)
}

fn said_and_called(message: &Map<String, Value>, at: &str, read: &mut Portable) -> Result<Vec<Piece>, String> {
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let content = message.get("content").filter(|content| !content.is_null());
    let mut said = match content {
        None if !calls.is_empty() => Vec::new(),
        content => vec![Piece::Text(text(content, at)?)],
    };
    for (number, call) in calls.iter().enumerate() {
        let at = format!("{at}.tool_calls[{number}]");
        said.push(Piece::Call(called(call).ok_or_else(|| at.clone())?));
        read.needs(Need::Tools, at);
    }
    Ok(said)
}

fn called(call: &Value) -> Option<ToolCall> {
    let function = call.get("function").filter(|_| call["type"] == "function")?;
    let arguments = openai::arguments(&function["arguments"])?;
    Some(ToolCall { id: call["id"].as_str()?.to_owned(), name: function["name"].as_str()?.to_owned(), arguments })
}

fn pieces(content: Option<&Value>, at: &str, read: &mut Portable) -> Result<Vec<Piece>, String> {
    let Some(Value::Array(parts)) = content else { return Ok(vec![Piece::Text(text(content, at)?)]) };
    let mut pieces = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let at = format!("{at}.content[{number}]");
        match part["type"].as_str() {
            Some("text") => pieces.push(Piece::Text(part["text"].as_str().ok_or(at)?.to_owned())),
            Some("image_url") => {
                let image = &part["image_url"];
                // “low” is a picture that costs less, which nobody else can promise.
                let usual = image["detail"].as_str().is_none_or(|detail| detail != "low");
                let picture = image["url"].as_str().filter(|_| usual).and_then(picture);
                pieces.push(Piece::Picture(picture.ok_or_else(|| at.clone())?));
                read.needs(Need::Pictures, at);
            }
            Some(_) | None => return Err(at),
        }
    }
    Ok(pieces)
}

fn text(content: Option<&Value>, at: &str) -> Result<String, String> {
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let mut whole = String::new();
            for (number, part) in parts.iter().enumerate() {
                let text = part["text"].as_str().filter(|_| part["type"] == "text");
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
    use crate::conversation::ToolChoice;
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
        let asked = &read.conversation;
        assert_eq!(asked.system.as_deref(), Some("Be brief.\n\nAnd kind."));
        let turns: Vec<_> = asked.turns.iter().map(|turn| (turn.role, turn.text().into_owned())).collect();
        let said = |role, text: &str| (role, text.to_owned());
        let (user, assistant) = (MessageRole::User, MessageRole::Assistant);
        assert_eq!(turns, [said(user, "ab"), said(assistant, "c"), said(user, "d")]);
        let expected = ChatParameters {
            temperature: Some(0.0),
            top_p: Some(0.5),
            max_output_tokens: Some(9),
            seed: Some(7),
            stop: vec!["x".to_owned()],
        };
        assert_eq!((&asked.parameters, read.needs.len()), (&expected, 0));
    }

    #[test]
    fn tools_pictures_and_formats_have_other_words_where_a_provider_has_them() {
        let call = json!({ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } });
        let messages = json!([
            { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://a.test/x.png", "detail": "auto" } }] },
            { "role": "assistant", "content": null, "tool_calls": [call, call] },
            { "role": "tool", "tool_call_id": "c1", "content": "4" },
            { "role": "tool", "tool_call_id": "c2", "content": [{ "type": "text", "text": "5" }] },
        ]);
        let function = json!({ "name": "f", "description": "d", "parameters": { "type": "object" }, "strict": true });
        let read = of(json!({ "messages": messages, "tools": [{ "type": "function", "function": function }],
            "tool_choice": { "type": "function", "function": { "name": "f" } }, "parallel_tool_calls": false,
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": {}, "strict": true } } }))
        .unwrap();
        let asked = &read.conversation;
        assert_eq!(asked.turns.len(), 3);
        assert_eq!(asked.turns[2].pieces.len(), 2, "what tools say is one turn");
        let Piece::Call(first) = &asked.turns[1].pieces[0] else { panic!("{:?}", asked.turns[1]) };
        assert_eq!(first.arguments, json!({ "a": 1 }));
        assert_eq!((&asked.tools.choice, asked.tools.one_at_a_time), (&ToolChoice::Named("f".to_owned()), true));
        assert_eq!(asked.tools.offered[0].strict, Some(true));
        let schema = Format::Schema { name: Some("n".to_owned()), schema: json!({}), strict: Some(true) };
        assert_eq!(asked.format, schema);
        assert_eq!(asked.needs(), [Need::Tools, Need::Pictures, Need::Schema]);
        let field = |need| read.needs.iter().find(|(needed, _)| *needed == need).unwrap().1.clone();
        assert_eq!(field(Need::Pictures), "messages[0].content[0]");
        let json = of(json!({ "response_format": { "type": "json_object" } })).unwrap();
        assert_eq!(json.needs, [(Need::Json, "response_format".to_owned())]);
    }

    #[test]
    fn what_has_no_other_words_is_named() {
        let message = |message: Value| json!({ "messages": [message] });
        let called = |arguments: &str| {
            let call = json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": arguments } });
            message(json!({ "role": "assistant", "content": null, "tool_calls": [call] }))
        };
        for (more, field) in [
            (json!({ "n": 2 }), "n"),
            (json!({ "tools": [{}] }), "tools[0]"),
            (json!({ "tools": [{ "type": "custom", "custom": { "name": "x" } }] }), "tools[0]"),
            (json!({ "tool_choice": { "type": "allowed_tools" } }), "tool_choice"),
            (json!({ "functions": [{ "name": "f" }] }), "functions"),
            (json!({ "logprobs": true }), "logprobs"),
            (json!({ "response_format": { "type": "grammar" } }), "response_format"),
            (json!({ "reasoning_effort": "high" }), "reasoning_effort"),
            (json!({ "a_field_of_tomorrow": 1 }), "a_field_of_tomorrow"),
            (json!({ "temperature": "hot" }), "temperature"),
            (json!({ "seed": -1 }), "seed"),
            (json!({ "stop": [1] }), "stop"),
            (message(json!({ "role": "tool", "content": "x" })), "messages[0].tool_call_id"),
            (message(json!({ "role": "user", "content": "x", "name": "ada" })), "messages[0].name"),
            (called("{\"a\":"), "messages[0].tool_calls[0]"),
            (called("[1]"), "messages[0].tool_calls[0]"),
            (message(json!({ "role": "user", "content": [{ "type": "image_url" }] })), "messages[0].content[0]"),
            (message(json!({ "role": "user", "content": [{ "type": "input_audio" }] })), "messages[0].content[0]"),
            (message(json!({ "role": "user" })), "messages[0].content"),
        ] {
            assert_eq!(of(more.clone()).unwrap_err(), field, "{more}");
        }
        let late = json!([{ "role": "user", "content": "a" }, { "role": "system", "content": "b" }]);
        assert_eq!(of(json!({ "messages": late })).unwrap_err(), "messages[1].role");
    }
}
