//! Deleting a tenant without a trace.
//!
//! In steps, each of which can be repeated: it is closed to everybody, what there is gets counted and noted, its store
//! goes, its rows in the control plane go in one transaction, and what lies about in the file is overwritten. Last comes
//! the entry in the platform's log, with the certificate, in the transaction that ends the operation. A deletion that
//! was interrupted goes on with the first step whose outcome is missing.

use crate::{
    Certificate, Lifecycle, LifecycleError, Plane,
    coverage::{Known, pair},
    operation::{self, Kind, Operation},
    survey::{Survey, leaving, matching, of_account, of_tenant},
};
use contract::{Slug, TenantId};
use serde_json::json;
use std::time::{Duration, Instant};
use store::{Exclusive, FromRow, Row, StoreError, Transaction};
use tenancy::OperatorScope;

const SLUG: &str = "SELECT slug FROM tenant WHERE id = $1";
/// Whoever asks is refused from now on, and told why.
const CLOSE: &str = "
UPDATE tenant SET suspended_at = COALESCE(suspended_at, $2), suspended_for = 'This workspace is being deleted.'
WHERE id = $1";
const RUNNING: &str = "SELECT COUNT(*) AS value FROM run WHERE tenant_id = $1 AND status = 'running'";
const CERTIFIED: &str = "
SELECT change AS value FROM audit_entry
WHERE chain = '' AND action = 'tenant.delete' AND target = $1 ORDER BY seq DESC LIMIT 1";

const PAUSE: Duration = Duration::from_millis(100);
const GRACE: Duration = Duration::from_millis(500);
/// Rows can come back only from requests that began before the tenant was closed.
const SWEEPS: u32 = 5;

/// What is to become of answers that are being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderWay {
    /// None can be: no server runs on this data.
    NoServer,
    /// They are waited for, for so long.
    WaitFor(Duration),
}

/// What `seam tenant delete` finds under a name.
#[derive(Debug, Clone)]
pub enum Doomed {
    /// There is such a tenant, or what an import of it left behind, or its deletion was interrupted.
    Present { tenant: TenantId, interrupted: bool, places: Vec<crate::Place>, accounts: u64 },
    /// It was deleted already.
    Gone(Box<Certificate>),
}

struct SlugRow(Slug);

impl FromRow for SlugRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("slug")?))
    }
}

impl Lifecycle {
    /// What deleting the tenant of this name would do; changes nothing.
    ///
    /// # Errors
    /// `UnknownTenant` where there is none, and none was deleted.
    pub async fn tenant_doomed(&self, operator: &OperatorScope, slug: &Slug) -> Result<Doomed, LifecycleError> {
        let interrupted = operation::of_slug(&self.control, slug).await?;
        let tenant = match &interrupted {
            Some(operation) => Some(operation.tenant),
            None => self.tenancy.tenant_by_slug(slug).await?.map(|tenant| tenant.id),
        };
        let Some(tenant) = tenant else {
            return match self.certificate_of(slug).await? {
                Some(certificate) => Ok(Doomed::Gone(Box::new(certificate))),
                None => Err(LifecycleError::UnknownTenant(slug.to_string())),
            };
        };
        let noted = interrupted.as_ref().and_then(|operation| operation.found.as_deref());
        let survey: Survey = match noted {
            Some(found) => serde_json::from_str(found)?,
            None => self.survey(operator, tenant).await?,
        };
        Ok(Doomed::Present {
            tenant,
            interrupted: interrupted.is_some(),
            places: survey.places,
            accounts: survey.accounts,
        })
    }

    /// The certificate of the last tenant of this name that was deleted.
    async fn certificate_of(&self, slug: &Slug) -> Result<Option<Certificate>, LifecycleError> {
        let change: Option<String> = self.control.read(CERTIFIED).bind(slug.clone()).fetch_optional().await?;
        let Some(change) = change else { return Ok(None) };
        let change: serde_json::Value = serde_json::from_str(&change)?;
        Ok(change.pointer("/after/certificate").cloned().map(serde_json::from_value).transpose()?)
    }

    /// The first step alone: from the next request on nobody enters the tenant any more. Then end the answers that this
    /// process writes in it, and call [`Lifecycle::tenant_delete`]. Cannot be taken back.
    ///
    /// # Errors
    /// `UnknownTenant`; `NotConfirmed` unless `confirmed` is the tenant's short name.
    pub async fn tenant_delete_begin(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        confirmed: &str,
    ) -> Result<(), LifecycleError> {
        self.close(operator, tenant, confirmed).await.map(drop)
    }

    /// Deletes a tenant and everything of it, or completes a deletion (or an import) that was interrupted.
    ///
    /// # Errors
    /// `UnknownTenant`; `NotConfirmed` unless `confirmed` is the tenant's short name; `StillAnswering` when an answer does
    /// not end in time, `Occupied` while another tenant is imported or deleted: then call it again.
    pub async fn tenant_delete(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        confirmed: &str,
        under_way: UnderWay,
    ) -> Result<Certificate, LifecycleError> {
        let Some(_exclusive) = Exclusive::take(&self.location).await? else { return Err(LifecycleError::Occupied) };
        let operation = self.close(operator, tenant, confirmed).await?;
        let survey = match &operation.found {
            Some(found) => serde_json::from_str(found)?,
            None => {
                self.drain(operator, &operation, under_way).await?;
                let survey = self.survey(operator, tenant).await?;
                operation::note(&self.control, tenant, &serde_json::to_string(&survey)?).await?;
                survey
            }
        };
        self.remove(operator, tenant).await?;
        self.stores.scrub().await?;
        self.control.scrub().await?;
        self.certify(operator, operation, survey).await
    }

    async fn close(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        confirmed: &str,
    ) -> Result<Operation, LifecycleError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let begun = operation::find(&mut tx, tenant).await?;
        let slug = match &begun {
            Some(operation) => Some(operation.slug.clone()),
            None => tx.query(SLUG).bind(tenant).fetch_optional::<SlugRow>().await?.map(|row| row.0),
        };
        let slug = slug.ok_or_else(|| LifecycleError::UnknownTenant(tenant.to_string()))?;
        if confirmed.trim() != slug.as_str() {
            return Err(LifecycleError::NotConfirmed { slug });
        }
        match &begun {
            Some(operation) if operation.kind == Kind::Delete => {}
            Some(_) => operation::turn_into_deletion(&mut tx, tenant).await?,
            None => operation::begin(&mut tx, (tenant, &slug), Kind::Delete, None, (operator, now)).await?,
        }
        if begun.as_ref().is_none_or(|operation| operation.kind != Kind::Delete) {
            tx.query(CLOSE).bind(tenant).bind(now).execute().await?;
            let after = json!({ "tenant": tenant });
            operator.record(&mut tx, now, "tenant.delete_begin", slug.as_str(), after).await?;
        }
        let operation = operation::find(&mut tx, tenant).await?;
        tx.commit().await?;
        self.tenancy.forget_keys();
        operation.ok_or_else(|| LifecycleError::UnknownTenant(slug.to_string()))
    }

    /// Waits until no answer is being written.
    async fn drain(
        &self,
        operator: &OperatorScope,
        operation: &Operation,
        under_way: UnderWay,
    ) -> Result<(), LifecycleError> {
        let UnderWay::WaitFor(limit) = under_way else { return Ok(()) };
        let tenant = operation.tenant;
        // Who came in just before the door was shut may be about to begin an answer.
        tokio::time::sleep(GRACE).await;
        if !self.location.is_shared() && operator.tenant_plane_files(&self.stores, tenant).is_empty() {
            return Ok(());
        }
        let plane = operator.tenant_plane(&self.stores, tenant).await?;
        let began = Instant::now();
        while plane.read(RUNNING).bind(tenant).fetch_one::<i64>().await? > 0 {
            if began.elapsed() >= limit {
                return Err(LifecycleError::StillAnswering { slug: operation.slug.to_string() });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Again and again until nothing comes back.
    async fn remove(&self, operator: &OperatorScope, tenant: TenantId) -> Result<(), LifecycleError> {
        let mut found = None;
        for _ in 0..SWEEPS {
            operator.tenant_plane_remove(&self.stores, tenant).await?;
            let mut tx = self.control.begin().await?;
            remove_from_control(&mut tx, tenant).await?;
            tx.commit().await?;
            found = self.left(operator, tenant).await?;
            if found.is_none() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        found.map_or(Ok(()), |(table, rows)| Err(LifecycleError::Remains { table, rows }))
    }

    /// A place where something of the tenant is, if any.
    async fn left(&self, operator: &OperatorScope, tenant: TenantId) -> Result<Option<(String, u64)>, LifecycleError> {
        if let Some(file) = operator.tenant_plane_files(&self.stores, tenant).first() {
            return Ok(Some((file.name.clone(), 0)));
        }
        if self.location.is_shared() {
            // A second look at the shared tables removes what it finds.
            let removed = operator.tenant_plane_remove(&self.stores, tenant).await?;
            if removed.rows > 0 {
                return Ok(Some(("the tenant plane".to_owned(), removed.rows)));
            }
        }
        let mut tx = self.control.snapshot().await?;
        for Known { table, rows } in pair(Plane::Control, tx.tables().await?)? {
            if let Some(condition) = of_tenant(rows) {
                let rows = tx.rows_count(&table, &matching(condition, tenant)).await?;
                if rows > 0 {
                    return Ok(Some((table.name().to_owned(), rows)));
                }
            }
        }
        Ok(None)
    }

    /// The last transaction: the entry in the platform's log, and the end of the operation.
    async fn certify(
        &self,
        operator: &OperatorScope,
        operation: Operation,
        survey: Survey,
    ) -> Result<Certificate, LifecycleError> {
        let Operation { tenant, slug, started_by, started_at, .. } = operation;
        let now = self.now();
        let certificate = Certificate {
            tenant,
            name: slug.clone(),
            engine: self.engine().to_owned(),
            begun_at: started_at,
            begun_by: started_by,
            completed_at: now,
            completed_by: operator.author().name().to_owned(),
            places: survey.places,
            accounts: survey.accounts,
            ledger: survey.ledger,
            audit_entries: survey.audit_entries,
            audit_last_hash: survey.audit_last_hash,
            remains: self.remains(),
            sha256: String::new(),
        }
        .sealed()?;
        let mut tx = self.control.begin().await?;
        operation::end(&mut tx, tenant).await?;
        let after = json!({ "sha256": certificate.sha256, "certificate": certificate });
        operator.record(&mut tx, now, "tenant.delete", slug.as_str(), after).await?;
        tx.commit().await?;
        Ok(certificate)
    }

    /// What a reader of the certificate should know of.
    fn remains(&self) -> Vec<String> {
        let mut remains = vec![
            "the platform's audit log: what operators did with the tenant, under its short name, and this certificate"
                .to_owned(),
            "the seals of its audit log: hashes under its id, by which it is noticed that a log was cut off".to_owned(),
            "this certificate's totals of the ledger, of which nobody can be known".to_owned(),
            "accounts that belong to other tenants too, operators', and those of people who were removed from it before \
             (seam user delete)"
                .to_owned(),
            "archives and backups that were made before: this installation does not know where they are".to_owned(),
        ];
        remains.push(if self.location.is_shared() {
            "dead rows in PostgreSQL's files until VACUUM has run, which was asked to now; its write-ahead log and its \
             replicas until they are recycled"
                .to_owned()
        } else {
            "blocks of the removed files on the disk, until the file system uses them for something else".to_owned()
        });
        remains
    }
}

/// Everything in one transaction: rows that point at others first.
pub(crate) async fn remove_from_control(tx: &mut Transaction, tenant: TenantId) -> Result<(), LifecycleError> {
    let leaving = leaving(tx, tenant).await?;
    let known = pair(Plane::Control, tx.tables().await?)?;
    for Known { table, rows } in known.iter().rev() {
        if let Some(condition) = of_tenant(*rows) {
            tx.rows_delete(table, &matching(condition, tenant)).await?;
        }
        for account in &leaving {
            if let Some(which) = of_account(*rows, account) {
                tx.rows_delete(table, &which).await?;
            }
        }
    }
    Ok(())
}
