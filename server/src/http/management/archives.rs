//! `/api/v1/tenants/{name}/archive`: a tenant as a whole, out of one installation and into another.
//!
//! What always holds: an archive passes through a file and never through memory; its length is said before its first
//! byte and its first line has the hash of the rest, so that a part never looks like the whole. Bodies here are no
//! JSON and may be large, so these routes stand outside the bounds on all others (`router.rs`).

use super::{
    WebState,
    caller::Operator,
    input::{Asked, Named, parsed},
    refusal::{Absent, Busy, Conflicting, Oversized, Refusal, Refused},
    tenants::{self, NoQuery, Tenant},
};
use axum::{
    Json,
    body::{Body, BodyDataStream, HttpBody},
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use contract::{Problem, ProblemCode, Slug};
use futures::stream::{self, Stream, StreamExt};
use http::{StatusCode, header};
use lifecycle::{ImportOptions, LifecycleError, MissingPlan};
use platform::{ArchiveError, ArchiveIn, ArchiveOut, MOST_ARCHIVE_BYTES};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{io::AsyncReadExt, time::timeout};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// Between two pieces of an archive that arrives.
const MAX_PAUSE: Duration = Duration::from_secs(60);
const PIECE: usize = 64 << 10;

/// What `seam tenant export` writes, too.
pub(super) struct Archive;

impl PartialSchema for Archive {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Archive {}

/// Export a tenant
///
/// Everything of it: its people with the hashes of their passwords, keys, conversations, ledger and log. Keep it as you
/// keep the database. `seam tenant import` takes it as well, on either engine.
#[utoipa::path(get, path = "/api/v1/tenants/{name}/archive", tag = "Tenants",
    params(("name" = String, Path, description = "Its short name or its id")),
    security(("operator_key" = [])),
    responses((status = 200, description = "The archive, whole if it has the length that was said",
        content_type = "application/octet-stream", body = inline(Archive)), Refused, Absent, Conflicting, Busy))]
pub(super) async fn export(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Response, Refusal> {
    let found = state.platform().tenancy.tenant_find(&operator, &name.0).await?;
    let archive = state.platform().archive_export(&operator, &found.slug).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, archive.length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.seam\"", found.slug)),
    ];
    Ok((headers, Body::from_stream(pieces(archive))).into_response())
}

fn pieces(archive: ArchiveOut) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    stream::try_unfold(archive, |mut archive| async move {
        let mut piece = Vec::with_capacity(PIECE);
        let read = (&mut archive.file).take(PIECE as u64).read_to_end(&mut piece).await?;
        Ok((read > 0).then(|| (Bytes::from(piece), archive)))
    })
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Where the tenant's plan is missing here: `create` makes it as it is in the archive, `none` leaves the tenant
    /// without; refused unless given
    plan: Option<String>,
}

/// What was imported.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Imported {
    tenant: Tenant,
    /// Over what is the tenant's own; the same wherever the same content is.
    content_sha256: String,
    rows: u64,
    /// People who were made.
    accounts_created: u64,
    /// People who were here already, by their address; nothing of them was changed.
    accounts_linked: u64,
    /// What you should know.
    notes: Vec<String>,
}

/// Import a tenant
///
/// Under this name, which must be free: whole or not at all. Beside the tenant that the archive was made of it becomes
/// a copy with an id of its own, without that one's keys and invitations. Interrupted, the same call completes it.
#[utoipa::path(put, path = "/api/v1/tenants/{name}/archive", tag = "Tenants",
    params(("name" = String, Path, description = "The short name that it is to have"), ImportQuery),
    request_body(content = inline(Archive), content_type = "application/octet-stream", description = "The archive"),
    security(("operator_key" = [])),
    responses((status = 201, description = "It is here", body = Imported), Refused, Conflicting, Busy,
        Oversized))]
pub(super) async fn import(
    State(state): State<WebState>,
    Operator(operator): Operator,
    name: Named,
    Asked(query): Asked<ImportQuery>,
    body: Body,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<Imported>), Refusal> {
    let slug: Slug = parsed("name", &name.0)?;
    let options = ImportOptions { name: Some(slug.clone()), missing_plan: missing_plan(query.plan.as_deref())? };
    if body.size_hint().lower() > MOST_ARCHIVE_BYTES {
        return Err(ArchiveError::TooLarge.into());
    }
    // Before it has travelled; the import itself looks again.
    if state.platform().tenancy.tenant_by_slug(&slug).await?.is_some() {
        return Err(LifecycleError::SlugTaken { slug }.into());
    }
    let archive = arrived(state.platform().archive_receive().await?, body.into_data_stream()).await?;
    let imported = state.platform().archive_import(&operator, archive, options).await?;
    let told = Imported {
        tenant: tenants::shown(&state, &operator, imported.slug.as_str()).await?,
        content_sha256: imported.manifest.content_sha256.clone(),
        rows: imported.manifest.rows(),
        accounts_created: imported.accounts_created,
        accounts_linked: imported.accounts_linked,
        notes: imported.notes,
    };
    let place = [(header::LOCATION, format!("/api/v1/tenants/{}", imported.slug))];
    Ok((StatusCode::CREATED, place, Json(told)))
}

fn missing_plan(named: Option<&str>) -> Result<MissingPlan, Problem> {
    match named {
        None => Ok(MissingPlan::Refuse),
        Some("create") => Ok(MissingPlan::Create),
        Some("none") => Ok(MissingPlan::LeaveOut),
        Some(_) => Err(Problem::field("plan", "“plan” is create or none; leave it out to be asked.")),
    }
}

async fn arrived(mut archive: ArchiveIn, mut pieces: BodyDataStream) -> Result<ArchiveIn, Refusal> {
    loop {
        match timeout(MAX_PAUSE, pieces.next()).await {
            Ok(Some(Ok(piece))) => archive.take(&piece).await?,
            Ok(None) => return Ok(archive),
            Ok(Some(Err(_))) | Err(_) => {
                let detail = "The archive did not arrive whole. Nothing was imported; send it again.";
                return Err(Problem::new(ProblemCode::InvalidInput, detail).into());
            }
        }
    }
}
