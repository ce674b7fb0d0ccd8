//! The platform: every layer, opened in order and closed in reverse.
//!
//! What always holds once it is open: the schema is current, this process is among the nodes, and what nodes left open
//! that are no more, in the ledger or in runs, is ended (`upkeep.rs`).

use crate::{
    NotReady, OpenError,
    archive::Transits,
    first_run,
    mail::{MailSettings, Mailer},
    upkeep::{Caretaker, Upkeep},
};
use gateway::{
    Gateway,
    providers::local::{LocalProvider, LocalSettings, LocalStatistics},
};
use lifecycle::Lifecycle;
use metering::Metering;
use nodes::{NodeSettings, Nodes};
use orchestration::{Chats, Responses};
use registry::Registry;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use store::{ControlStore, Hints, Location, TenantStores};
use tenancy::{SharedClock, Tenancy, Vault};

/// In the data directory, where this process alone writes the ledger.
pub const JOURNAL: &str = "journal";

/// Where the platform lives and what it is given.
pub struct PlatformSettings {
    /// Where both planes are.
    pub database: Location,
    /// Where the ledger's journal is, and the master key unless it is given.
    pub data_dir: PathBuf,
    /// 32 bytes in base64; at most one of this and `master_key_file`. Neither: a file in the data directory.
    pub master_key: Option<String>,
    pub master_key_file: Option<PathBuf>,
    /// Opens secrets as well, while the master key is changed.
    pub master_key_also: Option<String>,
    pub local: LocalSettings,
    pub clock: SharedClock,
    pub provider_keys: ProviderKeys,
    /// What people call this process among others: its machine and address.
    pub node_name: String,
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
    pub responses: Responses,
    pub lifecycle: Lifecycle,
    pub nodes: Nodes,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) transits: Transits,
    local: Arc<LocalProvider>,
    caretaker: Caretaker,
    upkeep: Upkeep,
    closing: AtomicBool,
}

impl Platform {
    /// Opens the stores, brings them to this version, joins the nodes, and ends what a crash may have left open.
    pub async fn open(settings: PlatformSettings) -> Result<Self, OpenError> {
        let control = ControlStore::open(&settings.database).await?;
        let (key, key_file) = (settings.master_key.as_deref(), settings.master_key_file.as_deref());
        let also = settings.master_key_also.as_deref();
        let vault = Vault::open_with(&control, &settings.data_dir, key, key_file, also).await?;
        let clock = settings.clock;
        let stores = TenantStores::new(&settings.database);
        stores.prepare().await?;
        let as_node =
            NodeSettings { shared: settings.database.is_shared(), ..NodeSettings::alone(&settings.node_name) };
        let hints = Hints::open(&settings.database);
        let nodes = Nodes::join(control.clone(), clock.clone(), hints, as_node).await?;
        let tenancy = Tenancy::new(control.clone(), clock.clone(), vault)
            .private_identity_providers(settings.private_identity_providers);
        let metering = match settings.database.is_shared() {
            true => Metering::new(control.clone(), clock.clone(), nodes.clone()),
            false => {
                let journal = settings.data_dir.join(JOURNAL);
                Metering::journaled(control.clone(), clock.clone(), nodes.clone(), &journal).await?
            }
        };
        let registry = Registry::new(control.clone(), clock.clone());
        // Weights load on the provider's own thread while the rest goes on.
        let local = LocalProvider::start(settings.local);
        let gateway = Gateway::new(
            control.clone(),
            tenancy.clone(),
            metering.clone(),
            registry.clone(),
            stores.clone(),
            local.clone(),
        );
        let lifecycle = Lifecycle::new(settings.database.clone(), control.clone(), stores.clone(), tenancy.clone());
        let responses = Responses::new(stores.clone(), clock.clone());
        let chats = Chats::new(stores.clone(), gateway.clone(), registry.clone(), clock, nodes.clone());
        let caretaker = Caretaker {
            nodes: nodes.clone(),
            tenancy: tenancy.clone(),
            metering: metering.clone(),
            chats: chats.clone(),
        };
        caretaker.recover().await?;
        let mailer = settings.mail.map(|mail| Mailer::start(mail, tenancy.clone()));
        let platform = Self {
            control,
            stores,
            tenancy,
            metering,
            registry,
            gateway,
            chats,
            responses,
            lifecycle,
            nodes,
            mailer,
            transits: Transits::open(&settings.data_dir),
            local,
            upkeep: caretaker.clone().start(),
            caretaker,
            closing: AtomicBool::new(false),
        };
        first_run::register_found(&platform, &settings.provider_keys).await;
        Ok(platform)
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
        if let Err(error) = self.metering.caught_up().await {
            tracing::warn!(%error, "the ledger's last entries wait in its journal for the next start");
        }
        self.local.shutdown().await;
        self.upkeep.stop().await;
        self.leave().await;
        self.nodes.hints().close().await;
        self.stores.close().await;
        self.control.close().await;
    }
    /// What is open all the same is ended now; a database that does not answer leaves it to the others, or to the next
    /// start.
    async fn leave(&self) {
        if let Err(error) = self.nodes.leave().await {
            tracing::warn!(%error, "this node could not tell the others that it leaves");
        } else if let Err(error) = self.caretaker.recover().await {
            tracing::warn!(%error, "what is left open could not be looked for");
        }
    }
}
