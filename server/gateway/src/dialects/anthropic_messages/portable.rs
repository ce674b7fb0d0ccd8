//! What of a request can be said in other words: to providers of other dialects, and to models of this process.

use crate::{
    conversation::{ChatTurn, Conversation, Format, Need, Picture, Piece, Tool, ToolCall, ToolChoice, ToolResult},
    dialects::asked::{Portable, texts},
};
use contract::MessageRole;
use serde_json::{Map, Value};

/// Where it is read already, or does not change what is answered.
const APART: [&str; 8] =
    ["model", "messages", "stream", "metadata", "service_tier", "speed", "inference_geo", "cache_control"];

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
        (_, Value::Null) => true,
        (_, Value::Array(none)) if none.is_empty() => true,
        ("thinking", thinking) => thinking["type"] == "disabled",
        ("output_config", config) => config.as_object().is_some_and(|config| config.values().all(Value::is_null)),
        _ => false,
    }
}

fn field(read: &mut Portable, name: &str, value: &Value) -> Result<(), String> {
    let unsaid = || name.to_owned();
    let Conversation { system, parameters, tools, format, .. } = &mut read.conversation;
    match name {
        "system" => *system = Some(text(value, name)?),
        "max_tokens" => parameters.max_output_tokens = Some(value.as_i64().ok_or_else(unsaid)?),
        "temperature" => parameters.temperature = Some(value.as_f64().ok_or_else(unsaid)?),
        "top_p" => parameters.top_p = Some(value.as_f64().ok_or_else(unsaid)?),
        "stop_sequences" => parameters.stop = texts(value).ok_or_else(unsaid)?,
        "tools" => {
            let offered = value.as_array().ok_or_else(unsaid)?.iter().enumerate();
            let offered = offered.map(|(number, tool)| described(tool).ok_or_else(|| format!("tools[{number}]")));
            tools.offered = offered.collect::<Result<_, _>>()?;
            read.needs(Need::Tools, name);
        }
        "tool_choice" => {
            tools.choice = choice(value).ok_or_else(unsaid)?;
            tools.one_at_a_time = value["disable_parallel_tool_use"] == true;
        }
        "output_config" => {
            *format = wanted(value).ok_or_else(unsaid)?;
            read.needs(Need::Schema, name);
        }
        _ => return Err(unsaid()),
    }
    Ok(())
}

/// The caller's own tools alone have the same meaning everywhere.
fn described(tool: &Value) -> Option<Tool> {
    let tool = tool.as_object()?;
    let known =
        |name: &str| matches!(name, "type" | "name" | "description" | "input_schema" | "strict" | "cache_control");
    let custom = tool.get("type").is_none_or(|kind| kind.is_null() || kind == "custom");
    if !custom || tool.iter().any(|(name, value)| !known(name) && !value.is_null()) {
        return None;
    }
    Some(Tool {
        name: tool.get("name")?.as_str()?.to_owned(),
        description: tool.get("description").and_then(Value::as_str).map(str::to_owned),
        schema: tool.get("input_schema")?.clone(),
        strict: tool.get("strict").and_then(Value::as_bool),
    })
}

fn choice(value: &Value) -> Option<ToolChoice> {
    match value["type"].as_str()? {
        "auto" => Some(ToolChoice::Auto),
        "any" => Some(ToolChoice::Any),
        "none" => Some(ToolChoice::Never),
        "tool" => Some(ToolChoice::Named(value["name"].as_str()?.to_owned())),
        _ => None,
    }
}

/// A schema for the answer, and nothing beside it.
fn wanted(config: &Value) -> Option<Format> {
    let mut fields = config.as_object()?.iter().filter(|(_, value)| !value.is_null());
    let (Some(("format", format)), None) = (fields.next().map(|(name, value)| (name.as_str(), value)), fields.next())
    else {
        return None;
    };
    let schema = format.get("schema").filter(|_| format["type"] == "json_schema")?;
    Some(Format::Schema { name: None, schema: schema.clone(), strict: Some(true) })
}

fn conversation(messages: Option<&Value>, read: &mut Portable) -> Result<(), String> {
    for (number, message) in messages.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = format!("messages[{number}]");
        let message = message.as_object().ok_or_else(|| at.clone())?;
        if let Some(other) = message.keys().find(|name| !matches!(name.as_str(), "role" | "content")) {
            return Err(format!("{at}.{other}"));
        }
        let role = match message.get("role").and_then(Value::as_str) {
            Some("user") => MessageRole::User,
            Some("assistant") => MessageRole::Assistant,
            Some(_) | None => return Err(format!("{at}.role")),
        };
        let pieces = match message.get("content") {
            Some(Value::String(text)) => vec![Piece::Text(text.clone())],
            Some(Value::Array(blocks)) => pieces(blocks, role, &at, read)?,
            _ => return Err(format!("{at}.content")),
        };
        read.conversation.turns.push(ChatTurn { role, pieces });
    }
    Ok(())
}

fn pieces(blocks: &[Value], role: MessageRole, at: &str, read: &mut Portable) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::with_capacity(blocks.len());
    for (number, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content[{number}]");
        match (block["type"].as_str(), role) {
            // A model's notes to itself, signed for itself: nobody else is meant to read them.
            (Some("thinking" | "redacted_thinking"), MessageRole::Assistant) => {}
            (Some("text"), _) => pieces.push(Piece::Text(block["text"].as_str().ok_or(at)?.to_owned())),
            (Some("image"), MessageRole::User) => {
                pieces.push(Piece::Picture(picture(&block["source"]).ok_or_else(|| at.clone())?));
                read.needs(Need::Pictures, at);
            }
            (Some("tool_use"), MessageRole::Assistant) => {
                pieces.push(Piece::Call(called(block).ok_or_else(|| at.clone())?));
                read.needs(Need::Tools, at);
            }
            (Some("tool_result"), MessageRole::User) => {
                pieces.push(Piece::Result(ToolResult {
                    call: block["tool_use_id"].as_str().ok_or_else(|| format!("{at}.tool_use_id"))?.to_owned(),
                    text: if block["content"].is_null() { String::new() } else { text(&block["content"], &at)? },
                    failed: block["is_error"] == true,
                }));
                read.needs(Need::Tools, at);
            }
            (Some(_) | None, _) => return Err(at),
        }
    }
    Ok(pieces)
}

fn picture(source: &Value) -> Option<Picture> {
    let text = |name: &str| source[name].as_str().map(str::to_owned);
    match source["type"].as_str()? {
        "base64" => Some(Picture::Data { media_type: text("media_type")?, base64: text("data")? }),
        "url" => Some(Picture::Url(text("url")?)),
        _ => None,
    }
}

fn called(block: &Value) -> Option<ToolCall> {
    let arguments = block["input"].clone();
    let text = |name: &str| block[name].as_str().map(str::to_owned);
    arguments.is_object().then_some(())?;
    Some(ToolCall { id: text("id")?, name: text("name")?, arguments })
}

/// A text, or blocks of text alone.
fn text(content: &Value, at: &str) -> Result<String, String> {
    if let Some(text) = content.as_str() {
        return Ok(text.to_owned());
    }
    let blocks = content.as_array().ok_or_else(|| at.to_owned())?;
    let mut texts = Vec::with_capacity(blocks.len());
    for (number, block) in blocks.iter().enumerate() {
        let text = block["text"].as_str().filter(|_| block["type"] == "text");
        texts.push(text.ok_or_else(|| format!("{at}[{number}]"))?);
    }
    Ok(texts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(more: Value) -> Result<Portable, String> {
        let mut body = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(body.as_object().unwrap())
    }

    #[test]
    fn a_conversation_with_tools_and_pictures_has_other_words() {
        let cached = json!({ "type": "ephemeral" });
        let messages = json!([
            { "role": "user", "content": [
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AA==" } },
                { "type": "text", "text": "How many?", "cache_control": cached } ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm", "signature": "s" },
                { "type": "text", "text": "I count." },
                { "type": "tool_use", "id": "t1", "name": "count", "input": { "what": "cats" } } ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{ "type": "text", "text": "no" }] } ] },
        ]);
        let system = json!([{ "type": "text", "text": "Be brief.", "cache_control": cached }, { "type": "text", "text": "And kind." }]);
        let tools = json!([{ "name": "count", "description": "d", "input_schema": { "type": "object" }, "cache_control": cached }]);
        let read = of(json!({ "messages": messages, "system": system, "tools": tools, "temperature": 0.5,
            "tool_choice": { "type": "any", "disable_parallel_tool_use": true }, "stop_sequences": ["x"],
            "thinking": { "type": "disabled" }, "metadata": { "user_id": "u" }, "stream": true }))
        .unwrap();
        let asked = &read.conversation;
        assert_eq!(asked.system.as_deref(), Some("Be brief.\n\nAnd kind."));
        assert_eq!(asked.turns[1].pieces.len(), 2, "thoughts are nobody else's");
        assert_eq!(asked.turns[1].text(), "I count.");
        let result = ToolResult { call: "t1".to_owned(), text: "no".to_owned(), failed: true };
        assert_eq!(asked.turns[2].pieces, [Piece::Result(result)]);
        assert_eq!((&asked.tools.choice, asked.tools.one_at_a_time), (&ToolChoice::Any, true));
        assert_eq!(asked.parameters.max_output_tokens, Some(9));
        assert_eq!(asked.parameters.stop, ["x"]);
        assert_eq!(asked.needs(), [Need::Tools, Need::Pictures]);
        let format = json!({ "type": "json_schema", "schema": { "type": "object" } });
        assert_eq!(of(json!({ "output_config": { "format": format } })).unwrap().conversation.needs(), [Need::Schema]);
    }

    #[test]
    fn what_has_no_other_words_is_named() {
        let content = |block: Value| json!({ "messages": [{ "role": "user", "content": [block] }] });
        for (more, field) in [
            (json!({ "thinking": { "type": "enabled", "budget_tokens": 1_024 } }), "thinking"),
            (json!({ "top_k": 5 }), "top_k"),
            (json!({ "tools": [{ "type": "bash_20250124", "name": "bash" }] }), "tools[0]"),
            (json!({ "tools": [{ "name": "f", "input_schema": {}, "defer_loading": true }] }), "tools[0]"),
            (json!({ "output_config": { "effort": "high" } }), "output_config"),
            (json!({ "system": [{ "type": "image" }] }), "system[0]"),
            (json!({ "a_field_of_tomorrow": 1 }), "a_field_of_tomorrow"),
            (json!({ "messages": [{ "role": "system", "content": "x" }] }), "messages[0].role"),
            (content(json!({ "type": "document" })), "messages[0].content[0]"),
            (
                content(json!({ "type": "image", "source": { "type": "file", "file_id": "f" } })),
                "messages[0].content[0]",
            ),
            (
                content(json!({ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "image" }] })),
                "messages[0].content[0][0]",
            ),
        ] {
            assert_eq!(of(more.clone()).unwrap_err(), field, "{more}");
        }
    }
}
