//! Headers that every answer carries, and the content security policy.

use super::WebState;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, header};

const FIXED: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Not “no-referrer”: a plain form that was refused finds its way back by it.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// For answers that run nothing: files, JSON, problem pages.
const STATIC_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// For pages: our own files, the scripts that carry this answer's nonce, and WebAssembly.
pub(super) fn page_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; connect-src 'self'; \
         style-src 'self'; font-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

pub(super) async fn add(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.extend(FIXED);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(STATIC_POLICY);
    if state.settings().public_url.is_secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    // Whatever does not say otherwise belongs to one person and one moment.
    headers.entry(header::CACHE_CONTROL).or_insert(PRIVATE);
    response
}
