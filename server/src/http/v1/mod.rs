//! The paths that official SDKs ask, `/v1/…`: models for programs with a key.
//!
//! What always holds: who asks is known before a body is read; a refusal has the shape of the dialect that was asked in;
//! a model that the key may not ask for is answered like one that does not exist; a stream ends with the dialect's own
//! end or with an error that says so.
//!
//! `caller.rs` says who asks, `body.rs` reads what is sent, `refusal.rs` is every answer but success, `told.rs` what stands in
//! heads; a folder for each
//! dialect.

mod body;
mod caller;
mod openai;
mod refusal;
mod told;

use super::WebState;
use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use contract::{Problem, ProblemCode};
use http::Method;
use refusal::Refusal;

/// Method and path of every route, for whoever checks that each refuses strangers.
const ROUTES: [(Method, &str); 4] = [
    (Method::POST, "/v1/chat/completions"),
    (Method::POST, "/v1/embeddings"),
    (Method::GET, "/v1/models"),
    (Method::GET, "/v1/models/{id}"),
];

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/v1/chat/completions", post(openai::chat::complete))
        .route("/v1/embeddings", post(openai::embeddings::create))
        .route("/v1/models", get(openai::models::list))
        .route("/v1/models/{id}", get(openai::models::show))
        .route("/v1/{*path}", any(no_such_address))
        .method_not_allowed_fallback(other_method)
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
