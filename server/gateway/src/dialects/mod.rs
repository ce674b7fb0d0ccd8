//! The languages in which programs ask, one folder each: from a request's JSON to what the gateway understands, and from
//! its answer back. Pure: no HTTP, no database.
//!
//! Whatever Seam has no name for is kept for providers that speak the same dialect. Where it would have to be left
//! out for others, and the answer would be another without it, the field's name is given as the reason.
//!
//! `asked.rs` is what every chat's request comes to, `told.rs` what every answer is told by.

pub mod anthropic_messages;
mod asked;
mod openai;
pub mod openai_chat;
pub mod openai_embeddings;
pub mod openai_responses;
mod told;

/// What of a request says who asked, and decides nothing about the answer.
pub(crate) const WHOSE: [&str; 5] =
    ["metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"];

pub use asked::{ChatAsked, UnusableField};
pub use told::{Called, Event, Telling, Whole};
