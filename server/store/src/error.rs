//! What a database can answer instead of a result, the same on both engines.

use sqlx::{migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique key is taken, or a reference points nowhere.
    #[error("the database refused a row: {0}")]
    Constraint(#[source] sqlx::Error),
    #[error("the disk is full; free some space and try again, nothing was lost")]
    Full(#[source] sqlx::Error),
    #[error("the database is read-only; check the permissions of the data directory")]
    ReadOnly(#[source] sqlx::Error),
    #[error("the database is busy; try again in a moment")]
    Busy(#[source] sqlx::Error),
    #[error("the database does not answer: {0}; check SEAM_DATABASE_URL, and that PostgreSQL runs there")]
    Unreachable(#[source] sqlx::Error),
    /// A statement of a transaction had failed, and the transaction was to be committed all the same.
    #[error("nothing was written, since a statement of the transaction had failed")]
    Aborted,
    #[error("{0} rows were found where there can only be one")]
    Ambiguous(usize),
    /// The database is not set up so that Seam can keep its promises in it. Says what to do.
    #[error("{0}")]
    Engine(String),
    #[error("cannot use “{path}”: {source}")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("cannot bring “{database}” to this version of Seam: {source}")]
    Migration { database: String, source: sqlx::migrate::MigrateError },
    /// A stored value does not have the form that the code expects.
    #[error("column “{column}” holds something unexpected: {reason}")]
    Column { column: String, reason: String },
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

/// What a database's own code stands for.
enum Kind {
    Constraint,
    Full,
    ReadOnly,
    Busy,
    Unreachable,
    Other,
}

impl StoreError {
    /// What kept a database from being brought to this version; one that is ahead of it is told apart.
    pub(crate) fn of_migration(database: String, source: MigrateError) -> Self {
        if let MigrateError::VersionMissing(version) = source {
            return Self::Engine(format!(
                "{database} was written by a newer Seam (its migration {version} is not known here); use that version"
            ));
        }
        Self::Migration { database, source }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match kind(&error) {
            Kind::Constraint => Self::Constraint(error),
            Kind::Full => Self::Full(error),
            Kind::ReadOnly => Self::ReadOnly(error),
            Kind::Busy => Self::Busy(error),
            Kind::Unreachable => Self::Unreachable(error),
            Kind::Other => unwrapped(error),
        }
    }
}

/// What a check on a new connection found (`postgres/plane.rs`) comes through the pool as a wrong configuration.
fn unwrapped(error: sqlx::Error) -> StoreError {
    if let sqlx::Error::Configuration(found) = error {
        match found.downcast::<StoreError>() {
            Ok(found) => *found,
            Err(other) => StoreError::Database(sqlx::Error::Configuration(other)),
        }
    } else {
        StoreError::Database(error)
    }
}

fn kind(error: &sqlx::Error) -> Kind {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return Kind::Busy;
    }
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_)) {
        return Kind::Unreachable;
    }
    let Some(db) = error.as_database_error() else { return Kind::Other };
    let Some(code) = db.code() else { return Kind::Other };
    if db.try_downcast_ref::<SqliteError>().is_some() {
        of_sqlite(&code)
    } else if db.try_downcast_ref::<PgDatabaseError>().is_some() {
        of_postgres(&code)
    } else {
        Kind::Other
    }
}

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>
fn of_sqlite(code: &str) -> Kind {
    match code.parse::<i32>().map(|extended| extended & 0xff) {
        Ok(19) => Kind::Constraint,
        Ok(13) => Kind::Full,
        Ok(8) => Kind::ReadOnly,
        Ok(5 | 6) => Kind::Busy,
        Ok(_) | Err(_) => Kind::Other,
    }
}

/// SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_postgres(code: &str) -> Kind {
    match code {
        "53100" => Kind::Full,
        "25006" => Kind::ReadOnly,
        // Waited for a lock too long, or for each other; too many connections; given up.
        "55P03" | "40P01" | "40001" | "53300" | "57014" => Kind::Busy,
        // Shutting down, starting, or ended by an administrator.
        "57P01" | "57P02" | "57P03" => Kind::Unreachable,
        _ if code.starts_with("23") => Kind::Constraint,
        _ if code.starts_with("08") => Kind::Unreachable,
        _ => Kind::Other,
    }
}
