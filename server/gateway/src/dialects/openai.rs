//! What OpenAI's two dialects say in the same words.

use crate::conversation::{Tool, ToolChoice};
use serde_json::{Map, Value, json};

/// A function that may be called.
pub(super) fn function(described: &Map<String, Value>) -> Option<Tool> {
    let schema = described.get("parameters").filter(|schema| !schema.is_null());
    Some(Tool {
        name: described.get("name")?.as_str()?.to_owned(),
        description: described.get("description").and_then(Value::as_str).map(str::to_owned),
        schema: schema.cloned().unwrap_or_else(|| json!({ "type": "object", "properties": {} })),
        strict: described.get("strict").and_then(Value::as_bool),
    })
}

/// A choice of a tool. `named`: the name in the object, whose place is each dialect's own.
pub(super) fn choice(value: &Value, named: &Value) -> Option<ToolChoice> {
    match value.as_str() {
        Some("none") => Some(ToolChoice::Never),
        Some("required") => Some(ToolChoice::Any),
        Some(_) => None,
        None if value["type"] == "function" => Some(ToolChoice::Named(named.as_str()?.to_owned())),
        None => None,
    }
}

/// What a tool was called with; a text that is a JSON object, or nothing.
pub(super) fn arguments(written: &Value) -> Option<Value> {
    match written.as_str()?.trim() {
        "" => Some(json!({})),
        written => serde_json::from_str(written).ok().filter(Value::is_object),
    }
}
