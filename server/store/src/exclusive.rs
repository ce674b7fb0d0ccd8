//! One at a time, across processes: whoever changes which tenants there are as a whole.
//!
//! For files a lock on a file in the data directory, on PostgreSQL one in the database. Either falls to whoever asks
//! next when its holder ends, however it ends, so that a command that was killed can be run again at once.

use crate::{Location, StoreError, location::Place, postgres};
use sqlx::PgConnection;
use std::{
    fs::{File, OpenOptions, TryLockError},
    time::{Duration, Instant},
};

const FILE: &str = "tenants.lock";
const LOCK: &str = "SELECT pg_try_advisory_lock(1397047629, 5)";

/// Held by whoever imports or deletes a tenant.
#[must_use = "it ends when it is dropped"]
pub struct Exclusive {
    _file: Option<File>,
    _connection: Option<PgConnection>,
}

/// A server notices after a moment that whoever held it is gone.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

impl Exclusive {
    /// None: somebody else holds it, and does not give it back within moments.
    pub async fn take(location: &Location) -> Result<Option<Self>, StoreError> {
        let began = Instant::now();
        loop {
            match Self::try_take(location).await? {
                None if began.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                taken => return Ok(taken),
            }
        }
    }

    async fn try_take(location: &Location) -> Result<Option<Self>, StoreError> {
        match &location.0 {
            Place::Files(directory) => {
                let path = directory.join(FILE);
                let unusable = |source| StoreError::Directory { path: path.clone(), source };
                let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
                match file.try_lock() {
                    Ok(()) => Ok(Some(Self { _file: Some(file), _connection: None })),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(source)) => Err(unusable(source)),
                }
            }
            Place::Postgres(options) => {
                let mut connection = postgres::connect(options, &postgres::CONTROL).await?;
                let taken: bool = sqlx::query_scalar(LOCK).fetch_one(&mut connection).await?;
                Ok(taken.then_some(Self { _file: None, _connection: Some(connection) }))
            }
        }
    }
}
