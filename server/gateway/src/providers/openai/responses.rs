//! Calls in OpenAI's Responses: the request goes out as it came in, and what comes back is passed on as it is.
//!
//! Read along the way is only what Seam must know: whether the answer has begun, whether it is whole, what was used.

use crate::{
    provider::{ChatCall, ChatPart, ChatParts, Native, NativePart, ProviderError, WHOLE_ANSWER},
    providers::{
        http::{Connection, ErrorObject},
        outgoing::Outgoing,
    },
};
use async_stream::try_stream;
use contract::{FinishReason, TokenUsage};
use futures::{StreamExt, stream};
use serde_json::Value;

pub(super) async fn chat(
    connection: &Connection,
    call: &ChatCall,
    native: &Native,
) -> Result<ChatParts, ProviderError> {
    let request = connection.post("/responses")?.json(&Outgoing::of(native, &call.model));
    if !native.streamed {
        let response = connection.send_within(WHOLE_ANSWER, request, &call.model, &call.cancel).await?;
        return whole(connection.json_within(WHOLE_ANSWER, response).await?, connection, &call.model);
    }
    let response = connection.send(request, &call.model, &call.cancel).await?;
    let mut events = Box::pin(connection.events(response, call.cancel.clone())?);
    let (connection, model) = (connection.clone(), call.model.clone());
    let parts = try_stream! {
        while let Some(event) = events.next().await {
            let mut event: Value = serde_json::from_str(&event?.data)
                .map_err(|error| ProviderError::Malformed(format!("an event: {error}")))?;
            match event["type"].as_str() {
                Some("response.completed" | "response.incomplete") => {
                    let (reason, usage) = end(&event["response"]);
                    let (value, said) = (event, String::new());
                    yield ChatPart::Native(NativePart { value, said, begins: true });
                    yield ChatPart::Finished { reason, usage };
                    return;
                }
                Some("response.failed") => {
                    let error = event.pointer_mut("/response/error").map(Value::take).unwrap_or_default();
                    Err(failure(error, &connection, &model))?;
                }
                Some("error") => {
                    let inner = event.get_mut("error").map(Value::take);
                    Err(failure(inner.unwrap_or(event), &connection, &model))?;
                }
                Some(_) => yield ChatPart::Native(heard(event)),
                None => Err(ProviderError::Malformed("an event without a type".to_owned()))?,
            }
        }
        Err(ProviderError::Cut)?;
    };
    Ok(parts.boxed())
}

fn failure(error: Value, connection: &Connection, model: &str) -> ProviderError {
    match serde_json::from_value::<ErrorObject>(error) {
        Ok(error) => connection.streamed_error(error, model),
        Err(error) => ProviderError::Malformed(format!("an error: {error}")),
    }
}

/// An answer has begun with its first words, or with a call; not with an id or an item that is empty still.
fn heard(event: Value) -> NativePart {
    let kind = event["type"].as_str().unwrap_or_default();
    let mut said = String::new();
    let begins = match kind {
        "response.created" | "response.in_progress" | "response.queued" | "response.content_part.added" => false,
        "response.output_item.added" => {
            let item = &event["item"];
            said.push_str(item["name"].as_str().unwrap_or_default());
            !matches!(item["type"].as_str(), Some("message" | "reasoning"))
        }
        _ => true,
    };
    if kind.ends_with(".delta") {
        said.push_str(event["delta"].as_str().unwrap_or_default());
    }
    NativePart { value: event, said, begins }
}

fn end(response: &Value) -> (FinishReason, TokenUsage) {
    let reason = match (response["status"].as_str(), response["incomplete_details"]["reason"].as_str()) {
        (Some("incomplete"), Some("content_filter")) => FinishReason::ContentFilter,
        (Some("incomplete"), _) => FinishReason::Length,
        _ => FinishReason::Stop,
    };
    let usage = &response["usage"];
    let usage = TokenUsage {
        input: usage["input_tokens"].as_i64(),
        cached_input: usage["input_tokens_details"]["cached_tokens"].as_i64(),
        output: usage["output_tokens"].as_i64(),
        reasoning: usage["output_tokens_details"]["reasoning_tokens"].as_i64(),
        ..TokenUsage::default()
    };
    (reason, usage)
}

/// An answer that was not streamed, as a stream of one part.
fn whole(mut response: Value, connection: &Connection, model: &str) -> Result<ChatParts, ProviderError> {
    match response["status"].as_str() {
        Some("completed" | "incomplete") => {}
        Some("failed") => return Err(failure(response["error"].take(), connection, model)),
        Some(_) | None => return Err(ProviderError::Malformed("a response that has not ended".to_owned())),
    }
    let mut said = String::new();
    for item in response["output"].as_array().into_iter().flatten() {
        for name in ["name", "arguments"] {
            said.push_str(item[name].as_str().unwrap_or_default());
        }
        for part in item["content"].as_array().into_iter().flatten() {
            said.push_str(part["text"].as_str().unwrap_or_default());
        }
    }
    let (reason, usage) = end(&response);
    let part = NativePart { value: response, said, begins: true };
    Ok(stream::iter([Ok(ChatPart::Native(part)), Ok(ChatPart::Finished { reason, usage })]).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_and_empty_items_do_not_begin_an_answer_and_calls_do() {
        let item = |item: Value| json!({ "type": "response.output_item.added", "output_index": 0, "item": item });
        for silent in [
            json!({ "type": "response.created", "response": {} }),
            json!({ "type": "response.in_progress" }),
            item(json!({ "type": "message", "content": [] })),
            item(json!({ "type": "reasoning", "summary": [] })),
            json!({ "type": "response.content_part.added" }),
        ] {
            assert!(!heard(silent.clone()).begins, "{silent}");
        }
        let call = heard(item(json!({ "type": "function_call", "name": "f" })));
        assert!(call.begins);
        assert_eq!(call.said, "f");
        let word = heard(json!({ "type": "response.output_text.delta", "delta": "Hi" }));
        assert_eq!((word.begins, word.said.as_str()), (true, "Hi"));
    }

    #[test]
    fn how_it_ended_and_what_it_used() {
        let response = json!({ "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" },
            "usage": { "input_tokens": 9, "input_tokens_details": { "cached_tokens": 8 }, "output_tokens": 4 } });
        let usage = TokenUsage { input: Some(9), cached_input: Some(8), output: Some(4), ..TokenUsage::default() };
        assert_eq!(end(&response), (FinishReason::Length, usage));
        assert_eq!(end(&json!({ "status": "completed" })).0, FinishReason::Stop);
    }
}
