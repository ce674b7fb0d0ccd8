//! A conversation in OpenAI's words.

use crate::{
    conversation::{ChatTurn, Conversation, Format, Picture, Piece, Tool, ToolChoice},
    provider::ChatCall,
};
use contract::MessageRole;
use serde_json::{Map, Value, json};

/// `openai_itself` wants `max_completion_tokens`; compatible servers know the older name.
pub(super) fn written(call: &ChatCall, openai_itself: bool) -> Value {
    let Conversation { system, turns, parameters, tools, format } = &*call.conversation;
    let mut messages: Vec<Value> = system.iter().map(|system| json!({ "role": "system", "content": system })).collect();
    turns.iter().for_each(|turn| write_turn(turn, &mut messages));
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("model", Some(call.model.as_str().into()));
    put("messages", Some(messages.into()));
    put("stream", Some(true.into()));
    put("stream_options", Some(json!({ "include_usage": true })));
    put("temperature", parameters.temperature.map(Value::from));
    put("top_p", parameters.top_p.map(Value::from));
    let limit = if openai_itself { "max_completion_tokens" } else { "max_tokens" };
    put(limit, parameters.max_output_tokens.map(Value::from));
    put("seed", parameters.seed.map(Value::from));
    put("stop", (!parameters.stop.is_empty()).then(|| json!(parameters.stop)));
    if !tools.offered.is_empty() {
        put("tools", Some(tools.offered.iter().map(tool).collect()));
        put("tool_choice", choice(&tools.choice));
        put("parallel_tool_calls", tools.one_at_a_time.then_some(Value::Bool(false)));
    }
    put("response_format", response_format(format));
    body.into()
}

/// What tools said comes first, a message each: that is where the protocol looks for it.
fn write_turn(turn: &ChatTurn, messages: &mut Vec<Value>) {
    let (mut parts, mut calls) = (Vec::new(), Vec::new());
    for piece in &turn.pieces {
        match piece {
            Piece::Text(text) => parts.push(json!({ "type": "text", "text": text })),
            Piece::Picture(picture) => {
                let url = match picture {
                    Picture::Data { media_type, base64 } => format!("data:{media_type};base64,{base64}"),
                    Picture::Url(url) => url.clone(),
                };
                parts.push(json!({ "type": "image_url", "image_url": { "url": url } }));
            }
            Piece::Call(call) => {
                let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
                calls.push(json!({ "id": call.id, "type": "function", "function": function }));
            }
            Piece::Result(result) => {
                // The protocol has no mark for a failure; the words have to say it.
                let text = if result.failed { format!("Error: {}", result.text) } else { result.text.clone() };
                messages.push(json!({ "role": "tool", "tool_call_id": result.call, "content": text }));
            }
        }
    }
    let only_text = turn.pieces.iter().all(|piece| !matches!(piece, Piece::Picture(_)));
    let silent = parts.is_empty();
    let content = if only_text { turn.text().into_owned().into() } else { Value::from(parts) };
    match turn.role {
        MessageRole::User if silent && !turn.pieces.is_empty() => {}
        MessageRole::User => messages.push(json!({ "role": "user", "content": content })),
        MessageRole::Assistant if calls.is_empty() => {
            messages.push(json!({ "role": "assistant", "content": content }));
        }
        MessageRole::Assistant => {
            let content = if silent { Value::Null } else { content };
            messages.push(json!({ "role": "assistant", "content": content, "tool_calls": calls }));
        }
    }
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({ "name": tool.name, "parameters": tool.schema });
    if let Some(description) = &tool.description {
        function["description"] = description.as_str().into();
    }
    if let Some(strict) = tool.strict {
        function["strict"] = strict.into();
    }
    json!({ "type": "function", "function": function })
}

fn choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::Never => Some("none".into()),
        ToolChoice::Any => Some("required".into()),
        ToolChoice::Named(name) => Some(json!({ "type": "function", "function": { "name": name } })),
    }
}

fn response_format(format: &Format) -> Option<Value> {
    match format {
        Format::Text => None,
        Format::Json => Some(json!({ "type": "json_object" })),
        Format::Schema { name, schema, strict } => {
            let mut described = json!({ "name": name.as_deref().unwrap_or("answer"), "schema": schema });
            if let Some(strict) = strict {
                described["strict"] = (*strict).into();
            }
            Some(json!({ "type": "json_schema", "json_schema": described }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{ToolCall, ToolResult, Toolbox};

    #[test]
    fn what_tools_said_comes_before_the_words_and_pictures_beside_them() {
        let turn = |role, pieces| ChatTurn { role, pieces };
        let call = ToolCall { id: "c1".to_owned(), name: "f".to_owned(), arguments: json!({ "a": 1 }) };
        let result = ToolResult { call: "c1".to_owned(), text: "no".to_owned(), failed: true };
        let picture = Picture::Data { media_type: "image/png".to_owned(), base64: "AA==".to_owned() };
        let mut messages = Vec::new();
        for turn in [
            turn(MessageRole::User, vec![Piece::Text("see".to_owned()), Piece::Picture(picture)]),
            turn(MessageRole::Assistant, vec![Piece::Call(call)]),
            turn(MessageRole::User, vec![Piece::Result(result.clone())]),
            turn(MessageRole::User, vec![Piece::Text("and?".to_owned()), Piece::Result(result)]),
        ] {
            write_turn(&turn, &mut messages);
        }
        let parts = json!([{ "type": "text", "text": "see" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } }]);
        let calls = json!([{ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }]);
        let said = json!({ "role": "tool", "tool_call_id": "c1", "content": "Error: no" });
        assert_eq!(
            Value::from(messages),
            json!([
                { "role": "user", "content": parts },
                { "role": "assistant", "content": null, "tool_calls": calls },
                said, said, { "role": "user", "content": "and?" },
            ])
        );
    }

    #[test]
    fn tools_and_formats_have_their_places() {
        let offered = vec![Tool { name: "f".to_owned(), description: None, schema: json!({}), strict: Some(true) }];
        let named = ToolChoice::Named("f".to_owned());
        let toolbox = Toolbox { offered, choice: named, one_at_a_time: true };
        assert_eq!(
            tool(&toolbox.offered[0]),
            json!({ "type": "function", "function": { "name": "f", "parameters": {}, "strict": true } })
        );
        assert_eq!(choice(&toolbox.choice).unwrap(), json!({ "type": "function", "function": { "name": "f" } }));
        let format = Format::Schema { name: None, schema: json!({ "type": "object" }), strict: None };
        let described = json!({ "name": "answer", "schema": { "type": "object" } });
        assert_eq!(response_format(&format).unwrap(), json!({ "type": "json_schema", "json_schema": described }));
    }
}
