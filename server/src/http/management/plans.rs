//! `/api/v1/plans`: what tenants can be on. `seam apply` declares the same.

use super::{
    WebState,
    caller::Operator,
    input::{Asked, Named, Sent, dollars, parsed, window},
    refusal::{Absent, Conflicting, Refusal, Refused},
    tenants::NoQuery,
    wire::PageOf,
};
use axum::{Json, extract::State};
use contract::{NanoUsd, Slug};
use http::StatusCode;
use metering::{Millionths, NewPlan};
use serde::{Deserialize, Serialize};
use tenancy::Change;
use utoipa::{IntoParams, ToSchema};

/// What a tenant pays, and what bounds it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plan {
    name: String,
    /// Dollars a month.
    monthly_fee: String,
    /// Dollars of marked-up cost that the fee covers.
    included_credit: String,
    /// What cost is multiplied by beyond the credit, as decimal text.
    overage_markup: String,
    /// None: unlimited.
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    max_concurrent: Option<i64>,
}

impl From<NewPlan> for Plan {
    fn from(plan: NewPlan) -> Self {
        Self {
            name: plan.name,
            monthly_fee: plan.monthly_fee.to_string(),
            included_credit: plan.included_credit.to_string(),
            overage_markup: Millionths(plan.overage_markup_millionths).to_string(),
            requests_per_minute: plan.requests_per_minute,
            tokens_per_minute: plan.tokens_per_minute,
            max_concurrent: plan.max_concurrent,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PlansQuery {
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
}

/// List plans
#[utoipa::path(get, path = "/api/v1/plans", tag = "Plans", params(PlansQuery),
    security(("operator_key" = [])),
    responses((status = 200, description = "A page of plans, by name", body = PageOf<Plan>), Refused))]
pub(super) async fn list(
    State(state): State<WebState>,
    Operator(_operator): Operator,
    Asked(query): Asked<PlansQuery>,
) -> Result<Json<PageOf<Plan>>, Refusal> {
    let window = window(query.page, query.per_page)?;
    Ok(Json(PageOf::cut(state.platform().metering.plan_list().await?, window, Plan::from)))
}

/// Show a plan
#[utoipa::path(get, path = "/api/v1/plans/{name}", tag = "Plans",
    params(("name" = String, Path, description = "The plan's name")),
    security(("operator_key" = [])),
    responses((status = 200, description = "The plan", body = Plan), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<Plan>, Refusal> {
    Ok(Json(state.platform().metering.plan_find(&operator, &name.0).await?.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PlanBody {
    /// Dollars a month, as decimal text
    #[schema(example = "99.00")]
    monthly_fee: String,
    /// What cost is multiplied by beyond the credit, as decimal text
    #[schema(example = "1.4")]
    overage_markup: String,
    /// Dollars of marked-up cost that the fee covers, as decimal text; none unless given
    included_credit: Option<String>,
    /// At least 1; unlimited unless given
    requests_per_minute: Option<i64>,
    /// At least 1; unlimited unless given
    tokens_per_minute: Option<i64>,
    /// At least 1; unlimited unless given
    max_concurrent: Option<i64>,
}

impl PlanBody {
    fn plan(self, name: &Slug) -> Result<NewPlan, Refusal> {
        let Millionths(overage_markup_millionths) = parsed("overage_markup", &self.overage_markup)?;
        Ok(NewPlan {
            name: name.to_string(),
            monthly_fee: parsed("monthly_fee", &self.monthly_fee)?,
            included_credit: dollars("included_credit", self.included_credit.as_deref())?.unwrap_or(NanoUsd::ZERO),
            overage_markup_millionths,
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            max_concurrent: self.max_concurrent,
        })
    }
}

/// Make a plan, or put another in its place
///
/// What it says holds for the tenants that are on it from now on; what is left out is as if the plan were new.
#[utoipa::path(put, path = "/api/v1/plans/{name}", tag = "Plans",
    params(("name" = String, Path, description = "The plan's name: lower-case letters, digits and hyphens")),
    request_body = PlanBody, security(("operator_key" = [])),
    responses((status = 200, description = "The plan as it is now", body = Plan),
        (status = 201, description = "It was made", body = Plan), Refused))]
pub(super) async fn set(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<PlanBody>,
) -> Result<(StatusCode, Json<Plan>), Refusal> {
    let plan = body.plan(&parsed("name", &name.0)?)?;
    let status = match state.platform().metering.plan_set(&operator, &plan).await? {
        Change::Created(_) => StatusCode::CREATED,
        Change::Updated(_) | Change::Unchanged => StatusCode::OK,
    };
    Ok((status, Json(plan.into())))
}

/// Delete a plan
///
/// Refused while tenants are on it.
#[utoipa::path(delete, path = "/api/v1/plans/{name}", tag = "Plans",
    params(("name" = String, Path, description = "The plan's name")),
    security(("operator_key" = [])),
    responses((status = 204, description = "It is gone"), Refused, Absent, Conflicting))]
pub(super) async fn remove(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<StatusCode, Refusal> {
    state.platform().metering.plan_delete(&operator, &name.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
