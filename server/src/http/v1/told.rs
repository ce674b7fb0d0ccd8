//! What an answer's head tells beside the dialect.

use axum::response::Response;
use contract::{NanoUsd, Timestamp};
use gateway::CacheUse;
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

/// Where it comes from, and how old it is.
pub(super) fn cache(response: &mut Response, cache: CacheUse, now: Timestamp) {
    match cache {
        CacheUse::Bypass => put(response, CACHE, "bypass"),
        CacheUse::Miss => put(response, CACHE, "miss"),
        CacheUse::Hit { kind, made_at, saved } => {
            put(response, CACHE, kind.as_str());
            let made_at = made_at.unwrap_or(now);
            put(response, "age", &(now.as_millis() - made_at.as_millis()).max(0).div_euclid(1_000).to_string());
            if let Some(saved) = saved {
                put(response, "x-seam-saved-usd", &saved.to_string());
            }
        }
    }
}

const CACHE: &str = "x-seam-cache";

fn put(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
