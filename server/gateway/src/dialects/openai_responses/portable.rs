//! What of a request can be said in other words: to providers of other dialects, and to models of this process.

use crate::{
    conversation::{ChatTurn, Conversation, Format, Need, Piece, Tool, ToolCall, ToolResult},
    dialects::{
        asked::{Portable, picture},
        openai,
    },
};
use contract::MessageRole;
use serde_json::{Map, Value};

/// Where it is read already, or does not change what is answered.
const APART: [&str; 13] = [
    "model",
    "input",
    "stream",
    "stream_options",
    "store",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "metadata",
    "service_tier",
    "include",
    "truncation",
];

/// Errors: the first field that has no other words.
pub(super) fn read(body: &Map<String, Value>) -> Result<Portable, String> {
    let mut read = Portable::default();
    let mut system = Vec::new();
    if let Some(instructions) = body.get("instructions").and_then(Value::as_str) {
        system.push(instructions.to_owned());
    }
    for (number, item) in body.get("input").and_then(Value::as_array).into_iter().flatten().enumerate() {
        self::item(item, &format!("input[{number}]"), &mut system, &mut read)?;
    }
    read.conversation.system = (!system.is_empty()).then(|| system.join("\n\n"));
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
        (_, Value::Null) | ("parallel_tool_calls", Value::Bool(true)) => true,
        ("instructions", text) => text.is_string(),
        ("tools", Value::Array(none)) => none.is_empty(),
        ("top_logprobs", zero) => zero.as_u64() == Some(0),
        ("tool_choice", choice) => choice == "auto",
        ("reasoning", wanted) => wanted.as_object().is_some_and(|wanted| wanted.values().all(Value::is_null)),
        ("background", later) => later == false,
        ("text", text) => text.as_object().is_some_and(|text| {
            text.iter().all(|(name, value)| value.is_null() || (name == "format" && value["type"] == "text"))
        }),
        _ => false,
    }
}

fn field(read: &mut Portable, name: &str, value: &Value) -> Result<(), String> {
    let unsaid = || name.to_owned();
    let Conversation { parameters, tools, format, .. } = &mut read.conversation;
    match name {
        "temperature" => parameters.temperature = Some(value.as_f64().ok_or_else(unsaid)?),
        "top_p" => parameters.top_p = Some(value.as_f64().ok_or_else(unsaid)?),
        "max_output_tokens" => {
            let limit = value.as_i64().filter(|limit| *limit > 0);
            parameters.max_output_tokens = Some(limit.ok_or_else(unsaid)?);
        }
        "tools" => {
            let offered = value.as_array().ok_or_else(unsaid)?.iter().enumerate();
            let offered = offered.map(|(number, tool)| function(tool).ok_or_else(|| format!("tools[{number}]")));
            tools.offered = offered.collect::<Result<_, _>>()?;
            read.needs(Need::Tools, name);
        }
        "tool_choice" => tools.choice = openai::choice(value, &value["name"]).ok_or_else(unsaid)?,
        "parallel_tool_calls" => tools.one_at_a_time = value == false,
        "text" => {
            *format = wanted(value).ok_or_else(unsaid)?;
            let need = if *format == Format::Json { Need::Json } else { Need::Schema };
            read.needs(need, "text.format");
        }
        _ => return Err(unsaid()),
    }
    Ok(())
}

fn function(tool: &Value) -> Option<Tool> {
    let described = tool.as_object().filter(|tool| tool.get("type").is_some_and(|kind| kind == "function"))?;
    let known = |name: &str| matches!(name, "type" | "name" | "description" | "parameters" | "strict");
    if described.iter().any(|(name, value)| !known(name) && !value.is_null()) {
        return None;
    }
    openai::function(described)
}

/// A format, and nothing beside it.
fn wanted(text: &Value) -> Option<Format> {
    let text = text.as_object()?;
    if text.iter().any(|(name, value)| name != "format" && !value.is_null()) {
        return None;
    }
    let format = text.get("format")?;
    match format["type"].as_str()? {
        "json_object" => Some(Format::Json),
        "json_schema" => Some(Format::Schema {
            name: format["name"].as_str().map(str::to_owned),
            schema: format.get("schema")?.clone(),
            strict: format["strict"].as_bool(),
        }),
        _ => None,
    }
}

fn item(item: &Value, at: &str, system: &mut Vec<String>, read: &mut Portable) -> Result<(), String> {
    match item["type"].as_str().or_else(|| item.get("role").map(|_| "message")) {
        Some("message") => message(item, at, system, read),
        // A model's notes to itself, sealed for itself.
        Some("reasoning") => Ok(()),
        Some("function_call") => {
            let call = called(item).ok_or_else(|| at.to_owned())?;
            read.needs(Need::Tools, at);
            put(MessageRole::Assistant, vec![Piece::Call(call)], read);
            Ok(())
        }
        Some("function_call_output") => {
            let call = item["call_id"].as_str().ok_or_else(|| format!("{at}.call_id"))?.to_owned();
            let text = item["output"].as_str().ok_or_else(|| format!("{at}.output"))?.to_owned();
            read.needs(Need::Tools, at);
            put(MessageRole::User, vec![Piece::Result(ToolResult { call, text, failed: false })], read);
            Ok(())
        }
        Some(_) | None => Err(at.to_owned()),
    }
}

/// What one side says and does one after the other is one turn, unless both are words.
fn put(role: MessageRole, pieces: Vec<Piece>, read: &mut Portable) {
    let turns = &mut read.conversation.turns;
    let acts = |piece: &Piece| matches!(piece, Piece::Call(_) | Piece::Result(_));
    match turns.last_mut() {
        Some(last) if last.role == role && pieces.iter().all(acts) => last.pieces.extend(pieces),
        Some(_) | None => turns.push(ChatTurn { role, pieces }),
    }
}

fn message(item: &Value, at: &str, system: &mut Vec<String>, read: &mut Portable) -> Result<(), String> {
    let pieces = match &item["content"] {
        Value::String(text) => vec![Piece::Text(text.clone())],
        Value::Array(parts) => pieces(parts, at, read)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(format!("{at}.content")),
    };
    match item["role"].as_str() {
        Some("user") => put(MessageRole::User, pieces, read),
        Some("assistant") => put(MessageRole::Assistant, pieces, read),
        Some("system" | "developer") if read.conversation.turns.is_empty() => {
            system.push(ChatTurn { role: MessageRole::User, pieces }.text().into_owned());
        }
        Some(_) | None => return Err(format!("{at}.role")),
    }
    Ok(())
}

fn pieces(parts: &[Value], at: &str, read: &mut Portable) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let at = format!("{at}.content[{number}]");
        match part["type"].as_str() {
            Some("input_text" | "output_text") => pieces.push(Piece::Text(part["text"].as_str().ok_or(at)?.to_owned())),
            Some("refusal") => pieces.push(Piece::Text(part["refusal"].as_str().ok_or(at)?.to_owned())),
            Some("input_image") => {
                let usual = part["detail"].as_str().is_none_or(|detail| detail != "low");
                let picture = part["image_url"].as_str().filter(|_| usual).and_then(picture);
                pieces.push(Piece::Picture(picture.ok_or_else(|| at.clone())?));
                read.needs(Need::Pictures, at);
            }
            Some(_) | None => return Err(at),
        }
    }
    Ok(pieces)
}

fn called(item: &Value) -> Option<ToolCall> {
    let arguments = openai::arguments(&item["arguments"])?;
    Some(ToolCall { id: item["call_id"].as_str()?.to_owned(), name: item["name"].as_str()?.to_owned(), arguments })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ToolChoice;
    use serde_json::json;

    fn of(more: Value) -> Result<Portable, String> {
        let mut body = json!({ "model": "m", "input": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(body.as_object().unwrap())
    }

    #[test]
    fn items_become_turns() {
        let input = json!([
            { "role": "developer", "content": "And kind." },
            { "role": "user", "content": [{ "type": "input_text", "text": "Where?" }, { "type": "input_image", "image_url": "https://a.test/x.png" }] },
            { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "…" },
            { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{ "type": "output_text", "text": "I look.", "annotations": [] }] },
            { "type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{\"at\":\"Ghent\"}" },
            { "type": "function_call", "id": "fc_2", "call_id": "c2", "name": "time", "arguments": "" },
            { "type": "function_call_output", "call_id": "c1", "output": "rain" },
            { "type": "function_call_output", "call_id": "c2", "output": "noon" },
        ]);
        let read = of(json!({ "instructions": "Be brief.", "input": input, "max_output_tokens": 9,
            "tools": [{ "type": "function", "name": "weather", "parameters": { "type": "object" }, "strict": true }],
            "tool_choice": { "type": "function", "name": "weather" }, "text": { "format": { "type": "json_object" } } }))
        .unwrap();
        let asked = &read.conversation;
        assert_eq!(asked.system.as_deref(), Some("Be brief.\n\nAnd kind."));
        let shape: Vec<_> = asked.turns.iter().map(|turn| (turn.role, turn.pieces.len())).collect();
        let (user, assistant) = (MessageRole::User, MessageRole::Assistant);
        assert_eq!(shape, [(user, 2), (assistant, 3), (user, 2)]);
        assert_eq!(asked.tools.choice, ToolChoice::Named("weather".to_owned()));
        assert_eq!((asked.parameters.max_output_tokens, &asked.format), (Some(9), &Format::Json));
        assert_eq!(asked.needs(), [Need::Tools, Need::Pictures, Need::Json]);
    }

    #[test]
    fn what_has_no_other_words_is_named_and_what_says_nothing_is_not() {
        for (more, field) in [
            (json!({ "reasoning": { "effort": "high" } }), "reasoning"),
            (json!({ "text": { "verbosity": "low" } }), "text"),
            (json!({ "max_tool_calls": 3 }), "max_tool_calls"),
            (json!({ "a_field_of_tomorrow": 1 }), "a_field_of_tomorrow"),
            (json!({ "tools": [{ "type": "custom", "name": "x" }] }), "tools[0]"),
            (json!({ "input": [{ "type": "item_reference", "id": "x" }] }), "input[0]"),
            (json!({ "input": [{ "role": "user", "content": [{ "type": "input_file" }] }] }), "input[0].content[0]"),
            (json!({ "input": [{ "type": "function_call_output", "call_id": "c", "output": [] }] }), "input[0].output"),
        ] {
            assert_eq!(of(more.clone()).unwrap_err(), field, "{more}");
        }
        let neutral = json!({ "reasoning": { "effort": null }, "text": { "format": { "type": "text" } }, "tools": [],
            "truncation": "disabled", "include": [], "parallel_tool_calls": true, "background": false });
        assert!(of(neutral).unwrap().conversation.needs().is_empty());
    }
}
