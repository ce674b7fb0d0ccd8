//! For machines that watch: alive, ready, and figures.

use super::{
    WebState, address,
    answer::{self, Reader},
};
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use contract::{Problem, ProblemCode};
use http::{HeaderMap, header};
use platform::IntoProblem;
use std::time::Duration;
use tokio::time::timeout;

/// Whoever asks whether a node is ready asks again soon, and sends nobody to one that takes longer to say so.
const PATIENCE: Duration = Duration::from_secs(3);

/// The process answers. Depends on nothing, so that a slow database never gets a healthy process killed.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests can be served: the database answers, its schema is this version's, and nobody asked us to stop.
pub(super) async fn ready(State(state): State<WebState>) -> Response {
    match timeout(PATIENCE, state.platform().ready()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => answer::problem(&error.into_problem(), Reader::Program),
        Err(_) => {
            let detail = format!("The database did not answer within {} seconds.", PATIENCE.as_secs());
            let problem = Problem::new(ProblemCode::StorageUnavailable, detail).retry_after(5);
            answer::problem(&problem, Reader::Program)
        }
    }
}

/// Figures of the whole platform: for whoever has the token, and without one for this machine alone.
pub(super) async fn metrics(State(state): State<WebState>, request: Request) -> Response {
    let settings = state.settings();
    let refused = |code, detail| answer::problem(&Problem::new(code, detail), Reader::Program);
    let allowed = match &settings.metrics_token {
        Some(token) => bearer(request.headers()).is_some_and(|sent| equal(sent.as_bytes(), token.expose().as_bytes())),
        None => address::client(request.headers(), request.extensions(), settings.trust_proxy).is_loopback(),
    };
    match &settings.metrics {
        Some(_) if !allowed => refused(
            ProblemCode::PermissionDenied,
            "Metrics are for this machine alone. Elsewhere they take the token of SEAM_METRICS_TOKEN, as a bearer.",
        ),
        Some(metrics) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
        }
        None => refused(ProblemCode::NotFound, "This server keeps no metrics."),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Takes as long for the first differing byte as for the last.
fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
