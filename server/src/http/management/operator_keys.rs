//! `/api/v1/operator-keys`: keys that may do what the operator may.

use super::{
    WebState,
    caller::Operator,
    input::{Asked, Moment, Named, Sent, window},
    keys::Key,
    refusal::{Absent, Refusal, Refused},
    tenants::NoQuery,
    wire::{KeyMade, PageOf},
};
use axum::{Json, extract::State};
use contract::KeyScope;
use http::{StatusCode, header};
use serde::Deserialize;
use tenancy::NewKey;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OperatorKeysQuery {
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
}

/// List the operator's keys
#[utoipa::path(get, path = "/api/v1/operator-keys", tag = "Operator keys", params(OperatorKeysQuery),
    security(("operator_key" = [])),
    responses((status = 200, description = "A page of keys, those that work first", body = PageOf<Key>), Refused))]
pub(super) async fn list(
    State(state): State<WebState>,
    Operator(operator): Operator,
    Asked(query): Asked<OperatorKeysQuery>,
) -> Result<Json<PageOf<Key>>, Refusal> {
    let (page, per_page) = window(query.page, query.per_page)?;
    Ok(Json(PageOf::of(state.platform().tenancy.operator_key_page(&operator, page, per_page).await?, Key::from)))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewOperatorKey {
    /// What it is for
    #[schema(example = "billing")]
    name: String,
    /// When it ends, in milliseconds since 1970 or as RFC 3339; never unless given
    expires_at: Option<Moment>,
}

/// Make an operator's key
///
/// It reaches every tenant's management. Its secret is in the answer, this once.
#[utoipa::path(post, path = "/api/v1/operator-keys", tag = "Operator keys", request_body = NewOperatorKey,
    security(("operator_key" = [])),
    responses((status = 201, description = "It works from now on", body = KeyMade), Refused))]
pub(super) async fn create(
    State(state): State<WebState>,
    Operator(operator): Operator,
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<NewOperatorKey>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<KeyMade>), Refusal> {
    let expires_at = body.expires_at.map(|at| at.end("expires_at")).transpose()?;
    let new = NewKey { name: body.name, scopes: KeyScope::ALL.to_vec(), models: None, expires_at };
    let (id, secret) = state.platform().tenancy.operator_key_create(&operator, &new).await?;
    let made = KeyMade { id: id.to_string(), name: new.name.trim().to_owned(), secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/operator-keys/{id}"))], Json(made)))
}

/// Show an operator's key
#[utoipa::path(get, path = "/api/v1/operator-keys/{id}", tag = "Operator keys",
    params(("id" = String, Path, description = "The key's id")),
    security(("operator_key" = [])),
    responses((status = 200, description = "The key", body = Key), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Key>, Refusal> {
    Ok(Json(state.platform().tenancy.operator_key_find(&operator, id.id("such key that works")?).await?.into()))
}

/// Revoke an operator's key
///
/// It opens nothing from its next request on; a key may revoke itself.
#[utoipa::path(delete, path = "/api/v1/operator-keys/{id}", tag = "Operator keys",
    params(("id" = String, Path, description = "The key's id")),
    security(("operator_key" = [])),
    responses((status = 204, description = "It works no more"), Refused, Absent))]
pub(super) async fn revoke(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<StatusCode, Refusal> {
    state.platform().tenancy.operator_key_revoke(&operator, id.id("such key that works")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
