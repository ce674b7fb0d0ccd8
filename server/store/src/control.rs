//! The control plane: what the operator owns across tenants.

use crate::{
    Database, Location, StoreError,
    database::Engine,
    location::Place,
    postgres::{self, Plane, Postgres},
    sqlite::{Durability, Sqlite},
};
use std::ops::Deref;

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/control/sqlite");
pub(crate) const FILE: &str = "control.db";

/// Enough for pages and the hot path side by side; readers never wait for the writer.
const READERS: u32 = 8;

/// The open control plane.
#[derive(Debug, Clone)]
pub struct ControlStore(Database);

impl ControlStore {
    /// Opens the control plane, creates it when missing, and migrates it.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let engine = match &location.0 {
            Place::Files(directory) => {
                let path = directory.join(FILE);
                Engine::Sqlite(Sqlite::open(&path, READERS, Durability::PowerLoss, &MIGRATIONS).await?)
            }
            Place::Postgres(options) => {
                Engine::Postgres(Postgres::control(Plane::open(options, &postgres::CONTROL).await?))
            }
        };
        Ok(Self(Database(engine)))
    }

    /// Sees to it that what was deleted is gone from the file and its log; on PostgreSQL, that its space is given back.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        match &self.0.0 {
            Engine::Sqlite(sqlite) => sqlite.scrub().await,
            Engine::Postgres(postgres) => postgres.scrub().await,
        }
    }

    /// Finishes what is under way and closes all connections.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Deref for ControlStore {
    type Target = Database;
    fn deref(&self) -> &Database {
        &self.0
    }
}
