//! A server that speaks both dialects and answers what it is told to, over real connections.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use futures::{StreamExt, stream};
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What it answers.
#[derive(Clone)]
pub enum Reply {
    Whole(Value),
    /// Events, as they stand behind `data: `; then the connection ends properly, or breaks.
    Events {
        events: Vec<String>,
        breaks: bool,
    },
    Refusal(u16, Value),
}

#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Upstream {
    pub async fn start(reply: Reply) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = Self { address, reply: Arc::new(Mutex::new(reply)), asked: Arc::default() };
        let mut router = Router::new();
        for path in ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"] {
            router = router.route(path, post(answer));
        }
        let router = router.with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        upstream
    }

    pub fn answers(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// What it was asked last.
    pub fn asked(&self) -> Value {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    /// Models `twin` and `claude` that are asked there in either dialect, and `safe` and `safe-claude`, which fall back to the
    /// simulated provider.
    pub fn resources(&self) -> String {
        format!(
            "[[provider]]\nname = \"twin\"\nkind = \"openai\"\nbase_url = \"http://{0}/v1\"\napi_key = \"sk-upstream\"\nmax_retries = 0\n\
             [[provider]]\nname = \"claude\"\nkind = \"anthropic\"\nbase_url = \"http://{0}\"\napi_key = \"sk-ant-upstream\"\nmax_retries = 0\n\
             [[model]]\nname = \"claude\"\ntargets = [{{ provider = \"claude\", model = \"claude-up\" }}]\n\
             [[model]]\nname = \"safe-claude\"\ntargets = [{{ provider = \"claude\", model = \"claude-up\" }}, {{ provider = \"sim\", model = \"sim\" }}]\n\
             [[model]]\nname = \"twin\"\ntargets = [{{ provider = \"twin\", model = \"gpt-twin\" }}]\n\
             [[model]]\nname = \"safe\"\ntargets = [{{ provider = \"twin\", model = \"gpt-twin\" }}, {{ provider = \"sim\", model = \"sim\" }}]\n",
            self.address
        )
    }
}

async fn answer(State(upstream): State<Upstream>, Json(asked): Json<Value>) -> Response {
    upstream.asked.lock().unwrap().push(asked);
    let reply = upstream.reply.lock().unwrap().clone();
    match reply {
        Reply::Whole(value) => Json(value).into_response(),
        Reply::Refusal(status, value) => (StatusCode::from_u16(status).unwrap(), Json(value)).into_response(),
        Reply::Events { events, breaks } => {
            let events = events.into_iter().map(|data| Ok(Bytes::from(written(&data))));
            let end = stream::once(async move {
                // What was said has left before the connection breaks.
                tokio::time::sleep(Duration::from_millis(50)).await;
                if breaks { Err(io::Error::other("cut")) } else { Ok(Bytes::new()) }
            });
            let body = Body::from_stream(stream::iter(events).chain(end));
            ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
        }
    }
}

/// With its name before it, where the dialect has one.
fn written(data: &str) -> String {
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

/// A chunk with this delta.
pub fn chunk(delta: &Value, finish_reason: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
    json!({ "id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "gpt-twin-2026", "choices": [choice] }).to_string()
}
