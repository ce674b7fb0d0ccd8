//! `/v1`: what programs get in the dialect that they speak, of models that speak it too and of others.

mod cached;
mod chat;
mod embeddings;
mod messages;
mod passing;
mod responses;
mod translated;
mod upstream;
mod wall;
mod weight;

use crate::browser::{Answer, Server};
use axum::body::Body;
use contract::KeyScope;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tenancy::{NewKey, OperatorScope};

/// A program with a key of a tenant.
pub struct Program<'s> {
    server: &'s Server,
    key: String,
}

impl<'s> Program<'s> {
    pub async fn new(server: &'s Server, slug: &str) -> Self {
        Self::with(server, slug, &[KeyScope::Inference], None).await
    }

    pub async fn with(server: &'s Server, slug: &str, may: &[KeyScope], models: Option<&[&str]>) -> Self {
        let tenancy = &server.platform.tenancy;
        let tenant = match tenancy.tenant_by_slug(&slug.parse().unwrap()).await.unwrap() {
            Some(there) => there.id,
            None => server.tenant(slug, &format!("first@{slug}.test")).await.0,
        };
        let models = models.map(|models| models.iter().map(|name| (*name).to_owned()).collect());
        // Keys that work have different names.
        let name = uuid::Uuid::now_v7().to_string();
        let new = NewKey { name, scopes: may.to_vec(), models, expires_at: None };
        let (_, secret) = tenancy.key_create(&tenancy.command_line_scope(tenant), &new).await.unwrap();
        Self { server, key: secret.expose().to_owned() }
    }

    /// A chat with a header more.
    pub async fn complete_with(&self, name: &str, value: &str, body: &Value) -> Answer {
        let request = Request::builder().method(Method::POST).uri("/v1/chat/completions").header(name, value);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        self.server.browser().send(request.body(body.to_string().into()).unwrap()).await
    }

    pub async fn call(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        self.server.browser().send(request.body(body.into()).unwrap()).await
    }

    /// As Anthropic's SDKs do: another header for the key, and the version of the dialect.
    pub async fn message(&self, path: &str, body: &Value) -> Answer {
        let request =
            Request::builder().method(Method::POST).uri(path).header(header::CONTENT_TYPE, "application/json");
        let request = request.header("x-api-key", &self.key).header("anthropic-version", "2023-06-01");
        self.server.browser().send(request.body(body.to_string().into()).unwrap()).await
    }

    pub async fn complete(&self, body: &Value) -> Answer {
        self.call(Method::POST, "/v1/chat/completions", body.to_string()).await
    }
}

/// Status, code and parameter of a refusal in OpenAI's shape.
pub fn refused(answer: &Answer) -> (u16, String, String) {
    let error = answer.json()["error"].clone();
    assert!(error["message"].as_str().is_some_and(|said| said.len() > 10), "{}", answer.text());
    assert!(error["type"].is_string(), "{}", answer.text());
    let told = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), told("code"), told("param"))
}

/// Status and type of a refusal in Anthropic's shape, and its message.
pub fn refused_message(answer: &Answer) -> ((u16, String), String) {
    let told = answer.json();
    assert_eq!(told["type"], "error", "{}", answer.text());
    let text = |name: &str| told["error"][name].as_str().unwrap_or_default().to_owned();
    assert!(text("message").len() > 10, "{}", answer.text());
    ((answer.status.as_u16(), text("type")), text("message"))
}

/// The events of a stream, and whether it ended as the dialect ends.
pub fn events(answer: &Answer) -> (Vec<Value>, bool) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    let text = answer.text();
    let mut data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let done = data.last() == Some(&"[DONE]");
    if done {
        data.pop();
    }
    (data.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect(), done)
}

pub fn said(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

fn hello(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// The same in Anthropic's dialect.
fn greeting(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 900, "messages": [{ "role": "user", "content": "Hello" }] })
}

#[tokio::test]
async fn every_route_opens_for_keys_that_may_call_models_alone() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let manager = Program::with(&server, "acme", &[KeyScope::Manage], None).await;
    let unknown = Program { server: &server, key: format!("sk-seam-{}", "x".repeat(43)) };
    let all = NewKey { name: "all".to_owned(), scopes: KeyScope::ALL.to_vec(), models: None, expires_at: None };
    let operator = OperatorScope::command_line();
    let (_, secret) = server.platform.tenancy.operator_key_create(&operator, &all).await.unwrap();
    let operator = Program { server: &server, key: secret.expose().to_owned() };
    let member = server.member("acme", "ada@acme.test").await;
    for (method, path) in seam::v1_routes() {
        let path = path.replace("{id}", "sim");
        let body = match path.as_str() {
            "/v1/embeddings" => json!({ "model": "sim", "input": "Hello" }),
            "/v1/messages" => greeting("sim"),
            "/v1/responses" => json!({ "model": "sim", "input": "Hello" }),
            _ => hello("sim"),
        };
        for key in [&unknown.key, "", "nonsense"] {
            let nobody = Program { server: &server, key: key.to_owned() };
            let answer = nobody.call(method.clone(), &path, body.to_string()).await;
            if path.starts_with("/v1/messages") {
                assert_eq!(refused_message(&answer).0, (401, "authentication_error".to_owned()), "{method} {path}");
            } else {
                assert_eq!(refused(&answer), (401, "invalid_api_key".to_owned(), String::new()), "{method} {path}");
            }
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
        }
        // A session is a person's, and no program's.
        let request = Request::builder().method(method.clone()).uri(&path).body(body.to_string().into()).unwrap();
        assert_eq!(member.send(request).await.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        for other in [&manager, &operator] {
            let answer = other.call(method.clone(), &path, body.to_string()).await;
            if path.starts_with("/v1/messages") {
                assert_eq!(refused_message(&answer).0, (403, "permission_error".to_owned()), "{method} {path}");
            } else {
                assert_eq!((refused(&answer).0, refused(&answer).1.as_str()), (403, "insufficient_permissions"));
            }
        }
        let answer = caller.call(method.clone(), &path, body.to_string()).await;
        // There is no response of that name.
        let expected = if path.starts_with("/v1/responses/") { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text());
    }
    let tenancy = &server.platform.tenancy;
    let acme = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
    tenancy.tenant_suspend(&OperatorScope::command_line(), acme, "unpaid").await.unwrap();
    assert_eq!(refused(&caller.complete(&hello("sim")).await).0, 403);
}

#[tokio::test]
async fn an_answer_lasts_no_longer_than_the_key_that_asks() {
    let server = Server::start().await;
    server.slow_model().await;
    let tenancy = &server.platform.tenancy;
    let streamed = json!({ "model": "slow", "stream": true, "messages": [{ "role": "user", "content": "Hello" }] });
    for suspends in [false, true] {
        let caller = Program::new(&server, "acme").await;
        let acme = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
        let scope = tenancy.command_line_scope(acme);
        let takes_away = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if suspends {
                tenancy.tenant_suspend(&OperatorScope::command_line(), acme, "unpaid").await.unwrap();
                return Instant::now();
            }
            for key in tenancy.key_list(&scope).await.unwrap() {
                tenancy.key_revoke(&scope, key.id).await.unwrap();
            }
            Instant::now()
        };
        let message = greeting("slow");
        let (openai, anthropic, whole, taken) = tokio::join!(
            async { (caller.complete(&streamed).await, Instant::now()) },
            async {
                let mut message = message.clone();
                message["stream"] = true.into();
                (caller.message("/v1/messages", &message).await, Instant::now())
            },
            async { (caller.complete(&hello("slow")).await, Instant::now()) },
            takes_away,
        );
        let expected = if suspends { "suspended" } else { "revoked" };
        for (answer, ended) in [&openai, &anthropic, &whole] {
            assert!(*ended - taken < Duration::from_secs(1), "{:?}", *ended - taken);
            assert!(answer.text().contains(expected), "{}", answer.text());
        }
        let (chunks, done) = events(&openai.0);
        assert!(!done && chunks.last().unwrap()["error"].is_object(), "{chunks:?}");
        assert!(!anthropic.0.text().contains("message_stop"), "{}", anthropic.0.text());
        assert_eq!(whole.0.status.as_u16(), if suspends { 403 } else { 401 });
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_dialects_shape() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let nowhere = caller.call(Method::POST, "/v1/nothing/at/all", "{}").await;
    assert_eq!(refused(&nowhere), (404, "not_found".to_owned(), String::new()));
    let method = caller.call(Method::DELETE, "/v1/chat/completions", "").await;
    assert_eq!(refused(&method), (405, "method_not_allowed".to_owned(), String::new()));
}

#[tokio::test]
async fn a_key_that_is_bound_to_models_knows_of_no_others() {
    let server = Server::start().await;
    server.slow_model().await;
    let bound = Program::with(&server, "acme", &[KeyScope::Inference], Some(&["sim"])).await;
    let listed = bound.call(Method::GET, "/v1/models", "").await.json();
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!((names, &listed["object"]), (vec![json!("sim")], &json!("list")));
    let all = Program::new(&server, "acme").await.call(Method::GET, "/v1/models", "").await.json();
    assert!(all["data"].as_array().unwrap().iter().any(|model| model["id"] == "slow"), "{all}");
    // The other one is answered exactly like one that never was.
    let refusals = [bound.complete(&hello("slow")).await, bound.complete(&hello("gone")).await];
    assert_eq!(refused(&refusals[0]), (404, "model_not_found".to_owned(), "model".to_owned()));
    assert_eq!(refusals[0].text().replace("slow", "gone"), refusals[1].text());
    let shown =
        [bound.call(Method::GET, "/v1/models/slow", "").await, bound.call(Method::GET, "/v1/models/gone", "").await];
    assert_eq!(shown[0].text().replace("slow", "gone"), shown[1].text());
}
