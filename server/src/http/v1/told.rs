//! What an answer's head tells beside the dialect.

use axum::response::Response;
use contract::NanoUsd;
use http::{HeaderName, HeaderValue};

/// Who answers: `provider/model`.
pub(super) fn route(response: &mut Response, route: &str) {
    put(response, "x-seam-route", route);
}

/// What it cost; nothing where nobody knows.
pub(super) fn cost(response: &mut Response, cost: Option<NanoUsd>) {
    if let Some(cost) = cost {
        put(response, "x-seam-cost-usd", &cost.to_string());
    }
}

fn put(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
