//! A request for a message, or for how many tokens one would read.

use super::portable;
use crate::{
    dialects::{
        ChatAsked, UnusableField,
        asked::{decides_elsewhere, model_of, require_messages, truth},
    },
    provider::Dialect,
};
use serde_json::{Map, Value};

/// A message that is asked for.
///
/// Errors: what is wrong whoever answers. Everything else is left to the provider, which knows its own dialect.
pub fn message(body: Map<String, Value>, betas: Option<&str>) -> Result<ChatAsked, UnusableField> {
    let model = model_of(&body)?;
    let limit = body.get("max_tokens").and_then(Value::as_i64);
    if limit.is_none_or(|limit| limit < 1) {
        let detail = "max_tokens is a whole number from 1 on: how long the answer may get.";
        return Err(UnusableField::new("max_tokens", detail));
    }
    let streamed = truth(&body, "stream")?;
    chat(model, streamed, body, betas)
}

/// What is asked to be counted; errors are the same, and no limit is needed.
pub fn counting(body: Map<String, Value>, betas: Option<&str>) -> Result<ChatAsked, UnusableField> {
    chat(model_of(&body)?, false, body, betas)
}

fn chat(
    model: String,
    streamed: bool,
    body: Map<String, Value>,
    betas: Option<&str>,
) -> Result<ChatAsked, UnusableField> {
    require_messages(&body)?;
    if let Some((field, _)) = body.iter().find(|(name, value)| !is_usual(name, value)) {
        return Err(decides_elsewhere(field));
    }
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    if let Some(number) = tools.clone().position(costs_apart) {
        return Err(decides_elsewhere(&format!("tools[{number}].type")));
    }
    if let Some(costly) = betas.into_iter().flat_map(names).find(|name| changes_the_price(name)) {
        let detail = format!(
            "“{costly}” would change what it costs, or run something at the provider; that is for whoever runs Seam."
        );
        return Err(UnusableField::new("anthropic-beta", detail));
    }
    let portable = portable::read(&body);
    let mut asked = ChatAsked::new(Dialect::AnthropicMessages, model, streamed, body, portable);
    // Other providers need not know of it: what it allows stands in the body, and is refused there by its own name.
    asked.foreign.native.betas = betas.map(|betas| names(betas).collect::<Vec<_>>().join(",").into());
    Ok(asked)
}

fn names(betas: &str) -> impl Iterator<Item = &str> {
    betas.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Betas that are billed otherwise than the ledger knows, or that do something at the provider beside answering.
fn changes_the_price(beta: &str) -> bool {
    ["context-1m-", "fast-mode-", "code-execution-", "files-api-", "mcp-client-", "skills-", "web-fetch-", "advisor-"]
        .iter()
        .any(|costly| beta.starts_with(costly))
}

/// Whether a field leaves it to Seam which model answers, and at what price.
fn is_usual(name: &str, value: &Value) -> bool {
    match name {
        "mcp_servers" | "container" | "fallbacks" => value.is_null() || value.as_array().is_some_and(Vec::is_empty),
        "service_tier" => value.is_null() || value == "auto" || value == "standard_only",
        "speed" => value.is_null() || value == "standard",
        "inference_geo" => value.is_null() || value == "global",
        _ => true,
    }
}

/// Tools that run at the provider and stand on its bill beside the tokens.
fn costs_apart(tool: &Value) -> bool {
    let kind = tool["type"].as_str().unwrap_or_default();
    ["web_search_", "web_fetch_", "code_execution_", "advisor_"].iter().any(|costly| kind.starts_with(costly))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &Value) -> Result<ChatAsked, String> {
        message(body.as_object().unwrap().clone(), None).map_err(|unusable| unusable.field)
    }

    #[test]
    fn what_nobody_could_answer_is_refused_by_the_fields_name() {
        let hi = json!([{ "role": "user", "content": "hi" }]);
        let asked = json!({ "model": "m", "max_tokens": 9, "messages": hi });
        assert!(read(&asked).is_ok());
        for (name, value, field) in [
            ("model", Value::Null, "model"),
            ("messages", json!([]), "messages"),
            ("max_tokens", Value::Null, "max_tokens"),
            ("max_tokens", json!(0), "max_tokens"),
            ("stream", json!("yes"), "stream"),
            ("service_tier", json!("priority"), "service_tier"),
            ("speed", json!("fast"), "speed"),
            ("inference_geo", json!("us"), "inference_geo"),
            ("mcp_servers", json!([{ "url": "https://a.test" }]), "mcp_servers"),
            ("tools", json!([{ "name": "f" }, { "type": "web_search_20250305" }]), "tools[1].type"),
        ] {
            let mut body = asked.clone();
            body[name] = value;
            assert_eq!(read(&body).unwrap_err(), field, "{body}");
        }
        let without = json!({ "model": "m", "messages": hi });
        assert!(counting(without.as_object().unwrap().clone(), None).is_ok(), "a count needs no limit");
        let with = |betas| message(asked.as_object().unwrap().clone(), Some(betas));
        let tried =
            with("interleaved-thinking-2025-05-14, token-efficient-tools-2025-02-19,").unwrap().foreign.native.betas;
        assert_eq!(tried.as_deref(), Some("interleaved-thinking-2025-05-14,token-efficient-tools-2025-02-19"));
        assert_eq!(with("context-1m-2025-08-07").unwrap_err().field, "anthropic-beta");
    }
}
