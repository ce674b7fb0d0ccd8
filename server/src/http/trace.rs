//! Every request has an id: taken from `x-request-id`, or new; in every log line, in the answer, in problems.

use super::answer::{self, Reader};
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use contract::{Problem, ProblemCode};
use futures::FutureExt;
use http::{HeaderName, HeaderValue};
use metrics::{Counter, Histogram, counter, histogram};
use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{LazyLock, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID_CHARS: usize = 64;

pub(super) async fn follow(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_plain(id));
    let id = id.map_or_else(|| uuid::Uuid::now_v7().hyphenated().to_string(), str::to_owned);
    let method = request.method().clone();
    let path = shown_path(request.uri().path());
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let reader = Reader::of(request.headers(), request.uri().path());
    let span = tracing::info_span!("request", request_id = id, %method, path);

    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answered = platform::with_trace_id(id.clone(), answered).instrument(span.clone()).await;
    let mut response = answered.unwrap_or_else(|_| {
        // The panic itself was reported by the hook; this ties it to the request.
        span.in_scope(|| tracing::error!("a handler panicked"));
        let detail = "The request could not be carried out. Try again; if it stays, tell the operator.";
        answer::problem(&Problem::new(ProblemCode::Internal, detail).trace_id(id.clone()), reader)
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    counted(bounded(&method), &route, status, elapsed);
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| match route.as_str() {
        // Asked for every few seconds by machines, and by every page.
        "/healthz" | "/readyz" | "/metrics" | "/assets/{*path}" => tracing::debug!(status, milliseconds, "answered"),
        _ => tracing::info!(status, milliseconds, "answered"),
    });
    response
}

/// What is counted of the answers of one route, looked up once: a look costs a key with labels of its own.
struct Counted {
    seconds: Histogram,
    /// By method and status; a route has few of either.
    requests: Vec<(&'static str, u16, Counter)>,
}

/// By route. Routes are the program's, so that there are as many as it has.
static COUNTED: LazyLock<RwLock<HashMap<String, Counted>>> = LazyLock::new(RwLock::default);

fn counted(method: &'static str, route: &str, status: u16, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    let is_this = |(of, with, _): &&(&'static str, u16, Counter)| *of == method && *with == status;
    // Nothing panics between two changes that belong together.
    let known = COUNTED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(counted) = known.get(route)
        && let Some((_, _, requests)) = counted.requests.iter().find(is_this)
    {
        requests.increment(1);
        counted.seconds.record(seconds);
        return;
    }
    drop(known);
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    let requests = counter!("seam_http_requests_total", &labels);
    requests.increment(1);
    let mut known = COUNTED.write().unwrap_or_else(PoisonError::into_inner);
    let counted = known.entry(route.to_owned()).or_insert_with(|| Counted {
        seconds: histogram!("seam_http_request_seconds", "route" => route.to_owned()),
        requests: Vec::new(),
    });
    counted.seconds.record(seconds);
    counted.requests.push((method, status, requests));
}

fn is_plain(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The path without secrets: a one-time link is one.
fn shown_path(path: &str) -> String {
    match ["/setup/", "/invite/", "/reset/"].into_iter().find(|links| path.starts_with(links)) {
        Some(links) => format!("{links}…"),
        None => path.chars().take(200).collect(),
    }
}

/// A label must not be what a client invents.
fn bounded(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_others_are_taken_only_when_they_are_harmless() {
        assert!(is_plain("0190-abc_DEF.1"));
        for bad in ["", "a b", "a\nb", "é", &"a".repeat(65)] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    #[test]
    fn a_one_time_link_is_not_logged() {
        assert_eq!(shown_path("/setup/secret"), "/setup/…");
        assert_eq!(shown_path("/reset/secret"), "/reset/…");
        assert_eq!(shown_path("/chat"), "/chat");
    }
}
