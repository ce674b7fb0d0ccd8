//! Who asks: a program with a tenant's key that may call models.

use super::{
    super::{WebState, address, bearer},
    refusal::Refusal,
    standing::Standing,
    weight::Asks,
};
use axum::extract::FromRequestParts;
use contract::{KeyScope, Problem, ProblemCode};
use gateway::CacheControl;
use http::{HeaderMap, HeaderValue, request::Parts};
use tenancy::{KeyHolder, Scope};

pub(super) struct Program {
    pub scope: Scope,
    /// The models that its key is bound to; none: all.
    models: Option<Vec<String>>,
    /// What it says about answers that are there already.
    pub cache: CacheControl,
    pub standing: Standing,
}

impl Program {
    /// Whether its key is for this model too.
    pub fn may_ask(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|name| name == model))
    }

    /// A model that it is not for is answered like one that does not exist.
    pub fn require_model(&self, model: &str) -> Result<(), Refusal> {
        if self.may_ask(model) { Ok(()) } else { Err(Refusal::unknown_model(model)) }
    }
}

/// Where Anthropic's SDKs put a key.
fn x_api_key(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-api-key")?.to_str().ok().map(str::trim)
}

fn cache_control(headers: &HeaderMap) -> Result<CacheControl, Refusal> {
    match headers.get("x-seam-cache").map(HeaderValue::as_bytes) {
        None => Ok(CacheControl::Usual),
        Some(b"no-cache") => Ok(CacheControl::NoCache),
        Some(b"no-store") => Ok(CacheControl::NoStore),
        Some(_) => Err(Problem::field("x-seam-cache", "The header x-seam-cache is no-cache or no-store.").into()),
    }
}

impl FromRequestParts<WebState> for Program {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Refusal> {
        let secret = bearer::of(&parts.headers).or_else(|| x_api_key(&parts.headers)).ok_or_else(|| {
            let detail = "Send a key as “Authorization: Bearer sk-seam-…” or “x-api-key: sk-seam-…”. Admins make \
                          them at /admin/keys.";
            Problem::new(ProblemCode::NotSignedIn, detail)
        })?;
        let address = address::client(&parts.headers, &parts.extensions, state.settings().trust_proxy);
        match state.platform().tenancy.authenticate_call(secret, address).await? {
            None => Err(Problem::new(ProblemCode::NotSignedIn, bearer::OPENS_NOTHING).into()),
            Some(KeyHolder::Operator(_)) => {
                let detail = "An operator's key belongs to no tenant, and calls no models. Use a tenant's key.";
                Err(Problem::new(ProblemCode::PermissionDenied, detail).into())
            }
            Some(KeyHolder::Tenant { may, .. }) if !may.contains(&KeyScope::Inference) => {
                let detail = "This key does not call models. Make one with the scope “inference”.";
                Err(Problem::new(ProblemCode::PermissionDenied, detail).into())
            }
            Some(KeyHolder::Tenant { scope, models, .. }) => {
                let standing = Standing::of(&state.platform().tenancy, secret, address, scope.tenant());
                let cache = cache_control(&parts.headers)?;
                parts.extensions.insert(Asks(scope.tenant()));
                Ok(Self { scope, models, cache, standing })
            }
        }
    }
}
