//! The control plane: what the operator owns across tenants.

use crate::{Database, StoreError, database::Durability};
use std::{ops::Deref, path::Path};

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/control/sqlite");

/// Enough for pages and the hot path side by side; readers never wait for the writer.
const READERS: u32 = 8;

/// The open control plane.
#[derive(Debug, Clone)]
pub struct ControlStore(Database);

impl ControlStore {
    /// Opens `control.db` in the data directory, creates it when missing, and migrates it.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join("control.db");
        Ok(Self(Database::open(&path, READERS, Durability::PowerLoss, &MIGRATIONS).await?))
    }
}

impl Deref for ControlStore {
    type Target = Database;
    fn deref(&self) -> &Database {
        &self.0
    }
}
