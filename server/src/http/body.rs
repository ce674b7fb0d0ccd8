//! Bounds on what is sent to us: at most a megabyte, within a minute, and text where text is claimed.
//!
//! Bodies are read whole before a handler sees them: none that comes through here streams its input, and so each refusal
//! has its own status and sentence instead of a parser's. Archives and calls of models are read elsewhere.

use super::answer::{self, Reader};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use contract::{Problem, ProblemCode};
use http::{HeaderMap, Method, header};
use std::time::Duration;
use tokio::time::timeout;

/// A message has at most 100,000 characters, so nothing we take comes near it.
pub const MAX_BODY_BYTES: usize = 1 << 20;
const MAX_WAIT: Duration = Duration::from_secs(60);

pub(super) async fn bound(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let reader = Reader::of(request.headers(), request.uri().path());
    let (parts, body) = request.into_parts();
    match read(&parts.headers, body).await {
        Ok(body) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => answer::problem(&problem, reader),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Body, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let bytes = match timeout(MAX_WAIT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if is_limit(&error) => return Err(too_large()),
        Ok(Err(_)) | Err(_) => {
            return Err(Problem::new(ProblemCode::InvalidInput, "The request did not arrive whole. Send it again."));
        }
    };
    if is_text(headers)
        && let Err(error) = std::str::from_utf8(&bytes)
    {
        let detail = format!("The request is not UTF-8: its byte {} cannot be read.", error.valid_up_to());
        return Err(Problem::new(ProblemCode::InvalidInput, detail));
    }
    Ok(Body::from(bytes))
}

fn too_large() -> Problem {
    Problem::new(ProblemCode::PayloadTooLarge, "A request has at most 1 MiB. Send less at a time.")
}

/// Whether an error of reading comes from the limit, rather than from the connection.
fn is_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_text(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    media.starts_with("application/json") || media.starts_with("text/")
}
