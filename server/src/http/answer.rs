//! How a problem is told: `application/problem+json` to programs, a small page to browsers; and how events are streamed.

use super::assets;
use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use contract::Problem;
use futures::Stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::{convert::Infallible, time::Duration};

/// Proxies drop connections that are silent for longer, typically after a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Server-sent events as they come.
pub(super) fn event_stream(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather answers before they pass them on are asked not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// For whom an answer is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Program,
    Browser,
}

impl Reader {
    /// Somebody looks at the answer when it is asked for as HTML, outside the API for programs.
    pub fn of(headers: &HeaderMap, path: &str) -> Self {
        let html = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        if html && !path.starts_with("/api/v1/") { Self::Browser } else { Self::Program }
    }
}

pub(super) fn problem(problem: &Problem, reader: Reader) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (media, body) = match reader {
        Reader::Program => (
            "application/problem+json",
            // Plain strings and numbers always serialise.
            serde_json::to_string(problem).unwrap_or_else(|_| "{\"code\":\"internal\"}".to_owned()),
        ),
        Reader::Browser => ("text/html; charset=utf-8", page(problem)),
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A page that leads on to another site by itself, and by a link where browsers do not follow.
pub(super) fn leads_to(url: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta http-equiv=\"refresh\" content=\"0;url={url}\">\
         <title>On to your organisation · Seam</title><link rel=\"stylesheet\" href=\"{css}\"></head>\
         <body><main class=\"entrance\"><h1>On to your organisation</h1>\
         <p><a href=\"{url}\">Continue to your organisation's sign-in</a></p></main></body></html>\n",
        url = escaped(url),
        css = assets::names().css,
    );
    let mut response = html.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn page(problem: &Problem) -> String {
    let trace = problem.trace_id.as_deref().map(|id| format!("<p><small>{}</small></p>", escaped(id)));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title} · Seam</title><link rel=\"stylesheet\" href=\"{css}\"></head>\
         <body><main class=\"entrance\"><h1>{title}</h1><p>{detail}</p>{trace}\
         <p><a href=\"/\">Back to the start</a></p></main></body></html>\n",
        title = escaped(&problem.title),
        detail = escaped(&problem.detail),
        trace = trace.unwrap_or_default(),
        css = assets::names().css,
    )
}

/// Text as it may stand in HTML, between tags and in quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::ProblemCode;

    #[test]
    fn browsers_get_a_page_and_programs_get_json() {
        let mut headers = HeaderMap::new();
        assert_eq!(Reader::of(&headers, "/chat"), Reader::Program);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,*/*"));
        assert_eq!(Reader::of(&headers, "/chat"), Reader::Browser);
        assert_eq!(Reader::of(&headers, "/api/v1/runs/x/events"), Reader::Program);
    }

    #[test]
    fn a_page_carries_no_markup_of_others() {
        let html = page(&Problem::new(ProblemCode::NotFound, "<script>alert('x')</script>"));
        assert!(!html.contains("<script>"), "{html}");
    }
}
