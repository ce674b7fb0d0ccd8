//! The session cookie, and who a request comes from: resolved once, before anything is rendered.

use super::{
    WebState,
    answer::{self, Reader},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use contract::{Problem, ProblemCode};
use platform::{IntoProblem, Platform};
use std::sync::Arc;
use tenancy::{ControlSessions, IDLE_EXPIRY, Principal, SESSION_CLAIMS_KEY, SessionClaims};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer,
    cookie::{SameSite, time::Duration},
};

/// The cookie's name.
pub const COOKIE: &str = "seam_session";

/// Who is signed in, if anybody; in every request's extensions behind [`resolve`].
#[derive(Clone)]
pub(super) struct Visitor(pub Option<Principal>);

pub(super) fn layer(state: &WebState) -> SessionManagerLayer<ControlSessions> {
    let platform = state.platform();
    let sessions = ControlSessions::new(platform.control.clone(), platform.tenancy.clock().clone());
    let idle = Duration::seconds(i64::try_from(IDLE_EXPIRY.as_secs()).unwrap_or(i64::MAX));
    SessionManagerLayer::new(sessions)
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(state.settings().public_url.is_secure())
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(idle))
}

pub(super) async fn resolve(
    State(state): State<WebState>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    match visitor(state.platform(), &session).await {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(problem) => answer::problem(&problem, Reader::of(request.headers(), request.uri().path())),
    }
}

/// Who a session belongs to now, read anew: what this request has loaded may be over.
pub(super) async fn revisit(platform: &Platform, session: &Session) -> Result<Option<Principal>, Problem> {
    let sessions = ControlSessions::new(platform.control.clone(), platform.tenancy.clock().clone());
    let fresh = Session::new(session.id(), Arc::new(sessions), None);
    let claims: Option<SessionClaims> = fresh.get(SESSION_CLAIMS_KEY).await.map_err(unavailable)?;
    let Some(claims) = claims else { return Ok(None) };
    platform.tenancy.authenticate(&claims).await.map_err(IntoProblem::into_problem)
}

/// From now on this session is somebody's, under a new id.
pub(super) async fn open(session: &Session, claims: &SessionClaims) -> Result<(), Problem> {
    session.cycle_id().await.map_err(unavailable)?;
    session.insert(SESSION_CLAIMS_KEY, claims).await.map_err(unavailable)
}

async fn visitor(platform: &Platform, session: &Session) -> Result<Visitor, Problem> {
    let claims: Option<SessionClaims> = session.get(SESSION_CLAIMS_KEY).await.map_err(unavailable)?;
    let Some(mut claims) = claims else { return Ok(Visitor(None)) };
    let principal = platform.tenancy.authenticate(&claims).await.map_err(IntoProblem::into_problem)?;
    if principal.is_none() {
        // Expired, or ended elsewhere: the cookie goes with it.
        session.flush().await.map_err(unavailable)?;
    } else if claims.renew(platform.tenancy.clock().now()) {
        session.insert(SESSION_CLAIMS_KEY, claims).await.map_err(unavailable)?;
    }
    Ok(Visitor(principal))
}

fn unavailable(error: tower_sessions::session::Error) -> Problem {
    tracing::error!(%error, "a session could not be read or written");
    Problem::new(
        ProblemCode::StorageUnavailable,
        "Your session could not be read. Nothing was lost; try again in a moment.",
    )
    .retry_after(2)
}
