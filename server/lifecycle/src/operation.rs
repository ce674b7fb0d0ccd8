//! What is under way: a row from before the first thing that an import or a deletion does until its last.

use crate::LifecycleError;
use contract::{Slug, TenantId, Timestamp};
use store::{ControlStore, FromRow, Row, StoreError, Transaction};
use tenancy::OperatorScope;

const OF_TENANT: &str = "SELECT tenant_id, slug, kind, archive, found, started_by, started_at
FROM tenant_operation WHERE tenant_id = $1";
const OF_SLUG: &str = "SELECT tenant_id, slug, kind, archive, found, started_by, started_at
FROM tenant_operation WHERE slug = $1";
const ALL: &str = "SELECT slug, kind FROM tenant_operation ORDER BY slug";
const INSERT: &str = "
INSERT INTO tenant_operation (tenant_id, slug, kind, archive, started_by, started_at)
VALUES ($1, $2, $3, $4, $5, $6)";
const TURN: &str = "UPDATE tenant_operation SET kind = 'delete', archive = NULL WHERE tenant_id = $1";
const NOTE: &str = "UPDATE tenant_operation SET found = $2 WHERE tenant_id = $1";
const END: &str = "DELETE FROM tenant_operation WHERE tenant_id = $1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Import,
    Delete,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Delete => "delete",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) tenant: TenantId,
    pub(crate) slug: Slug,
    pub(crate) kind: Kind,
    /// Of an import: the hash of the archive's content.
    pub(crate) archive: Option<String>,
    /// Of a deletion: what there was, as JSON.
    pub(crate) found: Option<String>,
    pub(crate) started_by: String,
    pub(crate) started_at: Timestamp,
}

impl FromRow for Operation {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let kind: String = row.get("kind")?;
        Ok(Self {
            tenant: row.get("tenant_id")?,
            slug: row.get("slug")?,
            kind: if kind == Kind::Import.as_str() { Kind::Import } else { Kind::Delete },
            archive: row.get("archive")?,
            found: row.get("found")?,
            started_by: row.get("started_by")?,
            started_at: row.get("started_at")?,
        })
    }
}

pub(crate) async fn of_tenant(control: &ControlStore, tenant: TenantId) -> Result<Option<Operation>, StoreError> {
    control.read(OF_TENANT).bind(tenant).fetch_optional().await
}

pub(crate) async fn of_slug(control: &ControlStore, slug: &Slug) -> Result<Option<Operation>, StoreError> {
    control.read(OF_SLUG).bind(slug.clone()).fetch_optional().await
}

pub(crate) async fn find(tx: &mut Transaction, tenant: TenantId) -> Result<Option<Operation>, StoreError> {
    tx.query(OF_TENANT).bind(tenant).fetch_optional().await
}

pub(crate) async fn find_slug(tx: &mut Transaction, slug: &Slug) -> Result<Option<Operation>, StoreError> {
    tx.query(OF_SLUG).bind(slug.clone()).fetch_optional().await
}

/// Notes that it begins.
pub(crate) async fn begin(
    tx: &mut Transaction,
    (tenant, slug): (TenantId, &Slug),
    kind: Kind,
    archive: Option<&str>,
    (operator, now): (&OperatorScope, Timestamp),
) -> Result<(), LifecycleError> {
    let insert = tx.query(INSERT).bind(tenant).bind(slug.clone()).bind(kind.as_str()).bind(archive);
    insert.bind(operator.author().name()).bind(now).execute().await?;
    Ok(())
}

/// An import that is not to be completed is deleted instead.
pub(crate) async fn turn_into_deletion(tx: &mut Transaction, tenant: TenantId) -> Result<(), StoreError> {
    tx.query(TURN).bind(tenant).execute().await?;
    Ok(())
}

pub(crate) async fn note(control: &ControlStore, tenant: TenantId, found: &str) -> Result<(), StoreError> {
    control.write(NOTE).bind(tenant).bind(found).execute().await?;
    Ok(())
}

pub(crate) async fn end(tx: &mut Transaction, tenant: TenantId) -> Result<(), StoreError> {
    tx.query(END).bind(tenant).execute().await?;
    Ok(())
}

struct UnfinishedRow(String);

impl FromRow for UnfinishedRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let (slug, kind): (String, String) = (row.get("slug")?, row.get("kind")?);
        let remedy = if kind == Kind::Import.as_str() {
            format!("import the same archive again, or remove what it left: seam tenant delete {slug}")
        } else {
            format!("complete it: seam tenant delete {slug}")
        };
        let what = if kind == Kind::Import.as_str() { "import as" } else { "deletion of" };
        Ok(Self(format!("the {what} “{slug}” is under way or was interrupted; {remedy}")))
    }
}

/// Imports and deletions that are not complete, each with what to do, for people.
///
/// # Errors
/// Those of the store.
pub async fn unfinished(control: &ControlStore) -> Result<Vec<String>, StoreError> {
    let rows: Vec<UnfinishedRow> = control.read(ALL).fetch_all().await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}
