//! The events of a run, as stored and as sent over SSE.
//!
//! A run's events are numbered from 1 without gaps. Exactly one of them is terminal, and it is the last:
//! `finished`, `stopped` or `failed`. Text before a terminal event is never taken back.

use crate::{AnswerDetails, MessageId, Problem};
use serde::{Deserialize, Serialize};

/// Tokens of one attempt, normalised. Absent means the provider did not say, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUsage {
    /// All tokens of the prompt, cached ones included.
    pub input: Option<i64>,
    /// Those of `input` that the provider read from its cache.
    pub cached_input: Option<i64>,
    /// Those of `input` that the provider put into its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<i64>,
    /// Those of `cache_write` that it keeps for an hour, and not for minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<i64>,
    /// All tokens produced, reasoning included.
    pub output: Option<i64>,
    /// Those of `output` that the model thought with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<i64>,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It had said all.
    Stop,
    /// The limit on output tokens or the context was reached.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunEvent {
    /// Always the first: the answer that the following text belongs to.
    Started { message: MessageId, model: String },
    /// More text of the answer.
    Delta { text: String },
    /// The answer is whole.
    Finished { reason: FinishReason, details: AnswerDetails },
    /// Somebody asked to stop; what was said so far is kept.
    Stopped { details: AnswerDetails },
    /// The answer could not be finished; what was said so far is kept.
    Failed { problem: Problem, details: Option<AnswerDetails> },
}

impl RunEvent {
    /// Whether nothing can follow.
    pub const fn is_terminal(&self) -> bool {
        match self {
            Self::Started { .. } | Self::Delta { .. } => false,
            Self::Finished { .. } | Self::Stopped { .. } | Self::Failed { .. } => true,
        }
    }

    /// The SSE event name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Delta { .. } => "delta",
            Self::Finished { .. } => "finished",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
        }
    }
}

/// The end of an answer in progress as HTML, for pages: it takes the place of everything after the first `keep`
/// blocks, which cannot change any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedTail {
    pub keep: u32,
    pub html: String,
}

impl RenderedTail {
    /// The SSE event name.
    pub const NAME: &'static str = "html";
}

/// An event with its place in the run; the number is SSE's `id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEventRecord {
    pub seq: i64,
    pub event: RunEvent,
}
