//! `/api/v1/plans`: what tenants can be on. Plans are declared with `seam apply`.

use super::{
    WebState,
    caller::Operator,
    input::{Asked, window},
    refusal::{Refusal, Refused},
    wire::PageOf,
};
use axum::{Json, extract::State};
use metering::NewPlan;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const MILLION: i64 = 1_000_000;

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
            overage_markup: decimal(plan.overage_markup_millionths),
            requests_per_minute: plan.requests_per_minute,
            tokens_per_minute: plan.tokens_per_minute,
            max_concurrent: plan.max_concurrent,
        }
    }
}

/// Millionths as a decimal number without trailing zeros; never negative.
fn decimal(millionths: i64) -> String {
    let text = format!("{}.{:06}", millionths / MILLION, millionths % MILLION);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_read_as_they_were_written() {
        for (millionths, text) in [(1_400_000, "1.4"), (1_000_000, "1"), (0, "0"), (1_000_001, "1.000001")] {
            assert_eq!(decimal(millionths), text);
        }
    }
}
