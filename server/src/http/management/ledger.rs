//! `/api/v1/ledger`: every attempt at a model, as it was billed.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, parsed, window},
    refusal::{Absent, Refusal, Refused},
    usage::span,
    wire::{PartOf, millis},
};
use axum::{Json, extract::State};
use metering::{LedgerPlace, LedgerRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One attempt at a model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Attempt {
    request_id: String,
    /// From 1 within its request.
    attempt: i64,
    /// `dispatched`, `succeeded`, `failed`, `stopped`, `cut` or `interrupted`.
    status: String,
    error_code: Option<String>,
    provider: String,
    /// The provider's own name of the model.
    model: String,
    /// What was asked for.
    requested_model: String,
    input_tokens: Option<i64>,
    /// Those of `input_tokens` that the provider read from its cache.
    cached_input_tokens: Option<i64>,
    /// Those of `input_tokens` that the provider took into its cache.
    cache_write_tokens: Option<i64>,
    /// Those of `cache_write_tokens` that it keeps for an hour.
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    /// Those of `output_tokens` that the model thought with, where the provider tells.
    reasoning_tokens: Option<i64>,
    /// Billionths of a US dollar; none is unknown, never zero.
    cost_nanousd: Option<i64>,
    /// The same as decimal text in dollars.
    cost_usd: Option<String>,
    /// The price version in force when it was dispatched.
    price_version: Option<i64>,
    /// The prompt config that applied.
    prompt: Option<String>,
    prompt_version: Option<i64>,
    /// Whether the provider reported the tokens, rather than that they were estimated.
    measured: bool,
    /// Made by a demo's seed, not by traffic.
    seeded: bool,
    /// `hit` or `semantic`: an answer that was there already. None: a provider was asked.
    cache: Option<String>,
    /// What that answer cost when it was made, in billionths of a US dollar; none is unknown.
    saved_nanousd: Option<i64>,
    /// Whether the tenant's own key was used, whose provider bills the tenant.
    own_key: bool,
    /// What the tokens were for.
    feature: String,
    /// The person who asked.
    user: Option<String>,
    dispatched_at: i64,
    settled_at: Option<i64>,
    first_token_ms: Option<i64>,
    total_ms: Option<i64>,
}

impl From<LedgerRow> for Attempt {
    fn from(row: LedgerRow) -> Self {
        let (prompt, prompt_version) = row.prompt.unzip();
        Self {
            request_id: row.request.to_string(),
            attempt: row.attempt.0,
            status: row.status.to_string(),
            error_code: row.error_code,
            provider: row.provider,
            model: row.provider_model,
            requested_model: row.requested_model,
            input_tokens: row.usage.input,
            cached_input_tokens: row.usage.cached_input,
            cache_write_tokens: row.usage.cache_write,
            cache_write_1h_tokens: row.usage.cache_write_1h,
            output_tokens: row.usage.output,
            reasoning_tokens: row.usage.reasoning,
            cost_nanousd: row.cost.map(contract::NanoUsd::as_nanos),
            cost_usd: row.cost.map(|cost| cost.to_string()),
            price_version: row.price_version,
            prompt,
            prompt_version,
            measured: row.measured,
            seeded: row.seeded,
            cache: row.cache.map(|kind| kind.to_string()),
            saved_nanousd: row.saved.map(contract::NanoUsd::as_nanos),
            own_key: row.own_key,
            feature: row.feature.to_string(),
            user: row.user.map(|user| user.to_string()),
            dispatched_at: row.dispatched_at.as_millis(),
            settled_at: millis(row.settled_at),
            first_token_ms: row.first_token_ms,
            total_ms: row.total_ms,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// The tenant's short name or id; an operator's key must name it
    tenant: Option<String>,
    /// Only the attempts of this request, in order
    request_id: Option<String>,
    /// From this moment on: RFC 3339, a day such as 2026-01-01, or milliseconds since 1970
    from: Option<String>,
    /// Until before this moment, spelt like `from`
    to: Option<String>,
    /// `next` of the answer before
    before: Option<String>,
    /// Rows at once, at most 200; 50 unless given
    per_page: Option<i64>,
}

/// Read the ledger
///
/// Newest first; of one request in the order of its attempts. An id of another tenant's request finds nothing.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "Usage and ledger", params(LedgerQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "Attempts", body = PartOf<Attempt>), Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<LedgerQuery>,
) -> Result<Json<PartOf<Attempt>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (_, size) = window(None, query.per_page)?;
    let span = span(query.from.as_deref(), query.to.as_deref())?;
    let place = query.before.as_deref().map(|place| parsed::<LedgerPlace>("before", place)).transpose()?;
    let metering = &state.platform().metering;
    if let Some(request) = query.request_id.as_deref() {
        let rows = metering.ledger_of_request(&manager, parsed("request_id", request)?).await?;
        return Ok(Json(PartOf { data: rows.into_iter().map(Attempt::from).collect(), next: None }));
    }
    let rows = metering.ledger_page(&manager, span, place, size).await?;
    let whole = i64::try_from(rows.len()).unwrap_or(i64::MAX) == size;
    let next = rows.last().filter(|_| whole).map(|row| LedgerPlace::of(row).to_string());
    Ok(Json(PartOf { data: rows.into_iter().map(Attempt::from).collect(), next }))
}
