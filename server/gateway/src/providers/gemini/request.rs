//! A conversation in Gemini's words.

use super::signatures::Signatures;
use crate::{
    conversation::{ChatTurn, Conversation, Format, Picture, Piece, Tool, ToolChoice, Toolbox},
    provider::{ChatCall, ProviderError},
};
use contract::{MessageRole, TenantId};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Newer models sign the calls they make and want the signature back. This says that there is none any more, or never was
/// one: of a call that another model made.
const UNSIGNED: &str = "skip_thought_signature_validator";

pub(super) fn written(call: &ChatCall, signatures: &Signatures) -> Result<Value, ProviderError> {
    let Conversation { parameters, format, .. } = &*call.conversation;
    let mut body = read(call, signatures)?;
    let mut config = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    put("temperature", parameters.temperature.map(Value::from));
    put("topP", parameters.top_p.map(Value::from));
    put("maxOutputTokens", parameters.max_output_tokens.map(Value::from));
    put("stopSequences", (!parameters.stop.is_empty()).then(|| json!(parameters.stop)));
    // Its seeds have a sign.
    put("seed", parameters.seed.map(|seed| (seed & 0x7fff_ffff).into()));
    match format {
        Format::Text => {}
        Format::Json => put("responseMimeType", Some("application/json".into())),
        Format::Schema { schema, .. } => {
            put("responseMimeType", Some("application/json".into()));
            put("responseJsonSchema", Some(schema.clone()));
        }
    }
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), config.into());
    }
    Ok(body.into())
}

/// What the model reads of a call; all that is needed to count it.
pub(super) fn read(call: &ChatCall, signatures: &Signatures) -> Result<Map<String, Value>, ProviderError> {
    let Conversation { system, turns, tools, .. } = &*call.conversation;
    let mut body = Map::new();
    body.insert("contents".to_owned(), contents(turns, Past::of(call, signatures))?.into());
    if let Some(system) = system.as_deref().filter(|text| !text.trim().is_empty()) {
        body.insert("systemInstruction".to_owned(), json!({ "parts": [{ "text": system }] }));
    }
    if !tools.offered.is_empty() {
        let declared: Vec<Value> = tools.offered.iter().map(declared).collect();
        body.insert("tools".to_owned(), json!([{ "functionDeclarations": declared }]));
        if let Some(calling) = calling(tools) {
            body.insert("toolConfig".to_owned(), json!({ "functionCallingConfig": calling }));
        }
    }
    Ok(body)
}

/// What is known of the calls that were made so far.
struct Past<'a> {
    tenant: TenantId,
    model: &'a str,
    signatures: &'a Signatures,
    /// Of the tools that were called, by the ids of the calls.
    names: HashMap<&'a str, &'a str>,
}

impl<'a> Past<'a> {
    fn of(call: &'a ChatCall, signatures: &'a Signatures) -> Self {
        Self { tenant: call.tenant, model: &call.model, signatures, names: HashMap::new() }
    }
}

/// Turns of one role that follow each other are one: results are looked for in the one after their calls.
fn contents<'a>(turns: &'a [ChatTurn], mut past: Past<'a>) -> Result<Vec<Value>, ProviderError> {
    let mut contents: Vec<(MessageRole, Vec<Value>)> = Vec::new();
    for turn in turns {
        let mut parts = Vec::with_capacity(turn.pieces.len());
        for piece in &turn.pieces {
            parts.extend(part(piece, &mut past)?);
        }
        match contents.last_mut() {
            _ if parts.is_empty() => {}
            Some((role, before)) if *role == turn.role => before.extend(parts),
            Some(_) | None => contents.push((turn.role, parts)),
        }
    }
    let role = |role| match role {
        MessageRole::User => "user",
        MessageRole::Assistant => "model",
    };
    let content = |(who, mut parts): (MessageRole, Vec<Value>)| {
        sign(&mut parts);
        json!({ "role": role(who), "parts": parts })
    };
    Ok(contents.into_iter().map(content).collect())
}

/// Of calls side by side the first one is signed, for all of them.
fn sign(parts: &mut [Value]) {
    let call = parts.iter_mut().find(|part| !part["functionCall"].is_null());
    if let Some(call) = call.filter(|call| call["thoughtSignature"].is_null()) {
        call["thoughtSignature"] = UNSIGNED.into();
    }
}

fn part<'a>(piece: &'a Piece, past: &mut Past<'a>) -> Result<Option<Value>, ProviderError> {
    Ok(Some(match piece {
        Piece::Text(text) if text.is_empty() => return Ok(None),
        Piece::Text(text) => json!({ "text": text }),
        Piece::Picture(Picture::Data { media_type, base64 }) => {
            json!({ "inlineData": { "mimeType": media_type, "data": base64 } })
        }
        Piece::Picture(Picture::Url(url)) => json!({ "fileData": { "fileUri": url, "mimeType": media_type_of(url) } }),
        Piece::Call(call) => {
            past.names.insert(&call.id, &call.name);
            let mut part = json!({ "functionCall": { "name": call.name, "args": call.arguments } });
            if let Some(signature) = past.signatures.of(past.tenant, past.model, &call.id) {
                part["thoughtSignature"] = (*signature).into();
            }
            part
        }
        Piece::Result(result) => {
            let name = past.names.get(result.call.as_str()).ok_or_else(|| ProviderError::Rejected {
                status: 400,
                message: format!("a result belongs to the call “{}”, which is not in the conversation", result.call),
            })?;
            let outcome = if result.failed { "error" } else { "output" };
            json!({ "functionResponse": { "name": name, "response": { outcome: result.text } } })
        }
    }))
}

/// What a picture at an address is, by the end of its name; most are photographs.
fn media_type_of(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        _ => "image/jpeg",
    }
}

fn declared(tool: &Tool) -> Value {
    let mut declared = json!({ "name": tool.name, "parametersJsonSchema": tool.schema });
    if let Some(description) = &tool.description {
        declared["description"] = description.as_str().into();
    }
    declared
}

/// Where a call is forced it fits its schema anyway; where it is not, only if that is asked for.
fn calling(tools: &Toolbox) -> Option<Value> {
    match &tools.choice {
        ToolChoice::Auto if tools.offered.iter().any(|tool| tool.strict == Some(true)) => {
            Some(json!({ "mode": "VALIDATED" }))
        }
        ToolChoice::Auto => None,
        ToolChoice::Never => Some(json!({ "mode": "NONE" })),
        ToolChoice::Any => Some(json!({ "mode": "ANY" })),
        ToolChoice::Named(name) => Some(json!({ "mode": "ANY", "allowedFunctionNames": [name] })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{ToolCall, ToolResult};

    #[test]
    fn results_are_told_by_the_names_of_their_calls() {
        let turn = |role, pieces| ChatTurn { role, pieces };
        let call = |id: &str, name: &str| {
            Piece::Call(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: json!({ "a": 1 }) })
        };
        let result = |id: &str, failed| Piece::Result(ToolResult { call: id.to_owned(), text: "4".to_owned(), failed });
        let (tenant, signatures) = (TenantId::new(), Signatures::default());
        let past = || Past { tenant, model: "m", signatures: &signatures, names: HashMap::new() };
        let conversation = [
            turn(MessageRole::User, vec![Piece::Picture(Picture::Url("https://a.test/x.PNG?y=1".to_owned()))]),
            turn(MessageRole::Assistant, vec![call("1", "f"), call("2", "g")]),
            turn(MessageRole::User, vec![result("2", true)]),
            turn(MessageRole::User, vec![result("1", false)]),
        ];
        let told = contents(&conversation, past()).unwrap();
        let called = |name: &str| json!({ "functionCall": { "name": name, "args": { "a": 1 } } });
        let signed = |signature: &str| {
            let mut call = called("f");
            call["thoughtSignature"] = signature.into();
            call
        };
        assert_eq!(
            Value::from(told),
            json!([
                { "role": "user", "parts": [{ "fileData": { "fileUri": "https://a.test/x.PNG?y=1", "mimeType": "image/png" } }] },
                { "role": "model", "parts": [signed(UNSIGNED), called("g")] },
                { "role": "user", "parts": [
                    { "functionResponse": { "name": "g", "response": { "error": "4" } } },
                    { "functionResponse": { "name": "f", "response": { "output": "4" } } },
                ] },
            ])
        );
        signatures.keep(tenant, "m", "1", "s");
        let told = contents(&conversation, past()).unwrap();
        assert_eq!(told[1]["parts"], json!([signed("s"), called("g")]));
        let lost = [turn(MessageRole::User, vec![result("9", false)])];
        let lost = contents(&lost, past());
        assert!(matches!(lost, Err(ProviderError::Rejected { status: 400, .. })), "{lost:?}");
    }

    #[test]
    fn choices_are_modes() {
        let strict = |strict| Tool { name: "f".to_owned(), description: None, schema: json!({}), strict };
        let calling = |choice, tool| calling(&Toolbox { offered: vec![tool], choice, ..Toolbox::default() });
        assert_eq!(calling(ToolChoice::Auto, strict(None)), None);
        assert_eq!(calling(ToolChoice::Auto, strict(Some(true))), Some(json!({ "mode": "VALIDATED" })));
        assert_eq!(calling(ToolChoice::Any, strict(None)), Some(json!({ "mode": "ANY" })));
        let named = calling(ToolChoice::Named("f".to_owned()), strict(None));
        assert_eq!(named, Some(json!({ "mode": "ANY", "allowedFunctionNames": ["f"] })));
    }
}
