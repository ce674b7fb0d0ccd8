//! Looking at databases without changing them: for `/readyz` and for `seam doctor`.

pub use crate::postgres::ServerFacts;

use crate::{
    ControlStore, Database, FromRow, Location, Row, StoreError, control,
    database::Engine,
    location::Place,
    postgres::{self, PlaneKind},
    tenant,
};
use sqlx::{
    ConnectOptions, Connection, PgConnection, Row as _, migrate::Migrator, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};
use std::path::{Path, PathBuf};

const APPLIED: &str = "SELECT version AS value FROM _sqlx_migrations WHERE success = TRUE";

/// What a database looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The path of a file, or the name of a schema.
    pub name: String,
    /// Migrations of this version that the database does not have yet; opening it applies them.
    pub pending: Vec<i64>,
    /// Migrations in the database that this version does not know: it was written by a newer Seam.
    pub unknown: Vec<i64>,
    /// What the engine's own check found; empty when the file is sound. PostgreSQL looks after itself.
    pub damage: Vec<String>,
}

impl ControlStore {
    /// The migrations that the open database lacks. Empty unless somebody changed it under us.
    pub async fn pending_migrations(&self) -> Result<Vec<i64>, StoreError> {
        pending(self).await
    }
}

async fn pending(database: &Database) -> Result<Vec<i64>, StoreError> {
    struct Version(i64);
    impl FromRow for Version {
        fn from_row(row: &Row) -> Result<Self, StoreError> {
            Ok(Self(row.get("value")?))
        }
    }
    let migrations = match &database.0 {
        Engine::Sqlite(_) => &control::MIGRATIONS,
        Engine::Postgres(_) => postgres::CONTROL.migrations,
    };
    let applied = database.read(APPLIED).fetch_all::<Version>().await?;
    Ok(known(migrations).filter(|version| !applied.iter().any(|row| row.0 == *version)).collect())
}

fn known(migrations: &Migrator) -> impl Iterator<Item = i64> + '_ {
    migrations.iter().map(|migration| migration.version)
}

/// Inspects the control plane and every tenant's database, reading only. What does not exist yet is not named.
pub async fn inspect(location: &Location) -> Result<Vec<Inspection>, StoreError> {
    match &location.0 {
        Place::Files(directory) => inspect_files(directory).await,
        Place::Postgres(options) => inspect_planes(options).await,
    }
}

/// The server behind a shared location; none where the data is in files.
pub async fn inspect_server(location: &Location) -> Result<Option<ServerFacts>, StoreError> {
    match &location.0 {
        Place::Files(_) => Ok(None),
        Place::Postgres(options) => {
            let mut connection = postgres::connect(options, &postgres::CONTROL).await?;
            let facts = postgres::facts_of_server(&mut connection).await?;
            connection.close().await?;
            Ok(Some(facts))
        }
    }
}

async fn inspect_planes(options: &PgConnectOptions) -> Result<Vec<Inspection>, StoreError> {
    let mut found = Vec::new();
    for kind in [&postgres::CONTROL, &postgres::TENANT] {
        let mut connection = postgres::connect(options, kind).await?;
        if postgres::exists(&mut connection, kind).await? {
            found.push(inspect_plane(&mut connection, kind).await?);
        }
        connection.close().await?;
    }
    Ok(found)
}

async fn inspect_plane(connection: &mut PgConnection, kind: &PlaneKind) -> Result<Inspection, StoreError> {
    let rows = sqlx::query(APPLIED).fetch_all(connection).await?;
    let applied: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(compared(format!("schema {}", kind.schema), &applied, kind.migrations, Vec::new()))
}

async fn inspect_files(data_dir: &Path) -> Result<Vec<Inspection>, StoreError> {
    let mut found = Vec::new();
    let control = data_dir.join(control::FILE);
    if control.is_file() {
        found.push(inspect_file(control, &control::MIGRATIONS).await?);
    }
    let Ok(entries) = std::fs::read_dir(data_dir.join(tenant::DIRECTORY)) else { return Ok(found) };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
    paths.sort();
    for path in paths {
        found.push(inspect_file(path, &tenant::MIGRATIONS).await?);
    }
    Ok(found)
}

async fn inspect_file(path: PathBuf, migrations: &Migrator) -> Result<Inspection, StoreError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(&path)
        .pragma("query_only", "on")
        .connect()
        .await
        .map_err(|error| crate::sqlite::cannot_open(&path, error))?;
    // One row “ok”, or one row for each thing that is wrong.
    let checked = sqlx::query("PRAGMA quick_check(20)").fetch_all(&mut connection).await;
    let damage = match checked {
        Ok(rows) => {
            let lines = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
            lines.into_iter().filter(|line| line != "ok").collect()
        }
        // Not even its header can be read.
        Err(error) => vec![error.as_database_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())],
    };
    let applied: Vec<i64> = if damage.is_empty() {
        let rows = sqlx::query(APPLIED).fetch_all(&mut connection).await.unwrap_or_default();
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
    } else {
        known(migrations).collect()
    };
    connection.close().await?;
    Ok(compared(path.display().to_string(), &applied, migrations, damage))
}

fn compared(name: String, applied: &[i64], migrations: &Migrator, damage: Vec<String>) -> Inspection {
    Inspection {
        name,
        pending: known(migrations).filter(|version| !applied.contains(version)).collect(),
        unknown: applied.iter().copied().filter(|applied| !known(migrations).any(|known| known == *applied)).collect(),
        damage,
    }
}
