//! Importing a tenant from an archive, on whichever engine this installation runs.
//!
//! The archive is read twice: once to see that all of it is sound, and once to place it. The tenant appears with the last
//! transaction; until then there are rows under an id that no tenant has, and a note of the operation. Doing the same
//! again after an interruption removes those rows and begins anew, under the same id.

use crate::{
    Lifecycle, LifecycleError, Manifest,
    archive::{Piece, read, verify},
    operation::{self, Kind},
    placing::Placing,
};
use contract::{Slug, TenantId};
use serde_json::json;
use std::path::{Path, PathBuf};
use store::{Exclusive, FromRow, Row, StoreError, Transaction};
use tenancy::{OperatorScope, audit_seal_tenant, audit_verify_tenant};
use tokio::{
    sync::mpsc::{self, Receiver},
    task::JoinHandle,
};

const SLUG_OF: &str = "SELECT slug AS value FROM tenant WHERE id = $1";
const ID_OF: &str = "SELECT id AS value FROM tenant WHERE slug = $1";
const LEDGER_CLEAR: &str = "DELETE FROM ledger_attempt WHERE tenant_id = $1";
const AUDIT_CLEAR: &str = "DELETE FROM audit_entry WHERE chain = $1";

/// Pages that wait for the database.
const WAITING: usize = 4;

/// What to do about a plan that this installation does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingPlan {
    /// Say so and do nothing.
    #[default]
    Refuse,
    /// Create it as it is in the archive.
    Create,
    /// Import the tenant without a plan.
    LeaveOut,
}

/// How an archive is imported.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Another short name than the one in the archive. Where the tenant itself is here already, its copy also gets
    /// another id.
    pub name: Option<Slug>,
    pub missing_plan: MissingPlan,
}

/// What an import did.
#[derive(Debug, Clone)]
pub struct Imported {
    pub tenant: TenantId,
    pub slug: Slug,
    pub manifest: Manifest,
    pub accounts_created: u64,
    /// Accounts that were here under their address; nothing of them was changed.
    pub accounts_linked: u64,
    /// What an operator should know.
    pub notes: Vec<String>,
}

struct IdRow(TenantId);

impl FromRow for IdRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("value")?))
    }
}

impl Lifecycle {
    /// Restores a tenant from an archive, whole or not at all; completes an import that was interrupted.
    ///
    /// # Errors
    /// `SlugTaken`, `AlreadyHere`, `Damaged`, `Newer`, `NoSuchPlan`, `Conflict`, `Occupied`: nothing was imported.
    pub async fn tenant_import(
        &self,
        operator: &OperatorScope,
        archive: &Path,
        options: ImportOptions,
    ) -> Result<Imported, LifecycleError> {
        let path = archive.to_owned();
        let manifest = tokio::task::spawn_blocking(move || verify(&path)).await??;
        let Some(_exclusive) = Exclusive::take(&self.location).await? else { return Err(LifecycleError::Occupied) };
        let slug = options.name.clone().unwrap_or_else(|| manifest.slug.clone());
        let tenant = self.import_begin(operator, &manifest, &slug, options.name.is_some()).await?;
        let mut placing = Placing::new(self, archive, &manifest, (tenant, slug.clone()), options.missing_plan);
        let placed = self.place(operator, archive, tenant, &mut placing).await;
        if let Err(error) = placed {
            // What cannot be placed this time cannot the next time either, unless something is changed: start clean.
            if let Err(left) = self.import_abandon(operator, tenant).await {
                tracing::warn!(%tenant, error = %left, "what an import left could not be removed; seam tenant delete does");
            }
            return Err(error);
        }
        let (accounts_created, accounts_linked, notes) = placing.outcome();
        Ok(Imported { tenant, slug, manifest, accounts_created, accounts_linked, notes })
    }

    async fn place(
        &self,
        operator: &OperatorScope,
        archive: &Path,
        tenant: TenantId,
        placing: &mut Placing<'_>,
    ) -> Result<(), LifecycleError> {
        self.clear(operator, tenant).await?;
        operator.tenant_plane_admit(&self.stores, tenant);
        let plane = operator.tenant_plane(&self.stores, tenant).await?;
        placing.learn(&plane).await?;
        let (mut pieces, reading) = read_in_background(archive.to_owned());
        let mut placed = Ok(());
        while let Some(piece) = pieces.recv().await {
            placed = placing.take(piece, &plane).await;
            if placed.is_err() {
                break;
            }
        }
        drop(pieces);
        let read = reading.await?;
        placed?;
        // It was changed since it was verified.
        let again = read?;
        placing.same_as_verified(&again)?;
        let chain = audit_verify_tenant(&self.control, tenant).await?;
        placing.chain_is_whole(&chain)?;
        self.import_end(operator, placing).await
    }

    /// Finds or notes the operation; returns the id that the tenant will have.
    async fn import_begin(
        &self,
        operator: &OperatorScope,
        manifest: &Manifest,
        slug: &Slug,
        is_renamed: bool,
    ) -> Result<TenantId, LifecycleError> {
        let mut tx = self.control.begin().await?;
        if let Some(begun) = operation::find_slug(&mut tx, slug).await? {
            return match begun.kind {
                Kind::Delete => Err(LifecycleError::BeingDeleted { slug: slug.to_string() }),
                Kind::Import if begun.archive.as_ref() == Some(&manifest.content_sha256) => Ok(begun.tenant),
                Kind::Import => Err(LifecycleError::OtherImport { slug: slug.to_string() }),
            };
        }
        if id_of(&mut tx, slug).await?.is_some() {
            return Err(LifecycleError::SlugTaken { slug: slug.clone() });
        }
        let here: Option<String> = tx.query(SLUG_OF).bind(manifest.tenant).fetch_optional().await?;
        let begun = operation::find(&mut tx, manifest.tenant).await?;
        let here = here.or_else(|| begun.map(|operation| operation.slug.to_string()));
        let tenant = match here {
            None => manifest.tenant,
            Some(_) if is_renamed => TenantId::new(),
            Some(slug) => return Err(LifecycleError::AlreadyHere { slug }),
        };
        let by = (operator, self.now());
        operation::begin(&mut tx, (tenant, slug), Kind::Import, Some(&manifest.content_sha256), by).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// What an interrupted import left, or would leave.
    async fn clear(&self, operator: &OperatorScope, tenant: TenantId) -> Result<(), LifecycleError> {
        operator.tenant_plane_remove(&self.stores, tenant).await?;
        let mut tx = self.control.begin().await?;
        tx.query(LEDGER_CLEAR).bind(tenant).execute().await?;
        tx.query(AUDIT_CLEAR).bind(tenant).execute().await?;
        tx.commit().await?;
        Ok(())
    }

    async fn import_abandon(&self, operator: &OperatorScope, tenant: TenantId) -> Result<(), LifecycleError> {
        // Only what is no tenant yet: a commit whose answer got lost may have made it one.
        if self.control.read(SLUG_OF).bind(tenant).fetch_optional::<String>().await?.is_some() {
            return Ok(());
        }
        self.clear(operator, tenant).await?;
        let mut tx = self.control.begin().await?;
        operation::end(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The last transaction: with it the tenant is there.
    async fn import_end(&self, operator: &OperatorScope, placing: &mut Placing<'_>) -> Result<(), LifecycleError> {
        let mut tx = self.control.begin().await?;
        let (tenant, slug) = placing.tenant();
        if id_of(&mut tx, &slug).await?.is_some() {
            return Err(LifecycleError::SlugTaken { slug });
        }
        placing.place_held(&mut tx).await?;
        placing.prove_namesakes(&mut tx, self.now()).await?;
        placing.leave_running(&mut tx).await?;
        audit_seal_tenant(&mut tx, tenant).await?;
        let manifest = placing.manifest();
        let after = json!({
            "tenant": tenant, "from": manifest.tenant, "content_sha256": manifest.content_sha256,
            "rows": manifest.rows(), "exported_at": manifest.exported_at, "engine": manifest.engine,
            "audit_entries": manifest.audit_entries, "audit_last_hash": manifest.audit_last_hash,
        });
        operator.record(&mut tx, self.now(), "tenant.import", slug.as_str(), after).await?;
        operation::end(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn id_of(tx: &mut Transaction, slug: &Slug) -> Result<Option<TenantId>, StoreError> {
    Ok(tx.query(ID_OF).bind(slug.clone()).fetch_optional::<IdRow>().await?.map(|row| row.0))
}

fn read_in_background(path: PathBuf) -> (Receiver<Piece>, JoinHandle<Result<Manifest, LifecycleError>>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || {
        read(&path, |piece| {
            // Whoever listens no more has a reason, and tells it.
            sender.blocking_send(piece).map_err(|_| LifecycleError::Occupied)
        })
    });
    (receiver, reading)
}
