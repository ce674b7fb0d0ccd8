//! Who asks: whoever holds a key that works, as of this request.

use super::{
    super::{address, bearer},
    WebState,
    refusal::Refusal,
};
use axum::extract::FromRequestParts;
use contract::{KeyScope, Problem, ProblemCode};
use http::request::Parts;
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
        let secret = bearer::of(&parts.headers).ok_or_else(no_key)?;
        let address = address::client(&parts.headers, &parts.extensions, state.settings().trust_proxy);
        match state.platform().tenancy.authenticate_key(secret, address).await? {
            None => Err(Problem::new(ProblemCode::NotSignedIn, bearer::OPENS_NOTHING).into()),
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

fn no_key() -> Problem {
    let detail = "Send a key as “Authorization: Bearer sk-seam-…”. Make one with: seam key create";
    Problem::new(ProblemCode::NotSignedIn, detail)
}

fn may_not_manage() -> Problem {
    let detail = "This key calls models and does not manage its tenant. Make one with the scope “manage”.";
    Problem::new(ProblemCode::PermissionDenied, detail)
}
