//! The management API, `/api/v1/…`: what the consoles do, for programs with a key.
//!
//! What always holds: no cookie opens anything here, so there is nothing to forge from another site; an operator's
//! key names the tenant it means, a tenant's key with `manage` sees its own and no other; what belongs to another
//! tenant is answered like what does not exist. A route is registered together with its description
//! (`utoipa_axum::routes!`), so that the document of `/api/openapi.json` has all of them and no others.
//!
//! `caller.rs` says who asks, `input.rs` reads queries and bodies (`unrepeated.rs` their JSON), `refusal.rs` is every answer but success,
//! `wire.rs` has what lists look like, `document.rs` the description, `page.rs` the readable one. The resources
//! have one file each, and so have their bodies.

mod archives;
mod audit;
mod caller;
mod document;
mod domains;
mod input;
mod invitations;
mod keys;
mod ledger;
mod members;
mod operator_keys;
mod page;
mod plans;
mod provider_keys;
mod refusal;
mod sign_in;
mod tenants;
mod unrepeated;
mod usage;
mod users;
mod wire;

use super::{WebState, answer, answer::Reader, sse};
use axum::{Router, extract::Request, response::Response, routing::get};
use contract::{Problem, ProblemCode};
use http::Method;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes for programs, and the two ways to read what they are.
pub(super) fn routes() -> Router<WebState> {
    let (routes, _) = bounded().split_for_parts();
    routes
        .route("/api/openapi.json", get(document::json))
        .route("/api/docs", get(page::html))
        .route("/api/v1/{*path}", axum::routing::any(no_such_address))
        .method_not_allowed_fallback(other_method)
}

/// Those whose bodies are larger than anybody else's, and read while they arrive.
pub(super) fn routes_of_archives() -> Router<WebState> {
    let (routes, _) = of_archives().split_for_parts();
    routes.method_not_allowed_fallback(other_method)
}

fn described() -> OpenApiRouter<WebState> {
    bounded().merge(of_archives())
}

fn of_archives() -> OpenApiRouter<WebState> {
    OpenApiRouter::new().routes(routes!(archives::export, archives::import))
}

fn bounded() -> OpenApiRouter<WebState> {
    OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::change, tenants::remove))
        .routes(routes!(tenants::suspend))
        .routes(routes!(tenants::resume))
        .routes(routes!(plans::list))
        .routes(routes!(plans::show, plans::set, plans::remove))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::sign_out))
        .routes(routes!(users::password_reset))
        .routes(routes!(operator_keys::list, operator_keys::create))
        .routes(routes!(operator_keys::show, operator_keys::revoke))
        .routes(routes!(members::list))
        .routes(routes!(members::show, members::change, members::remove))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::show, invitations::withdraw))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::show, keys::revoke))
        .routes(routes!(provider_keys::list))
        .routes(routes!(provider_keys::set, provider_keys::remove))
        .routes(routes!(provider_keys::test))
        .routes(routes!(sign_in::show, sign_in::set, sign_in::remove))
        .routes(routes!(domains::list, domains::claim))
        .routes(routes!(domains::release))
        .routes(routes!(domains::confirm))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(usage::list))
        .routes(routes!(ledger::list))
}

/// Everything under `/api/v1`, with the one route there that is a person's: a run's events.
pub(super) fn document() -> OpenApi {
    let mut document = described().into_openapi();
    document.merge(sse::document());
    document::name_operations(&mut document);
    document::close_bodies(&mut document);
    document
}

/// Method and path, such as `/api/v1/members/{id}`, of every route that takes a key. Whoever checks that each
/// route refuses strangers finds them all here.
pub fn management_routes() -> Vec<(Method, String)> {
    described()
        .into_openapi()
        .paths
        .paths
        .into_iter()
        .flat_map(|(path, item)| {
            document::operations(&item).map(|(method, _)| (method, path.clone())).collect::<Vec<_>>()
        })
        .collect()
}

async fn no_such_address(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let detail = format!("There is nothing at {path}. What there is: /api/docs");
    answer::problem(&Problem::new(ProblemCode::NotFound, detail), Reader::Program)
}

async fn other_method(request: Request) -> Response {
    let detail = format!("This address does not take {}. What it takes: /api/docs", request.method());
    answer::problem(&Problem::new(ProblemCode::MethodNotAllowed, detail), Reader::Program)
}
