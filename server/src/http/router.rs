//! Which path goes where, and in which order layers apply.
//!
//! Outside in: request id and log, security headers, bounds on the body, turns. Only what belongs to a person
//! passes further: own pages only, session, who it is, compression. Programs come with keys instead (`management/`).

use super::{
    WebState,
    answer::{self, Reader},
    assets, audit_export, body, csrf, headers, health, management, pages, refused, session, single_sign_on, sse, trace,
    turns, v1,
};
use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, get},
};
use contract::{Problem, ProblemCode};
use tower_http::compression::CompressionLayer;

/// The whole web server, over an open platform.
pub fn router(state: WebState) -> Router {
    let personal = Router::new()
        .route("/api/v1/runs/{id}/events", get(sse::events))
        .route("/admin/audit.jsonl", get(audit_export::of_tenant))
        .route("/operator/audit.jsonl", get(audit_export::of_platform))
        .route("/oidc/start", get(single_sign_on::start))
        .route(app::CALLBACK_PATH, get(single_sign_on::callback))
        .route("/api/{*path}", any(no_such_address));
    let personal = pages::routes(personal, &state)
        .fallback(pages::unknown(&state))
        // Event streams, files and what is small are left as they are.
        .layer(CompressionLayer::new().gzip(true).br(true).quality(tower_http::CompressionLevel::Fastest))
        .layer(from_fn(refused::carry))
        .layer(from_fn_with_state(state.clone(), session::resolve))
        .layer(session::layer(&state))
        .layer(from_fn_with_state(state.clone(), csrf::refuse_foreign));
    let mut open = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/assets/{*path}", get(file));
    for path in assets::top_level() {
        open = open.route(&format!("/{path}"), get(file));
    }
    open.merge(management::routes())
        .merge(personal)
        .layer(from_fn(body::bound))
        // Both read their bodies themselves, once they know whose they are.
        .merge(management::routes_of_archives())
        .merge(v1::routes())
        .layer(from_fn(turns::take))
        .layer(from_fn_with_state(state.clone(), headers::add))
        .layer(from_fn(trace::follow))
        .with_state(state)
}

async fn file(request: Request) -> Response {
    let path = request.uri().path();
    assets::answer(path.trim_start_matches('/'), request.headers()).unwrap_or_else(|| {
        let problem = Problem::new(
            ProblemCode::NotFound,
            "There is no such file in this version. Reload the page; it may be older than the server.",
        );
        answer::problem(&problem, Reader::of(request.headers(), path))
    })
}

async fn no_such_address(request: Request) -> Response {
    let detail = format!("There is nothing at {}.", request.uri().path().chars().take(200).collect::<String>());
    answer::problem(&Problem::new(ProblemCode::NotFound, detail), Reader::Program)
}
