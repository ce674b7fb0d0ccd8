//! `/api/v1/provider-keys`: a tenant's own keys at providers, by which its requests are made and billed.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, Named, Sent},
    members::OfTenant,
    refusal::{Absent, Refusal, Refused},
    wire::{PartOf, millis},
};
use axum::{Json, extract::State};
use contract::{OwnKeyView, Problem, ProblemCode};
use gateway::GatewayError;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tenancy::Secret;
use utoipa::ToSchema;

/// A provider at which the tenant may use a key of its own.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderKey {
    provider: String,
    /// `openai`, `anthropic` or `gemini`.
    kind: String,
    /// Whether the provider is asked at all just now.
    enabled: bool,
    /// Whether the tenant has a key there.
    set: bool,
    /// The key's last characters, by which its owner knows it again; the key itself is shown to nobody.
    hint: Option<String>,
    updated_at: Option<i64>,
}

impl From<OwnKeyView> for ProviderKey {
    fn from(view: OwnKeyView) -> Self {
        Self {
            provider: view.provider,
            kind: view.kind.to_string(),
            enabled: view.enabled,
            set: view.hint.is_some(),
            hint: view.hint.filter(|hint| !hint.is_empty()),
            updated_at: millis(view.updated_at),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ProviderKeyBody {
    /// As the provider gave it to the tenant
    #[schema(example = "sk-…")]
    api_key: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ProviderKeyTrial {
    /// The key to try; the one that is stored unless given
    #[schema(example = "sk-…")]
    api_key: Option<String>,
}

/// What came of trying a key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tried {
    works: bool,
    /// What the provider said, when it did not take the key.
    reason: Option<String>,
}

/// List the tenant's own keys at providers
#[utoipa::path(get, path = "/api/v1/provider-keys", tag = "Provider keys", params(OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "Where the tenant may use a key of its own", body = PartOf<ProviderKey>), Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
) -> Result<Json<PartOf<ProviderKey>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let keys = state.platform().gateway.own_key_list(&manager).await?;
    Ok(Json(PartOf { data: keys.into_iter().map(ProviderKey::from).collect(), next: None }))
}

/// Set the tenant's own key at a provider
///
/// The tenant's requests are made with it from now on, and its provider bills the tenant. It replaces the one before.
#[utoipa::path(put, path = "/api/v1/provider-keys/{id}", tag = "Provider keys",
    params(("id" = String, Path, description = "The provider's name"), OfTenant), request_body = ProviderKeyBody,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "It is used from now on"), Refused, Absent))]
pub(super) async fn set(
    State(state): State<WebState>,
    caller: Caller,
    provider: Named,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<ProviderKeyBody>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let key = Secret::new(body.api_key);
    state.platform().gateway.own_key_set(&manager, &provider.0, &key).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a key at a provider
///
/// At no cost: the provider is asked which models it has.
#[utoipa::path(post, path = "/api/v1/provider-keys/{id}/test", tag = "Provider keys",
    params(("id" = String, Path, description = "The provider's name"), OfTenant), request_body = ProviderKeyTrial,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "What came of it", body = Tried), Refused, Absent))]
pub(super) async fn test(
    State(state): State<WebState>,
    caller: Caller,
    provider: Named,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<ProviderKeyTrial>,
) -> Result<Json<Tried>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let key = body.api_key.map(Secret::new);
    let tried = state.platform().gateway.own_key_test(&manager, &provider.0, key).await.map_err(refused)?;
    Ok(Json(Tried { works: tried.is_ok(), reason: tried.err().map(|cause| cause.told_to_tenants().to_owned()) }))
}

/// Remove the tenant's own key at a provider
///
/// The tenant's requests are made with the platform's key again, where it has one.
#[utoipa::path(delete, path = "/api/v1/provider-keys/{id}", tag = "Provider keys",
    params(("id" = String, Path, description = "The provider's name"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "It is gone"), Refused, Absent))]
pub(super) async fn remove(
    State(state): State<WebState>,
    caller: Caller,
    provider: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    if state.platform().gateway.own_key_remove(&manager, &provider.0).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(ProblemCode::NotFound, "There is no key of the tenant's own at this provider.").into())
    }
}

/// A provider that takes no keys of tenants is not there for them.
fn refused(error: GatewayError) -> Refusal {
    if let GatewayError::UnknownProvider { known, .. } = error {
        let detail = format!("There is no such provider that takes a tenant's own key. Those that do: {known}.");
        return Problem::new(ProblemCode::NotFound, detail).into();
    }
    error.into()
}
