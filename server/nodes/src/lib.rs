//! Which processes serve from one database, and which of them live.
//!
//! What always holds: a node is in the table `node` from before it begins anything until after it has ended everything.
//! Whoever is not in it does nothing any more, so that what is its own may be ended by anybody. An id that has left
//! never comes back: a node that finds itself removed joins again under another one.
//!
//! - `membership.rs`: joining, living, leaving; seeing that others live no more.
//! - `register.rs`: the table, for whoever only looks.
//!
//! What a node's end means for runs and for the ledger is said where those are: this crate knows neither.

mod membership;
mod register;

pub use membership::{DEAD_AFTER, NodeSettings, Nodes, Turn};
pub use register::{NodeView, list};
