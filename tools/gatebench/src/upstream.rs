//! A provider that answers at once: what it costs is HTTP and a few hundred bytes of JSON.

use anyhow::Result;
use async_stream::stream;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Between two tokens of a model named `paced`.
const PACE: Duration = Duration::from_millis(50);
const TOKENS: u32 = 60;

pub struct Upstream {
    /// With `/v1`.
    pub url: String,
}

impl Upstream {
    pub async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let router = Router::new().route("/v1/chat/completions", post(answer));
        tokio::spawn(async move {
            axum::serve(axum::serve::ListenerExt::tap_io(listener, |socket| drop(socket.set_nodelay(true))), router)
                .await
        });
        Ok(Self { url })
    }
}

async fn answer(Json(asked): Json<Value>) -> Response {
    if asked["stream"] != true {
        return Json(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Paris is the capital of France." }, "logprobs": null, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16 },
        }))
        .into_response();
    }
    let paced = asked["model"] == "paced";
    let events = stream! {
        let begun = Instant::now();
        let tokens = if paced { TOKENS } else { 3 };
        for token in 0..tokens {
            if paced {
                sleep_until(begun + PACE * token).await;
            }
            yield event(&json!({ "content": " word" }), None);
        }
        yield event(&json!({}), Some("stop"));
        let usage = json!({ "id": "chatcmpl-1", "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": tokens } });
        yield Ok(Bytes::from(format!("data: {usage}\n\ndata: [DONE]\n\n")));
    };
    ([(http::header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

fn event(delta: &Value, reason: Option<&str>) -> Result<Bytes, Infallible> {
    let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
    let chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
    Ok(Bytes::from(format!("data: {chunk}\n\n")))
}
