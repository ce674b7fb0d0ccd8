//! SQLite: a database is a file with a single writer, several readers, and a write-ahead log.
//!
//! Writes go through one connection and start with `BEGIN IMMEDIATE`, so that a transaction never finds
//! out half-way that another holds the lock. Readers see the last committed state and never wait.

use crate::{
    StoreError, Value,
    statement::{Answer, Want},
};
use sqlx::{
    Arguments, Executor, Row as _, SqlSafeStr, SqlitePool,
    migrate::Migrator,
    sqlite::{
        SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};
use std::{path::Path, time::Duration};

/// How long a statement waits for a lock held by another process (`seam apply` beside `seam serve`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement waits for a connection before the database counts as overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// Idle reader connections are closed after this, so that quiet tenants hold no files open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// How often and how long readers are waited for before the log counts as held.
const SCRUB_ATTEMPTS: u32 = 100;
const SCRUB_PAUSE: Duration = Duration::from_millis(100);

/// Whether a commit must survive the loss of power, or only of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// `synchronous=FULL`: each commit reaches the disk. Money and accounts.
    PowerLoss,
    /// `synchronous=NORMAL`: consistent always, the last moments may be lost with the power.
    Crash,
}

/// An open file.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    pub(crate) async fn open(
        path: &Path,
        readers: u32,
        durability: Durability,
        migrations: &Migrator,
    ) -> Result<Self, StoreError> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|source| StoreError::Directory { path: directory.to_owned(), source })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .synchronous(match durability {
                Durability::PowerLoss => SqliteSynchronous::Full,
                Durability::Crash => SqliteSynchronous::Normal,
            })
            .busy_timeout(BUSY_TIMEOUT);
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(IDLE_TIMEOUT)
        };
        // Setting it writes to the file even when nothing changes: a reader would wait for the writer under way.
        let writer_options = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental);
        // What is deleted from the shared file is overwritten: a tenant's own file goes as a whole.
        let writer_options = match durability {
            Durability::PowerLoss => writer_options.pragma("secure_delete", "on"),
            Durability::Crash => writer_options,
        };
        let writer = pool(1).connect_with(writer_options).await.map_err(|error| cannot_open(path, error))?;
        let mut connection = writer.acquire().await?;
        // `run` makes futures that cannot be sent between threads.
        migrations
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(|source| StoreError::of_migration(path.display().to_string(), source))?;
        drop(connection);
        let readers = pool(readers).connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self { writer, readers })
    }

    pub(crate) const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(crate) const fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Rewrites the file without what was deleted from it, and empties its log.
    pub(crate) async fn scrub(&self) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        connection.execute("VACUUM").await?;
        // Readers of the state before keep the log from being emptied; pages and requests read for moments.
        for _ in 0..SCRUB_ATTEMPTS {
            let row = connection.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            let busy: i64 = row.try_get(0)?;
            if busy == 0 {
                return Ok(());
            }
            tokio::time::sleep(SCRUB_PAUSE).await;
        }
        Err(StoreError::Busy(sqlx::Error::PoolTimedOut))
    }

    /// The log is folded into the database.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Runs a statement wherever it is to run.
pub(crate) async fn run<'e>(
    on: impl Executor<'e, Database = sqlx::Sqlite>,
    sql: impl SqlSafeStr + Send,
    values: Vec<Value>,
    want: Want,
) -> Result<Answer, StoreError> {
    let query = sqlx::query_with(sql, arguments(values)?);
    match want {
        Want::Rows | Want::OneRow => Answer::of_rows(on.fetch_all(query).await?, want),
        Want::Changes => Ok(Answer { rows: Vec::new(), changed: on.execute(query).await?.rows_affected() }),
    }
}

fn arguments(values: Vec<Value>) -> Result<SqliteArguments, StoreError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Value::Text(text) => arguments.add(text),
            Value::Integer(number) => arguments.add(number),
            Value::Real(number) => arguments.add(number),
            Value::Boolean(truth) => arguments.add(truth),
            Value::Bytes(bytes) => arguments.add(bytes),
        };
        added.map_err(|error| StoreError::Database(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

/// Names the file where SQLite would only say “unable to open database file”.
pub(crate) fn cannot_open(path: &Path, error: sqlx::Error) -> StoreError {
    let reason = error.as_database_error().map(|db| db.message().to_owned());
    match reason {
        Some(reason) if reason.contains("unable to open") || reason.contains("readonly") => StoreError::Directory {
            path: path.to_owned(),
            source: std::io::Error::new(std::io::ErrorKind::PermissionDenied, reason),
        },
        Some(_) | None => error.into(),
    }
}
