//! What the server answers to whom, as data: for the isolation suite, and for `seam doctor --isolation`.
//!
//! `table.rs` has every route, who may use it and how it is called; the suite fails when the router answers one that is
//! not there. `check.rs` makes the calls against a server that serves.

mod call;
pub mod check;
mod table;

pub use call::{Call, Things};
pub use table::{CURRENT_PASSWORD, Entry, Names, Needs, table};
