//! The database engines and the two planes, behind one way to run SQL.
//!
//! - [`ControlStore`]: what the operator owns across tenants.
//! - [`TenantStore`]: what belongs to one tenant, opened only with a [`TenantAccess`].
//! - [`Location`]: where both live: files of SQLite, or one PostgreSQL database.
//! - [`Hints`]: “look again”, from one process to all others.
//! - [`share`]: no tenant takes all the processors while another one is there.
//!
//! Layers above write SQL with `$1` placeholders and portable types; nothing above this crate names an
//! engine. Which thing lives where is told by the migrations under `migrations/`.

mod access;
mod control;
mod database;
mod error;
mod exclusive;
mod hints;
mod inspect;
mod location;
#[cfg(feature = "mutants")]
pub mod mutants;
mod postgres;
mod row;
mod search;
pub mod share;
mod sqlite;
mod statement;
mod tables;
mod tenant;
mod value;

pub use access::TenantAccess;
pub use control::ControlStore;
pub use database::{Database, Transaction};
pub use error::StoreError;
pub use exclusive::Exclusive;
pub use hints::{Hint, Hints};
pub use inspect::{Inspection, ServerFacts, inspect, inspect_server};
pub use location::{Location, LocationError};
pub use row::{FromRow, Row};
pub use search::containing;
pub use statement::Statement;
pub use tables::{ColumnKind, Insertion, Matching, Table, TableColumn};
pub use tenant::{Removed, RemovedFile, TenantStore, TenantStores};
pub use value::{Bind, Column, Value};
