//! A place of its own for a test's data, on either engine, removed with the test.
//!
//! On PostgreSQL that is a database, copied from a template that was migrated once: tens of milliseconds. Without
//! a server to make it on a test fails; it is never skipped. `scripts/postgres.sh` starts one.
//!
//! A crate beside `testkit`, so that tests of low layers need not build the high ones.

mod mentions;
mod server;

use sqlx::{ConnectOptions, Connection, Executor, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::path::Path;
use store::Location;
use tempfile::TempDir;

/// Whatever keeps a place from being made; a test shows it and fails.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// What `SEAM_TEST_ENGINE` says: `sqlite`, which is the default, or `postgres`.
    pub fn chosen() -> Result<Self, Broken> {
        match std::env::var("SEAM_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Ok(Self::Sqlite),
            Ok("postgres") => Ok(Self::Postgres),
            Ok(other) => Err(format!("SEAM_TEST_ENGINE: “{other}” is neither sqlite nor postgres").into()),
        }
    }
}

/// A place for data. What a test opened there should be closed or dropped before this is.
#[derive(Debug)]
pub struct Scratch {
    engine: Engine,
    location: Location,
    url: Option<String>,
    /// For what lives in files on either engine (the master key), and for SQLite's databases.
    directory: TempDir,
}

impl Scratch {
    /// On the engine that the environment chooses.
    pub async fn new() -> Result<Self, Broken> {
        Self::on(Engine::chosen()?).await
    }

    /// An empty place: no migration has run yet on SQLite; on PostgreSQL all have.
    pub async fn on(engine: Engine) -> Result<Self, Broken> {
        let directory = tempfile::tempdir()?;
        let url = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(server::create_migrated().await?),
        };
        Self::with(engine, directory, url)
    }

    /// A PostgreSQL database without schemas, as an operator makes it.
    pub async fn bare_postgres() -> Result<Self, Broken> {
        let url = server::create_bare().await?;
        Self::with(Engine::Postgres, tempfile::tempdir()?, Some(url))
    }

    fn with(engine: Engine, directory: TempDir, url: Option<String>) -> Result<Self, Broken> {
        let location = Location::parse(url.as_deref(), directory.path())?;
        Ok(Self { engine, location, url, directory })
    }

    pub const fn engine(&self) -> Engine {
        self.engine
    }

    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// For `SEAM_DATABASE_URL`; none on SQLite.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// For another process of the same test; there, [`location_from`] makes a location of it.
    pub fn address(&self) -> String {
        self.url.clone().unwrap_or_else(|| self.dir().display().to_string())
    }

    /// The database goes away, as while its server restarts; or is back. On PostgreSQL alone.
    pub async fn answers(&self, whether: bool) -> Result<(), Broken> {
        server::admit(self.url().ok_or("there is no server to be without")?, whether).await
    }

    /// Does to the control plane what Seam itself may not: as the tables' owner, past the store.
    pub async fn administrate(&self, sql: &'static str) -> Result<(), Broken> {
        match &self.url {
            None => {
                let file = SqliteConnectOptions::new().filename(self.dir().join("control.db"));
                let mut connection = file.connect().await?;
                connection.execute(sql).await?;
                connection.close().await?;
            }
            Some(url) => {
                let options = url.parse::<PgConnectOptions>()?.options([("search_path", "control")]);
                let mut connection = options.connect().await?;
                connection.execute(sql).await?;
                connection.close().await?;
            }
        }
        Ok(())
    }
}

/// The location behind [`Scratch::address`].
pub fn location_from(address: &str) -> Result<Location, Broken> {
    Ok(match address.starts_with("postgres") {
        true => Location::parse(Some(address), Path::new("unused"))?,
        false => Location::files(address),
    })
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(url) = &self.url {
            server::drop_in_background(url);
        }
    }
}

/// Stamps a test for both engines: `on_each_engine! { async fn name(scratch: Scratch) { … } }` becomes the tests
/// `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_each_engine {
    ($($(#[$meta:meta])* async fn $name:ident($scratch:ident: Scratch) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$meta])*
            async fn test($scratch: $crate::Scratch) $body

            #[tokio::test]
            async fn sqlite() {
                test($crate::Scratch::on($crate::Engine::Sqlite).await.unwrap()).await;
            }

            #[tokio::test]
            async fn postgres() {
                test($crate::Scratch::on($crate::Engine::Postgres).await.unwrap()).await;
            }
        }
    )+};
}
