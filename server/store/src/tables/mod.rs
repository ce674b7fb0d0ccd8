//! Tables as the schema itself declares them: found, counted, read, filled and emptied without naming their columns.
//!
//! For what must reach everything of a tenant, also what a later migration adds: export, import, deletion. All else
//! names its columns, in statements that are fixed when Seam is compiled. The only SQL that is put together at run
//! time stands here, from names that the database's own catalogue gave and from conditions that are compiled in.

mod catalogue;
mod statements;

pub use catalogue::{ColumnKind, Table, TableColumn};
pub use statements::{Insertion, Matching};
