//! A conversation in Anthropic's words.

use crate::{
    conversation::{ChatTurn, Conversation, Format, Picture, Piece, Tool, ToolChoice, Toolbox},
    provider::ChatCall,
};
use contract::MessageRole;
use serde_json::{Map, Value, json};

/// The protocol demands a limit; this is what an answer gets that names none.
const DEFAULT_MAX_TOKENS: i64 = 4096;

pub(super) fn written(call: &ChatCall) -> Map<String, Value> {
    let parameters = &call.conversation.parameters;
    let mut body = read(call);
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("max_tokens", Some(parameters.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS).into()));
    put("stream", Some(true.into()));
    // Its scale ends at 1 where others end at 2.
    put("temperature", parameters.temperature.map(|temperature| temperature.clamp(0.0, 1.0).into()));
    // Newer models refuse a call that sets both.
    put("top_p", parameters.top_p.filter(|_| parameters.temperature.is_none()).map(Value::from));
    put("stop_sequences", (!parameters.stop.is_empty()).then(|| json!(parameters.stop)));
    body
}

/// What the model reads of a call; all that is needed to count it.
pub(super) fn read(call: &ChatCall) -> Map<String, Value> {
    let Conversation { system, turns, tools, format, .. } = &*call.conversation;
    let mut body = Map::new();
    body.insert("model".to_owned(), call.model.as_str().into());
    body.insert("messages".to_owned(), messages(turns).into());
    if let Some(system) = system.as_deref().filter(|text| !text.trim().is_empty()) {
        body.insert("system".to_owned(), system.into());
    }
    if !tools.offered.is_empty() {
        body.insert("tools".to_owned(), tools.offered.iter().map(tool).collect());
        if let Some(choice) = choice(tools) {
            body.insert("tool_choice".to_owned(), choice);
        }
    }
    match format {
        // Some JSON, whichever, is nothing that can be asked for here: `can` says so.
        Format::Text | Format::Json => {}
        Format::Schema { schema, .. } => {
            let format = json!({ "type": "json_schema", "schema": schema });
            body.insert("output_config".to_owned(), json!({ "format": format }));
        }
    }
    body
}

/// Turns of one role that follow each other are one message: all that tools said must stand in the one after their calls.
fn messages(turns: &[ChatTurn]) -> Vec<Value> {
    let mut messages: Vec<(MessageRole, Vec<Value>)> = Vec::new();
    for turn in turns {
        // Blank texts (an answer that failed before its first word) are refused by the protocol.
        let blocks: Vec<Value> = turn.pieces.iter().filter_map(block).collect();
        match messages.last_mut() {
            _ if blocks.is_empty() => {}
            Some((role, before)) if *role == turn.role => before.extend(blocks),
            Some(_) | None => messages.push((turn.role, blocks)),
        }
    }
    messages.into_iter().map(|(role, blocks)| message(role, blocks)).collect()
}

fn message(role: MessageRole, mut blocks: Vec<Value>) -> Value {
    let role = match role {
        MessageRole::User => "user",
        MessageRole::Assistant => "assistant",
    };
    // What tools said comes first.
    blocks.sort_by_key(|block| block["type"] != "tool_result");
    match &blocks[..] {
        [only] if only["type"] == "text" => json!({ "role": role, "content": only["text"] }),
        _ => json!({ "role": role, "content": blocks }),
    }
}

fn block(piece: &Piece) -> Option<Value> {
    Some(match piece {
        Piece::Text(text) if text.trim().is_empty() => return None,
        Piece::Text(text) => json!({ "type": "text", "text": text }),
        Piece::Picture(Picture::Data { media_type, base64 }) => {
            let source = json!({ "type": "base64", "media_type": media_type, "data": base64 });
            json!({ "type": "image", "source": source })
        }
        Piece::Picture(Picture::Url(url)) => json!({ "type": "image", "source": { "type": "url", "url": url } }),
        Piece::Call(call) => {
            json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments })
        }
        Piece::Result(result) => {
            let mut block = json!({ "type": "tool_result", "tool_use_id": result.call, "content": result.text });
            if result.failed {
                block["is_error"] = true.into();
            }
            block
        }
    })
}

fn tool(tool: &Tool) -> Value {
    let mut described = json!({ "name": tool.name, "input_schema": tool.schema });
    // A schema without a type is refused here, and means an object wherever arguments are described.
    if let Some(schema) = described["input_schema"].as_object_mut() {
        schema.entry("type").or_insert_with(|| "object".into());
    }
    if let Some(description) = &tool.description {
        described["description"] = description.as_str().into();
    }
    if let Some(strict) = tool.strict {
        described["strict"] = strict.into();
    }
    described
}

fn choice(tools: &Toolbox) -> Option<Value> {
    let mut choice = match &tools.choice {
        ToolChoice::Auto if !tools.one_at_a_time => return None,
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::Never => return Some(json!({ "type": "none" })),
        ToolChoice::Any => json!({ "type": "any" }),
        ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
    };
    if tools.one_at_a_time {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{ToolCall, ToolResult};

    #[test]
    fn what_tools_said_stands_first_in_the_one_message_after_their_calls() {
        let turn = |role, pieces| ChatTurn { role, pieces };
        let call =
            |id: &str| Piece::Call(ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: json!({ "a": 1 }) });
        let result = |id: &str, failed| Piece::Result(ToolResult { call: id.to_owned(), text: "4".to_owned(), failed });
        let told = messages(&[
            ChatTurn::of_text(MessageRole::User, "How many?"),
            ChatTurn::of_text(MessageRole::Assistant, " "),
            turn(MessageRole::Assistant, vec![Piece::Text(String::new()), call("1"), call("2")]),
            turn(MessageRole::User, vec![result("1", false)]),
            turn(MessageRole::User, vec![Piece::Text("Well?".to_owned()), result("2", true)]),
        ]);
        let asked = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": { "a": 1 } });
        assert_eq!(
            Value::from(told),
            json!([
                { "role": "user", "content": "How many?" },
                { "role": "assistant", "content": [asked("1"), asked("2")] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "1", "content": "4" },
                    { "type": "tool_result", "tool_use_id": "2", "content": "4", "is_error": true },
                    { "type": "text", "text": "Well?" },
                ] },
            ])
        );
    }

    #[test]
    fn tools_have_an_object_for_arguments_and_choices_have_other_names() {
        let described = Tool { name: "f".to_owned(), description: None, schema: json!({}), strict: None };
        assert_eq!(tool(&described), json!({ "name": "f", "input_schema": { "type": "object" } }));
        let told = |wanted, one_at_a_time| choice(&Toolbox { offered: Vec::new(), choice: wanted, one_at_a_time });
        assert_eq!(told(ToolChoice::Auto, false), None);
        let alone = json!({ "type": "auto", "disable_parallel_tool_use": true });
        assert_eq!(told(ToolChoice::Auto, true), Some(alone));
        assert_eq!(told(ToolChoice::Any, false), Some(json!({ "type": "any" })));
        assert_eq!(told(ToolChoice::Never, true), Some(json!({ "type": "none" })));
        let named = ToolChoice::Named("f".to_owned());
        assert_eq!(told(named, false), Some(json!({ "type": "tool", "name": "f" })));
    }
}
