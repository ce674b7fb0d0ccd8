//! Calls in Anthropic's own dialect: the request goes out as it came in, and what comes back is passed on as it is.
//!
//! Read along the way is only what Seam must know: whether the answer has begun, whether it is whole, what was used.

use super::{Answer, MessageUsage, read, stop_reason};
use crate::{
    provider::{ChatCall, ChatPart, ChatParts, Native, NativePart, ProviderError, WHOLE_ANSWER},
    providers::{
        http::{Connection, ErrorObject},
        outgoing::Outgoing,
    },
};
use async_stream::try_stream;
use contract::FinishReason;
use futures::{StreamExt, stream};
use reqwest::RequestBuilder;
use serde_json::Value;

pub(super) async fn chat(
    connection: &Connection,
    call: &ChatCall,
    native: &Native,
) -> Result<ChatParts, ProviderError> {
    let request = asked(connection, "/v1/messages", native)?.json(&Outgoing::of(native, &call.model));
    if !native.streamed {
        let response = connection.send_within(WHOLE_ANSWER, request, &call.model, &call.cancel).await?;
        return whole(connection.json_within(WHOLE_ANSWER, response).await?);
    }
    let response = connection.send(request, &call.model, &call.cancel).await?;
    let mut events = Box::pin(connection.events(response, call.cancel.clone())?);
    let (connection, model) = (connection.clone(), call.model.clone());
    let parts = try_stream! {
        let mut answer = Answer::default();
        while let Some(event) = events.next().await {
            let mut event: Value = read(&event?.data)?;
            match event["type"].as_str() {
                Some("error") => {
                    let error: ErrorObject = serde_json::from_value(event["error"].take())
                        .map_err(|error| ProviderError::Malformed(format!("an error: {error}")))?;
                    Err(connection.streamed_error(error, &model))?;
                }
                Some("message_stop") => {
                    let reason = answer.reason.ok_or(ProviderError::Cut)?;
                    yield ChatPart::Native(NativePart { value: event, said: String::new(), begins: true });
                    yield ChatPart::Finished { reason, usage: answer.usage() };
                    return;
                }
                Some(_) | None => yield ChatPart::Native(hear(&mut answer, event)?),
            }
        }
        Err(ProviderError::Cut)?;
    };
    Ok(parts.boxed())
}

/// A request with what the dialect has beside the body.
pub(super) fn asked(connection: &Connection, path: &str, native: &Native) -> Result<RequestBuilder, ProviderError> {
    let request = connection.post(path)?;
    Ok(match &native.betas {
        Some(betas) => request.header("anthropic-beta", &**betas),
        None => request,
    })
}

fn hear(answer: &mut Answer, event: Value) -> Result<NativePart, ProviderError> {
    let (mut said, mut begins) = (String::new(), false);
    match event["type"].as_str() {
        Some("message_start") => {
            answer.started(serde_json::from_value(event["message"]["usage"].clone()).unwrap_or_default());
        }
        Some("content_block_start") => begins = begun(&event["content_block"], &mut said),
        Some("content_block_delta") => {
            begins = true;
            written(&event["delta"], &mut said);
        }
        Some("message_delta") => {
            begins = true;
            let usage = serde_json::from_value(event["usage"].clone()).ok();
            answer.progressed(event["delta"]["stop_reason"].as_str().map(ended), usage);
        }
        // `ping`, `content_block_stop`, and what may come in later versions.
        Some(_) => {}
        None => return Err(ProviderError::Malformed("an event without a type".to_owned())),
    }
    Ok(NativePart { value: event, said, begins })
}

/// Whether a block says anything by being there: one of text does not, until there is text in it.
fn begun(block: &Value, said: &mut String) -> bool {
    written(block, said);
    match block["type"].as_str() {
        Some("text") => !said.is_empty(),
        Some("thinking") => block["thinking"].as_str().is_some_and(|thought| !thought.is_empty()),
        Some(_) | None => true,
    }
}

/// What of a block or a delta the model wrote. Thoughts are billed like words.
fn written(part: &Value, said: &mut String) {
    for name in ["text", "thinking", "partial_json", "name"] {
        said.push_str(part[name].as_str().unwrap_or_default());
    }
    let input = part["input"].as_object().filter(|input| !input.is_empty());
    if let Some(input) = input {
        said.push_str(&serde_json::to_string(input).unwrap_or_default());
    }
}

/// Every reason is an end, also one that Seam has no name for: nobody knows then whether the answer is all there is.
fn ended(reason: &str) -> FinishReason {
    stop_reason(reason).unwrap_or(FinishReason::Length)
}

/// An answer that was not streamed, as a stream of one part.
fn whole(message: Value) -> Result<ChatParts, ProviderError> {
    let blocks = message["content"].as_array();
    let blocks = blocks.ok_or_else(|| ProviderError::Malformed("a message without content".to_owned()))?;
    let mut said = String::new();
    blocks.iter().for_each(|block| written(block, &mut said));
    let reason = message["stop_reason"].as_str().map_or(FinishReason::Stop, ended);
    let mut answer = Answer::default();
    answer.started(serde_json::from_value::<MessageUsage>(message["usage"].clone()).unwrap_or_default());
    let usage = answer.usage();
    let part = NativePart { value: message, said, begins: true };
    Ok(stream::iter([Ok(ChatPart::Native(part)), Ok(ChatPart::Finished { reason, usage })]).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_and_an_empty_block_do_not_begin_an_answer() {
        let mut answer = Answer::default();
        let mut hear = |event: Value| hear(&mut answer, event).unwrap();
        assert!(!hear(json!({ "type": "message_start", "message": { "usage": { "input_tokens": 3 } } })).begins);
        assert!(!hear(json!({ "type": "ping" })).begins);
        let block = |block: Value| json!({ "type": "content_block_start", "index": 0, "content_block": block });
        assert!(!hear(block(json!({ "type": "text", "text": "" }))).begins);
        assert!(!hear(block(json!({ "type": "thinking", "thinking": "" }))).begins);
        let tool = hear(block(json!({ "type": "tool_use", "id": "t", "name": "f", "input": {} })));
        assert!(tool.begins);
        assert_eq!(tool.said, "f");
        let thought = json!({ "type": "content_block_delta", "delta": { "type": "thinking_delta", "thinking": "Hm" } });
        assert_eq!(hear(thought).said, "Hm");
        let end = json!({ "type": "message_delta", "delta": { "stop_reason": "a_new_one" }, "usage": { "output_tokens": 9 } });
        assert!(hear(end).begins);
        assert_eq!(answer.reason, Some(FinishReason::Length));
        let usage = answer.usage();
        assert_eq!((usage.input, usage.output), (Some(3), Some(9)));
    }
}
