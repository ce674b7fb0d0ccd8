//! Browser sessions in the control plane, behind tower-sessions.
//!
//! The key is the SHA-256 of the cookie's value: a copy of the table opens nothing. A session that was
//! deleted stays deleted, also when a request that began before writes its session afterwards.

use crate::{SESSION_CLAIMS_KEY, SessionClaims, SharedClock, digest};
use async_trait::async_trait;
use contract::{Timestamp, UserId};
use std::fmt;
use store::{ControlStore, FromRow, Row, StoreError};
use time::OffsetDateTime;
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

/// Two random 128-bit ids meet never; a generator that yields taken ones again and again is broken.
const CREATE_ATTEMPTS: usize = 8;
const NANOS_PER_MILLI: i128 = 1_000_000;

const INSERT: &str = "
INSERT INTO browser_session (id_hash, data, expires_at, account_id, session_epoch) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id_hash) DO NOTHING";
/// Updates and never inserts: signing out in one tab must not be undone by a request from another.
const SAVE: &str = "
UPDATE browser_session SET data = $2, expires_at = $3, account_id = $4, session_epoch = $5 WHERE id_hash = $1";
const LOAD: &str = "SELECT data, expires_at FROM browser_session WHERE id_hash = $1 AND expires_at > $2";
const DELETE: &str = "DELETE FROM browser_session WHERE id_hash = $1";
const EXPIRED_DELETE: &str = "DELETE FROM browser_session WHERE expires_at <= $1";

/// The session store. Cheap to clone.
#[derive(Clone)]
pub struct ControlSessions {
    control: ControlStore,
    clock: SharedClock,
}

struct SessionRow {
    data: String,
    expires_at: Timestamp,
}

impl FromRow for SessionRow {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self { data: row.get("data")?, expires_at: row.get("expires_at")? })
    }
}

impl ControlSessions {
    pub fn new(control: ControlStore, clock: SharedClock) -> Self {
        Self { control, clock }
    }

    /// Removes sessions that have expired; they do not open any more in any case. Returns how many.
    pub async fn delete_expired(&self) -> std::result::Result<u64, StoreError> {
        self.control.write(EXPIRED_DELETE).bind(self.clock.now()).execute().await
    }
}

impl fmt::Debug for ControlSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlSessions(…)")
    }
}

#[async_trait]
impl SessionStore for ControlSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (data, (user, epoch)) = (encode(record)?, owner(record));
        for _ in 0..CREATE_ATTEMPTS {
            let insert = self.control.write(INSERT).bind(key(&record.id)).bind(data.as_str());
            let inserted =
                insert.bind(timestamp(record.expiry_date)).bind(user).bind(epoch).execute().await.map_err(backend)?;
            if inserted == 1 {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Backend("no free session id was found".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let save = self.control.write(SAVE).bind(key(&record.id)).bind(encode(record)?);
        let (user, epoch) = owner(record);
        save.bind(timestamp(record.expiry_date)).bind(user).bind(epoch).execute().await.map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let load = self.control.read(LOAD).bind(key(id)).bind(self.clock.now());
        let Some(row) = load.fetch_optional::<SessionRow>().await.map_err(backend)? else {
            return Ok(None);
        };
        let data = serde_json::from_str(&row.data).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date: date(row.expires_at)? }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.control.write(DELETE).bind(key(id)).execute().await.map_err(backend)?;
        Ok(())
    }
}

/// The cookie's value, hashed.
fn key(id: &Id) -> String {
    digest::sha256(&id.to_string())
}

/// Whose session it is, so that a person's sessions can be counted.
fn owner(record: &Record) -> (Option<UserId>, Option<i64>) {
    let claims = record.data.get(SESSION_CLAIMS_KEY).cloned();
    let claims = claims.and_then(|claims| serde_json::from_value::<SessionClaims>(claims).ok());
    claims.map_or((None, None), |claims| (Some(claims.user), Some(claims.epoch)))
}

fn encode(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

fn backend(error: StoreError) -> Error {
    Error::Backend(error.to_string())
}

fn timestamp(date: OffsetDateTime) -> Timestamp {
    let millis = date.unix_timestamp_nanos().div_euclid(NANOS_PER_MILLI);
    // The range of a date is some ten thousand years, which fits.
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn date(timestamp: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.as_millis()) * NANOS_PER_MILLI)
        .map_err(|error| Error::Decode(error.to_string()))
}
