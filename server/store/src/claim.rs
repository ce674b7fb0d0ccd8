//! One server a database: two would both believe that every open run is left over from a crash.
//!
//! For files the lock in the data directory says so (`seam`'s `cli/lock.rs`); here it is a lock in the database that
//! lasts as long as its connection. It falls to whoever asks next when the process ends, however it ends.

use crate::{Location, StoreError, location::Place, postgres};
use sqlx::PgConnection;

const CLAIM: &str = "SELECT pg_try_advisory_lock(1397047629, 4)";

/// Held by whoever serves from a database.
#[must_use = "the claim ends when it is dropped"]
pub struct Claim {
    _connection: Option<PgConnection>,
}

impl Claim {
    /// Refused while another process serves from the same PostgreSQL database. Of files nothing is claimed.
    pub async fn take(location: &Location) -> Result<Self, StoreError> {
        let options = match &location.0 {
            Place::Files(_) => return Ok(Self { _connection: None }),
            Place::Postgres(options) => options,
        };
        let mut connection = postgres::connect(options, &postgres::CONTROL).await?;
        let taken: bool = sqlx::query_scalar(CLAIM).fetch_one(&mut connection).await?;
        if taken {
            Ok(Self { _connection: Some(connection) })
        } else {
            Err(StoreError::Engine(
                "another Seam serves from this database; stop that one first, or give this one a database of its own \
                 with SEAM_DATABASE_URL"
                    .to_owned(),
            ))
        }
    }
}
