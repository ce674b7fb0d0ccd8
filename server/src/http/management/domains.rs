//! `/api/v1/domains`: the e-mail domains that a tenant's identity provider speaks for. A tenant claims one, the operator
//! confirms it, and only then it counts.

use super::{
    WebState,
    caller::{Caller, Operator},
    input::{Asked, Named, Sent, parsed},
    members::OfTenant,
    refusal::{Absent, Refusal, Refused},
    wire::{PartOf, millis},
};
use axum::{Json, extract::State};
use contract::{DomainView, EmailDomain};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tenancy::{Management, Manages, TenancyError};
use utoipa::ToSchema;

/// What a tenant's people's addresses end with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Domain {
    domain: String,
    claimed_at: i64,
    /// None: until the operator confirms it, it counts for nothing.
    confirmed_at: Option<i64>,
}

impl From<DomainView> for Domain {
    fn from(view: DomainView) -> Self {
        Self {
            domain: view.domain.to_string(),
            claimed_at: view.claimed_at.as_millis(),
            confirmed_at: millis(view.confirmed_at),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewDomain {
    /// What people's addresses end with
    #[schema(example = "acme.test")]
    domain: String,
}

/// List the tenant's domains
#[utoipa::path(get, path = "/api/v1/domains", tag = "Sign-in", params(OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "All of them, by name", body = PartOf<Domain>), Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
) -> Result<Json<PartOf<Domain>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let domains = domains(&state, &manager).await?;
    Ok(Json(PartOf { data: domains.into_iter().map(Domain::from).collect(), next: None }))
}

/// Claim a domain
///
/// Nothing changes for anybody until the operator confirms it. One that is claimed already stays as it is.
#[utoipa::path(post, path = "/api/v1/domains", tag = "Sign-in", params(OfTenant), request_body = NewDomain,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 201, description = "It is claimed", body = Domain), Refused, Absent))]
pub(super) async fn claim(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<NewDomain>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<Domain>), Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let domain: EmailDomain = parsed("domain", &body.domain)?;
    state.platform().tenancy.domain_claim(&manager, &domain).await?;
    let claimed = domains(&state, &manager).await?.into_iter().find(|claimed| claimed.domain == domain);
    let claimed = claimed.ok_or_else(missing)?;
    let place = [(header::LOCATION, format!("/api/v1/domains/{domain}"))];
    Ok((StatusCode::CREATED, place, Json(claimed.into())))
}

/// Give a domain up
///
/// Confirmed or not. Its people sign in with their passwords from then on.
#[utoipa::path(delete, path = "/api/v1/domains/{name}", tag = "Sign-in",
    params(("name" = String, Path, description = "The domain"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "It is the tenant's no more"), Refused, Absent))]
pub(super) async fn release(
    State(state): State<WebState>,
    caller: Caller,
    name: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (tenancy, domain) = (&state.platform().tenancy, name.id::<EmailDomain>("such domain")?);
    match &caller {
        Caller::Operator(operator) => tenancy.domain_withdraw(operator, manager.tenant(), &domain).await?,
        Caller::Tenant(_) => tenancy.domain_release(&manager, &domain).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Confirm a domain
///
/// Claimed or not: you have seen the proof that it is the tenant's. A domain is confirmed for one tenant.
#[utoipa::path(post, path = "/api/v1/domains/{name}/confirm", tag = "Sign-in",
    params(("name" = String, Path, description = "The domain"), OfTenant),
    security(("operator_key" = [])),
    responses((status = 204, description = "The tenant's identity provider speaks for it"), Refused, Absent))]
pub(super) async fn confirm(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = Caller::Operator(operator.clone()).manager(&state, query.tenant.as_deref()).await?;
    let domain: EmailDomain = parsed("name", &name.0)?;
    state.platform().tenancy.domain_confirm(&operator, manager.tenant(), &domain).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn domains(state: &WebState, manager: &Management) -> Result<Vec<DomainView>, Refusal> {
    Ok(state.platform().tenancy.single_sign_on_view(manager).await?.1)
}

fn missing() -> TenancyError {
    TenancyError::NotFound { what: "such domain".to_owned() }
}
