//! Chat runs: from a member's message to a stored answer that is told as it comes.
//!
//! - `chats.rs`: the service, everything that layers above may call.
//! - `conversation.rs`, `message.rs`: what is stored, with its SQL; messages form a tree.
//! - `history.rs`: which part of a branch the model reads.
//! - `start.rs`: how a run begins; `run.rs`: the task that drives one run; `event_log.rs`: its events in the database.
//! - `hub.rs`: which runs live in this process; `subscription.rs`: how readers follow one.
//! - `elsewhere.rs`: runs that another node drives; `places.rs`: where a node's runs are found when it dies.
//! - `responses.rs`: answers to programs, kept so that another request can follow on one.
//! - `problem.rs`: what a member is told when an answer fails.
//!
//! What always holds: a run's events are numbered from 1 without gaps and exactly one, the last, is
//! terminal; an event is told only after it is stored; a run that is `running` in the database has a
//! living task on some node or is ended by whoever finds it.

mod chats;
mod conversation;
mod elsewhere;
mod error;
mod event_log;
mod history;
mod hub;
mod message;
mod places;
mod problem;
mod responses;
mod run;
mod search;
mod start;
mod subscription;

pub use chats::{Chats, PROMPT_LABEL, PROMPT_NAME};
pub use error::ChatError;
pub use places::AbandonedPlace;
pub use responses::{KeptResponse, Responses, SaidBefore};
