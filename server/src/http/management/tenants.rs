//! `/api/v1/tenants`: the operator's customers; a tenant's own key reads its own.

use super::{
    WebState,
    caller::{Caller, Operator},
    input::{Asked, Named, Sent, dollars, list_query, parsed, present, window},
    refusal::{Absent, Conflicting, Refusal, Refused},
    wire::PageOf,
};
use crate::nearest::hint;
use axum::{Json, extract::State};
use contract::{Email, NanoUsd, Problem, Slug, TenantSummary};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tenancy::{NewTenant, OperatorScope, TenantPatch};
use utoipa::{IntoParams, ToSchema};

/// A customer of the operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    id: String,
    /// Its short name, which addresses and other calls take.
    name: String,
    display_name: String,
    /// The name of its plan; none: nothing is charged.
    plan: Option<String>,
    /// Dollars that a month may cost at most.
    monthly_budget: Option<String>,
    /// Dollars from which somebody is told.
    soft_budget: Option<String>,
    /// Only providers in this region may see its data.
    region: Option<String>,
    /// Only providers that keep nothing may see its data.
    zero_retention: bool,
    members: i64,
    /// Why, if it is suspended.
    suspended_for: Option<String>,
    /// Its deletion was begun; what is left to do is to complete it.
    being_deleted: bool,
    created_at: i64,
}

impl From<TenantSummary> for Tenant {
    fn from(tenant: TenantSummary) -> Self {
        let dollars = |budget: Option<NanoUsd>| budget.map(|budget| budget.to_string());
        Self {
            id: tenant.id.to_string(),
            name: tenant.slug.to_string(),
            display_name: tenant.display_name,
            plan: tenant.plan,
            monthly_budget: dollars(tenant.monthly_budget),
            soft_budget: dollars(tenant.soft_budget),
            region: tenant.region,
            zero_retention: tenant.zero_retention,
            members: tenant.members,
            suspended_for: tenant.suspended_for,
            being_deleted: tenant.being_deleted,
            created_at: tenant.created_at.as_millis(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TenantsQuery {
    /// Only tenants whose names contain this
    q: Option<String>,
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
    /// `name`, `-name`, `created` or `-created`
    sort: Option<String>,
}

/// List tenants
///
/// All of them for an operator; for a tenant's key its own alone.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "Tenants", params(TenantsQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "A page of tenants", body = PageOf<Tenant>), Refused))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<TenantsQuery>,
) -> Result<Json<PageOf<Tenant>>, Refusal> {
    let (page, per_page) = window(query.page, query.per_page)?;
    let query = list_query(query.q, page, query.sort.as_deref())?;
    let tenancy = &state.platform().tenancy;
    let operator = match caller {
        Caller::Operator(operator) => operator,
        Caller::Tenant(management) => {
            let own = tenancy.tenant_own(&management).await?;
            let (words, name) = (query.words.trim().to_lowercase(), format!("{} {}", own.slug, own.display_name));
            let own = if name.to_lowercase().contains(&words) { vec![own] } else { Vec::new() };
            return Ok(Json(PageOf::cut(own, (page, per_page), Tenant::from)));
        }
    };
    let tenants = tenancy.tenant_page_sized(&operator, &query, per_page).await?;
    Ok(Json(PageOf::of(tenants, Tenant::from)))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewTenantBody {
    /// Its short name: lower-case letters, digits and hyphens
    #[schema(example = "acme")]
    name: String,
    /// How people call it; its short name unless given
    display_name: Option<String>,
    /// The name of a plan
    plan: Option<String>,
    /// Dollars that a month may cost at most, as decimal text
    #[schema(example = "50.00")]
    monthly_budget: Option<String>,
    /// Dollars from which somebody is told, as decimal text
    soft_budget: Option<String>,
    /// Only providers in this region may see its data
    region: Option<String>,
    /// Only providers that keep nothing may see its data
    #[serde(default)]
    zero_retention: bool,
    /// Who is invited as its first admin
    #[schema(example = "ada@acme.test")]
    admin: Option<String>,
}

/// A tenant that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TenantMade {
    tenant: Tenant,
    /// The link with which the first admin joins, shown this once; none where nobody was invited.
    invitation_link: Option<String>,
}

/// Create a tenant
///
/// With `admin`, its first admin is invited by a link, which works once and for seven days.
#[utoipa::path(post, path = "/api/v1/tenants", tag = "Tenants", request_body = NewTenantBody,
    security(("operator_key" = [])),
    responses((status = 201, description = "It was made", body = TenantMade), Refused, Conflicting))]
pub(super) async fn create(
    State(state): State<WebState>,
    Operator(operator): Operator,
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<NewTenantBody>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<TenantMade>), Refusal> {
    let slug: Slug = parsed("name", &body.name)?;
    let admin = body.admin.as_deref().map(|email| parsed::<Email>("admin", email)).transpose()?;
    require_plan(&state, body.plan.as_deref()).await?;
    let new = NewTenant {
        display_name: body.display_name.unwrap_or_else(|| slug.to_string()),
        slug,
        plan: body.plan,
        monthly_budget: dollars("monthly_budget", body.monthly_budget.as_deref())?,
        soft_budget: dollars("soft_budget", body.soft_budget.as_deref())?,
        region: body.region,
        zero_retention: body.zero_retention,
    };
    let (record, token) = state.platform().tenancy.tenant_open(&operator, &new, admin.as_ref()).await?;
    let invitation_link = token.map(|token| format!("{}/invite/{token}", state.settings().public_url));
    let tenant = shown(&state, &operator, record.slug.as_str()).await?;
    let place = [(header::LOCATION, format!("/api/v1/tenants/{}", record.slug))];
    Ok((StatusCode::CREATED, place, Json(TenantMade { tenant, invitation_link })))
}

/// Show a tenant
#[utoipa::path(get, path = "/api/v1/tenants/{name}", tag = "Tenants",
    params(("name" = String, Path, description = "Its short name or its id")),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The tenant", body = Tenant), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    caller: Caller,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Tenant>, Refusal> {
    let management = caller.manager(&state, Some(&name.0)).await?;
    Ok(Json(state.platform().tenancy.tenant_own(&management).await?.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct TenantChange {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    display_name: Option<String>,
    /// The name of a plan; null for none
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    plan: Option<Option<String>>,
    /// Dollars that a month may cost at most, as decimal text; null for no bound
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "50.00")]
    monthly_budget: Option<Option<String>>,
    /// Dollars from which somebody is told, as decimal text; null for none
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    soft_budget: Option<Option<String>>,
    /// Only providers in this region may see its data; null for any
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    region: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    zero_retention: Option<bool>,
}

/// Change a tenant
///
/// What is left out stays as it is.
#[utoipa::path(patch, path = "/api/v1/tenants/{name}", tag = "Tenants",
    params(("name" = String, Path, description = "Its short name or its id")), request_body = TenantChange,
    security(("operator_key" = [])),
    responses((status = 200, description = "The tenant as it is now", body = Tenant), Refused, Absent))]
pub(super) async fn change(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<TenantChange>,
) -> Result<Json<Tenant>, Refusal> {
    let tenancy = &state.platform().tenancy;
    let found = tenancy.tenant_find(&operator, &name.0).await?;
    require_plan(&state, body.plan.as_ref().and_then(Option::as_deref)).await?;
    let budget =
        |field, given: Option<Option<String>>| given.map(|budget| dollars(field, budget.as_deref())).transpose();
    let patch = TenantPatch {
        display_name: body.display_name,
        plan: body.plan,
        monthly_budget: budget("monthly_budget", body.monthly_budget)?,
        soft_budget: budget("soft_budget", body.soft_budget)?,
        region: body.region,
        zero_retention: body.zero_retention,
    };
    tenancy.tenant_change(&operator, found.id, patch).await?;
    Ok(Json(shown(&state, &operator, &name.0).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Suspension {
    /// Why; the tenant's people read it
    #[schema(example = "unpaid since May")]
    reason: String,
}

/// Suspend a tenant
///
/// From the next request on nobody enters it, by session or by key. Nothing is lost. Of a tenant that is suspended already
/// the reason is changed.
#[utoipa::path(post, path = "/api/v1/tenants/{name}/suspend", tag = "Tenants",
    params(("name" = String, Path, description = "Its short name or its id")), request_body = Suspension,
    security(("operator_key" = [])),
    responses((status = 200, description = "The tenant as it is now", body = Tenant), Refused, Absent))]
pub(super) async fn suspend(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<Suspension>,
) -> Result<Json<Tenant>, Refusal> {
    let found = state.platform().tenancy.tenant_find(&operator, &name.0).await?;
    state.platform().tenancy.tenant_suspend(&operator, found.id, &body.reason).await?;
    Ok(Json(shown(&state, &operator, &name.0).await?))
}

/// Resume a tenant
///
/// Its people and keys may enter again.
#[utoipa::path(post, path = "/api/v1/tenants/{name}/resume", tag = "Tenants",
    params(("name" = String, Path, description = "Its short name or its id")),
    security(("operator_key" = [])),
    responses((status = 200, description = "The tenant as it is now", body = Tenant), Refused, Absent))]
pub(super) async fn resume(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Tenant>, Refusal> {
    let found = state.platform().tenancy.tenant_find(&operator, &name.0).await?;
    state.platform().tenancy.tenant_resume(&operator, found.id).await?;
    Ok(Json(shown(&state, &operator, &name.0).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Confirmation {
    /// The tenant's short name once more
    #[param(example = "acme")]
    confirm: String,
}

/// What became of a tenant that was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deletion {
    /// Names each place, how much was there, when and by whom; the platform's log keeps it
    #[schema(value_type = Object)]
    certificate: serde_json::Value,
}

/// Delete a tenant
///
/// Everything of it, for good: people who belong to no other tenant, keys, conversations, ledger and log. Answers under
/// way are ended. Interrupted, the same call completes it.
#[utoipa::path(delete, path = "/api/v1/tenants/{name}", tag = "Tenants",
    params(("name" = String, Path, description = "Its short name or its id"), Confirmation),
    security(("operator_key" = [])),
    responses((status = 200, description = "The certificate", body = Deletion), Refused, Absent, Conflicting))]
pub(super) async fn remove(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(Confirmation { confirm }): Asked<Confirmation>,
) -> Result<Json<Deletion>, Refusal> {
    let found = state.platform().tenancy.tenant_find(&operator, &name.0).await?;
    if confirm != found.slug.as_str() {
        return Err(Problem::field("confirm", format!("Say confirm={} to delete this tenant.", found.slug)).into());
    }
    let deleted = state.platform().tenant_delete(&operator, found.id, &confirm).await;
    let certificate = deleted.map_err(platform::IntoProblem::into_problem)?;
    Ok(Json(Deletion { certificate: serde_json::json!(certificate) }))
}

/// For what takes no query: a parameter is refused rather than ignored.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct NoQuery {}

pub(super) async fn shown(state: &WebState, operator: &OperatorScope, name: &str) -> Result<Tenant, Refusal> {
    Ok(state.platform().tenancy.tenant_find(operator, name).await?.into())
}

/// A plan that is not there is a mistake of the field, and not an address that leads nowhere.
async fn require_plan(state: &WebState, plan: Option<&str>) -> Result<(), Refusal> {
    let Some(plan) = plan else { return Ok(()) };
    let plans = state.platform().metering.plan_list().await?;
    if plans.iter().any(|known| known.name == plan) {
        return Ok(());
    }
    let near = hint(plan, plans.iter().map(|known| known.name.as_str()));
    Err(Problem::field("plan", format!("There is no plan “{plan}”{near}")).into())
}
