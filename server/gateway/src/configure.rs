//! What the operator says about a provider, checked and written. Keys are sealed before they reach a row.

use crate::{
    Gateway, GatewayError,
    own_keys::takes_keys,
    providers::{SimulatedOptions, check_base_url, is_key},
};
use contract::{ProviderKind, Slug, Timestamp};
use registry::{ModelConfig, Registry};
use serde_json::{Value, json};
use store::{ControlStore, FromRow, Row, StoreError, Transaction};
use tenancy::{Change, Fault, NewTenant, Told, Vault, differences};

const BY_NAME: &str = "
SELECT kind, base_url, api_key_sealed, region, zero_retention, timeout_ms, max_retries, options, enabled, own_keys,
    whole_timeout_ms
FROM provider WHERE name = $1";

const UPSERT: &str = "
INSERT INTO provider
    (name, kind, base_url, api_key_sealed, region, zero_retention, timeout_ms, max_retries, options, enabled,
     own_keys, whole_timeout_ms, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind, base_url = excluded.base_url, api_key_sealed = excluded.api_key_sealed,
    region = excluded.region, zero_retention = excluded.zero_retention, timeout_ms = excluded.timeout_ms,
    max_retries = excluded.max_retries, options = excluded.options, enabled = excluded.enabled,
    own_keys = excluded.own_keys, whole_timeout_ms = excluded.whole_timeout_ms, updated_at = excluded.updated_at";
const SWITCH: &str = "UPDATE provider SET enabled = $2, updated_at = $3 WHERE name = $1 AND enabled <> $2";
const NAMES: &str = "SELECT name AS value FROM provider ORDER BY name";
const DELETE: &str = "DELETE FROM provider WHERE name = $1";
const KEYS_AT: &str = "SELECT COUNT(*) AS value FROM tenant_provider_key WHERE provider = $1";

const LIST: &str = "
SELECT name, kind, base_url, region, zero_retention, enabled, (api_key_sealed IS NOT NULL) AS has_key
FROM provider ORDER BY name";

const LONGEST_TIMEOUT_MS: i64 = 600_000;
const MOST_RETRIES: i64 = 10;

/// A provider as it should be. `Debug` does not show its key.
#[derive(Clone)]
pub struct NewProvider {
    /// A slug; part of routes, prices and metrics.
    pub name: String,
    pub kind: ProviderKind,
    /// None is the kind's own.
    pub base_url: Option<String>,
    /// Sealed on write. None keeps the key that is stored, if there is one.
    pub api_key: Option<String>,
    pub region: Option<String>,
    pub zero_retention: bool,
    /// How long the first part of an answer may take, and the silence between two parts.
    pub timeout_ms: i64,
    /// How long an answer may take that it sends at once and whole.
    pub whole_timeout_ms: i64,
    /// How often it is asked again before the next provider is.
    pub max_retries: i64,
    /// What only one kind needs; an object.
    pub options: Value,
    /// Whether it is asked at all. None keeps what holds.
    pub enabled: Option<bool>,
    /// Whether tenants may use keys of their own. None: where it has no address of its own.
    pub own_keys: Option<bool>,
}

impl std::fmt::Debug for NewProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewProvider")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}

impl NewProvider {
    /// With the defaults of `seam apply`: a minute, one retry, nothing special.
    pub fn new(name: &str, kind: ProviderKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            base_url: None,
            api_key: None,
            region: None,
            zero_retention: false,
            timeout_ms: 60_000,
            whole_timeout_ms: LONGEST_TIMEOUT_MS,
            max_retries: 1,
            options: Value::Object(serde_json::Map::new()),
            enabled: None,
            own_keys: None,
        }
    }

    /// Everything about it that cannot be, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Err(error) = self.name.parse::<Slug>() {
            faults.push(("name", format!("cannot be used: {error}")));
        }
        for (field, timeout) in [("timeout_ms", self.timeout_ms), ("whole_timeout_ms", self.whole_timeout_ms)] {
            if !(1..=LONGEST_TIMEOUT_MS).contains(&timeout) {
                faults.push((field, format!("must be between 1 and {LONGEST_TIMEOUT_MS}")));
            }
        }
        if !(0..=MOST_RETRIES).contains(&self.max_retries) {
            faults.push(("max_retries", format!("must be between 0 and {MOST_RETRIES}")));
        }
        if let Some(reason) = self.region.as_deref().and_then(NewTenant::region_fault) {
            faults.push(("region", format!("cannot be used: {reason}")));
        }
        let speaks_http = takes_keys(self.kind);
        let without = || format!("must be left out: a provider of kind {} has none", self.kind);
        match self.base_url.as_deref().map(check_base_url) {
            Some(_) if !speaks_http => faults.push(("base_url", without())),
            Some(Err(reason)) => faults.push(("base_url", reason)),
            Some(Ok(())) | None => {}
        }
        match &self.api_key {
            Some(_) if !speaks_http => faults.push(("api_key", without())),
            Some(key) if !is_key(key) => faults.push(("api_key", "must be printable and without spaces".to_owned())),
            Some(_) | None => {}
        }
        if self.kind == ProviderKind::Simulated {
            let wrong = SimulatedOptions::faults(&self.options);
            faults.extend(wrong.into_iter().map(|reason| ("options", format!("are wrong: {reason}"))));
        } else if !self.options.as_object().is_some_and(serde_json::Map::is_empty) {
            faults.push(("options", without()));
        }
        faults
    }

    fn check(&self) -> Result<(), GatewayError> {
        match self.faults().into_iter().next() {
            None => Ok(()),
            Some((field, reason)) => Err(GatewayError::InvalidProvider {
                name: self.name.chars().take(60).collect(),
                reason: format!("its {field} {reason}"),
            }),
        }
    }
}

/// What the vault binds a provider's key to: a sealed key copied to another row opens nothing.
pub(crate) fn key_context(name: &str) -> String {
    format!("provider:{name}")
}

struct Stored {
    kind: ProviderKind,
    base_url: Option<String>,
    api_key_sealed: Option<Vec<u8>>,
    region: Option<String>,
    zero_retention: bool,
    timeout_ms: i64,
    max_retries: i64,
    options: String,
    enabled: bool,
    own_keys: Option<bool>,
    whole_timeout_ms: i64,
}

impl FromRow for Stored {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            kind: row.get("kind")?,
            base_url: row.get("base_url")?,
            api_key_sealed: row.get("api_key_sealed")?,
            region: row.get("region")?,
            zero_retention: row.get("zero_retention")?,
            timeout_ms: row.get("timeout_ms")?,
            max_retries: row.get("max_retries")?,
            options: row.get("options")?,
            enabled: row.get("enabled")?,
            own_keys: row.get("own_keys")?,
            whole_timeout_ms: row.get("whole_timeout_ms")?,
        })
    }
}

/// Creates or changes a provider.
///
/// # Errors
/// `InvalidProvider` names what cannot be; `Vault` when its key cannot be sealed.
pub(crate) async fn apply(
    tx: &mut Transaction,
    now: Timestamp,
    vault: &Vault,
    provider: &NewProvider,
) -> Result<Change, GatewayError> {
    provider.check()?;
    let context = key_context(&provider.name);
    let before: Option<Stored> = tx.query(BY_NAME).bind(provider.name.as_str()).fetch_optional().await?;
    let stored_key = before.as_ref().and_then(|before| before.api_key_sealed.clone());
    let (sealed, key_change) = match &provider.api_key {
        None => (stored_key, None),
        Some(key) => {
            // One that cannot be unsealed any more is replaced like one that differs.
            let same = stored_key
                .as_deref()
                .and_then(|sealed| vault.unseal(&context, sealed).ok())
                .is_some_and(|stored| stored.expose() == key.as_str());
            match stored_key {
                Some(sealed) if same => (Some(sealed), None),
                Some(_) => (Some(vault.seal(&context, key)?), Some("api_key: replaced".to_owned())),
                None => (Some(vault.seal(&context, key)?), Some("api_key: set".to_owned())),
            }
        }
    };
    let change = match &before {
        None => {
            let mut told = told(&stored(None, provider));
            told.push(("api_key", key_change.map(|_| "set".to_owned())));
            Change::created(told)
        }
        Some(before) => {
            let mut changes = changes(before, provider);
            changes.extend(key_change);
            if changes.is_empty() {
                return Ok(Change::Unchanged);
            }
            Change::Updated(changes)
        }
    };
    tx.query(UPSERT)
        .bind(provider.name.as_str())
        .bind(provider.kind)
        .bind(provider.base_url.as_deref())
        .bind(sealed)
        .bind(provider.region.as_deref())
        .bind(provider.zero_retention)
        .bind(provider.timeout_ms)
        .bind(provider.max_retries)
        .bind(provider.options.to_string())
        .bind(enabled(before.as_ref(), provider))
        .bind(provider.own_keys)
        .bind(provider.whole_timeout_ms)
        .bind(now)
        .execute()
        .await?;
    Ok(change)
}

impl Gateway {
    /// The names of all providers, inside a transaction.
    pub async fn provider_names(tx: &mut Transaction) -> Result<Vec<String>, StoreError> {
        tx.query(NAMES).fetch_all().await
    }

    /// Takes a provider away with its key, unless somebody needs it: the inner error says who.
    pub async fn remove_provider(tx: &mut Transaction, name: &str) -> Result<Result<(), String>, StoreError> {
        let models = Registry::models_in(tx).await?;
        let asks = |model: &&ModelConfig| model.targets.iter().any(|target| target.provider == name);
        if let Some(model) = models.iter().find(asks) {
            return Ok(Err(format!("the model “{}” has a target there", model.name)));
        }
        let keys: i64 = tx.query(KEYS_AT).bind(name).fetch_one().await?;
        if keys > 0 {
            return Ok(Err(format!("{keys} tenants have keys of their own there; they must remove them first")));
        }
        tx.query(DELETE).bind(name).execute().await?;
        Ok(Ok(()))
    }

    /// What is told of a provider as it is now, for the log; none where there is none.
    pub async fn provider_told(tx: &mut Transaction, name: &str) -> Result<Option<Value>, StoreError> {
        let stored: Option<Stored> = tx.query(BY_NAME).bind(name).fetch_optional().await?;
        Ok(stored.map(|stored| {
            json!({
                "kind": stored.kind,
                "base_url": stored.base_url,
                "api_key": stored.api_key_sealed.map(|_| "set"),
                "region": stored.region,
                "zero_retention": stored.zero_retention,
                "timeout_ms": stored.timeout_ms,
                "whole_timeout_ms": stored.whole_timeout_ms,
                "max_retries": stored.max_retries,
                // As values: the order of keys says nothing.
                "options": serde_json::from_str(&stored.options).unwrap_or(Value::String(stored.options)),
                "enabled": stored.enabled,
                "own_keys": stored.own_keys,
            })
        }))
    }
}

fn enabled(before: Option<&Stored>, after: &NewProvider) -> bool {
    after.enabled.unwrap_or_else(|| before.is_none_or(|before| before.enabled))
}

/// A provider as it is configured, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRecord {
    pub name: String,
    pub kind: ProviderKind,
    pub base_url: Option<String>,
    pub region: Option<String>,
    pub zero_retention: bool,
    pub enabled: bool,
    pub has_key: bool,
}

impl FromRow for ProviderRecord {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
            kind: row.get("kind")?,
            base_url: row.get("base_url")?,
            region: row.get("region")?,
            zero_retention: row.get("zero_retention")?,
            enabled: row.get("enabled")?,
            has_key: row.get("has_key")?,
        })
    }
}

pub(crate) async fn list(control: &ControlStore) -> Result<Vec<ProviderRecord>, GatewayError> {
    Ok(control.read(LIST).fetch_all().await?)
}

/// Switches a provider off, or on again. Whether that changed anything.
///
/// # Errors
/// `UnknownProvider` when there is none of this name.
pub(crate) async fn switch(
    tx: &mut Transaction,
    now: Timestamp,
    name: &str,
    enabled: bool,
) -> Result<bool, GatewayError> {
    if tx.query(SWITCH).bind(name).bind(enabled).bind(now).execute().await? == 1 {
        return Ok(true);
    }
    let names: Vec<String> = tx.query(NAMES).fetch_all().await?;
    if names.iter().any(|known| known == name) {
        return Ok(false);
    }
    Err(GatewayError::UnknownProvider { name: name.chars().take(60).collect(), known: names.join(", ") })
}

const SEALED: &str = "SELECT name, api_key_sealed AS sealed FROM provider WHERE api_key_sealed IS NOT NULL";
const RESEAL: &str = "UPDATE provider SET api_key_sealed = $2 WHERE name = $1";

struct Sealed {
    name: String,
    sealed: Vec<u8>,
}

impl FromRow for Sealed {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { name: row.get("name")?, sealed: row.get("sealed")? })
    }
}

/// Seals the keys under the present master key; how many there are.
pub(crate) async fn reseal(tx: &mut Transaction, vault: &Vault) -> Result<usize, GatewayError> {
    let keys: Vec<Sealed> = tx.query(SEALED).fetch_all().await?;
    for Sealed { name, sealed } in &keys {
        let anew = vault.reseal(&key_context(name), sealed)?;
        tx.query(RESEAL).bind(name.as_str()).bind(anew).execute().await?;
    }
    Ok(keys.len())
}

fn changes(before: &Stored, after: &NewProvider) -> Vec<String> {
    let stored_options: Option<Value> = serde_json::from_str(&before.options).ok();
    // Compared as values: the order of keys says nothing.
    let same_options = stored_options.as_ref() == Some(&after.options);
    let old = Stored {
        options: if same_options { after.options.to_string() } else { before.options.clone() },
        api_key_sealed: None,
        base_url: before.base_url.clone(),
        region: before.region.clone(),
        ..*before
    };
    differences(told(&old), told(&stored(Some(before), after)))
}

/// As it will be stored, but for its key.
fn stored(before: Option<&Stored>, after: &NewProvider) -> Stored {
    Stored {
        kind: after.kind,
        base_url: after.base_url.clone(),
        api_key_sealed: None,
        region: after.region.clone(),
        zero_retention: after.zero_retention,
        timeout_ms: after.timeout_ms,
        max_retries: after.max_retries,
        options: after.options.to_string(),
        enabled: enabled(before, after),
        own_keys: after.own_keys,
        whole_timeout_ms: after.whole_timeout_ms,
    }
}

fn told(provider: &Stored) -> Told {
    vec![
        ("kind", Some(provider.kind.to_string())),
        ("base_url", provider.base_url.clone()),
        ("region", provider.region.clone()),
        ("zero_retention", Some(provider.zero_retention.to_string())),
        ("timeout_ms", Some(provider.timeout_ms.to_string())),
        ("whole_timeout_ms", Some(provider.whole_timeout_ms.to_string())),
        ("max_retries", Some(provider.max_retries.to_string())),
        ("options", Some(provider.options.clone())),
        ("enabled", Some(provider.enabled.to_string())),
        ("own_keys", Some(provider.own_keys.map_or_else(|| "as usual".to_owned(), |allowed| allowed.to_string()))),
    ]
}
