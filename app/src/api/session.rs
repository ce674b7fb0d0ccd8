//! Signing in and out, and who is signed in.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
#[cfg(feature = "ssr")]
use contract::ListQuery;
use contract::{ImpersonationView, ModelView, Problem, SessionView, TenantId, Timestamp};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What the frame around every signed-in page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameView {
    pub session: SessionView,
    pub models: Vec<ModelView>,
    /// Operators who act in the tenant now, other than the one who asks.
    pub visits: Vec<ImpersonationView>,
    /// Why nobody enters the tenant of the session now: it is suspended.
    #[serde(default)]
    pub shut: Option<Problem>,
    /// What the act before this page has to say, said this once.
    #[serde(default)]
    pub said: Option<String>,
    /// The server's time, so that both renderings say “today” of the same day.
    pub now: Timestamp,
}

#[server(prefix = "/api/ui", endpoint = "sign-in")]
pub async fn sign_in(email: String, password: String, next: Option<String>) -> Result<(), ServerProblem> {
    let (platform, door, client) = (context::platform()?, context::door()?, context::client());
    let kept = |problem: ServerProblem| problem.keep("email", &email);
    let password = contract::Password::offered(password)
        .map_err(|error| kept(contract::Problem::field("password", error.to_string()).into()))?;
    let signed_in = platform.tenancy.sign_in(&email, password, client).await.map_err(|error| kept(error.into()))?;
    door.open(&signed_in.claims).await?;
    context::go(context::own_path(next.as_deref()));
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), ServerProblem> {
    let visitor = context::visitor();
    context::door()?.close().await?;
    // Nobody says any more that an operator is inside a tenant who has left.
    if let Some(principal) = visitor
        && let Some(time) = principal.view().impersonation
    {
        context::platform()?.tenancy.impersonation_end(&principal, time.id).await?;
    }
    context::go("/login");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "sign-out-everywhere")]
pub async fn sign_out_everywhere() -> Result<(), ServerProblem> {
    let (platform, principal, door) = (context::platform()?, context::principal()?, context::door()?);
    platform.tenancy.sign_out_everywhere(principal.user()).await?;
    door.close().await?;
    context::go("/login?ended=everywhere");
    Ok(())
}

/// Works in another tenant of one's own from now on.
#[server(prefix = "/api/ui", endpoint = "tenant-enter")]
pub async fn tenant_enter(tenant: TenantId) -> Result<(), ServerProblem> {
    let (principal, door) = (context::principal()?, context::door()?);
    door.tenant_enter(principal.membership_of(tenant)?.tenant).await?;
    context::go("/chat");
    Ok(())
}

/// Where `/` leads.
#[server(prefix = "/api/ui", endpoint = "home", input = Json)]
pub async fn home() -> Result<(), ServerProblem> {
    let signed_in = context::visitor().is_some();
    context::go(if signed_in { "/chat" } else { "/login" });
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "frame", input = Json)]
pub async fn frame() -> Result<FrameView, ServerProblem> {
    use tenancy::TenancyError;
    let (platform, principal) = (context::platform()?, context::principal()?);
    let tenants_page = context::is_page_within(&["/chat", "/admin"]);
    // It waits for a page that has a place for it.
    let shows = context::is_page_within(&["/admin", "/operator", "/settings"]);
    let said = if shows { once::said(&platform) } else { None };
    let session = principal.view();
    let over = session.impersonation.as_ref().is_some_and(|time| time.over);
    // An operator who works in no tenant has nothing to do on a tenant's pages: they name the first one, or run the platform.
    if session.current.is_none()
        && !over
        && tenants_page
        && let Ok(operator) = principal.operator_scope()
    {
        let first = platform.tenancy.tenant_page(&operator, &ListQuery::default()).await?.total == 0;
        context::go(if first { "/start" } else { "/operator/tenants" });
    }
    let (visits, shut) = match principal.scope() {
        Ok(scope) => (platform.tenancy.impersonations_lasting(&scope).await?, None),
        Err(error @ TenancyError::Suspended { .. }) => (Vec::new(), Some(ServerProblem::from(error).problem)),
        Err(_) => (Vec::new(), None),
    };
    let own = session.impersonation.as_ref().map(|time| time.id);
    let visits = visits.into_iter().filter(|visit| Some(visit.id) != own).collect();
    let models = platform.gateway.models().await?;
    Ok(FrameView { session, models, visits, shut, said, now: platform.tenancy.clock().now() })
}
