//! The paths that official SDKs ask, `/v1/…`: models for programs with a key.
//!
//! What always holds: who asks is known before a body is read; a refusal has the shape of the dialect that was asked in;
//! a model that the key may not ask for is answered like one that does not exist; a stream ends with the dialect's own
//! end or with an error that says so.
//!
//! `caller.rs` says who asks, `standing.rs` whether they still may, `body.rs` reads what is sent, `chat.rs` answers a chat in whichever dialect, `weight.rs` bounds
//! how much of that is under way, `refusal.rs` is every answer but success, `told.rs` what stands in heads; a folder for each dialect, `dialect.rs` what tells them apart.

mod anthropic;
mod body;
mod caller;
mod chat;
mod dialect;
mod models;
mod openai;
mod refusal;
mod standing;
mod told;
mod weight;

pub(super) use weight::Bearer;

use super::WebState;
use axum::{
    Router,
    extract::Request,
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use contract::{Problem, ProblemCode};
use http::Method;
use refusal::Refusal;

/// Method and path of every route, for whoever checks that each refuses strangers.
const ROUTES: [(Method, &str); 10] = [
    (Method::POST, "/v1/chat/completions"),
    (Method::POST, "/v1/embeddings"),
    (Method::POST, "/v1/messages"),
    (Method::POST, "/v1/messages/count_tokens"),
    (Method::POST, "/v1/responses"),
    (Method::GET, "/v1/responses/{id}"),
    (Method::DELETE, "/v1/responses/{id}"),
    (Method::GET, "/v1/responses/{id}/input_items"),
    (Method::GET, "/v1/models"),
    (Method::GET, "/v1/models/{id}"),
];

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/v1/chat/completions", post(openai::chat::complete))
        .route("/v1/embeddings", post(openai::embeddings::create))
        .route("/v1/messages", post(anthropic::messages::create))
        .route("/v1/messages/count_tokens", post(anthropic::messages::count))
        .route("/v1/responses", post(openai::responses::create))
        .route("/v1/responses/{id}", get(openai::responses::show).delete(openai::responses::delete))
        .route("/v1/responses/{id}/input_items", get(openai::responses::input_items))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::show))
        .route("/v1/{*path}", any(no_such_address))
        .method_not_allowed_fallback(other_method)
        .layer(from_fn(weight::carry))
        .layer(from_fn(refusal::in_the_askers_words))
}

/// The routes that take a key.
pub fn v1_routes() -> Vec<(Method, String)> {
    ROUTES.into_iter().map(|(method, path)| (method, path.to_owned())).collect()
}

async fn no_such_address(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let detail = format!("There is nothing at {path}. An SDK's base URL ends with /v1.");
    Refusal::from(Problem::new(ProblemCode::NotFound, detail)).into_response()
}

async fn other_method(request: Request) -> Response {
    let detail = format!("This address does not take {}.", request.method());
    Refusal::from(Problem::new(ProblemCode::MethodNotAllowed, detail)).into_response()
}
