//! What a server function finds around it: the platform, who asks, and the answer's head.
//!
//! The server puts these into Leptos' context before rendering and before each server function. Read them
//! at the start of a function, before the first `.await`.

use crate::{ClientAddress, api::ServerProblem};
use contract::{ImpersonationId, Problem, ProblemCode, TenantId};
use http::{HeaderName, HeaderValue, Method, StatusCode, header::ACCEPT, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use platform::Platform;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tenancy::{Client, Principal, SESSION_CLAIMS_KEY, Scope, SessionClaims};
use tower_sessions::Session;

fn provided<T: Clone + 'static>(what: &str) -> Result<T, ServerProblem> {
    use_context::<T>().ok_or_else(|| {
        tracing::error!(what, "missing from the context of a server function");
        Problem::new(ProblemCode::Internal, "The server is put together wrongly; its log says what is missing.").into()
    })
}

pub fn platform() -> Result<Arc<Platform>, ServerProblem> {
    provided("platform")
}

/// Who is signed in, if anybody.
pub fn visitor() -> Option<Principal> {
    use_context::<Option<Principal>>().flatten()
}

/// Who is signed in. Nobody: the page goes to the sign-in, and comes back.
pub fn principal() -> Result<Principal, ServerProblem> {
    visitor().ok_or_else(|| {
        let problem = Problem::new(ProblemCode::NotSignedIn, "Your session has ended. Sign in to go on.").into();
        // After the problem has set its status: a page becomes a redirect, which browsers only follow as one.
        go(&sign_in_path());
        problem
    })
}

/// The field of an address that says on the page of which tenant a form stood.
pub const PAGE_OF: &str = "of";

/// The tenant whose page this is; none where nobody works in one.
pub fn tenant_of_page() -> Option<TenantId> {
    visitor()?.scope().ok().map(|scope| scope.tenant())
}

/// The scope of the tenant in which the signed-in user works; refused for a form of another tenant's page.
pub fn scope() -> Result<Scope, ServerProblem> {
    let posted = use_context::<Parts>().filter(|parts| parts.method == Method::POST);
    let stood_on = posted.and_then(|parts| {
        let fields = parts.uri.query()?.split('&');
        fields.filter_map(|field| field.split_once('=')).find(|(name, _)| *name == PAGE_OF)?.1.parse().ok()
    });
    scope_of_page(stood_on)
}

/// The same for what was written on a page of `tenant`: another tab may have gone to another tenant meanwhile, and
/// what is meant for one must not end up in another.
pub fn scope_of_page(tenant: Option<TenantId>) -> Result<Scope, ServerProblem> {
    let scope = principal()?.scope()?;
    if tenant.is_some_and(|tenant| tenant != scope.tenant()) {
        let detail = "In another tab you went to another tenant, and this page is of the one before. Nothing was sent. \
                      Copy what you wrote, and reload the page or go back to its tenant.";
        return Err(Problem::new(ProblemCode::Conflict, detail).into());
    }
    Ok(scope)
}

pub fn address() -> IpAddr {
    use_context::<ClientAddress>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0)
}

/// From where somebody comes in, for the history of their sign-ins.
pub fn client() -> Client {
    let agent = use_context::<Parts>().and_then(|parts| {
        let agent = parts.headers.get(http::header::USER_AGENT)?;
        Some(String::from_utf8_lossy(agent.as_bytes()).into_owned())
    });
    Client::new(address(), agent.as_deref())
}

/// Where people find this server.
pub fn public_url() -> String {
    use_context::<crate::PublicAddress>().map_or_else(String::new, |address| address.0)
}

/// Whether this request is for a page within one of these sections, such as `/admin`.
pub fn is_page_within(sections: &[&str]) -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        let path = parts.uri.path();
        let within =
            |section: &&str| path.strip_prefix(*section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        parts.method == Method::GET && sections.iter().any(within)
    })
}

/// Whether a page is being rendered, rather than a server function called over HTTP.
pub fn renders_page() -> bool {
    use_context::<Parts>().is_some_and(|parts| parts.method == Method::GET)
}

/// Sends the browser to another page of ours.
pub fn go(path: &str) {
    leptos_axum::redirect(path);
}

/// A path of ours from user input: anything that could lead elsewhere becomes `/chat`.
pub fn own_path(path: Option<&str>) -> &str {
    match path {
        Some(path)
            if path.starts_with('/')
                && !path.starts_with("//")
                && !path.contains('\\')
                && path.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            path
        }
        Some(_) | None => "/chat",
    }
}

/// Back to the page at `path` as its address was when the form was sent: the same words, page and order.
pub fn go_back(path: &str) {
    go(&format!("{path}{}", query_of_page(path).unwrap_or_default()));
}

/// The query of the page at `path` from which a form came. Browsers say so to their own site; without that word it is
/// the page as it is of itself.
fn query_of_page(path: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    let from = parts.headers.get(http::header::REFERER)?.to_str().ok()?;
    query_of(from, path).map(str::to_owned)
}

fn query_of<'a>(from: &'a str, path: &str) -> Option<&'a str> {
    let (_, rest) = from.split_once("://")?;
    let (page, query) = rest.get(rest.find('/')?..)?.split_once('?')?;
    let sound = page == path && query.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    // With the mark that begins it.
    sound.then(|| from.get(from.len() - query.len() - 1..)).flatten()
}

fn sign_in_path() -> String {
    let wanted = use_context::<Parts>().filter(|parts| parts.method == Method::GET).map(|parts| parts.uri);
    match wanted.as_ref().and_then(|uri| uri.path_and_query()).map(|path| path.as_str()) {
        Some(path) if path != "/" && path != "/chat" && own_path(Some(path)) == path && !path.contains(['&', '#']) => {
            format!("/login?next={path}")
        }
        Some(_) | None => "/login".to_owned(),
    }
}

/// Puts the problem's status on the answer. A plain form's answer is a redirect and stays one, and so does a page's
/// that leads elsewhere.
pub fn status_set(problem: &Problem) {
    let plain_form = use_context::<Parts>().is_some_and(|parts| {
        parts.method == Method::POST
            && parts.headers.get(ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
    });
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = use_context::<ResponseOptions>().filter(|response| !is_redirect(response));
    if let (false, Some(response)) = (plain_form, response) {
        response.set_status(status);
        if let Some(seconds) = problem.retry_after {
            response.insert_header(http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

fn is_redirect(response: &ResponseOptions) -> bool {
    response.0.read().is_ok_and(|parts| parts.status.is_some_and(|status| status.is_redirection()))
}

pub fn header_append(name: HeaderName, value: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(value)) {
        response.append_header(name, value);
    }
}

/// The browser's session.
#[derive(Clone)]
pub struct Door(Session);

pub fn door() -> Result<Door, ServerProblem> {
    provided("session").map(Door)
}

impl Door {
    /// From now on this session is this user's, under a new id.
    pub async fn open(&self, claims: &SessionClaims) -> Result<(), ServerProblem> {
        self.0.cycle_id().await.map_err(unavailable)?;
        self.0.insert(SESSION_CLAIMS_KEY, claims).await.map_err(unavailable)
    }

    /// From now on this session works in `tenant`.
    pub async fn tenant_enter(&self, tenant: TenantId) -> Result<(), ServerProblem> {
        let mut claims = self.claims().await?;
        (claims.tenant, claims.impersonation) = (Some(tenant), None);
        self.0.insert(SESSION_CLAIMS_KEY, claims).await.map_err(unavailable)
    }

    /// From now on this session, under a new id, is an operator's inside a tenant; none: where it was before.
    pub async fn impersonation_set(&self, impersonation: Option<ImpersonationId>) -> Result<(), ServerProblem> {
        let mut claims = self.claims().await?;
        claims.impersonation = impersonation;
        self.open(&claims).await
    }

    /// Stays signed in, under a new id, while all other sessions of the account end.
    pub async fn epoch_follow(&self, epoch: i64) -> Result<(), ServerProblem> {
        let mut claims = self.claims().await?;
        claims.epoch = epoch;
        self.open(&claims).await
    }

    async fn claims(&self) -> Result<SessionClaims, ServerProblem> {
        let claims = self.0.get(SESSION_CLAIMS_KEY).await.map_err(unavailable)?;
        claims.ok_or_else(|| Problem::new(ProblemCode::NotSignedIn, "Your session has ended. Sign in to go on.").into())
    }

    pub async fn close(&self) -> Result<(), ServerProblem> {
        self.0.flush().await.map_err(unavailable)
    }
}

fn unavailable(error: tower_sessions::session::Error) -> ServerProblem {
    tracing::error!(%error, "the session could not be stored");
    Problem::new(ProblemCode::StorageUnavailable, "Your session could not be stored. Try again in a moment.").into()
}

#[cfg(test)]
mod tests {
    use super::{own_path, query_of};

    #[test]
    fn nobody_is_sent_to_another_site_after_signing_in() {
        assert_eq!(own_path(Some("/settings")), "/settings");
        for elsewhere in ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "/a\r\nb", ""] {
            assert_eq!(own_path(Some(elsewhere)), "/chat", "{elsewhere}");
        }
        assert_eq!(own_path(None), "/chat");
    }

    #[test]
    fn a_form_leads_back_to_its_own_page_as_it_was_and_to_no_other() {
        let members = "/admin/members";
        assert_eq!(query_of("https://seam.test/admin/members?q=a%20b&page=2", members), Some("?q=a%20b&page=2"));
        for other in [
            "https://seam.test/admin/members",
            "https://seam.test/admin/keys?q=a",
            "https://evil.test/x?/admin/members?q=a",
            "https://seam.test/admin/members?q=a#b",
            "/admin/members?q=a",
            "https://seam.test",
            "",
        ] {
            assert_eq!(query_of(other, members), None, "{other}");
        }
    }
}
