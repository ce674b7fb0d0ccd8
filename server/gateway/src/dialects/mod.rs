//! The languages in which programs ask, one folder each: from a request's JSON to what the gateway understands, and from
//! its answer back. Pure: no HTTP, no database.
//!
//! Whatever Seam has no name for is kept for providers that speak the same dialect. Where it would have to be left
//! out for others, and the answer would be another without it, the field's name is given as the reason.

pub mod openai_chat;
pub mod openai_embeddings;

/// A field of a request that cannot be used, whoever answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct UnusableField {
    /// As a path, such as `messages[2].role`.
    pub field: String,
    pub detail: String,
}

impl UnusableField {
    pub(crate) fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}
