//! One resource that a file declares: what it is called, how it is written, and what the log tells of it.
//!
//! What always holds: the log tells what was stored before and what is stored after, read from where it stands; a
//! layer's own words for the difference go to whoever applies.

use super::{resources, usage};
use contract::{Slug, Timestamp};
use gateway::{Gateway, NewProvider};
use metering::{Metering, NewPlan, NewPrice};
use registry::{ModelConfig, Registry};
use serde_json::{Value, json};
use std::fmt::Display;
use store::{StoreError, Transaction};
use tenancy::{Change, DeclaredKey, NewTenant, NewUser, Secret, Tenancy, Vault};

const MODEL_TARGETS: &str = "SELECT targets AS value FROM model WHERE name = $1";

/// A resource as it is to be.
pub(super) enum Declared<'r> {
    Provider(&'r NewProvider),
    Plan(&'r NewPlan),
    Model(&'r ModelConfig),
    Price(&'r NewPrice),
    Tenant(&'r NewTenant),
    User(&'r NewUser),
    Key(&'r DeclaredKey),
    Usage(&'r resources::Usage),
}

/// What writing one did.
pub(super) struct Written {
    pub change: Change,
    /// How it was before, and how it is after.
    pub values: (Value, Value),
    /// Of a key, the secret that was made for it.
    pub secret: Option<Secret>,
}

impl Written {
    const fn of(change: Change) -> Self {
        Self { change, values: (Value::Null, Value::Null), secret: None }
    }
}

fn told(error: impl Display) -> String {
    error.to_string()
}

impl<'r> Declared<'r> {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider",
            Self::Plan(_) => "plan",
            Self::Model(_) => "model",
            Self::Price(_) => "price",
            Self::Tenant(_) => "tenant",
            Self::User(_) => "user",
            Self::Key(_) => "api_key",
            Self::Usage(_) => "usage",
        }
    }

    /// What applying it is called in the log.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider.apply",
            Self::Plan(_) => "plan.apply",
            Self::Model(_) => "model.apply",
            Self::Price(_) => "price.apply",
            Self::Tenant(_) => "tenant.apply",
            Self::User(_) => "user.apply",
            Self::Key(_) => "key.apply",
            Self::Usage(_) => "usage.apply",
        }
    }

    pub fn name(&self) -> String {
        match self {
            Self::Provider(provider) => provider.name.clone(),
            Self::Plan(plan) => plan.name.clone(),
            Self::Model(model) => model.name.clone(),
            Self::Price(price) => format!("{}/{}", price.provider, price.model),
            Self::Tenant(tenant) => tenant.slug.to_string(),
            Self::User(user) => user.email.to_string(),
            Self::Key(key) => format!("{} · {}", key.tenant, key.key.name.trim()),
            Self::Usage(usage) => format!("{} · {}", usage.tenant, usage.model),
        }
    }

    /// The tenant in whose log the change stands as well.
    pub const fn noted_in(&self, change: &Change) -> Option<&'r Slug> {
        match (self, change) {
            (Self::Tenant(tenant), _) => Some(&tenant.slug),
            (Self::User(user), _) => user.tenant.as_ref(),
            // That one was made stands in its tenant's log already.
            (Self::Key(_), Change::Created(_)) => None,
            (Self::Key(key), Change::Updated(_) | Change::Unchanged) => Some(&key.tenant),
            (Self::Usage(usage), _) => Some(&usage.tenant),
            (Self::Provider(_) | Self::Plan(_) | Self::Model(_) | Self::Price(_), _) => None,
        }
    }

    /// Makes it so. An error is what is told at its line.
    pub async fn write(&self, tx: &mut Transaction, now: Timestamp, vault: &Vault) -> Result<Written, String> {
        let before = self.stored(tx).await.map_err(told)?;
        let mut written = self.put(tx, now, vault).await?;
        if written.change != Change::Unchanged
            && let Some(after) = self.stored(tx).await.map_err(told)?
        {
            written.values = written.change.values(before, Some(after));
        }
        Ok(written)
    }

    async fn put(&self, tx: &mut Transaction, now: Timestamp, vault: &Vault) -> Result<Written, String> {
        let change = match self {
            Self::Provider(provider) => Gateway::apply_provider(tx, now, vault, provider).await.map_err(told)?,
            Self::Plan(plan) => Metering::apply_plan(tx, now, plan).await.map_err(told)?,
            Self::Model(model) => Registry::apply_model(tx, now, model).await.map_err(told)?,
            Self::Price(price) => Metering::apply_price(tx, now, price).await.map_err(told)?,
            Self::Tenant(tenant) => Tenancy::apply_tenant(tx, now, tenant).await.map_err(told)?,
            Self::User(user) => Tenancy::apply_user(tx, now, user).await.map_err(told)?,
            Self::Key(key) => {
                let (change, secret) = Tenancy::apply_key(tx, now, key).await.map_err(told)?;
                return Ok(Written { secret, ..Written::of(change) });
            }
            Self::Usage(usage) => return seed(tx, now, usage).await,
        };
        Ok(Written::of(change))
    }

    /// What is told of it as it stands; of usage nothing: the ledger is long, and what was added is known.
    async fn stored(&self, tx: &mut Transaction) -> Result<Option<Value>, StoreError> {
        match self {
            Self::Provider(provider) => Gateway::provider_told(tx, &provider.name).await,
            Self::Plan(plan) => Metering::plan_told(tx, &plan.name).await,
            Self::Model(model) => Registry::model_told(tx, &model.name).await,
            Self::Price(price) => Metering::price_told(tx, price).await,
            Self::Tenant(tenant) => Tenancy::tenant_told(tx, &tenant.slug).await,
            Self::User(user) => Tenancy::user_told(tx, user).await,
            Self::Key(key) => Tenancy::key_told(tx, key).await,
            Self::Usage(_) => Ok(None),
        }
    }
}

async fn seed(tx: &mut Transaction, now: Timestamp, declared: &resources::Usage) -> Result<Written, String> {
    let tenant = Tenancy::apply_in_tenant(tx, &declared.tenant).await.map_err(told)?;
    let targets: Option<String> =
        tx.query(MODEL_TARGETS).bind(declared.model.as_str()).fetch_optional().await.map_err(told)?;
    let targets: Vec<registry::Target> = serde_json::from_str(targets.as_deref().unwrap_or("[]")).map_err(told)?;
    let Some(target) = targets.into_iter().next() else {
        return Err(format!("the model “{}” has no target to have used", declared.model));
    };
    let rows = usage::attempts(declared, tenant, &target, now);
    let (new, all) = (Metering::seed_usage(tx, now, &rows).await.map_err(told)?, rows.len() as u64);
    let requests = |number: u64| json!({ "requests": number });
    let (change, values) = match all - new {
        _ if new == 0 => (Change::Unchanged, (Value::Null, Value::Null)),
        0 => (Change::created(vec![("requests", Some(all.to_string()))]), (Value::Null, requests(all))),
        old => (Change::Updated(vec![format!("requests: {old} → {all}")]), (requests(old), requests(all))),
    };
    Ok(Written { values, ..Written::of(change) })
}
