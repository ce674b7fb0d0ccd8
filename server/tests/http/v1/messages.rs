//! Anthropic's dialect: messages of a model that does not speak it, of one that does, and what a client sees when something
//! fails.

use super::{
    Program, greeting, refused_message,
    upstream::{Reply, Upstream},
};
use crate::browser::{Answer, Server};
use http::{Method, StatusCode, header};
use seam::apply::apply;
use serde_json::{Value, json};

pub async fn server_with(upstream: &Upstream) -> Server {
    let server = Server::start().await;
    apply(&server.platform.tenancy, &upstream.resources(), &|_| None, false).await.unwrap();
    server.platform.registry.invalidate().await;
    server.platform.gateway.invalidate();
    server
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The events of a stream; each has the name that its data says.
pub fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    let text = answer.text();
    let written = text.split("\n\n").filter(|event| !event.trim().is_empty() && !event.starts_with(':'));
    written
        .map(|event| {
            // The order of the fields is nobody's business.
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let data: Value = serde_json::from_str(field("data: ")).unwrap();
            assert_eq!(data["type"], field("event: "), "{event}");
            data
        })
        .collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).filter(|kind| *kind != "content_block_delta").collect()
}

fn said(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

#[tokio::test]
async fn a_message_comes_whole_or_as_it_is_made() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let whole = caller.message("/v1/messages", &greeting("sim")).await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text());
    assert_eq!(whole.header("x-seam-route"), "sim/sim");
    assert!(whole.header("x-seam-cost-usd").starts_with("0.0000"));
    let message = whole.json();
    assert_eq!(
        (&message["type"], &message["role"], &message["model"]),
        (&json!("message"), &json!("assistant"), &json!("sim"))
    );
    assert_eq!((&message["stop_reason"], &message["usage"]["output_tokens"]), (&json!("end_turn"), &json!(12)));
    let streamed = events(&caller.message("/v1/messages", &with(greeting("sim"), &json!({ "stream": true }))).await);
    let expected = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"];
    assert_eq!(types(&streamed), expected);
    assert_eq!(said(&streamed), message["content"][0]["text"].as_str().unwrap());
    let end = &streamed[streamed.len() - 2];
    assert_eq!(end["usage"], message["usage"]);
    let short = caller.message("/v1/messages", &with(greeting("sim"), &json!({ "max_tokens": 3 }))).await.json();
    assert_eq!((&short["stop_reason"], &short["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(3)));
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let upstream = Upstream::start(Reply::Whole(json!({ "input_tokens": 4_711 }))).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let mut body = with(greeting("sim"), &json!({ "system": "Be brief and kind." }));
    body.as_object_mut().unwrap().remove("max_tokens");
    let counted = caller.message("/v1/messages/count_tokens", &body).await.json();
    assert_eq!(counted, json!({ "input_tokens": 5 }), "the simulated provider's tokens are words");
    // Who speaks the dialect counts itself.
    body["model"] = json!("claude");
    let counted = caller.message("/v1/messages/count_tokens", &body).await.json();
    assert_eq!(counted, json!({ "input_tokens": 4_711 }));
    let asked = json!({ "model": "claude-up", "system": "Be brief and kind.", "messages": body["messages"] });
    assert_eq!(upstream.asked(), asked);
    body["model"] = json!("gone");
    assert_eq!(
        refused_message(&caller.message("/v1/messages/count_tokens", &body).await).0,
        (404, "not_found_error".to_owned())
    );
}

#[tokio::test]
async fn refusals_have_the_dialects_shape_and_name_the_field() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let tools = json!([{ "name": "f", "input_schema": { "type": "object" } }]);
    for (more, status, kind, named) in [
        (json!({ "max_tokens": null }), 400, "invalid_request_error", "max_tokens: "),
        (json!({ "messages": [] }), 400, "invalid_request_error", "messages: "),
        (json!({ "model": "gone" }), 404, "not_found_error", "model: "),
        (json!({ "speed": "fast" }), 400, "invalid_request_error", "speed: "),
        (json!({ "tools": tools }), 400, "invalid_request_error", "tools: "),
        (
            json!({ "thinking": { "type": "enabled", "budget_tokens": 2_000 } }),
            400,
            "invalid_request_error",
            "thinking: ",
        ),
    ] {
        let answer = caller.message("/v1/messages", &with(greeting("sim"), &more)).await;
        let (told, message) = refused_message(&answer);
        assert_eq!(told, (status, kind.to_owned()), "{more}");
        assert!(message.starts_with(named), "{more}: {message}");
    }
    let method = caller.call(Method::DELETE, "/v1/messages", "").await;
    assert_eq!(refused_message(&method).0, (405, "invalid_request_error".to_owned()));
    let nowhere = caller.message("/v1/nothing", &json!({})).await;
    assert_eq!(refused_message(&nowhere).0.0, 404, "a client that names its version reads it in its own shape");
    let broken = caller.call(Method::POST, "/v1/messages", "{").await;
    assert_eq!(refused_message(&broken).0.0, 400);
}

#[tokio::test]
async fn models_are_listed_as_the_client_expects_them() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let request = |path: &str| {
        let request = http::Request::builder().uri(path).header("x-api-key", &caller.key);
        request.header("anthropic-version", "2023-06-01").body(axum::body::Body::empty()).unwrap()
    };
    let list = server.browser().send(request("/v1/models")).await.json();
    assert_eq!((&list["has_more"], &list["data"][0]["type"]), (&json!(false), &json!("model")), "{list}");
    assert!(list["data"].as_array().unwrap().iter().any(|model| model["id"] == "sim"));
    assert_eq!(server.browser().send(request("/v1/models/sim")).await.json()["display_name"], "sim");
    assert_eq!(refused_message(&server.browser().send(request("/v1/models/gone")).await).0.0, 404);
}

#[tokio::test]
async fn who_speaks_the_dialect_gets_everything_and_is_passed_on() {
    let answer = json!({ "id": "msg_up", "type": "message", "role": "assistant", "model": "claude-up-2026", "container": null,
        "content": [{ "type": "thinking", "thinking": "Hm", "signature": "s" }, { "type": "text", "text": "Hi" }],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": { "input_tokens": 9, "cache_read_input_tokens": 8, "output_tokens": 4 } });
    let upstream = Upstream::start(Reply::Whole(answer.clone())).await;
    let server = server_with(&upstream).await;
    let caller = Program::new(&server, "acme").await;
    let cached = json!({ "type": "ephemeral" });
    let asked = with(
        greeting("claude"),
        &json!({ "thinking": { "type": "enabled", "budget_tokens": 2_000 }, "a_field_of_tomorrow": { "deep": [1] }, "top_k": 5,
            "system": [{ "type": "text", "text": "Be brief.", "cache_control": cached }] }),
    );
    let told = caller.message("/v1/messages", &asked).await;
    assert_eq!(told.json(), with(answer, &json!({ "model": "claude" })));
    assert_eq!(upstream.asked(), with(asked.clone(), &json!({ "model": "claude-up", "stream": false })));
    let stream = [
        json!({ "type": "message_start", "message": { "id": "msg_up", "model": "claude-up-2026", "usage": { "input_tokens": 9, "output_tokens": 1 } } }),
        json!({ "type": "ping" }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "Hm" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": "s" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "an_event_of_tomorrow", "new": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "pause_turn", "stop_sequence": null }, "usage": { "output_tokens": 7 } }),
        json!({ "type": "message_stop" }),
    ];
    upstream.answers(Reply::Events { events: stream.iter().map(Value::to_string).collect(), breaks: false });
    let told = events(&caller.message("/v1/messages", &with(asked, &json!({ "stream": true }))).await);
    let mut expected = stream.to_vec();
    expected[0]["message"]["model"] = json!("claude");
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_stream_that_fails_falls_back_before_its_first_word_and_says_so_after_it() {
    let start =
        json!({ "type": "message_start", "message": { "id": "msg_up", "model": "c", "usage": { "input_tokens": 9 } } });
    let block = json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
    let word = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hello" } });
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let reason =
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } });
    let stop = json!({ "type": "message_stop" });
    let reply = |events: &[&Value], breaks| Reply::Events {
        events: events.iter().map(|event| event.to_string()).collect(),
        breaks,
    };
    let upstream = Upstream::start(reply(&[], true)).await;
    let asked = with(greeting("safe-claude"), &json!({ "stream": true }));
    for silent in [
        reply(&[], true),
        reply(&[&start, &block], true),
        reply(&[&start, &error], false),
        Reply::Refusal(529, error.clone()),
        Reply::Events { events: vec!["not json".to_owned()], breaks: false },
    ] {
        upstream.answers(silent);
        // One that has not seen the failures before: it would leave the provider alone.
        let server = server_with(&upstream).await;
        let caller = Program::new(&server, "acme").await;
        let answer = caller.message("/v1/messages", &asked).await;
        assert_eq!(types(&events(&answer)).last(), Some(&"message_stop"), "{}", answer.text());
        assert!(!answer.text().contains("msg_up"), "nothing of the first one is heard: {}", answer.text());
        assert_eq!(answer.header("x-seam-route"), "sim/sim");
    }
    for (what, cut) in [
        ("the connection breaks", reply(&[&start, &block, &word], true)),
        ("it ends without an end", reply(&[&start, &block, &word], false)),
        ("no message_stop", reply(&[&start, &block, &word, &reason], false)),
        ("message_stop without a reason", reply(&[&start, &block, &word, &stop], false)),
        ("an error in mid-stream", reply(&[&start, &block, &word, &error], false)),
    ] {
        upstream.answers(cut);
        let server = server_with(&upstream).await;
        let caller = Program::new(&server, "acme").await;
        let answer = caller.message("/v1/messages", &asked).await;
        let told = events(&answer);
        assert_eq!(said(&told), "Hello", "{what}");
        let end = told.last().unwrap();
        assert_eq!(
            (&end["type"], &end["error"]["type"]),
            (&json!("error"), &json!("api_error")),
            "{what}: {}",
            answer.text()
        );
        assert!(!types(&told).contains(&"message_stop"), "{what}");
    }
}
