//! The one transaction: kinds in the order of their references, every refusal collected with its line.

use super::{Applied, Located, Mistake, Report, Resources, usage};
use contract::{Slug, TenantId, Timestamp};
use gateway::Gateway;
use metering::Metering;
use registry::Registry;
use std::fmt::Display;
use store::{FromRow, Row, StoreError, Transaction};
use tenancy::{Change, NewUser, PasswordHash, Tenancy};

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

impl Outcome {
    fn note(&mut self, kind: &'static str, name: String, line: usize, change: Result<Change, impl Display>) {
        match change {
            Ok(change) => self.report.resources.push(Applied { kind, name, change }),
            Err(error) => self.mistakes.push(Mistake { line, message: error.to_string() }),
        }
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
        outcome.note("provider", value.name.clone(), *line, change);
    }
    for Located { line, value } in &resources.plans {
        outcome.note("plan", value.name.clone(), *line, Metering::apply_plan(&mut tx, now, value).await);
    }
    for Located { line, value } in &resources.models {
        let change = Registry::apply_model(&mut tx, now, &value.config).await;
        outcome.note("model", value.config.name.clone(), *line, change);
    }
    for Located { line, value } in &resources.prices {
        let name = format!("{}/{}", value.provider, value.model);
        outcome.note("price", name, *line, Metering::apply_price(&mut tx, now, value).await);
    }
    for Located { line, value } in &resources.tenants {
        outcome.note("tenant", value.slug.to_string(), *line, Tenancy::apply_tenant(&mut tx, now, value).await);
    }
    for (Located { line, value }, password_hash) in resources.users.iter().zip(hashes) {
        let new = NewUser {
            tenant: value.tenant.as_ref().map(|tenant| tenant.value.clone()),
            email: value.email.clone(),
            role: value.role,
            password_hash,
            operator: value.tenant.is_none(),
        };
        outcome.note("user", value.email.to_string(), *line, Tenancy::apply_user(&mut tx, now, &new).await);
    }
    for Located { line, value } in &resources.usage {
        let name = format!("{} · {}", value.tenant.value, value.model.value);
        outcome.note("usage", name, *line, seed(&mut tx, now, value).await);
    }
    if outcome.mistakes.is_empty() && !dry_run {
        tx.commit().await?;
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
    let tenant = tenant_id(tx, &declared.tenant.value).await.map_err(|error| told(&error))?;
    let targets: Option<String> = tx
        .query(MODEL_TARGETS)
        .bind(declared.model.value.as_str())
        .fetch_optional()
        .await
        .map_err(|error| told(&error))?;
    let targets: Vec<registry::Target> =
        serde_json::from_str(targets.as_deref().unwrap_or("[]")).map_err(|error| told(&error))?;
    let (Some(tenant), Some(target)) = (tenant, targets.into_iter().next()) else {
        return Err(format!("the model “{}” has no target to have used", declared.model.value));
    };
    let rows = usage::attempts(declared, tenant, &target, now);
    match Metering::seed_usage(tx, now, &rows).await.map_err(|error| told(&error))? {
        0 => Ok(Change::Unchanged),
        new if new == rows.len() as u64 => Ok(Change::Created),
        new => Ok(Change::Updated(vec![format!("requests: {} → {}", rows.len() as u64 - new, rows.len())])),
    }
}

async fn tenant_id(tx: &mut Transaction, slug: &Slug) -> Result<Option<TenantId>, StoreError> {
    Ok(tx.query(TENANT_ID).bind(slug.clone()).fetch_optional::<TenantRow>().await?.map(|row| row.0))
}
