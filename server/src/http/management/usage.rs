//! `/api/v1/usage`: what a tenant used and cost, by model, person, day and so on.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, moment, parsed, window},
    refusal::{Absent, Refusal, Refused},
    wire::PageOf,
};
use crate::nearest::hint;
use axum::{Json, extract::State};
use contract::{Page, Problem, Timestamp};
use metering::{UsageBy, UsageGroup, UsageWindow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// What one group used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// What all of it has in common: a model, a person's id, a day. None where the ledger has none.
    group: Option<String>,
    requests: i64,
    /// Each request has one attempt or more; all of them cost.
    attempts: i64,
    /// Requests whose cost is unknown in whole or in part; while there are any, the cost is a lower bound.
    unpriced_requests: i64,
    input_tokens: Option<i64>,
    /// Those of `input_tokens` that providers read from their caches.
    cached_input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    /// Billionths of a US dollar, all that is known; none when nothing is.
    cost_nanousd: Option<i64>,
    /// The same as decimal text in dollars.
    cost_usd: Option<String>,
}

fn told(by: UsageBy, group: UsageGroup) -> Usage {
    Usage {
        group: group.name.map(|name| if by == UsageBy::Day { day(&name) } else { name }),
        requests: group.requests,
        attempts: group.attempts,
        unpriced_requests: group.unpriced_requests,
        input_tokens: group.input_tokens,
        cached_input_tokens: group.cached_input_tokens,
        output_tokens: group.output_tokens,
        cost_nanousd: group.cost.map(contract::NanoUsd::as_nanos),
        cost_usd: group.cost.map(|cost| cost.to_string()),
    }
}

/// A day of UTC from its number since 1970.
fn day(number: &str) -> String {
    let millis = number.parse::<i64>().ok().and_then(|number| number.checked_mul(MILLIS_PER_DAY));
    let day = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    day.map_or_else(|| number.to_owned(), |day| jiff::tz::TimeZone::UTC.to_datetime(day).date().to_string())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageQuery {
    /// The tenant's short name or id; an operator's key must name it
    tenant: Option<String>,
    /// `model` (provider/model that answered), `requested_model`, `user`, `prompt`, `day` or `feature`; `model` unless
    /// given
    group_by: Option<String>,
    /// From this moment on: RFC 3339, a day such as 2026-01-01, or milliseconds since 1970; from the beginning
    /// unless given
    from: Option<String>,
    /// Until before this moment, spelt like `from`; until now unless given
    to: Option<String>,
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
}

/// From when until when a query asks; all time unless it says so.
pub(super) fn span(from: Option<&str>, to: Option<&str>) -> Result<(Timestamp, Timestamp), Problem> {
    let from = from.map_or(Ok(Timestamp::from_millis(0)), |from| moment("from", from))?;
    let to = to.map_or(Ok(Timestamp::from_millis(i64::MAX)), |to| moment("to", to))?;
    if to <= from {
        return Err(Problem::field("to", "“to” must be later than from."));
    }
    Ok((from, to))
}

fn group(named: Option<&str>) -> Result<UsageBy, Problem> {
    let Some(named) = named else { return Ok(UsageBy::Model) };
    if named == "key" {
        // The contract has it; the ledger cannot tell yet.
        let detail = "The ledger does not record yet which key asked; use model, requested_model, user, prompt, day \
                      or feature.";
        return Err(Problem::field("group_by", detail));
    }
    let near = hint(named, UsageBy::ALL.map(UsageBy::as_str));
    parsed("group_by", named).map_err(|problem| Problem::field("group_by", format!("{}{near}", problem.detail)))
}

/// Sum up usage
///
/// From the ledger, attempts that are under way included. Days come in order, everything else by cost.
#[utoipa::path(get, path = "/api/v1/usage", tag = "Usage and ledger", params(UsageQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "A page of groups", body = PageOf<Usage>), Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<UsageQuery>,
) -> Result<Json<PageOf<Usage>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (number, size) = window(query.page, query.per_page)?;
    let (from, to) = span(query.from.as_deref(), query.to.as_deref())?;
    let by = group(query.group_by.as_deref())?;
    let window = UsageWindow { from, to, limit: size, offset: (number - 1).saturating_mul(size) };
    let (items, total) = state.platform().metering.usage_groups(&manager, by, window).await?;
    Ok(Json(PageOf::of(Page { items, total, number, size }, |group| told(by, group))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_as_a_date() {
        assert_eq!(day("0"), "1970-01-01");
        assert_eq!(day("20454"), "2026-01-01");
    }

    #[test]
    fn what_usage_cannot_be_told_apart_by_is_refused_with_what_it_can() {
        let detail = |named| group(Some(named)).unwrap_err().detail;
        assert!(detail("modle").contains("did you mean “model”"), "{}", detail("modle"));
        assert!(detail("key").contains("requested_model"));
        assert_eq!(group(None).unwrap(), UsageBy::Model);
    }
}
