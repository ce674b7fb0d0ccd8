//! Who asks: whoever holds a key that works, as of this request.

use super::{super::address, WebState, refusal::Refusal};
use axum::extract::FromRequestParts;
use contract::{KeyScope, Problem, ProblemCode};
use http::{HeaderMap, header, request::Parts};
use tenancy::{KeyHolder, Management, Manages, Needs, OperatorScope, TenancyError};

/// A program that may manage something.
pub(super) enum Caller {
    Operator(OperatorScope),
    /// A tenant's own, with `manage`.
    Tenant(Management),
}

/// A program that may do what the operator may.
pub(super) struct Operator(pub OperatorScope);

impl FromRequestParts<WebState> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Refusal> {
        let secret = bearer(&parts.headers).ok_or_else(no_key)?;
        let address = address::client(&parts.headers, &parts.extensions, state.settings().trust_proxy);
        match state.platform().tenancy.authenticate_key(secret, address).await? {
            None => Err(opens_nothing().into()),
            Some(KeyHolder::Operator(operator)) => Ok(Self::Operator(operator)),
            Some(KeyHolder::Tenant { scope, may, .. }) if may.contains(&KeyScope::Manage) => {
                Ok(Self::Tenant(scope.management()?))
            }
            Some(KeyHolder::Tenant { .. }) => Err(may_not_manage().into()),
        }
    }
}

impl FromRequestParts<WebState> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Refusal> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Operator(operator) => Ok(Self(operator)),
            Caller::Tenant(_) => Err(TenancyError::PermissionDenied { needs: Needs::Operator }.into()),
        }
    }
}

impl Caller {
    /// The tenant that a request is about: named by an operator, and a tenant's own in any case.
    pub async fn manager(&self, state: &WebState, named: Option<&str>) -> Result<Management, Refusal> {
        let tenancy = &state.platform().tenancy;
        match self {
            Self::Operator(operator) => {
                let detail = "An operator's key belongs to no tenant. Name the one you mean: ?tenant=NAME";
                let named = named.ok_or_else(|| Problem::field("tenant", detail))?;
                Ok(tenancy.management(operator, named).await?)
            }
            Self::Tenant(management) => {
                if let Some(named) = named {
                    // Nobody else's is looked up: what is not one's own is not there.
                    let own = tenancy.tenant_own(management).await?;
                    if own.slug.as_str() != named && management.tenant().to_string() != named {
                        return Err(TenancyError::NotFound { what: "such tenant".to_owned() }.into());
                    }
                }
                Ok(management.clone())
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn no_key() -> Problem {
    let detail = "Send a key as “Authorization: Bearer sk-seam-…”. Make one with: seam key create";
    Problem::new(ProblemCode::NotSignedIn, detail)
}

/// The same for one that never was, was revoked, or has expired.
fn opens_nothing() -> Problem {
    Problem::new(ProblemCode::NotSignedIn, "This key opens nothing: it is unknown, was revoked, or has expired.")
}

fn may_not_manage() -> Problem {
    let detail = "This key calls models and does not manage its tenant. Make one with the scope “manage”.";
    Problem::new(ProblemCode::PermissionDenied, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_as_a_bearer() {
        let given = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(given("Bearer sk-seam-x").as_deref(), Some("sk-seam-x"));
        assert_eq!(given("bearer sk-seam-x").as_deref(), Some("sk-seam-x"));
        for other in ["Basic c2stc2VhbS14", "sk-seam-x", ""] {
            assert_eq!(given(other), None, "{other}");
        }
    }
}
