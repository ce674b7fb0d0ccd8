//! Composes the layers into one [`Platform`]; no rules of its own.
//!
//! - `platform.rs`: opening, readiness, the end.
//! - `first_run.rs`: what the first minutes need of several layers at once.
//! - `console.rs`: what operators do by hand, for this node to know at once.
//! - `keys.rs`: keys of programs, bound to models that are there.
//! - `lifecycle.rs`: deleting a tenant while the server runs; `archive.rs`: archives on their way out and in.
//! - `upkeep.rs`: what this node does now and then, for itself and for nodes that are no more.
//! - `entrance.rs`: invitations and new passwords, by link and by mail; `mail/`: letters and the relay that takes them.
//! - `problem.rs`: the one mapping from every layer's errors to what crosses the wire.
//! - `trace.rs`: the id under which a request's log lines and its problem are found.
//!
//! Rules live in the layers below; pages and HTTP live above, in `app` and `seam`.

mod archive;
mod console;
mod entrance;
mod error;
mod first_run;
mod keys;
mod lifecycle;
mod mail;
mod platform;
mod problem;
mod trace;
mod upkeep;

pub use archive::{ArchiveError, ArchiveIn, ArchiveOut, MOST_ARCHIVE_BYTES};
pub use error::{ConnectError, NotReady, OpenError};
pub use keys::models_are_there;
pub use mail::{MailRefused, MailSettings};
pub use platform::{JOURNAL, Platform, PlatformSettings, ProviderKeys};
pub use problem::IntoProblem;
pub use trace::{current_trace_id, with_trace_id};

/// The settings of the model in this process, and its weights on disk.
pub use gateway::providers::local::{LocalSettings, models};
