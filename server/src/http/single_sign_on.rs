//! `/oidc/start` and `/oidc/callback`: to a tenant's identity provider and back.
//!
//! The way there is a page that leads on by itself: a form's answer may not redirect to another site under our
//! content security policy, a page may. What the way back must match is in a cookie of this browser, sealed, for
//! ten minutes. Refusals are told on `/sso`, where somebody can begin again.

use super::{WebState, address, answer, refused, session};
use app::api::{RefusedForm, ServerProblem, own_path};
use axum::{
    extract::{Query, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use contract::{EmailDomain, NameError};
use http::{HeaderMap, HeaderValue, header};
use platform::IntoProblem;
use serde::Deserialize;
use tenancy::{Client, FLOW_LIFETIME, TenancyError};
use tower_sessions::Session;

const COOKIE: &str = "seam_sign_on";

#[derive(Debug, Deserialize)]
pub(super) struct Start {
    domain: String,
    next: Option<String>,
}

/// What a provider appends to the callback (RFC 6749, 4.1.2).
#[derive(Debug, Deserialize)]
pub(super) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

pub(super) async fn start(State(state): State<WebState>, Query(asked): Query<Start>, request: Request) -> Response {
    let next = own_path(asked.next.as_deref()).to_owned();
    let from = address::client(request.headers(), request.extensions(), state.settings().trust_proxy);
    let domain = asked.domain.parse::<EmailDomain>().map_err(|_: NameError| TenancyError::Invalid {
        field: "email",
        reason: "enter your e-mail address".to_owned(),
    });
    let begun = match domain {
        Ok(domain) => state.platform().tenancy.single_sign_on_begin(&domain, &callback_url(&state), &next, from).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(departure) => {
            let mut response = answer::leads_to(&departure.url);
            set_cookie(&state, &mut response, &departure.flow, FLOW_LIFETIME.as_secs());
            response
        }
        Err(error) => told(error),
    }
}

pub(super) async fn callback(
    State(state): State<WebState>,
    Query(back): Query<Callback>,
    session: Session,
    request: Request,
) -> Response {
    let from = address::client(request.headers(), request.extensions(), state.settings().trust_proxy);
    let agent = request.headers().get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let client = Client::new(from, agent.as_deref());
    let flow = brought(request.headers());
    let word = match (&back.code, &back.error) {
        (Some(code), None) => Ok(code.as_str()),
        (_, Some(error)) => Err(error.as_str()),
        (None, None) => Err("no_code"),
    };
    let stated = back.state.as_deref().unwrap_or_default();
    let tenancy = &state.platform().tenancy;
    let done = tenancy.single_sign_on_complete(flow.as_deref(), stated, word, &callback_url(&state), &client).await;
    let mut response = match done {
        Ok((signed_in, next)) => match session::open(&session, &signed_in.claims).await {
            Ok(()) => Redirect::to(own_path(Some(&next))).into_response(),
            Err(problem) => refusal(problem.into()),
        },
        Err(error) => told(error),
    };
    set_cookie(&state, &mut response, "", 0);
    response
}

/// Where providers send people back to; it is registered there.
fn callback_url(state: &WebState) -> String {
    format!("{}{}", state.settings().public_url, app::CALLBACK_PATH)
}

fn told(error: TenancyError) -> Response {
    refusal(ServerProblem { problem: error.into_problem(), kept: Vec::new() })
}

/// Back to the page that begins, which shows the problem as its own form's.
fn refusal(problem: ServerProblem) -> Response {
    let mut response = Redirect::to("/sso").into_response();
    let form = RefusedForm { path: app::api::single_sign_on::begin_path().to_owned(), problem };
    if let Some(cookie) = refused::cookie(form) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Lax: the way back is a navigation from the provider's site, which must bring it along.
fn set_cookie(state: &WebState, response: &mut Response, value: &str, seconds: u64) {
    let secure = if state.settings().public_url.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/oidc; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn brought(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}
