//! A tenant as a whole: exported to one file, imported from one, deleted without a trace. And a person: deleted.
//!
//! What always holds:
//! - Every table is accounted for (`coverage.rs`), and every column of the schema travels.
//! - What is hashed is the content and not how an engine keeps it: moved between engines it has equal hashes.
//! - Killed at any moment, an export leaves no file of its name, and an import or a deletion either did not happen or is
//!   completed by doing the same again (`operation.rs`).
//! - Only an [`OperatorScope`](tenancy::OperatorScope) gets here, and the platform's audit log tells of each.
//!
//! Where to look: `export.rs` and `archive/` write files, `import.rs` and `placing.rs` read them in; `delete.rs` removes,
//! after `survey.rs` has counted, and `certificate.rs` says so; `person.rs` removes an account. docs/tenant-lifecycle.md is for those who use it.

mod archive;
mod certificate;
mod coverage;
mod delete;
mod error;
mod export;
mod import;
mod operation;
mod person;
mod placing;
mod survey;

pub use archive::{FORMAT, Manifest, TableSum};
pub use certificate::{Certificate, LedgerTotal, Place};
pub use coverage::{COVERAGE, Covered, Plane, Rows};
pub use delete::{Doomed, UnderWay};
pub use error::LifecycleError;
pub use import::{ImportOptions, Imported, MissingPlan};
pub use operation::unfinished;
pub use person::Departed;

use store::{ControlStore, Location, TenantStores};
use tenancy::Tenancy;

/// Exports, imports and deletes tenants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    location: Location,
    control: ControlStore,
    stores: TenantStores,
    tenancy: Tenancy,
}

impl Lifecycle {
    pub const fn new(location: Location, control: ControlStore, stores: TenantStores, tenancy: Tenancy) -> Self {
        Self { location, control, stores, tenancy }
    }

    const fn engine(&self) -> &'static str {
        if self.location.is_shared() { "postgres" } else { "sqlite" }
    }

    fn now(&self) -> contract::Timestamp {
        self.tenancy.clock().now()
    }
}
