//! Looking at databases without changing them: for `/readyz` and for `seam doctor`.

use crate::{ControlStore, Database, FromRow, Row, StoreError, control, tenant};
use sqlx::{ConnectOptions, Connection, Row as _, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::path::{Path, PathBuf};

const APPLIED: &str = "SELECT version AS value FROM _sqlx_migrations WHERE success = TRUE";

/// What a database file looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub path: PathBuf,
    /// Migrations of this version that the file does not have yet; opening it applies them.
    pub pending: Vec<i64>,
    /// Migrations in the file that this version does not know: it was written by a newer Seam.
    pub unknown: Vec<i64>,
    /// What the engine's own check found; empty when the file is sound.
    pub damage: Vec<String>,
}

impl ControlStore {
    /// The migrations that the open database lacks. Empty unless somebody changed it under us.
    pub async fn pending_migrations(&self) -> Result<Vec<i64>, StoreError> {
        pending(self, &control::MIGRATIONS).await
    }
}

async fn pending(database: &Database, migrations: &Migrator) -> Result<Vec<i64>, StoreError> {
    struct Version(i64);
    impl FromRow for Version {
        fn from_row(row: &Row) -> Result<Self, StoreError> {
            Ok(Self(row.get("value")?))
        }
    }
    let applied = database.read(APPLIED).fetch_all::<Version>().await?;
    Ok(known(migrations).filter(|version| !applied.iter().any(|row| row.0 == *version)).collect())
}

fn known(migrations: &Migrator) -> impl Iterator<Item = i64> + '_ {
    migrations.iter().map(|migration| migration.version)
}

/// Inspects the control database and every tenant's, reading only. Files that do not exist yet are not named.
pub async fn inspect(data_dir: &Path) -> Result<Vec<Inspection>, StoreError> {
    let mut found = Vec::new();
    let control = data_dir.join("control.db");
    if control.is_file() {
        found.push(inspect_file(control, &control::MIGRATIONS).await?);
    }
    let tenants = data_dir.join("tenants");
    let Ok(entries) = std::fs::read_dir(&tenants) else { return Ok(found) };
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
        .map_err(|error| crate::database::cannot_open(&path, error))?;
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
    Ok(Inspection {
        pending: known(migrations).filter(|version| !applied.contains(version)).collect(),
        unknown: applied.into_iter().filter(|version| !known(migrations).any(|known| known == *version)).collect(),
        path,
        damage,
    })
}
