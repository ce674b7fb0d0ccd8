//! Chats with a model that speaks the dialect itself: everything passes through, in both directions; and what a client
//! sees when the other side fails, before the first word and after it.

use super::{
    Program, events, hello, refused, said,
    upstream::{Reply, Upstream, chunk},
};
use crate::browser::Server;
use http::StatusCode;
use seam::apply::apply;
use serde_json::{Value, json};

async fn server_with(upstream: &Upstream) -> Server {
    let server = Server::start().await;
    apply(&server.platform.tenancy, &upstream.resources(), &|_| None, false).await.unwrap();
    server.platform.registry.invalidate().await;
    server.platform.gateway.invalidate();
    server
}

fn stream_of(chunks: &[String], breaks: bool) -> Reply {
    Reply::Events { events: chunks.to_vec(), breaks }
}

fn asks_for_tools(model: &str, streamed: bool) -> Value {
    let tools = json!([{ "type": "function", "function": { "name": "weather", "parameters": { "type": "object" } } }]);
    let format = json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": {} } });
    let mut body = hello(model);
    let more = json!({ "tools": tools, "parallel_tool_calls": true, "response_format": format, "n": 2, "logprobs": true,
        "a_field_of_tomorrow": { "deep": [1] }, "stream": streamed });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_whole_answer_passes_with_all_that_it_says() {
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "weather", "arguments": "{\"at\":\"Ghent\"}" } });
    let message = json!({ "role": "assistant", "content": null, "tool_calls": [call], "annotations": [] });
    let answer = json!({ "id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": "gpt-twin-2026", "system_fingerprint": "fp",
        "choices": [{ "index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": { "content": [] } }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_tokens_details": { "cached_tokens": 8 } } });
    let upstream = Upstream::start(Reply::Whole(answer.clone())).await;
    let server = server_with(&upstream).await;
    let told = Program::new(&server, "acme").await.complete(&asks_for_tools("twin", false)).await;
    let mut expected = answer;
    expected["model"] = json!("twin");
    assert_eq!(told.json(), expected);
    let mut asked = asks_for_tools("gpt-twin", false);
    asked["stream"] = json!(false);
    assert_eq!(upstream.asked(), asked, "nothing was added and nothing left out");
}

#[tokio::test]
async fn a_stream_passes_event_by_event() {
    let call = |part: &Value| json!({ "tool_calls": [part] });
    let chunks = [
        chunk(&json!({ "role": "assistant", "content": null }), None),
        chunk(&call(&json!({ "index": 0, "id": "call_1", "function": { "name": "weather", "arguments": "" } })), None),
        chunk(&call(&json!({ "index": 0, "function": { "arguments": "{\"at\":" } })), None),
        chunk(
            &call(&json!({ "index": 1, "id": "call_2", "function": { "name": "weather", "arguments": "{}" } })),
            None,
        ),
        chunk(&json!({}), Some("tool_calls")),
        json!({ "id": "chatcmpl-up", "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 4 } })
            .to_string(),
        "[DONE]".to_owned(),
    ];
    let upstream = Upstream::start(stream_of(&chunks, false)).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let (told, done) = events(&caller.complete(&asks_for_tools("twin", true)).await);
    let mut expected: Vec<Value> = chunks[..5].iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    expected.iter_mut().for_each(|chunk| chunk["model"] = json!("twin"));
    assert_eq!((told, done), (expected, true), "without the usage that nobody asked for");
    assert_eq!(upstream.asked()["stream_options"]["include_usage"], true, "which Seam wants to know all the same");
    let mut asked = asks_for_tools("twin", true);
    asked["stream_options"] = json!({ "include_usage": true });
    let (told, _) = events(&caller.complete(&asked).await);
    assert_eq!(told.last().unwrap()["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn before_the_first_word_another_provider_answers() {
    let role = chunk(&json!({ "role": "assistant", "content": "" }), None);
    let upstream = Upstream::start(Reply::Refusal(500, json!({ "error": { "message": "down" } }))).await;
    let error = json!({ "error": { "message": "overloaded", "type": "server_error" } }).to_string();
    for reply in [
        Reply::Refusal(500, json!({ "error": { "message": "down" } })),
        Reply::Refusal(429, json!({ "error": { "message": "slow down" } })),
        stream_of(&[], true),
        // A role is no word.
        stream_of(std::slice::from_ref(&role), true),
        stream_of(&[role.clone(), error], false),
        stream_of(&["not json".to_owned()], false),
    ] {
        upstream.answers(reply);
        let server = server_with(&upstream).await;
        let caller = Program::new(&server, "acme").await;
        let mut asked = hello("safe");
        asked["stream"] = json!(true);
        let answer = caller.complete(&asked).await;
        let (chunks, done) = events(&answer);
        assert!(done && said(&chunks).len() > 20, "{}", answer.text());
        assert!(!answer.text().contains("chatcmpl-up"), "nothing of the first one is heard: {}", answer.text());
        assert_eq!(answer.header("x-seam-route".parse::<http::HeaderName>().unwrap()), "sim/sim");
    }
    // Where only the one that failed could have answered, nobody does.
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    upstream.answers(Reply::Refusal(500, json!({ "error": { "message": "down" } })));
    let answer = caller.complete(&asks_for_tools("safe", true)).await;
    assert_eq!(refused(&answer).0, 502, "{}", answer.text());
}

#[tokio::test]
async fn after_the_first_word_a_cut_is_an_error_and_never_an_end() {
    let begun =
        [chunk(&json!({ "role": "assistant", "content": "Hel" }), None), chunk(&json!({ "content": "lo" }), None)];
    let more = |last: &[String]| [&begun, last].concat();
    let ended = chunk(&json!({}), Some("stop"));
    let error = json!({ "error": { "message": "overloaded", "type": "server_error" } }).to_string();
    let upstream = Upstream::start(stream_of(&begun, true)).await;
    for (what, reply) in [
        ("the connection breaks", stream_of(&begun, true)),
        ("it ends without an end", stream_of(&begun, false)),
        ("the end has no [DONE]", stream_of(&more(std::slice::from_ref(&ended)), false)),
        ("[DONE] without an end", stream_of(&more(&["[DONE]".to_owned()]), false)),
        ("an error in mid-stream", stream_of(&more(&[error]), false)),
        ("something else than JSON", stream_of(&more(&["not json".to_owned()]), false)),
    ] {
        upstream.answers(reply);
        // One that has not seen the failures before: it would leave the provider alone.
        let server = server_with(&upstream).await;
        let caller = Program::new(&server, "acme").await;
        let mut asked = hello("safe");
        asked["stream"] = json!(true);
        let answer = caller.complete(&asked).await;
        let (chunks, done) = events(&answer);
        assert!(!done, "{what} looks like an end: {}", answer.text());
        assert!(said(&chunks).starts_with("Hello"), "{what}: {}", answer.text());
        let error = &chunks.last().unwrap()["error"];
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("server_error"), &json!("provider_failed")),
            "{what}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_with_its_reason() {
    let bad = json!({ "error": { "message": "temperature must be at most 2", "type": "invalid_request_error", "param": "temperature" } });
    let upstream = Upstream::start(Reply::Refusal(400, bad)).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let answer = caller.complete(&hello("safe")).await;
    assert_eq!(refused(&answer).0, 400);
    assert!(answer.text().contains("temperature must be at most 2"), "{}", answer.text());
    let slow = json!({ "error": { "message": "slow down", "code": "rate_limit_exceeded" } });
    upstream.answers(Reply::Refusal(429, slow));
    assert_eq!(refused(&caller.complete(&hello("twin")).await).0, 429);
    let long = json!({ "error": { "message": "too long", "code": "context_length_exceeded" } });
    upstream.answers(Reply::Refusal(400, long));
    let answer = caller.complete(&hello("twin")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
}
