//! The one transaction: kinds in the order of their references, every refusal collected with its line.

use super::{Applied, GeneratedKey, Located, Mistake, Report, Resources, usage};
use contract::{Slug, TenantId, Timestamp};
use gateway::Gateway;
use metering::Metering;
use registry::Registry;
use std::fmt::Display;
use store::{FromRow, Row, StoreError, Transaction};
use tenancy::{Change, DeclaredKey, NewUser, PasswordHash, Tenancy};

const TENANT_ID: &str = "SELECT id FROM tenant WHERE slug = $1";
const MODEL_TARGETS: &str = "SELECT targets AS value FROM model WHERE name = $1";

struct TenantRow(TenantId);

impl FromRow for TenantRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

/// What has been done so far, and what could not be.
#[derive(Default)]
struct Outcome {
    report: Report,
    mistakes: Vec<Mistake>,
}

/// What is being written, for the report and the log.
struct Resource<'r> {
    kind: &'static str,
    name: String,
    line: usize,
    tenant: Option<&'r Slug>,
}

impl<'r> Resource<'r> {
    const fn of(kind: &'static str, name: String, line: usize) -> Self {
        Self { kind, name, line, tenant: None }
    }

    /// It is this tenant's matter too, so its log has it as well.
    fn in_tenant(self, tenant: &'r Slug) -> Self {
        Self { tenant: Some(tenant), ..self }
    }
}

impl Outcome {
    async fn note(
        &mut self,
        tx: &mut Transaction,
        now: Timestamp,
        resource: Resource<'_>,
        change: Result<Change, impl Display>,
    ) -> Result<(), StoreError> {
        let Resource { kind, name, line, tenant } = resource;
        let change = match change {
            Ok(change) => change,
            Err(error) => {
                self.mistakes.push(Mistake { line, message: error.to_string() });
                return Ok(());
            }
        };
        let tenant = match tenant {
            Some(slug) => tenant_id(tx, slug).await?,
            None => None,
        };
        Tenancy::apply_note(tx, now, kind, &name, &change, tenant).await?;
        self.report.resources.push(Applied { kind, name, change });
        Ok(())
    }

    async fn key(
        &mut self,
        tx: &mut Transaction,
        now: Timestamp,
        line: usize,
        declared: &DeclaredKey,
    ) -> Result<(), StoreError> {
        let name = format!("{} · {}", declared.tenant, declared.key.name.trim());
        let change = match Tenancy::apply_key(tx, now, declared).await {
            Ok((change, secret)) => {
                let (tenant, name) = (declared.tenant.to_string(), declared.key.name.trim().to_owned());
                self.report.generated.extend(secret.map(|secret| GeneratedKey { tenant, name, secret }));
                Ok(change)
            }
            Err(error) => Err(error),
        };
        // That one was made stands in its tenant's log already.
        let told = matches!(change, Ok(Change::Created(_)));
        let tenant = (!told).then_some(&declared.tenant);
        self.note(tx, now, Resource { tenant, ..Resource::of("api_key", name, line) }, change).await
    }
}

/// Writes everything, or nothing: with mistakes or for a dry run the transaction is dropped.
pub(super) async fn all(
    tenancy: &Tenancy,
    resources: &Resources,
    dry_run: bool,
) -> Result<(Report, Vec<Mistake>), StoreError> {
    let now = tenancy.clock().now();
    let mut outcome = Outcome::default();
    // Before the transaction: a hash takes a while, and writers wait for each other.
    let hashes = hashes(tenancy, resources, &mut outcome).await;
    let mut tx = tenancy.control().begin().await?;
    for Located { line, value } in &resources.providers {
        let change = Gateway::apply_provider(&mut tx, now, tenancy.vault(), value).await;
        outcome.note(&mut tx, now, Resource::of("provider", value.name.clone(), *line), change).await?;
    }
    for Located { line, value } in &resources.plans {
        let change = Metering::apply_plan(&mut tx, now, value).await;
        outcome.note(&mut tx, now, Resource::of("plan", value.name.clone(), *line), change).await?;
    }
    for Located { line, value } in &resources.models {
        let change = Registry::apply_model(&mut tx, now, value).await;
        outcome.note(&mut tx, now, Resource::of("model", value.name.clone(), *line), change).await?;
    }
    for Located { line, value } in &resources.prices {
        let name = format!("{}/{}", value.provider, value.model);
        let change = Metering::apply_price(&mut tx, now, value).await;
        outcome.note(&mut tx, now, Resource::of("price", name, *line), change).await?;
    }
    for Located { line, value } in &resources.tenants {
        let change = Tenancy::apply_tenant(&mut tx, now, value).await;
        let resource = Resource::of("tenant", value.slug.to_string(), *line).in_tenant(&value.slug);
        outcome.note(&mut tx, now, resource, change).await?;
    }
    for (Located { line, value }, password_hash) in resources.users.iter().zip(hashes) {
        let new = NewUser {
            tenant: value.tenant.clone(),
            email: value.email.clone(),
            role: value.role,
            password_hash,
            operator: value.tenant.is_none(),
        };
        let change = Tenancy::apply_user(&mut tx, now, &new).await;
        let resource = Resource { tenant: new.tenant.as_ref(), ..Resource::of("user", new.email.to_string(), *line) };
        outcome.note(&mut tx, now, resource, change).await?;
    }
    for Located { line, value } in &resources.keys {
        outcome.key(&mut tx, now, *line, value).await?;
    }
    for Located { line, value } in &resources.usage {
        let name = format!("{} · {}", value.tenant, value.model);
        let change = seed(&mut tx, now, value).await;
        let resource = Resource::of("usage", name, *line).in_tenant(&value.tenant);
        outcome.note(&mut tx, now, resource, change).await?;
    }
    if outcome.mistakes.is_empty() && !dry_run {
        tx.commit().await?;
    } else {
        // They open nothing.
        outcome.report.generated.clear();
    }
    outcome.report.dry_run = dry_run;
    Ok((outcome.report, outcome.mistakes))
}

async fn hashes(tenancy: &Tenancy, resources: &Resources, outcome: &mut Outcome) -> Vec<Option<PasswordHash>> {
    let mut hashes = Vec::new();
    for Located { line, value } in &resources.users {
        let hash = match &value.password {
            None => Ok(None),
            Some(password) => tenancy.hash_password(password.clone()).await.map(Some),
        };
        hashes.push(hash.unwrap_or_else(|error| {
            outcome.mistakes.push(Mistake { line: *line, message: error.to_string() });
            None
        }));
    }
    hashes
}

async fn seed(tx: &mut Transaction, now: Timestamp, declared: &super::resources::Usage) -> Result<Change, String> {
    let told = |error: &dyn Display| error.to_string();
    let tenant = tenant_id(tx, &declared.tenant).await.map_err(|error| told(&error))?;
    let targets: Option<String> =
        tx.query(MODEL_TARGETS).bind(declared.model.as_str()).fetch_optional().await.map_err(|error| told(&error))?;
    let targets: Vec<registry::Target> =
        serde_json::from_str(targets.as_deref().unwrap_or("[]")).map_err(|error| told(&error))?;
    let (Some(tenant), Some(target)) = (tenant, targets.into_iter().next()) else {
        return Err(format!("the model “{}” has no target to have used", declared.model));
    };
    let rows = usage::attempts(declared, tenant, &target, now);
    match Metering::seed_usage(tx, now, &rows).await.map_err(|error| told(&error))? {
        0 => Ok(Change::Unchanged),
        new if new == rows.len() as u64 => Ok(Change::created(vec![("requests", Some(rows.len().to_string()))])),
        new => Ok(Change::Updated(vec![format!("requests: {} → {}", rows.len() as u64 - new, rows.len())])),
    }
}

async fn tenant_id(tx: &mut Transaction, slug: &Slug) -> Result<Option<TenantId>, StoreError> {
    Ok(tx.query(TENANT_ID).bind(slug.clone()).fetch_optional::<TenantRow>().await?.map(|row| row.0))
}
