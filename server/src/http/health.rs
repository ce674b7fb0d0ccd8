//! For machines that watch: alive, ready, and figures.

use super::{
    WebState,
    answer::{self, Reader},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use contract::{Problem, ProblemCode};
use http::header;
use platform::IntoProblem;

/// The process answers. Depends on nothing, so that a slow database never gets a healthy process killed.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests can be served: the database answers, its schema is this version's, and nobody asked us to stop.
pub(super) async fn ready(State(state): State<WebState>) -> Response {
    match state.platform().ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => answer::problem(&error.into_problem(), Reader::Program),
    }
}

pub(super) async fn metrics(State(state): State<WebState>) -> Response {
    match &state.settings().metrics {
        Some(metrics) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
        }
        None => answer::problem(&Problem::new(ProblemCode::NotFound, "This server keeps no metrics."), Reader::Program),
    }
}
