//! One SQLite database: a single writer, several readers, write-ahead log.
//!
//! Writes go through one connection and start with `BEGIN IMMEDIATE`, so that a transaction never finds
//! out half-way that another holds the lock. Readers see the last committed state and never wait.

use crate::{
    StoreError,
    statement::{Statement, Target},
};
use sqlx::{
    Sqlite, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// How long a statement waits for a lock held by another process (`seam apply` beside `seam serve`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement waits for a connection before the database counts as overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// Idle reader connections are closed after this, so that quiet tenants hold no files open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Whether a commit must survive the loss of power, or only of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// `synchronous=FULL`: each commit reaches the disk. Money and accounts.
    PowerLoss,
    /// `synchronous=NORMAL`: consistent always, the last moments may be lost with the power.
    Crash,
}

/// An open database.
#[derive(Debug, Clone)]
pub struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
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
            .auto_vacuum(SqliteAutoVacuum::Incremental)
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
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| cannot_open(path, error))?;
        migrations
            .run(&writer)
            .await
            .map_err(|source| StoreError::Migration { database: path.display().to_string(), source })?;
        let readers = pool(readers).connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self { writer, readers })
    }

    /// A statement that only reads.
    pub fn read(&self, sql: &'static str) -> Statement<'_> {
        Statement::new(Target::Pool(&self.readers), sql)
    }

    /// A single statement that writes, in a transaction of its own.
    pub fn write(&self, sql: &'static str) -> Statement<'_> {
        Statement::new(Target::Pool(&self.writer), sql)
    }

    /// Begins a transaction that may write. Dropped without `commit`, it leaves nothing behind.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(Transaction(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Finishes what is under way and closes all files; the log is folded into the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A transaction that may write.
pub struct Transaction(sqlx::Transaction<'static, Sqlite>);

impl Transaction {
    pub fn query(&mut self, sql: &'static str) -> Statement<'_> {
        Statement::new(Target::Transaction(&mut self.0), sql)
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }
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
