//! The database engines and the two planes, behind one way to run SQL.
//!
//! - [`ControlStore`]: what the operator owns across tenants (`control.db`).
//! - [`TenantStore`]: what belongs to one tenant (`tenants/<id>.db`), opened only with a [`TenantAccess`].
//!
//! Layers above write SQL with `$1` placeholders and portable types; nothing above this crate names an
//! engine. Which thing lives where is told by the migrations under `migrations/`.

mod access;
mod control;
mod database;
mod error;
mod inspect;
mod statement;
mod tenant;
mod value;

pub use access::TenantAccess;
pub use control::ControlStore;
pub use database::{Database, Transaction};
pub use error::StoreError;
pub use inspect::{Inspection, inspect};
pub use statement::{FromRow, Row, Statement};
pub use tenant::{TenantStore, TenantStores};
pub use value::{Bind, Column};
