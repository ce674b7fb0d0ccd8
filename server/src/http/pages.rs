//! Leptos: pages, server functions, and what they find in context.
//!
//! Server functions are called by address from the browser and directly while a page renders; both find the
//! same things in context, put there by `provide`, and authorise themselves.

use super::{WebState, address, assets, headers, refused, session::Visitor};
use app::{ClientAddress, PublicAddress};
use axum::{Router, body::Body, extract::Request, response::Response};
use http::{HeaderValue, Method, header, request::Parts};
use leptos::{
    nonce::use_nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{
    AxumRouteListing, LeptosRoutes, ResponseOptions, generate_route_list, render_app_to_stream_in_order_with_context,
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
};
use tower_sessions::Session;

/// Adds every page and server function.
pub(super) fn routes(router: Router<WebState>, state: &WebState) -> Router<WebState> {
    router.leptos_routes_with_context(state, listed(), context(state), || app::shell(assets::names().clone()))
}

/// Every route of the application. Listed once in a process: while Leptos lists them, no resource anywhere in it loads, and
/// a page that is rendered meanwhile waits for ever (`SuppressResourceLoad` is one flag for all).
fn listed() -> Vec<AxumRouteListing> {
    static ROUTES: Mutex<Option<Vec<AxumRouteListing>>> = Mutex::new(None);
    let mut routes = ROUTES.lock().unwrap_or_else(PoisonError::into_inner);
    routes.get_or_insert_with(|| generate_route_list(app::App)).clone()
}

/// Renders the application for a path that no route knows; it says so itself, with the right status.
pub(super) fn unknown(
    state: &WebState,
) -> impl Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + 'static {
    render_app_to_stream_in_order_with_context(context(state), || app::shell(assets::names().clone()))
}

fn context(state: &WebState) -> impl Fn() + Clone + Send + Sync + 'static {
    let state = state.clone();
    move || provide(&state)
}

/// Runs inside Leptos' owner, once a request, after the request's head has been put into context.
fn provide(state: &WebState) {
    provide_context(std::sync::Arc::clone(state.platform()));
    if let Some(parts) = use_context::<Parts>() {
        let address = address::client(&parts.headers, &parts.extensions, state.settings().trust_proxy);
        let visitor = parts.extensions.get::<Visitor>().and_then(|visitor| visitor.0.clone());
        provide_context(visitor.map(|principal| principal.from_address(address)));
        if let Some(session) = parts.extensions.get::<Session>() {
            provide_context(session.clone());
        }
        if parts.method == Method::GET
            && let Some(refused) = refused::brought(&parts.headers)
        {
            provide_context(refused);
            if let Some(response) = use_context::<ResponseOptions>() {
                response.append_header(header::SET_COOKIE, HeaderValue::from_static(refused::FORGET));
            }
        }
        provide_context(ClientAddress(address));
        provide_context(PublicAddress(state.settings().public_url.to_string()));
    }
    if let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>())
        && let Ok(policy) = HeaderValue::from_str(&headers::page_policy(&nonce))
    {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}
