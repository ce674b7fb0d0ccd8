//! The tenant plane: one database file per tenant, opened through a bounded cache of handles.
//!
//! A leak between tenants needs the wrong file handle, and a handle needs a [`TenantAccess`]. Statements
//! carry `tenant_id = $1` all the same: the rows are the same on an engine where tenants share tables.

use crate::{Database, StoreError, TenantAccess, database::Durability};
use contract::TenantId;
use std::{
    collections::HashMap,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/tenant/sqlite");

/// One member's page and stream at a time are typical; more wait microseconds.
const READERS: u32 = 3;
/// At most about four files each: a few hundred open files, however many tenants there are.
const OPEN_TENANTS: usize = 96;

/// One tenant's open store.
#[derive(Debug, Clone)]
pub struct TenantStore {
    tenant: TenantId,
    opened: Database,
    /// Its count tells the cache that this store is in use.
    _in_use: Arc<OnceCell<Database>>,
}

impl TenantStore {
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl Deref for TenantStore {
    type Target = Database;
    fn deref(&self) -> &Database {
        &self.opened
    }
}

#[derive(Debug)]
struct Handle {
    database: Arc<OnceCell<Database>>,
    last_used: u64,
}

#[derive(Debug, Default)]
struct Handles {
    by_tenant: HashMap<TenantId, Handle>,
    clock: u64,
}

/// All tenants' stores.
#[derive(Debug, Clone)]
pub struct TenantStores {
    directory: PathBuf,
    handles: Arc<Mutex<Handles>>,
}

impl TenantStores {
    pub fn new(data_dir: &Path) -> Self {
        Self { directory: data_dir.join("tenants"), handles: Arc::default() }
    }

    /// Opens the store of the tenant that access was granted for; creates and migrates it when new.
    pub async fn open(&self, access: TenantAccess) -> Result<TenantStore, StoreError> {
        let tenant = access.tenant();
        let (database, idle) = {
            let mut handles = self.handles();
            let database = handles.touch(tenant);
            (database, handles.evict_idle())
        };
        for closed in idle {
            closed.close().await;
        }
        let path = self.directory.join(format!("{tenant}.db"));
        let opened = database
            .get_or_try_init(|| async { Database::open(&path, READERS, Durability::Crash, &MIGRATIONS).await })
            .await?
            .clone();
        Ok(TenantStore { tenant, opened, _in_use: database })
    }

    /// Closes every open store; for the end of the process.
    pub async fn close(&self) {
        let open: Vec<_> = self.handles().by_tenant.drain().collect();
        for (_, handle) in open {
            if let Some(database) = handle.database.get() {
                database.close().await;
            }
        }
    }

    /// How many tenants' files are open now.
    pub fn open_count(&self) -> usize {
        self.handles().by_tenant.len()
    }

    fn handles(&self) -> MutexGuard<'_, Handles> {
        // The map is consistent between any two of its operations, so a panic elsewhere leaves it usable.
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handles {
    fn touch(&mut self, tenant: TenantId) -> Arc<OnceCell<Database>> {
        self.clock += 1;
        let handle = self.by_tenant.entry(tenant).or_insert_with(|| Handle { database: Arc::default(), last_used: 0 });
        handle.last_used = self.clock;
        Arc::clone(&handle.database)
    }

    /// Takes the longest unused stores out until the bound holds; those in use stay.
    fn evict_idle(&mut self) -> Vec<Database> {
        let mut closed = Vec::new();
        while self.by_tenant.len() > OPEN_TENANTS {
            let idle = self
                .by_tenant
                .iter()
                .filter(|(_, handle)| Arc::strong_count(&handle.database) == 1)
                .min_by_key(|(_, handle)| handle.last_used)
                .map(|(tenant, _)| *tenant);
            let Some(handle) = idle.and_then(|tenant| self.by_tenant.remove(&tenant)) else { break };
            closed.extend(handle.database.get().cloned());
        }
        closed
    }
}
