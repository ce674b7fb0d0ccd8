//! Chats with a model that does not speak the dialect: what can be said in other words is, and what cannot is refused.

use super::{Program, events, hello, refused, said};
use crate::browser::Server;
use contract::Timestamp;
use http::{HeaderName, Method, StatusCode};
use metering::Feature;
use serde_json::{Value, json};

const COST: HeaderName = HeaderName::from_static("x-seam-cost-usd");
const ROUTE: HeaderName = HeaderName::from_static("x-seam-route");

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_answer_comes_whole_or_as_it_is_made() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let whole = caller.complete(&with(hello("sim"), &json!({ "seed": 7 }))).await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text());
    assert_eq!(whole.header(ROUTE), "sim/sim");
    assert!(whole.header(COST).starts_with("0.0000"), "{}", whole.header(COST));
    let answer = whole.json();
    assert_eq!((&answer["object"], &answer["model"]), (&json!("chat.completion"), &json!("sim")));
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let usage = &answer["usage"];
    assert_eq!(usage["completion_tokens"], 12, "{answer}");
    assert_eq!(usage["total_tokens"].as_i64(), Some(usage["prompt_tokens"].as_i64().unwrap() + 12));
    let asked = with(hello("sim"), &json!({ "seed": 7, "stream": true, "stream_options": { "include_usage": true } }));
    let streamed = caller.complete(&asked).await;
    assert_eq!(streamed.header(ROUTE), "sim/sim");
    let (chunks, done) = events(&streamed);
    assert!(done && chunks.len() > 5, "{}", streamed.text());
    assert_eq!(
        said(&chunks),
        answer["choices"][0]["message"]["content"].as_str().unwrap(),
        "the same seed, the same words"
    );
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let [.., end, last] = &*chunks else { panic!("{chunks:?}") };
    assert_eq!(end["choices"][0]["finish_reason"], "stop");
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), usage));
    let plain = caller.complete(&with(hello("sim"), &json!({ "stream": true }))).await;
    assert!(!plain.text().contains("usage"), "nobody asked for it");
}

#[tokio::test]
async fn it_stands_in_the_ledger_of_the_tenant() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    caller.complete(&hello("sim")).await;
    let tenancy = &server.platform.tenancy;
    let tenant = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
    let manager = tenancy.command_line_scope(tenant).management().unwrap();
    let ever = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
    let rows = server.platform.metering.ledger_page(&manager, ever, None, 10).await.unwrap();
    let [row] = &*rows else { panic!("{rows:?}") };
    assert_eq!((row.feature, row.usage.output, row.measured), (Feature::Api, Some(12), true));
    assert!(row.cost.is_some());
}

#[tokio::test]
async fn what_would_have_to_be_left_out_is_refused_by_its_name() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let picture = json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:," } }] }]);
    for (more, field) in [
        (json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] }), "tools"),
        (json!({ "response_format": { "type": "json_object" } }), "response_format"),
        (json!({ "n": 2 }), "n"),
        (json!({ "logprobs": true }), "logprobs"),
        (json!({ "a_field_of_tomorrow": 1 }), "a_field_of_tomorrow"),
        (json!({ "messages": picture }), "messages[0].content[0]"),
    ] {
        let answer = caller.complete(&with(hello("sim"), &more)).await;
        assert_eq!(refused(&answer), (400, "unsupported_parameter".to_owned(), field.to_owned()), "{more}");
        assert!(answer.text().contains("“sim”"), "{}", answer.text());
    }
    // What says nothing new is no reason to refuse.
    let neutral = json!({ "n": 1, "tools": [], "user": "u", "metadata": { "a": "b" }, "presence_penalty": 0, "logit_bias": null });
    assert_eq!(caller.complete(&with(hello("sim"), &neutral)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bad_input_is_told_by_field() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    for (body, status, field) in [
        ("", 400, ""),
        ("{", 400, ""),
        ("[]", 400, ""),
        ("{}", 400, "model"),
        (r#"{"model":"sim"}"#, 400, "messages"),
        (r#"{"model":"sim","messages":[]}"#, 400, "messages"),
        (r#"{"model":"gone","messages":[{"role":"user","content":"x"}]}"#, 404, "model"),
    ] {
        let answer = caller.call(Method::POST, "/v1/chat/completions", body).await;
        let (told, _, param) = refused(&answer);
        assert_eq!((told, param.as_str()), (status, field), "{body}: {}", answer.text());
    }
    let large = format!("{{\"model\":\"sim\",\"x\":\"{}\"}}", "y".repeat(33 << 20));
    assert_eq!(refused(&caller.call(Method::POST, "/v1/chat/completions", large).await).0, 413);
    // A picture's worth of text is no reason to refuse.
    let megabytes = json!([{ "role": "user", "content": "word ".repeat(400_000) }]);
    let answer = caller.complete(&json!({ "model": "sim", "messages": megabytes })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}
