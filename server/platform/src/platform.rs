//! The platform: every layer, opened in order and closed in reverse.
//!
//! What always holds once it is open: the schema is current, nothing in the ledger is left over from a
//! crash, and no run of an earlier process claims to be running.

use crate::{
    NotReady, OpenError, first_run,
    mail::{MailSettings, Mailer},
};
use gateway::{
    Gateway,
    providers::local::{LocalProvider, LocalSettings, LocalStatistics},
};
use metering::Metering;
use orchestration::Chats;
use registry::Registry;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use store::{ControlStore, Location, TenantStores};
use tenancy::{SharedClock, Tenancy, Vault};

/// Where the platform lives and what it is given.
pub struct PlatformSettings {
    /// Where both planes are.
    pub database: Location,
    /// Where the master key is unless it is given.
    pub data_dir: PathBuf,
    /// 32 bytes in base64; at most one of this and `master_key_file`. Neither: a file in the data directory.
    pub master_key: Option<String>,
    pub master_key_file: Option<PathBuf>,
    pub local: LocalSettings,
    pub clock: SharedClock,
    pub provider_keys: ProviderKeys,
    /// The relay that takes letters; none: links are shown instead.
    pub mail: Option<MailSettings>,
    /// Whether tenants' identity providers may be on private networks, and on this machine without TLS.
    pub private_identity_providers: bool,
}

/// Providers found in the environment; those not yet known are registered at start.
#[derive(Clone, Default)]
pub struct ProviderKeys {
    pub openai: Option<String>,
    pub anthropic: Option<String>,
    /// Where an Ollama may be running, such as `http://127.0.0.1:11434/v1`. None: it is not looked for.
    pub ollama_url: Option<String>,
}

/// All layers, open. Used as `Arc<Platform>`.
pub struct Platform {
    pub control: ControlStore,
    pub stores: TenantStores,
    pub tenancy: Tenancy,
    pub metering: Metering,
    pub registry: Registry,
    pub gateway: Gateway,
    pub chats: Chats,
    pub(crate) mailer: Option<Mailer>,
    local: Arc<LocalProvider>,
    closing: AtomicBool,
}

impl Platform {
    /// Opens the stores, brings them to this version, and ends what a crash may have left open.
    pub async fn open(settings: PlatformSettings) -> Result<Self, OpenError> {
        let control = ControlStore::open(&settings.database).await?;
        let vault =
            Vault::open(&settings.data_dir, settings.master_key.as_deref(), settings.master_key_file.as_deref())?;
        let clock = settings.clock;
        let tenancy = Tenancy::new(control.clone(), clock.clone(), vault)
            .private_identity_providers(settings.private_identity_providers);
        let metering = Metering::new(control.clone(), clock.clone());
        let registry = Registry::new(control.clone(), clock.clone());
        // Weights load on the provider's own thread while the rest goes on.
        let local = LocalProvider::start(settings.local);
        let gateway = Gateway::new(control.clone(), tenancy.clone(), metering.clone(), registry.clone(), local.clone());
        let stores = TenantStores::new(&settings.database);
        stores.prepare().await?;
        let chats = Chats::new(stores.clone(), gateway.clone(), registry.clone(), clock);
        let mailer = settings.mail.map(|mail| Mailer::start(mail, tenancy.clone()));
        let platform = Self {
            control,
            stores,
            tenancy,
            metering,
            registry,
            gateway,
            chats,
            mailer,
            local,
            closing: AtomicBool::new(false),
        };
        platform.recover().await?;
        first_run::register_found(&platform, &settings.provider_keys).await;
        Ok(platform)
    }

    /// Ends what an earlier process did not: attempts in the ledger first, then the runs that made them.
    async fn recover(&self) -> Result<(), OpenError> {
        let attempts = self.metering.resolve_unsettled().await?;
        let tenants = self.tenancy.tenant_list().await?;
        let scopes: Vec<_> = tenants.iter().map(|tenant| self.tenancy.upkeep_scope(tenant.id)).collect();
        let runs = self.chats.recover(&scopes).await;
        if attempts + runs > 0 {
            tracing::warn!(attempts, runs, "the last run of Seam ended in the middle of answers; they are closed now");
        }
        Ok(())
    }

    /// Whether requests can be served: the database answers and its schema is this version's.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(NotReady::ShuttingDown);
        }
        let pending = self.control.pending_migrations().await?;
        if pending.is_empty() { Ok(()) } else { Err(NotReady::Migrations(pending)) }
    }

    /// What the model in this process is doing.
    pub fn local_statistics(&self) -> LocalStatistics {
        self.local.statistics()
    }

    /// Says from now on that new requests should go elsewhere.
    pub fn close_to_new(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Lets answers finish for up to `limit`, ends the others with a typed event, settles, and closes all files.
    pub async fn shutdown(&self, limit: Duration) {
        self.close_to_new();
        self.chats.shutdown(limit).await;
        if let Some(mailer) = &self.mailer {
            mailer.close().await;
        }
        self.gateway.shutdown().await;
        self.local.shutdown().await;
        self.stores.close().await;
        self.control.close().await;
    }
}
