//! What a database can answer instead of a result.

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

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // SQLite's primary result codes, https://www.sqlite.org/rescode.html
        let code = error.as_database_error().and_then(|db| db.code()).and_then(|code| code.parse::<i32>().ok());
        match code.map(|extended| extended & 0xff) {
            Some(19) => Self::Constraint(error),
            Some(13) => Self::Full(error),
            Some(8) => Self::ReadOnly(error),
            Some(5 | 6) => Self::Busy(error),
            Some(_) | None if matches!(error, sqlx::Error::PoolTimedOut) => Self::Busy(error),
            Some(_) | None => Self::Database(error),
        }
    }
}
