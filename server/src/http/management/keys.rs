//! `/api/v1/keys`: how programs reach a tenant.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, Moment, Named, Sent, parsed, window},
    members::OfTenant,
    refusal::{Absent, Conflicting, Refusal, Refused},
    wire::{KeyMade, PageOf, millis},
};
use axum::{Json, extract::State};
use contract::{KeyQuery, KeyScope, KeyView, Problem};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tenancy::NewKey;
use utoipa::{IntoParams, ToSchema};

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Key {
    id: String,
    name: String,
    /// The beginning of its secret, to recognise it by.
    prefix: String,
    /// `inference` calls models, `manage` manages the tenant.
    scopes: Vec<String>,
    /// The models it may ask for; none: all.
    models: Option<Vec<String>>,
    created_by: String,
    created_at: i64,
    expires_at: Option<i64>,
    /// To the minute.
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl From<KeyView> for Key {
    fn from(key: KeyView) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes.into_iter().map(|scope| scope.to_string()).collect(),
            models: key.models,
            created_by: key.created_by,
            created_at: key.created_at.as_millis(),
            expires_at: millis(key.expires_at),
            last_used_at: millis(key.last_used_at),
            revoked_at: millis(key.revoked_at),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// The tenant's short name or id; an operator's key must name it
    tenant: Option<String>,
    /// Only keys with this in their name, or in the beginning of their secret
    q: Option<String>,
    /// Only keys that are `active`, `expired` or `revoked`; all unless given
    state: Option<String>,
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
    /// `name`, `created`, `used` (never comes first) or `expires` (never comes last), the other way round with a `-`;
    /// `-created` unless given
    sort: Option<String>,
}

/// List keys
#[utoipa::path(get, path = "/api/v1/keys", tag = "Keys", params(KeysQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "A page of keys", body = PageOf<Key>), Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<KeysQuery>,
) -> Result<Json<PageOf<Key>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (page, per_page) = window(query.page, query.per_page)?;
    let order = query.sort.map(|sort| parsed("sort", &sort)).transpose()?.unwrap_or_default();
    let only = query.state.map(|state| parsed("state", &state)).transpose()?;
    let query = KeyQuery { words: query.q.unwrap_or_default(), page, order, state: only };
    let (keys, _) = state.platform().tenancy.key_page(&manager, &query, per_page).await?;
    Ok(Json(PageOf::of(keys, Key::from)))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewKeyBody {
    /// What it is for
    #[schema(example = "production")]
    name: String,
    /// `inference` calls models, `manage` manages the tenant; `["inference"]` unless given
    #[schema(example = json!(["inference"]))]
    scopes: Option<Vec<String>>,
    /// The models it may ask for; all unless given
    #[schema(example = json!(["assistant"]))]
    models: Option<Vec<String>>,
    /// When it ends, in milliseconds since 1970 or as RFC 3339; never unless given
    expires_at: Option<Moment>,
}

impl NewKeyBody {
    pub fn key(self) -> Result<NewKey, Problem> {
        let named = self.scopes.unwrap_or_else(|| vec![KeyScope::Inference.to_string()]);
        let mut scopes = Vec::new();
        for name in &named {
            let scope = parsed("scopes", name)?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        let expires_at = self.expires_at.map(|at| at.end("expires_at")).transpose()?;
        Ok(NewKey { name: self.name, scopes, models: self.models, expires_at })
    }
}

/// Make a key
///
/// Its secret is in the answer, this once. Of the keys that work each has a name of its own.
#[utoipa::path(post, path = "/api/v1/keys", tag = "Keys", params(OfTenant), request_body = NewKeyBody,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 201, description = "It works from now on", body = KeyMade), Refused, Absent, Conflicting))]
pub(super) async fn create(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<NewKeyBody>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<KeyMade>), Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let new = body.key()?;
    let (id, secret) = state.platform().key_create(&manager, &new).await?;
    let made = KeyMade { id: id.to_string(), name: new.name.trim().to_owned(), secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/keys/{id}"))], Json(made)))
}

/// Show a key
#[utoipa::path(get, path = "/api/v1/keys/{id}", tag = "Keys",
    params(("id" = String, Path, description = "The key's id"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The key", body = Key), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<Json<Key>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    Ok(Json(state.platform().tenancy.key_find(&manager, id.id("such key that works")?).await?.into()))
}

/// Revoke a key
///
/// It opens nothing from its next request on.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "Keys",
    params(("id" = String, Path, description = "The key's id"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "It works no more"), Refused, Absent))]
pub(super) async fn revoke(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    state.platform().tenancy.key_revoke(&manager, id.id("such key that works")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
