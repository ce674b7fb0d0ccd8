//! The tenant plane: a database for each tenant, opened only with a [`TenantAccess`].
//!
//! On SQLite that is a file per tenant, opened through a bounded cache of handles: a leak between tenants needs the
//! wrong file handle. On PostgreSQL tenants share tables, and row level security keeps them apart (`postgres/`).
//! Statements carry `tenant_id = $1` on both.

use crate::{
    Database, Location, StoreError, TenantAccess,
    database::Engine,
    location::Place,
    postgres::{self, Plane, Postgres, Turns},
    sqlite::{Durability, Sqlite},
};
use contract::TenantId;
use sqlx::postgres::PgConnectOptions;
use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::OnceCell;

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/tenant/sqlite");
pub(crate) const DIRECTORY: &str = "tenants";

/// One member's page and stream at a time are typical; more wait microseconds.
const READERS: u32 = 3;
/// At most about four files each: a few hundred open files, however many tenants there are.
const OPEN_TENANTS: usize = 96;

/// One tenant's open store.
#[derive(Debug, Clone)]
pub struct TenantStore {
    tenant: TenantId,
    opened: Database,
    /// Its count tells the cache of files that this store is in use.
    _in_use: Option<Arc<OnceCell<Database>>>,
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

/// All tenants' stores.
#[derive(Debug, Clone)]
pub struct TenantStores(Kept);

#[derive(Debug, Clone)]
enum Kept {
    Files(Files),
    Shared(Shared),
}

impl TenantStores {
    /// Nothing is opened yet.
    pub fn new(location: &Location) -> Self {
        Self(match &location.0 {
            Place::Files(directory) => Kept::Files(Files::new(directory)),
            Place::Postgres(options) => Kept::Shared(Shared::new(options)),
        })
    }

    /// Opens what tenants share and migrates it; where each has a file of its own there is nothing to do.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kept::Files(_) => Ok(()),
            Kept::Shared(shared) => shared.plane().await.map(drop),
        }
    }

    /// Opens the store of the tenant that access was granted for; creates and migrates it when new.
    pub async fn open(&self, access: TenantAccess) -> Result<TenantStore, StoreError> {
        let tenant = access.tenant();
        match &self.0 {
            Kept::Files(files) => files.open(tenant).await,
            Kept::Shared(shared) => shared.open(tenant).await,
        }
    }

    /// Closes every open store; for the end of the process.
    pub async fn close(&self) {
        match &self.0 {
            Kept::Files(files) => files.close().await,
            Kept::Shared(shared) => shared.close().await,
        }
    }

    /// How many tenants' stores are kept open now.
    pub fn open_count(&self) -> usize {
        match &self.0 {
            Kept::Files(files) => files.handles().by_tenant.len(),
            Kept::Shared(shared) => shared.turns().values().filter(|turns| turns.strong_count() > 0).count(),
        }
    }
}

/// PostgreSQL: one pool for all tenants, opened at the first use.
#[derive(Clone)]
struct Shared {
    options: Box<PgConnectOptions>,
    plane: Arc<OnceCell<Plane>>,
    /// Of tenants that are being worked for; others' entries are dead and removed now and then.
    turns: Arc<Mutex<HashMap<TenantId, Weak<Turns>>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("plane", &self.plane).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(options: &PgConnectOptions) -> Self {
        Self { options: Box::new(options.clone()), plane: Arc::default(), turns: Arc::default() }
    }

    async fn plane(&self) -> Result<&Plane, StoreError> {
        self.plane.get_or_try_init(|| Plane::open(&self.options, &postgres::TENANT)).await
    }

    async fn open(&self, tenant: TenantId) -> Result<TenantStore, StoreError> {
        let plane = self.plane().await?.clone();
        let opened = Database(Engine::Postgres(Postgres::of_tenant(plane, tenant, self.turns_of(tenant))));
        Ok(TenantStore { tenant, opened, _in_use: None })
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<TenantId, Weak<Turns>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One queue a tenant, however often its store is opened.
    fn turns_of(&self, tenant: TenantId) -> Arc<Turns> {
        let mut turns = self.turns();
        if let Some(turns) = turns.get(&tenant).and_then(Weak::upgrade) {
            return turns;
        }
        if turns.len() >= OPEN_TENANTS {
            turns.retain(|_, turns| turns.strong_count() > 0);
        }
        let new = Arc::new(Turns::of_tenant());
        turns.insert(tenant, Arc::downgrade(&new));
        new
    }

    async fn close(&self) {
        if let Some(plane) = self.plane.get() {
            plane.pool().close().await;
        }
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

/// SQLite: a file for each tenant.
#[derive(Debug, Clone)]
struct Files {
    directory: PathBuf,
    handles: Arc<Mutex<Handles>>,
}

impl Files {
    fn new(data_dir: &Path) -> Self {
        Self { directory: data_dir.join(DIRECTORY), handles: Arc::default() }
    }

    async fn open(&self, tenant: TenantId) -> Result<TenantStore, StoreError> {
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
            .get_or_try_init(|| async {
                let file = Sqlite::open(&path, READERS, Durability::Crash, &MIGRATIONS).await?;
                Ok::<_, StoreError>(Database(Engine::Sqlite(file)))
            })
            .await?
            .clone();
        Ok(TenantStore { tenant, opened, _in_use: Some(database) })
    }

    async fn close(&self) {
        let open: Vec<_> = self.handles().by_tenant.drain().collect();
        for (_, handle) in open {
            if let Some(database) = handle.database.get() {
                database.close().await;
            }
        }
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
