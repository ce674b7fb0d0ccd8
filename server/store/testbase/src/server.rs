//! Databases on the server that `SEAM_TEST_DATABASE_URL` names: made, copied and dropped.

use crate::Broken;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};
use store::{ControlStore, Location, TenantStores};

const VARIABLE: &str = "SEAM_TEST_DATABASE_URL";
/// One process at a time makes the template; the others wait and find it.
const TEMPLATE_LOCK: &str = "SELECT pg_advisory_lock(1397047629, 3)";

struct Server {
    options: PgConnectOptions,
}

impl Server {
    fn found() -> Result<Self, Broken> {
        let url = std::env::var(VARIABLE)
            .map_err(|_| format!("{VARIABLE} is not set; run: export {VARIABLE}=$(scripts/postgres.sh)"))?;
        Ok(Self { options: PgConnectOptions::from_str(&url)? })
    }

    async fn connect(&self) -> Result<PgConnection, Broken> {
        self.options
            .connect()
            .await
            .map_err(|error| format!("the server in {VARIABLE} does not answer: {error}").into())
    }

    fn url(&self, database: &str) -> String {
        self.options.clone().database(database).to_url_lossy().to_string()
    }
}

pub(crate) async fn create_bare() -> Result<String, Broken> {
    let server = Server::found()?;
    let mut connection = server.connect().await?;
    let name = new_name();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
    connection.close().await?;
    Ok(server.url(&name))
}

pub(crate) async fn create_migrated() -> Result<String, Broken> {
    let server = Server::found()?;
    let mut connection = server.connect().await?;
    let template = provide_template(&server, &mut connection).await?;
    let name = new_name();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"))).await?;
    connection.close().await?;
    Ok(server.url(&name))
}

/// Named by what the migrations hold, so that a server that outlives a change gets a new one.
async fn provide_template(server: &Server, connection: &mut PgConnection) -> Result<String, Broken> {
    let name = format!("seam_template_{:016x}", hash_of_migrations()?);
    if exists(connection, &name).await? {
        return Ok(name);
    }
    connection.execute(TEMPLATE_LOCK).await?;
    if !exists(connection, &name).await? {
        // Under another name until it is complete: nobody copies half of it.
        let unfinished = new_name();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {unfinished}"))).await?;
        let location = Location::parse(Some(&server.url(&unfinished)), Path::new("unused"))?;
        ControlStore::open(&location).await?.close().await;
        let tenants = TenantStores::new(&location);
        tenants.prepare().await?;
        tenants.close().await;
        connection.execute(AssertSqlSafe(format!("ALTER DATABASE {unfinished} RENAME TO {name}"))).await?;
    }
    connection.execute("SELECT pg_advisory_unlock_all()").await?;
    Ok(name)
}

async fn exists(connection: &mut PgConnection, database: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(connection)
        .await
}

fn hash_of_migrations() -> Result<u64, Broken> {
    let mut hasher = DefaultHasher::new();
    for plane in ["control", "tenant"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations").join(plane).join("postgres");
        let mut files: Vec<_> = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(std::fs::DirEntry::file_name);
        for file in files {
            file.file_name().hash(&mut hasher);
            std::fs::read(file.path())?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Whether anybody may connect to a database. Nobody: whoever is connected is cut off, as by a server that restarts.
pub(crate) async fn admit(url: &str, admitted: bool) -> Result<(), Broken> {
    let options = PgConnectOptions::from_str(url)?;
    let name = options.get_database().ok_or("the URL names no database")?;
    let mut connection = Server::found()?.connect().await?;
    connection.execute(AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {admitted}"))).await?;
    if !admitted {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(cut).bind(name).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

fn new_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("seam_test_{}_{now:x}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// On a thread of its own: the test's runtime may be ending. Connections that a test forgot are cut.
pub(crate) fn drop_in_background(url: &str) {
    let url = url.to_owned();
    let dropped = std::thread::spawn(move || -> Result<(), Broken> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let options = PgConnectOptions::from_str(&url)?;
            let name = options.get_database().unwrap_or_default().to_owned();
            let mut connection = Server::found()?.connect().await?;
            connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
            Ok(connection.close().await?)
        })
    });
    if let Ok(Err(error)) = dropped.join() {
        eprintln!("a test's database was not removed: {error}");
    }
}
