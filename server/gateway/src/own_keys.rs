//! Tenants' own keys at providers: preferred for their tenant's requests, and paid for by it.
//!
//! What always holds: a key is sealed under its tenant's data key, for this tenant and provider; it is tried, used and
//! replaced, and shown to nobody. The platform's own key never steps in for one that fails.

use crate::{GatewayError, directory::Directory, provider::ProviderError, providers::is_key, recent::Recent};
use contract::{OwnKeyView, ProviderKind, TenantId, Timestamp};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
use store::{ControlStore, FromRow, Row, StoreError, Transaction};
use tenancy::{DataKey, Manages, Secret, Tenancy, Vault};

const OF_TENANT: &str = "
SELECT k.provider, k.sealed, d.version, d.sealed AS data_key
FROM tenant_provider_key AS k
JOIN tenant_data_key AS d ON d.tenant_id = k.tenant_id AND d.version = k.data_key_version
WHERE k.tenant_id = $1";
const ALLOWED: &str = "
SELECT p.name, p.kind, p.enabled, k.hint, k.updated_at
FROM provider AS p
LEFT JOIN tenant_provider_key AS k ON k.provider = p.name AND k.tenant_id = $1
WHERE p.kind IN ('openai', 'anthropic', 'gemini') AND COALESCE(p.own_keys, p.base_url IS NULL)
ORDER BY p.name";
const PUT: &str = "
INSERT INTO tenant_provider_key (tenant_id, provider, data_key_version, sealed, hint, updated_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, provider) DO UPDATE SET
    data_key_version = excluded.data_key_version, sealed = excluded.sealed, hint = excluded.hint,
    updated_at = excluded.updated_at";
const REMOVE: &str = "DELETE FROM tenant_provider_key WHERE tenant_id = $1 AND provider = $2";
const HINT_OF: &str = "SELECT hint AS value FROM tenant_provider_key WHERE tenant_id = $1 AND provider = $2";

/// So many characters at the end of a key tell it from its owner's others, and nothing to anybody else.
const HINT: usize = 4;
const LONG_ENOUGH_TO_HINT: usize = 20;

/// A tenant's key at one provider, as it is stored, with the data key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedKey {
    provider: String,
    sealed: Vec<u8>,
    version: i64,
    data_key: Vec<u8>,
}

impl FromRow for SealedKey {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            provider: row.get("provider")?,
            sealed: row.get("sealed")?,
            version: row.get("version")?,
            data_key: row.get("data_key")?,
        })
    }
}

impl SealedKey {
    pub fn open(&self, vault: &Vault, tenant: TenantId) -> Result<Secret, GatewayError> {
        let data_key = DataKey::open(vault, tenant, self.version, &self.data_key)?;
        Ok(data_key.unseal(&context(tenant, &self.provider), &self.sealed)?)
    }
}

fn context(tenant: TenantId, provider: &str) -> String {
    format!("provider {provider} of tenant {tenant}")
}

struct Allowed(OwnKeyView);

impl FromRow for Allowed {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(OwnKeyView {
            provider: row.get("name")?,
            kind: row.get("kind")?,
            enabled: row.get("enabled")?,
            hint: row.get("hint")?,
            updated_at: row.get("updated_at")?,
        }))
    }
}

/// A tenant's keys by provider; none has any for the most part.
pub(crate) type Keys = Arc<HashMap<String, SealedKey>>;

/// The keys of all tenants, at most a second old.
pub(crate) struct OwnKeys {
    control: ControlStore,
    known: Recent<TenantId, Keys>,
}

impl OwnKeys {
    pub fn new(control: ControlStore) -> Self {
        Self { control, known: Recent::default() }
    }

    pub async fn of(&self, tenant: TenantId) -> Result<Keys, GatewayError> {
        let read = async || {
            let keys: Vec<SealedKey> = self.control.read(OF_TENANT).bind(tenant).fetch_all().await?;
            Ok(Arc::new(keys.into_iter().map(|key| (key.provider.clone(), key)).collect()))
        };
        self.known.get(tenant, read).await
    }

    /// What a tenant changed holds for its next request at this node.
    pub fn forget(&self, tenant: TenantId) {
        self.known.forget(&tenant);
    }

    /// The providers at which a tenant may use a key of its own, and where it does.
    pub async fn list(&self, manager: &impl Manages) -> Result<Vec<OwnKeyView>, GatewayError> {
        manager.require_manager()?;
        let allowed: Vec<Allowed> = self.control.read(ALLOWED).bind(manager.tenant()).fetch_all().await?;
        Ok(allowed.into_iter().map(|allowed| allowed.0).collect())
    }

    /// Keeps a key, in place of the one before.
    ///
    /// # Errors
    /// `UnknownProvider` where a tenant may use no key of its own; `InvalidKey` when it cannot be one.
    pub async fn set(
        &self,
        vault: &Vault,
        now: Timestamp,
        manager: &impl Manages,
        provider: &str,
        key: &Secret,
    ) -> Result<(), GatewayError> {
        self.require_allowed(manager, provider).await?;
        if !is_key(key.expose()) {
            let reason = "a key is printable and has no spaces; copy it again, whole".to_owned();
            return Err(GatewayError::InvalidKey { reason });
        }
        let tenant = manager.tenant();
        let mut tx = self.control.begin().await?;
        let data_key = DataKey::of(&mut tx, now, vault, tenant).await?;
        let sealed = data_key.seal(&context(tenant, provider), key.expose())?;
        let had_one = tx.query(HINT_OF).bind(tenant).bind(provider).fetch_optional::<String>().await?.is_some();
        let put = tx.query(PUT).bind(tenant).bind(provider).bind(data_key.version()).bind(sealed);
        put.bind(hint(key.expose())).bind(now).execute().await?;
        let change = if had_one { (told("set"), told("replaced")) } else { (Value::Null, told("set")) };
        Tenancy::note_of_tenant(&mut tx, now, manager, "provider_key.set", provider, change).await?;
        tx.commit().await?;
        self.forget(tenant);
        Ok(())
    }

    /// Forgets a key; whether there was one.
    pub async fn remove(&self, now: Timestamp, manager: &impl Manages, provider: &str) -> Result<bool, GatewayError> {
        manager.require_manager()?;
        let tenant = manager.tenant();
        let mut tx = self.control.begin().await?;
        if tx.query(REMOVE).bind(tenant).bind(provider).execute().await? == 0 {
            return Ok(false);
        }
        let change = (told("set"), Value::Null);
        Tenancy::note_of_tenant(&mut tx, now, manager, "provider_key.remove", provider, change).await?;
        tx.commit().await?;
        self.forget(tenant);
        Ok(true)
    }

    /// Tries a key, or the one that is stored, at no cost.
    ///
    /// # Errors
    /// As [`OwnKeys::set`]; the inner one is what the provider says.
    pub async fn test(
        &self,
        vault: &Vault,
        directory: &Directory,
        manager: &impl Manages,
        provider: &str,
        key: Option<Secret>,
    ) -> Result<Result<(), ProviderError>, GatewayError> {
        self.require_allowed(manager, provider).await?;
        let tenant = manager.tenant();
        let key = match key {
            Some(key) => key,
            None => {
                self.forget(tenant);
                match self.of(tenant).await?.get(provider) {
                    Some(stored) => stored.open(vault, tenant)?,
                    None => {
                        let reason = "there is no key of yours for it yet; enter one".to_owned();
                        return Err(GatewayError::InvalidKey { reason });
                    }
                }
            }
        };
        directory.try_key(provider, key.expose()).await
    }

    /// Seals a tenant's keys under a new data key; the old one opens nothing any more. How many there are.
    pub async fn renew_data_key(
        tx: &mut Transaction,
        vault: &Vault,
        now: Timestamp,
        tenant: TenantId,
    ) -> Result<usize, GatewayError> {
        let old = DataKey::of(tx, now, vault, tenant).await?;
        let new = old.renew(tx, now, vault, tenant).await?;
        let keys: Vec<SealedKey> = tx.query(OF_TENANT).bind(tenant).fetch_all().await?;
        for key in &keys {
            let secret = key.open(vault, tenant)?;
            let context = context(tenant, &key.provider);
            let put = tx.query(PUT).bind(tenant).bind(key.provider.as_str()).bind(new.version());
            let put = put.bind(new.seal(&context, secret.expose())?).bind(hint(secret.expose())).bind(now);
            put.execute().await?;
        }
        new.forget_older(tx, tenant).await?;
        Ok(keys.len())
    }

    async fn require_allowed(&self, manager: &impl Manages, provider: &str) -> Result<(), GatewayError> {
        let allowed = self.list(manager).await?;
        if allowed.iter().any(|view| view.provider == provider) {
            return Ok(());
        }
        let names: Vec<String> = allowed.into_iter().map(|view| view.provider).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(GatewayError::UnknownProvider { name: provider.chars().take(60).collect(), known })
    }
}

/// A key as the log tells it: not even by its end, since a log is kept elsewhere and outlives the key.
fn told(key: &str) -> Value {
    json!({ "key": key })
}

fn hint(key: &str) -> String {
    if key.len() < LONG_ENOUGH_TO_HINT { String::new() } else { key[key.len() - HINT..].to_owned() }
}

/// Whether a kind of provider takes keys at all.
pub(crate) const fn takes_keys(kind: ProviderKind) -> bool {
    match kind {
        ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Gemini => true,
        ProviderKind::Local | ProviderKind::Simulated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_tells_keys_apart_and_short_ones_nothing() {
        assert_eq!(hint("sk-0123456789abcdefWXYZ"), "WXYZ");
        assert_eq!(hint("short-key"), "");
    }
}
