//! Calls in OpenAI's own dialect: the request goes out as it came in, and what comes back is passed on as it is.
//!
//! Read along the way is only what Seam must know: whether the answer has begun, whether it is whole, what was used.

use super::{Usage, finish_reason};
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
use std::collections::BTreeMap;

pub(super) async fn chat(
    connection: &Connection,
    call: &ChatCall,
    native: &Native,
) -> Result<ChatParts, ProviderError> {
    let body = outgoing(native, &call.model);
    let request = connection.post("/chat/completions")?.json(&body);
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
            let event = event?;
            if event.data == "[DONE]" {
                let (reason, usage) = answer.end()?;
                yield ChatPart::Finished { reason, usage };
                return;
            }
            let mut chunk: Value = serde_json::from_str(&event.data)
                .map_err(|error| ProviderError::Malformed(format!("a chunk: {error}")))?;
            if let Some(error) = chunk.get_mut("error").map(Value::take).filter(|error| !error.is_null()) {
                let error: ErrorObject = serde_json::from_value(error)
                    .map_err(|error| ProviderError::Malformed(format!("an error: {error}")))?;
                Err(connection.streamed_error(error, &model))?;
            }
            yield ChatPart::Native(answer.hear(chunk)?);
        }
        Err(ProviderError::Cut)?;
    };
    Ok(parts.boxed())
}

/// The request with the provider's name of the model, and with the usage that a stream otherwise leaves out.
fn outgoing<'n>(native: &'n Native, model: &str) -> Outgoing<'n> {
    let mut body = Outgoing::of(native, model);
    // What is kept there is kept where all tenants look alike.
    if native.body.contains_key("store") {
        body = body.with("store", false.into());
    }
    if !native.streamed {
        return body.without("stream_options");
    }
    let options = native.body.get("stream_options").and_then(Value::as_object);
    let mut options = options.cloned().unwrap_or_default();
    options.insert("include_usage".to_owned(), true.into());
    body.with("stream_options", options.into())
}

/// What is known of a streamed answer so far.
#[derive(Default)]
struct Answer {
    usage: TokenUsage,
    /// Of each choice that was heard of: why it ended, once it did.
    ends: BTreeMap<u64, Option<FinishReason>>,
}

impl Answer {
    fn hear(&mut self, chunk: Value) -> Result<NativePart, ProviderError> {
        // Some servers send chunks that have nothing but their head.
        if !["choices", "usage", "id"].iter().any(|name| chunk.get(name).is_some_and(|field| !field.is_null())) {
            return Err(ProviderError::Malformed("a chunk without choices".to_owned()));
        }
        self.usage = usage_of(&chunk).unwrap_or(self.usage);
        let (mut said, mut begins) = (String::new(), false);
        for choice in chunk.get("choices").and_then(Value::as_array).into_iter().flatten() {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            if let Some(delta) = choice.get("delta") {
                begins |= written(delta, &mut said);
            }
            let end = self.ends.entry(index).or_default();
            if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
                *end = Some(ended(reason));
                begins = true;
            }
        }
        Ok(NativePart { value: chunk, said, begins })
    }

    fn end(self) -> Result<(FinishReason, TokenUsage), ProviderError> {
        let mut reason = None;
        for end in self.ends.values() {
            reason = worse(reason, Some(end.ok_or(ProviderError::Cut)?));
        }
        Ok((reason.ok_or(ProviderError::Cut)?, self.usage))
    }
}

/// Every reason is an end, also one that Seam has no name for: nobody knows then whether the answer is all there is.
fn ended(reason: &str) -> FinishReason {
    finish_reason(reason).unwrap_or(FinishReason::Length)
}

/// Of several choices: only when all are whole, the answer is.
fn worse(one: Option<FinishReason>, other: Option<FinishReason>) -> Option<FinishReason> {
    if matches!(one, None | Some(FinishReason::Stop)) { other.or(one) } else { one }
}

/// Adds to `said` what a message or a delta says. Whether it says anything: any field does but the role, if there is
/// something in it.
fn written(message: &Value, said: &mut String) -> bool {
    for name in ["content", "refusal", "reasoning_content", "reasoning"] {
        said.push_str(message.get(name).and_then(Value::as_str).unwrap_or_default());
    }
    let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let functions = calls.filter_map(|call| call.get("function")).chain(message.get("function_call"));
    for function in functions {
        for name in ["name", "arguments"] {
            said.push_str(function.get(name).and_then(Value::as_str).unwrap_or_default());
        }
    }
    let fields = message.as_object().into_iter().flatten();
    fields.filter(|(name, _)| name.as_str() != "role").any(|(_, field)| match field {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    })
}

fn usage_of(answer: &Value) -> Option<TokenUsage> {
    let usage: Usage = serde_json::from_value(answer.get("usage")?.clone()).ok()?;
    Some(usage.into())
}

/// An answer that was not streamed, as a stream of one part.
fn whole(answer: Value) -> Result<ChatParts, ProviderError> {
    let choices = answer.get("choices").and_then(Value::as_array).filter(|choices| !choices.is_empty());
    let choices = choices.ok_or_else(|| ProviderError::Malformed("an answer without choices".to_owned()))?;
    let (mut said, mut reason) = (String::new(), None);
    for choice in choices {
        if let Some(message) = choice.get("message") {
            written(message, &mut said);
        }
        reason = worse(reason, choice.get("finish_reason").and_then(Value::as_str).map(ended));
    }
    // It arrived whole; not everybody says why it ended.
    let reason = reason.unwrap_or(FinishReason::Stop);
    let usage = usage_of(&answer).unwrap_or_default();
    let part = NativePart { value: answer, said, begins: true };
    Ok(stream::iter([Ok(ChatPart::Native(part)), Ok(ChatPart::Finished { reason, usage })]).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Dialect;
    use serde_json::json;
    use std::sync::Arc;

    fn native(body: Value, streamed: bool) -> Native {
        Native {
            dialect: Dialect::OpenAiChat,
            body: Arc::new(body.as_object().unwrap().clone()),
            streamed,
            betas: None,
        }
    }

    #[test]
    fn a_request_goes_out_as_it_came_but_for_model_and_usage() {
        let asked = json!({ "model": "assistant", "messages": [], "stream": true, "tools": [{ "type": "function" }],
            "stream_options": { "include_obfuscation": false }, "a_field_of_tomorrow": [1] });
        let sent = json!(outgoing(&native(asked, true), "gpt-5"));
        assert_eq!(
            sent,
            json!({ "model": "gpt-5", "messages": [], "stream": true, "tools": [{ "type": "function" }],
                "stream_options": { "include_obfuscation": false, "include_usage": true }, "a_field_of_tomorrow": [1] })
        );
        let asked = json!({ "model": "assistant", "messages": [], "stream_options": {} });
        let sent = json!(outgoing(&native(asked, false), "gpt-5"));
        assert_eq!(sent, json!({ "model": "gpt-5", "messages": [], "stream": false }));
        let kept = json!({ "model": "assistant", "messages": [], "store": true, "stream_options": null });
        let sent = json!(outgoing(&native(kept, true), "gpt-5"));
        assert_eq!(
            sent,
            json!({ "model": "gpt-5", "messages": [], "stream": true, "store": false,
                "stream_options": { "include_usage": true } })
        );
    }

    #[test]
    fn a_role_does_not_begin_an_answer_and_a_tool_does() {
        let mut answer = Answer::default();
        let mut hear = |delta: Value| answer.hear(json!({ "choices": [{ "index": 0, "delta": delta }] })).unwrap();
        assert!(!hear(json!({ "role": "assistant", "content": "" })).begins);
        let call = json!([{ "index": 0, "id": "call_1", "function": { "name": "weather", "arguments": "" } }]);
        let part = hear(json!({ "tool_calls": call }));
        assert!(part.begins);
        assert_eq!(part.said, "weather");
        assert!(hear(json!({ "content": "x" })).begins);
        for other in [
            json!({ "function_call": { "arguments": "{" } }),
            json!({ "audio": { "data": "A" } }),
            json!({ "content": [{}] }),
        ] {
            assert!(hear(other.clone()).begins, "{other}");
        }
        assert!(!hear(json!({ "role": "assistant", "content": null, "tool_calls": [], "annotations": [] })).begins);
    }

    #[test]
    fn an_answer_of_several_choices_is_cut_short_when_one_of_them_is() {
        for (one, other) in [("stop", "length"), ("length", "stop"), ("stop", "a_new_one")] {
            let mut answer = Answer::default();
            for (index, reason) in [(0, one), (1, other)] {
                let choice = json!({ "index": index, "delta": {}, "finish_reason": reason });
                answer.hear(json!({ "choices": [choice] })).unwrap();
            }
            assert_eq!(answer.end().unwrap().0, FinishReason::Length, "{one} and {other}");
        }
    }

    #[test]
    fn an_answer_is_whole_when_each_choice_has_ended() {
        let ended = |index: u64| json!({ "choices": [{ "index": index, "delta": {}, "finish_reason": "stop" }] });
        let mut answer = Answer::default();
        answer.hear(json!({ "choices": [{ "index": 1, "delta": { "content": "x" } }] })).unwrap();
        answer.hear(ended(0)).unwrap();
        assert!(matches!(answer.end(), Err(ProviderError::Cut)));
        let mut answer = Answer::default();
        answer.hear(ended(0)).unwrap();
        answer.hear(json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 4 } })).unwrap();
        let (reason, usage) = answer.end().unwrap();
        assert_eq!((reason, usage.input, usage.output), (FinishReason::Stop, Some(3), Some(4)));
        assert!(matches!(Answer::default().end(), Err(ProviderError::Cut)), "nothing was said at all");
        let mut other = Answer::default();
        other.hear(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "eos" }] })).unwrap();
        assert_eq!(other.end().unwrap().0, FinishReason::Stop, "in the words of another server");
    }
}
