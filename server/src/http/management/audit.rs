//! `/api/v1/audit`: who changed what, in a tenant or on the platform.

use super::{
    super::audit_export::{self, Whose},
    WebState,
    caller::Caller,
    input::{Asked, window},
    refusal::{Absent, Refusal, Refused},
    wire::PartOf,
};
use axum::{Json, extract::State, response::Response};
use contract::{AuditEntry, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One line of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    /// Its number in its log, from 1 and without gaps.
    seq: i64,
    at: i64,
    /// `user:<id>`, `key:<id>`, `command-line` or `upkeep`.
    actor: String,
    /// What the actor was called then.
    name: String,
    /// For whom they acted, where that was not themself.
    on_behalf_of: Option<String>,
    address: Option<String>,
    /// `noun.verb`, such as `member.invite`.
    action: String,
    /// What it was done to.
    target: String,
    /// What was so before, and after.
    #[schema(value_type = Object)]
    change: serde_json::Value,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at.as_millis(),
            actor: entry.actor,
            name: entry.name,
            on_behalf_of: entry.on_behalf_of,
            address: entry.address,
            action: entry.action,
            target: entry.target,
            change: serde_json::from_str(&entry.change).unwrap_or(serde_json::Value::Null),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// The tenant's short name or id; without it an operator's key reads the platform's own log
    tenant: Option<String>,
    /// Only entries whose name, action or target contains this
    q: Option<String>,
    /// Only entries with a smaller number: `next` of the answer before
    before: Option<i64>,
    /// Entries at once, at most 200; 50 unless given
    per_page: Option<i64>,
}

/// Read the log
///
/// Newest first. Each tenant has a log of its own, and the platform has one.
#[utoipa::path(get, path = "/api/v1/audit", tag = "Log", params(AuditQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The newest entries, or those before a number", body = PartOf<Entry>),
        Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<PartOf<Entry>>, Refusal> {
    let (_, size) = window(None, query.per_page)?;
    if query.before.is_some_and(|before| before < 1) {
        let detail = "“before” is the number of an entry, from 1: take it from “next” of the answer before.";
        return Err(Problem::field("before", detail).into());
    }
    let (tenancy, words) = (&state.platform().tenancy, query.q.unwrap_or_default());
    let entries = match (&caller, query.tenant.as_deref()) {
        (Caller::Operator(operator), None) => {
            tenancy.audit_page_of_platform(operator, query.before, &words, size).await?
        }
        (caller, named) => {
            let manager = caller.manager(&state, named).await?;
            tenancy.audit_page(&manager, query.before, &words, size).await?
        }
    };
    let whole = i64::try_from(entries.len()).unwrap_or(i64::MAX) == size;
    let next = entries.last().filter(|last| whole && last.seq > 1).map(|last| last.seq.to_string());
    Ok(Json(PartOf { data: entries.into_iter().map(Entry::from).collect(), next }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditExportQuery {
    /// The tenant's short name or id; without it an operator's key reads the platform's own log
    tenant: Option<String>,
}

/// Download the log with its seals
///
/// All of it, oldest first, an entry a line, each with the `hash` that seals it and all before it: keep the file, and
/// whoever has it can verify it, and the log against it. `change` is the text that was hashed.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "Log", params(AuditExportQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The log; a transfer that breaks off is not the whole",
        content_type = "application/jsonl", body = String), Refused, Absent))]
pub(super) async fn export(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<AuditExportQuery>,
) -> Result<Response, Refusal> {
    let whose = match (caller, query.tenant.as_deref()) {
        (Caller::Operator(operator), None) => Whose::Platform(operator),
        (caller, named) => Whose::Managed(caller.manager(&state, named).await?),
    };
    let name = if matches!(whose, Whose::Platform(_)) { "platform-audit.jsonl" } else { "audit.jsonl" };
    Ok(audit_export::export(&state, Ok(whose), name).await)
}
