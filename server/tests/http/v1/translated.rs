//! Any dialect in reaches any provider out: tools, pictures and schemas in the other's words, and their answers back.

use super::{
    Program, events as chunks_of, greeting, hello,
    messages::{events, server_with},
    refused, refused_message,
    upstream::{Reply, Upstream, chunk},
};
use http::StatusCode;
use serde_json::{Value, json};

const PICTURE: &str = "data:image/png;base64,AA==";

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "at": { "type": "string" } } })
}

/// A conversation with a picture, two calls and what came of them, in OpenAI's words.
fn completion(model: &str) -> Value {
    let call = |id: &str, at: &str| {
        let arguments = json!({ "at": at }).to_string();
        json!({ "id": id, "type": "function", "function": { "name": "weather", "arguments": arguments } })
    };
    json!({
        "model": model,
        "max_completion_tokens": 900,
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [{ "type": "text", "text": "Where is it?" }, { "type": "image_url", "image_url": { "url": PICTURE } }] },
            { "role": "assistant", "content": "I look.", "tool_calls": [call("call_1", "Ghent"), call("call_2", "Liège")] },
            { "role": "tool", "tool_call_id": "call_1", "content": "rain" },
            { "role": "tool", "tool_call_id": "call_2", "content": "sun" },
        ],
        "tools": [{ "type": "function", "function": { "name": "weather", "description": "It knows.", "parameters": schema() } }],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "response_format": { "type": "json_schema", "json_schema": { "name": "answer", "schema": schema() } },
    })
}

/// The same in Anthropic's.
fn message(model: &str) -> Value {
    let call = |id: &str, at: &str| json!({ "type": "tool_use", "id": id, "name": "weather", "input": { "at": at } });
    let result = |id: &str, text: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": text });
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "AA==" });
    json!({
        "model": model,
        "max_tokens": 900,
        "system": "Be brief.",
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "Where is it?" }, { "type": "image", "source": source }] },
            { "role": "assistant", "content": [{ "type": "text", "text": "I look." }, call("call_1", "Ghent"), call("call_2", "Liège")] },
            { "role": "user", "content": [result("call_1", "rain"), result("call_2", "sun")] },
        ],
        "tools": [{ "name": "weather", "description": "It knows.", "input_schema": schema() }],
        "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
        "output_config": { "format": { "type": "json_schema", "schema": schema() } },
    })
}

/// Text and two calls of tools, as Anthropic streams them.
fn stream_of_blocks() -> Reply {
    let block =
        |index: u64, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let delta = |index: u64, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    let stop = |index: u64| json!({ "type": "content_block_stop", "index": index });
    let tool = |id: &str, name: &str| json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
    let events = [
        json!({ "type": "message_start", "message": { "id": "msg_up", "usage": { "input_tokens": 9, "output_tokens": 1 } } }),
        block(0, json!({ "type": "text", "text": "" })),
        delta(0, json!({ "type": "text_delta", "text": "I look." })),
        stop(0),
        block(1, tool("toolu_1", "weather")),
        delta(1, json!({ "type": "input_json_delta", "partial_json": "{\"at\":" })),
        delta(1, json!({ "type": "input_json_delta", "partial_json": "\"Ghent\"}" })),
        stop(1),
        block(2, tool("toolu_2", "time")),
        delta(2, json!({ "type": "input_json_delta", "partial_json": "" })),
        stop(2),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null }, "usage": { "output_tokens": 7 } }),
        json!({ "type": "message_stop" }),
    ];
    Reply::Events { events: events.iter().map(Value::to_string).collect(), breaks: false }
}

/// The same as OpenAI streams it.
fn stream_of_chunks() -> Reply {
    let call = |part: Value| json!({ "tool_calls": [part] });
    let events = vec![
        chunk(&json!({ "role": "assistant", "content": "I look." }), None),
        chunk(
            &call(
                json!({ "index": 0, "id": "toolu_1", "type": "function", "function": { "name": "weather", "arguments": "" } }),
            ),
            None,
        ),
        chunk(&call(json!({ "index": 0, "function": { "arguments": "{\"at\":" } })), None),
        chunk(&call(json!({ "index": 0, "function": { "arguments": "\"Ghent\"}" } })), None),
        chunk(
            &call(
                json!({ "index": 1, "id": "toolu_2", "type": "function", "function": { "name": "time", "arguments": "{}" } }),
            ),
            None,
        ),
        chunk(&json!({}), Some("tool_calls")),
        json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 7 } }).to_string(),
        "[DONE]".to_owned(),
    ];
    Reply::Events { events, breaks: false }
}

#[tokio::test]
async fn what_is_asked_in_one_dialect_reaches_the_other() {
    let upstream = Upstream::start(stream_of_blocks()).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let answer = caller.complete(&completion("claude")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(upstream.asked(), with(message("claude-up"), &json!({ "stream": true })));

    upstream.answers(stream_of_chunks());
    let answer = caller.message("/v1/messages", &message("twin")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let mut expected = completion("gpt-twin");
    expected.as_object_mut().unwrap().remove("max_completion_tokens");
    expected["response_format"]["json_schema"]["strict"] = json!(true);
    let expected =
        with(expected, &json!({ "max_tokens": 900, "stream": true, "stream_options": { "include_usage": true } }));
    assert_eq!(upstream.asked(), expected);
}

#[tokio::test]
async fn what_a_model_calls_comes_back_in_the_words_it_was_asked_in() {
    let upstream = Upstream::start(stream_of_blocks()).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let whole = caller.complete(&completion("claude")).await.json();
    let call = |id: &str, name: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
    let calls = json!([call("toolu_1", "weather", "{\"at\":\"Ghent\"}"), call("toolu_2", "time", "{}")]);
    let choice = &whole["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["message"]["tool_calls"]), (&json!("I look."), &calls));
    assert_eq!((&choice["finish_reason"], &whole["usage"]["completion_tokens"]), (&json!("tool_calls"), &json!(7)));
    let (streamed, done) = chunks_of(&caller.complete(&with(completion("claude"), &json!({ "stream": true }))).await);
    assert!(done);
    let arguments = |index: u64| -> String {
        let deltas = streamed
            .iter()
            .flat_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten());
        deltas.filter(|call| call["index"] == index).filter_map(|call| call["function"]["arguments"].as_str()).collect()
    };
    assert_eq!((arguments(0).as_str(), arguments(1).as_str()), ("{\"at\":\"Ghent\"}", "{}"));
    assert_eq!(streamed.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");

    upstream.answers(stream_of_chunks());
    let whole = caller.message("/v1/messages", &message("twin")).await.json();
    let content = json!([
        { "type": "text", "text": "I look." },
        { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "at": "Ghent" } },
        { "type": "tool_use", "id": "toolu_2", "name": "time", "input": {} },
    ]);
    assert_eq!((&whole["content"], &whole["stop_reason"]), (&content, &json!("tool_use")));
    assert_eq!((&whole["usage"]["input_tokens"], &whole["usage"]["output_tokens"]), (&json!(9), &json!(7)));
    let streamed = events(&caller.message("/v1/messages", &with(message("twin"), &json!({ "stream": true }))).await);
    let starts: Vec<&Value> = streamed
        .iter()
        .filter(|event| event["type"] == "content_block_start")
        .map(|event| &event["content_block"]["type"])
        .collect();
    assert_eq!(starts, ["text", "tool_use", "tool_use"]);
    let written: String = streamed
        .iter()
        .filter(|event| event["index"] == 1)
        .filter_map(|event| event["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(written, "{\"at\":\"Ghent\"}");
}

#[tokio::test]
async fn arguments_that_no_message_can_hold_are_an_error_and_no_empty_call() {
    let call =
        json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": "weather", "arguments": "{\"at\"" } }] });
    let events_of = vec![chunk(&call, None), chunk(&json!({}), Some("tool_calls")), "[DONE]".to_owned()];
    let upstream = Upstream::start(Reply::Events { events: events_of, breaks: false }).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let answer = caller.message("/v1/messages", &message("twin")).await;
    assert_eq!(refused_message(&answer).0, (502, "api_error".to_owned()));
    // The other dialect passes them on as the model wrote them.
    let asked = with(message("twin"), &json!({ "stream": true }));
    let told = events(&caller.message("/v1/messages", &asked).await);
    assert!(told.iter().any(|event| event["delta"]["partial_json"] == "{\"at\""));
}

#[tokio::test]
async fn what_the_other_has_no_words_for_is_refused_by_its_name() {
    let upstream = Upstream::start(stream_of_blocks()).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    for (more, field) in [
        (json!({ "response_format": { "type": "json_object" } }), "response_format"),
        (json!({ "logprobs": true }), "logprobs"),
        (json!({ "reasoning_effort": "high" }), "reasoning_effort"),
    ] {
        let answer = caller.complete(&with(hello("claude"), &more)).await;
        assert_eq!(refused(&answer), (400, "unsupported_parameter".to_owned(), field.to_owned()), "{more}");
    }
    for (more, field) in [
        (json!({ "thinking": { "type": "enabled", "budget_tokens": 2_000 } }), "thinking"),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "document", "source": {} }] }] }),
            "messages[0].content[0]",
        ),
    ] {
        let (told, reason) = refused_message(&caller.message("/v1/messages", &with(greeting("twin"), &more)).await);
        assert_eq!(told, (400, "invalid_request_error".to_owned()));
        assert!(reason.starts_with(&format!("{field}: ")), "{reason}");
    }
    // Of two that may answer, the one that can is asked, and no one else when it fails.
    let tools = json!({ "tools": [{ "name": "weather", "input_schema": schema() }] });
    let answer = caller.message("/v1/messages", &with(greeting("safe"), &tools)).await;
    assert_eq!(
        refused_message(&answer).0,
        (502, "api_error".to_owned()),
        "the simulated one calls no tools: {}",
        answer.text()
    );
}
