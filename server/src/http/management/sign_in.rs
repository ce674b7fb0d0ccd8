//! `/api/v1/sign-in`: a tenant's identity provider. What the pages of `/admin/sign-in` set, the domains are in `domains.rs`.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, Sent, parsed},
    members::OfTenant,
    refusal::{Absent, Refusal, Refused},
};
use axum::{Json, extract::State};
use contract::{Problem, Role, SingleSignOnView};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tenancy::{Management, NewSingleSignOn, Secret};
use utoipa::ToSchema;

/// How a tenant's people sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignIn {
    /// None: with passwords alone.
    provider: Option<IdentityProvider>,
    /// What the provider has to know as the address to send people back to.
    redirect_uri: String,
    /// Why the provider that was set could not be asked; nothing where it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    unusable: Option<String>,
}

/// An OpenID Connect provider that vouches for a tenant's people. Its secret is shown to nobody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IdentityProvider {
    issuer: String,
    client_id: String,
    /// What somebody becomes who comes for the first time: `member` or `viewer`.
    default_role: String,
    enabled: bool,
    /// Whether people of the tenant's domains enter it in no other way.
    required: bool,
}

impl From<SingleSignOnView> for IdentityProvider {
    fn from(view: SingleSignOnView) -> Self {
        Self {
            issuer: view.issuer,
            client_id: view.client_id,
            default_role: view.default_role.to_string(),
            enabled: view.enabled,
            required: view.required,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SignInBody {
    /// As the provider states it
    #[schema(example = "https://login.acme.test")]
    issuer: String,
    /// What the provider calls Seam
    #[schema(example = "seam")]
    client_id: String,
    /// As the provider gave it; the one that is kept stays unless given, as long as the issuer is the same
    #[schema(example = "…")]
    client_secret: Option<String>,
    /// `member` or `viewer`: what somebody becomes who comes for the first time; `member` unless given
    default_role: Option<String>,
    /// Whether people can come by it; the provider is tried first
    #[schema(example = false)]
    enabled: bool,
    /// Whether people of the tenant's domains enter it in no other way; an admin must have come by it before
    #[serde(default)]
    required: bool,
}

impl SignInBody {
    fn setting(self) -> Result<NewSingleSignOn, Refusal> {
        let default_role = self.default_role.as_deref().map(|role| parsed("default_role", role)).transpose()?;
        if default_role == Some(Role::Admin) {
            let detail = "New people become members or viewers; make somebody an admin by hand.";
            return Err(Problem::field("default_role", detail).into());
        }
        Ok(NewSingleSignOn {
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret: self.client_secret.map(Secret::new),
            default_role: default_role.unwrap_or(Role::Member),
            enabled: self.enabled,
            required: self.required,
        })
    }
}

/// Show how people sign in
#[utoipa::path(get, path = "/api/v1/sign-in", tag = "Sign-in", params(OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The tenant's identity provider, if it has one", body = SignIn), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
) -> Result<Json<SignIn>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    Ok(Json(shown(&state, &manager).await?))
}

/// Set the identity provider
///
/// It replaces the one before. It is tried first: its discovery document must be readable. One that is switched off is
/// kept either way, and `unusable` tells what came of the trial.
#[utoipa::path(put, path = "/api/v1/sign-in", tag = "Sign-in", params(OfTenant), request_body = SignInBody,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "How people sign in now", body = SignIn), Refused, Absent))]
pub(super) async fn set(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<SignInBody>,
) -> Result<Json<SignIn>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let tried = state.platform().tenancy.single_sign_on_save(&manager, body.setting()?).await?;
    Ok(Json(SignIn { unusable: tried.err().map(|unusable| unusable.to_string()), ..shown(&state, &manager).await? }))
}

/// Remove the identity provider
///
/// Nobody signs in with it any more, and whoever has no password asks for a link to one. Whom it introduced stays a
/// member.
#[utoipa::path(delete, path = "/api/v1/sign-in", tag = "Sign-in", params(OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "People sign in with passwords alone"), Refused, Absent))]
pub(super) async fn remove(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    state.platform().tenancy.single_sign_on_remove(&manager).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn shown(state: &WebState, manager: &Management) -> Result<SignIn, Refusal> {
    let (provider, _) = state.platform().tenancy.single_sign_on_view(manager).await?;
    let redirect_uri = format!("{}{}", state.settings().public_url, app::CALLBACK_PATH);
    Ok(SignIn { provider: provider.map(IdentityProvider::from), redirect_uri, unusable: None })
}
