//! The configured providers, as instances that can be called: read from the table, at most a second old.
//!
//! An instance is kept as long as its row stays the same, and with it the connections it holds open. A row
//! that cannot be used takes out its own provider and no other.

use crate::{
    GatewayError,
    configure::key_context,
    health::Health,
    left_out::LeftOut,
    onboarding::offered_models,
    own_keys::{SealedKey, takes_keys},
    provider::{Provider, ProviderError},
    providers::{Anthropic, Gemini, OpenAi, Simulated, SimulatedOptions, Unusable},
};
use contract::{ProviderKind, TenantId};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use store::{ControlStore, FromRow, Row, StoreError};
use tenancy::{Secret, Vault};
use tokio::time::Instant;

/// How old what is served may be; the same as the registry's.
const MAX_AGE: Duration = registry::MAX_AGE;
/// A request does not wait longer than this for a fresher look when it could have the last one.
const RELOAD_PATIENCE: Duration = Duration::from_millis(250);
/// Providers with tenants' own keys that are remembered; all are made again when there are more.
const MOST_OWNED: usize = 10_000;

const PROVIDERS: &str = "
SELECT name, kind, base_url, api_key_sealed, region, zero_retention, timeout_ms, max_retries, options, enabled, own_keys,
    whole_timeout_ms
FROM provider ORDER BY name";

#[derive(Debug, Clone, PartialEq)]
struct ProviderRow {
    name: String,
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

impl FromRow for ProviderRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
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

/// A provider as the operator configured it.
pub(crate) struct Configured {
    pub name: String,
    /// How long the first part of an answer may take.
    pub timeout: Duration,
    /// How long an answer may take that the provider sends at once and whole.
    pub whole_timeout: Duration,
    pub max_retries: u32,
    pub instance: Arc<dyn Provider>,
    pub region: Option<String>,
    /// Whether it is known to keep nothing of what it is sent.
    pub zero_retention: bool,
    /// Whether a tenant's own key pays for what is asked here.
    pub own_key: bool,
    /// How its models are doing. Forgotten when its configuration changes: it may be mended.
    pub health: Health,
    row: ProviderRow,
}

impl Configured {
    /// Why it cannot answer right now; none when it can.
    pub fn unavailable_reason(&self, model: &str) -> Option<LeftOut> {
        if !self.row.enabled {
            return Some(LeftOut::Off);
        }
        self.instance.unavailable_reason(model).map(LeftOut::NotReady)
    }

    /// Whether tenants may use keys of their own here. As `own_keys.rs` asks the table.
    pub fn takes_own_keys(&self) -> bool {
        takes_keys(self.row.kind) && self.row.own_keys.unwrap_or(self.row.base_url.is_none())
    }

    #[cfg(test)]
    pub fn of_test(name: &str, instance: Arc<dyn Provider>) -> Self {
        let row = ProviderRow {
            name: name.to_owned(),
            kind: instance.kind(),
            base_url: None,
            api_key_sealed: None,
            region: None,
            zero_retention: false,
            timeout_ms: 1_000,
            max_retries: 0,
            options: "{}".to_owned(),
            enabled: true,
            own_keys: None,
            whole_timeout_ms: 1_000,
        };
        let timeout = Duration::from_secs(1);
        Self {
            name: name.to_owned(),
            timeout,
            whole_timeout: timeout,
            max_retries: 0,
            instance,
            region: None,
            zero_retention: false,
            own_key: false,
            health: Health::default(),
            row,
        }
    }
}

#[derive(Clone)]
struct Snapshot {
    /// None once it was invalidated.
    as_of: Option<Instant>,
    by_name: Arc<HashMap<String, Arc<Configured>>>,
}

/// All configured providers.
pub(crate) struct Directory {
    control: ControlStore,
    vault: Vault,
    local: Arc<dyn Provider>,
    /// Held for an assignment, never across an await.
    snapshot: RwLock<Option<Snapshot>>,
    /// Providers with tenants' own keys, each of which is kept as long as provider and key are the same.
    owned: RwLock<HashMap<(TenantId, String), Owned>>,
}

/// A provider with a tenant's key in place of the platform's.
struct Owned {
    base: Arc<Configured>,
    key: SealedKey,
    configured: Arc<Configured>,
}

impl Directory {
    pub fn new(control: ControlStore, vault: Vault, local: Arc<dyn Provider>) -> Self {
        Self { control, vault, local, snapshot: RwLock::new(None), owned: RwLock::default() }
    }

    /// The provider of this name; none when it is not configured.
    pub async fn get(&self, name: &str) -> Result<Option<Arc<Configured>>, GatewayError> {
        Ok(self.current().await?.get(name).cloned())
    }

    /// A provider as a tenant with a key of its own sees it. How it fares with that key is the tenant's own matter.
    pub fn with_key(&self, base: &Arc<Configured>, tenant: TenantId, key: &SealedKey) -> Arc<Configured> {
        let at = (tenant, base.name.clone());
        let known = self.owned.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(owned) = known.get(&at)
            && Arc::ptr_eq(&owned.base, base)
            && owned.key == *key
        {
            return Arc::clone(&owned.configured);
        }
        drop(known);
        let opened = key.open(&self.vault, tenant).map_err(|error| {
            tracing::warn!(%tenant, provider = base.name, %error, "a tenant's own key cannot be read");
            "your own key for it cannot be read; enter it again".to_owned()
        });
        let configured = Arc::new(self.configured_with(base.row.clone(), opened.map(Some), true));
        let mut owned = self.owned.write().unwrap_or_else(PoisonError::into_inner);
        if owned.len() >= MOST_OWNED {
            owned.clear();
        }
        owned.insert(at, Owned { base: Arc::clone(base), key: key.clone(), configured: Arc::clone(&configured) });
        configured
    }

    /// Whether a provider takes a key; costs nothing.
    pub async fn try_key(&self, provider: &str, key: &str) -> Result<Result<(), ProviderError>, GatewayError> {
        let Some(configured) = self.get(provider).await? else {
            return Ok(Err(ProviderError::NotReady("there is no such provider any more".to_owned())));
        };
        let offered = offered_models(configured.row.kind, configured.row.base_url.as_deref(), Some(key)).await;
        Ok(offered.map(drop))
    }

    /// Forgets how fresh what is known is: the next look reads the table.
    pub fn invalidate(&self) {
        if let Some(snapshot) = self.write().as_mut() {
            snapshot.as_of = None;
        }
    }

    async fn current(&self) -> Result<Arc<HashMap<String, Arc<Configured>>>, GatewayError> {
        let known = self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(snapshot) = &known
            && snapshot.as_of.is_some_and(|as_of| as_of.elapsed() < MAX_AGE)
        {
            return Ok(Arc::clone(&snapshot.by_name));
        }
        // On the heap, so that those who need no look are small.
        Box::pin(self.looked(known)).await
    }

    async fn looked(&self, known: Option<Snapshot>) -> Result<Arc<HashMap<String, Arc<Configured>>>, GatewayError> {
        // Two readers at once build the same twice, at worst.
        let as_of = Instant::now();
        let read = self.control.read(PROVIDERS).fetch_all::<ProviderRow>();
        let rows = match &known {
            None => read.await?,
            // A database that is busy does not stop answers from providers that are known.
            Some(last) => match tokio::time::timeout(RELOAD_PATIENCE, read).await {
                Ok(Ok(rows)) => rows,
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("the providers cannot be read; the last known ones are used");
                    let by_name = Arc::clone(&last.by_name);
                    *self.write() = Some(Snapshot { as_of: Some(as_of), by_name: Arc::clone(&by_name) });
                    return Ok(by_name);
                }
            },
        };
        let before = known.map(|snapshot| snapshot.by_name).unwrap_or_default();
        let by_name = rows.into_iter().map(|row| {
            let kept = before.get(&row.name).filter(|configured| configured.row == row).cloned();
            (row.name.clone(), kept.unwrap_or_else(|| Arc::new(self.configured(row))))
        });
        let by_name = Arc::new(by_name.collect());
        *self.write() = Some(Snapshot { as_of: Some(as_of), by_name: Arc::clone(&by_name) });
        Ok(by_name)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Option<Snapshot>> {
        self.snapshot.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn configured(&self, row: ProviderRow) -> Configured {
        let sealed = row.api_key_sealed.as_deref();
        let key = sealed
            .map(|sealed| self.vault.unseal(&key_context(&row.name), sealed))
            .transpose()
            .map_err(|_| "its API key cannot be unsealed with this master key; set the key again".to_owned());
        self.configured_with(row, key, false)
    }

    /// `key`: or why there is none.
    fn configured_with(&self, row: ProviderRow, key: Result<Option<Secret>, String>, own_key: bool) -> Configured {
        let timeout = Duration::from_millis(u64::try_from(row.timeout_ms).unwrap_or(0));
        let instance = key.and_then(|key| self.instance(&row, key.as_ref(), timeout)).unwrap_or_else(|reason| {
            tracing::warn!(provider = row.name, reason, "a provider cannot be used");
            Arc::new(Unusable { kind: row.kind, reason })
        });
        let max_retries = u32::try_from(row.max_retries).unwrap_or(0);
        Configured {
            name: row.name.clone(),
            timeout,
            whole_timeout: Duration::from_millis(u64::try_from(row.whole_timeout_ms).unwrap_or(0)),
            max_retries,
            instance,
            region: row.region.clone(),
            zero_retention: row.zero_retention,
            own_key,
            health: Health::default(),
            row,
        }
    }

    fn instance(
        &self,
        row: &ProviderRow,
        key: Option<&Secret>,
        timeout: Duration,
    ) -> Result<Arc<dyn Provider>, String> {
        let (base_url, key) = (row.base_url.as_deref(), key.map(Secret::expose));
        match row.kind {
            ProviderKind::Local => Ok(Arc::clone(&self.local)),
            ProviderKind::Openai => match OpenAi::new(base_url, key, timeout) {
                Ok(provider) => Ok(Arc::new(provider)),
                Err(error) => Err(error.to_string()),
            },
            ProviderKind::Anthropic => match Anthropic::new(base_url, key, timeout) {
                Ok(provider) => Ok(Arc::new(provider)),
                Err(error) => Err(error.to_string()),
            },
            ProviderKind::Gemini => match Gemini::new(base_url, key, timeout) {
                Ok(provider) => Ok(Arc::new(provider)),
                Err(error) => Err(error.to_string()),
            },
            ProviderKind::Simulated => {
                let options = serde_json::from_str(&row.options).map_err(|error| error.to_string())?;
                Ok(Arc::new(Simulated::new(SimulatedOptions::parse(&options)?, timeout)))
            }
        }
    }
}
