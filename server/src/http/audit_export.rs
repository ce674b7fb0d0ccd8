//! `GET /admin/audit.jsonl`, `GET /operator/audit.jsonl`, and for programs `GET /api/v1/audit/export`: a whole audit log, an entry a line, oldest first.
//!
//! Each line carries the hash that seals it and all before it, so that whoever keeps the file can verify it, and the
//! log against it. Read in pages while it is sent: a long log is never in memory as a whole. What goes wrong on the
//! way breaks the transfer off, so that a part never looks like the whole.

use super::{
    WebState,
    answer::{self, Reader},
    session::Visitor,
};
use axum::{
    Extension,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use contract::Problem;
use futures::stream::{self, Stream};
use http::header;
use platform::{IntoProblem, Platform};
use std::sync::Arc;
use tenancy::{Management, OperatorScope, Principal, Scope, SealedEntry, TenancyError};

/// Whose log.
pub(super) enum Whose {
    Tenant(Scope),
    /// Of a tenant, for whoever manages it with a key.
    Managed(Management),
    Platform(OperatorScope),
}

impl Whose {
    async fn after(&self, platform: &Platform, seq: i64) -> Result<Vec<SealedEntry>, TenancyError> {
        match self {
            Self::Tenant(scope) => platform.tenancy.audit_export(scope, seq).await,
            Self::Managed(management) => platform.tenancy.audit_export(management, seq).await,
            Self::Platform(operator) => platform.tenancy.audit_export_of_platform(operator, seq).await,
        }
    }
}

pub(super) async fn of_tenant(State(state): State<WebState>, Extension(visitor): Extension<Visitor>) -> Response {
    let whose = visitor.0.ok_or(TenancyError::NotSignedIn).and_then(|principal| principal.scope());
    export(&state, whose.map(Whose::Tenant), "audit.jsonl").await
}

pub(super) async fn of_platform(State(state): State<WebState>, Extension(visitor): Extension<Visitor>) -> Response {
    let whose = visitor.0.ok_or(TenancyError::NotSignedIn).and_then(|principal: Principal| principal.operator_scope());
    export(&state, whose.map(Whose::Platform), "platform-audit.jsonl").await
}

pub(super) async fn export(state: &WebState, whose: Result<Whose, TenancyError>, name: &str) -> Response {
    let platform = Arc::clone(state.platform());
    let begun: Result<_, Problem> = async {
        let whose = whose.map_err(IntoProblem::into_problem)?;
        // The first page before the answer begins: a refusal is a status, not a broken file.
        let first = whose.after(&platform, 0).await.map_err(IntoProblem::into_problem)?;
        Ok((whose, first))
    }
    .await;
    match begun {
        Ok((whose, first)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/jsonl".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
                (header::CACHE_CONTROL, "private, no-store".to_owned()),
            ];
            (headers, Body::from_stream(pages(platform, whose, first))).into_response()
        }
        Err(problem) => answer::problem(&problem, Reader::Program),
    }
}

type Page = Vec<SealedEntry>;

fn pages(
    platform: Arc<Platform>,
    whose: Whose,
    first: Page,
) -> impl Stream<Item = Result<String, Box<dyn std::error::Error + Send + Sync>>> + Send {
    stream::try_unfold((platform, whose, first), |(platform, whose, page)| async move {
        let Some(last) = page.last().map(|entry| entry.entry.seq) else { return Ok(None) };
        let mut lines = String::new();
        for entry in &page {
            lines.push_str(&serde_json::to_string(entry)?);
            lines.push('\n');
        }
        let next = whose.after(&platform, last).await?;
        Ok(Some((lines, (platform, whose, next))))
    })
}
