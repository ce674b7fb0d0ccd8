//! The tenant plane: a database for each tenant, opened only with a [`TenantAccess`].
//!
//! On SQLite that is a file per tenant, opened through a bounded cache of handles: a leak between tenants needs the
//! wrong file handle. On PostgreSQL tenants share tables, and row level security keeps them apart (`postgres/`).
//! Statements carry `tenant_id = $1` on both.

use crate::{
    Database, Location, Matching, StoreError, TenantAccess, Value,
    database::Engine,
    location::Place,
    postgres::{self, Plane, Postgres, Turns},
    sqlite::{Durability, Sqlite},
};
use contract::TenantId;
use sqlx::postgres::PgConnectOptions;
use std::{
    collections::{HashMap, HashSet},
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
pub struct TenantStores(Kept, Retired);

/// Tenants whose stores were removed by this process: nobody opens them again, which would make them anew.
type Retired = Arc<Mutex<HashSet<TenantId>>>;

/// A file of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedFile {
    /// Under the data directory.
    pub name: String,
    pub bytes: u64,
}

/// What a tenant's store consisted of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removed {
    pub files: Vec<RemovedFile>,
    /// Rows in tables that tenants share.
    pub rows: u64,
}

#[derive(Debug, Clone)]
enum Kept {
    Files(Files),
    Shared(Shared),
}

impl TenantStores {
    /// Nothing is opened yet.
    pub fn new(location: &Location) -> Self {
        let kept = match &location.0 {
            Place::Files(directory) => Kept::Files(Files::new(directory)),
            Place::Postgres(options) => Kept::Shared(Shared::new(options)),
        };
        Self(kept, Retired::default())
    }

    fn retired(&self) -> MutexGuard<'_, HashSet<TenantId>> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
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
        if self.retired().contains(&tenant) {
            return Err(StoreError::Engine(format!("the data of the tenant {tenant} was removed")));
        }
        match &self.0 {
            Kept::Files(files) => files.open(tenant).await,
            Kept::Shared(shared) => shared.open(tenant).await,
        }
    }

    /// The files of a tenant as they are now; none where tenants share tables.
    pub fn files(&self, access: TenantAccess) -> Vec<RemovedFile> {
        match &self.0 {
            Kept::Files(files) => files.of_tenant(access.tenant()).into_iter().map(|(_, file)| file).collect(),
            Kept::Shared(_) => Vec::new(),
        }
    }

    /// Removes everything of a tenant's store. Waits for statements under way; whoever holds the store finds it closed,
    /// and this process opens it no more unless [`TenantStores::admit`] says so. Can be repeated.
    ///
    /// Of files: no other process may have them open, or it goes on writing into what has no name any more.
    pub async fn remove(&self, access: TenantAccess) -> Result<Removed, StoreError> {
        let tenant = access.tenant();
        self.retired().insert(tenant);
        match &self.0 {
            Kept::Files(files) => Ok(Removed { files: files.remove(tenant).await?, rows: 0 }),
            Kept::Shared(shared) => Ok(Removed { files: Vec::new(), rows: shared.remove(tenant).await? }),
        }
    }

    /// A tenant of this id may have a store again: it is being imported.
    pub fn admit(&self, access: TenantAccess) {
        self.retired().remove(&access.tenant());
    }

    /// Gives the space of deleted rows back, where tenants share tables.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kept::Files(_) => Ok(()),
            Kept::Shared(shared) => postgres::vacuum(shared.plane().await?).await,
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

    /// All rows in one transaction, those that point at others first.
    async fn remove(&self, tenant: TenantId) -> Result<u64, StoreError> {
        let store = self.open(tenant).await?;
        let mut tx = store.begin().await?;
        let own = Matching::new("tenant_id = $1", Value::Text(Some(tenant.to_string())));
        let mut rows = 0;
        for table in tx.tables().await?.iter().rev() {
            rows += tx.rows_delete(table, &own).await?;
        }
        tx.commit().await?;
        Ok(rows)
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

    fn path(&self, tenant: TenantId) -> PathBuf {
        self.directory.join(format!("{tenant}.db"))
    }

    async fn opened(&self, tenant: TenantId, database: &OnceCell<Database>) -> Result<Database, StoreError> {
        let path = self.path(tenant);
        let opened = database.get_or_try_init(|| async {
            let file = Sqlite::open(&path, READERS, Durability::Crash, &MIGRATIONS).await?;
            Ok::<_, StoreError>(Database(Engine::Sqlite(file)))
        });
        Ok(opened.await?.clone())
    }

    /// The database and what SQLite keeps beside it, those that exist.
    fn of_tenant(&self, tenant: TenantId) -> Vec<(PathBuf, RemovedFile)> {
        ["", "-wal", "-shm", "-journal"]
            .iter()
            .filter_map(|suffix| {
                let name = format!("{tenant}.db{suffix}");
                let path = self.directory.join(&name);
                let bytes = path.metadata().ok()?.len();
                Some((path, RemovedFile { name: format!("{DIRECTORY}/{name}"), bytes }))
            })
            .collect()
    }

    async fn remove(&self, tenant: TenantId) -> Result<Vec<RemovedFile>, StoreError> {
        let found = self.of_tenant(tenant);
        let handle = self.handles().by_tenant.remove(&tenant);
        if let Some(handle) = handle {
            // Whoever is opening it now is waited for, and whoever still holds the handle finds it open, and closed.
            // A file that cannot be opened is removed all the same.
            if let Ok(opened) = self.opened(tenant, &handle.database).await {
                opened.close().await;
            }
        }
        for (path, _) in self.of_tenant(tenant) {
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::Directory { path, source }),
            }
        }
        if let Ok(directory) = std::fs::File::open(&self.directory) {
            // That the names are gone survives the loss of power.
            directory.sync_all().map_err(|source| StoreError::Directory { path: self.directory.clone(), source })?;
        }
        Ok(found.into_iter().map(|(_, file)| file).collect())
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
        let opened = self.opened(tenant, &database).await?;
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
