//! Conversations and messages as the interface sees them.

use crate::{ConversationId, MessageId, NanoUsd, Problem, RunId, Timestamp, TokenUsage};
use serde::{Deserialize, Serialize};

/// The longest message a member may send, in characters. 1 MB pastes are refused with this number.
pub const MAX_MESSAGE_CHARS: usize = 100_000;
/// The longest title of a conversation, in characters.
pub const MAX_TITLE_CHARS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    User,
    Assistant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// The run is still producing it.
    Streaming,
    Complete,
    /// The member stopped it.
    Stopped,
    /// It ended in an error; the text so far is kept.
    Failed,
}

/// The quiet line under an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerDetails {
    /// What was asked for, such as `assistant`.
    pub model: String,
    /// What answered, such as `local/smollm2-135m-instruct`.
    pub route: String,
    pub usage: TokenUsage,
    /// Unknown cost is none, never zero.
    pub cost: Option<NanoUsd>,
    /// Whether usage was reported by the provider rather than estimated after a cut.
    pub measured: bool,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
    /// `name@version` of the prompt config.
    pub config: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    pub id: MessageId,
    pub role: MessageRole,
    pub status: MessageStatus,
    pub text: String,
    pub created_at: Timestamp,
    /// The run that makes or made this answer; none for a member's own message.
    pub run: Option<RunId>,
    /// The number of the last run event whose text is already in `text`; a reader resumes after it.
    pub last_seq: i64,
    pub details: Option<AnswerDetails>,
    pub problem: Option<Problem>,
    /// Its place among the answers to the same message, from 1, and how many there are.
    pub sibling: i64,
    pub siblings: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationSummary {
    pub id: ConversationId,
    pub title: String,
    pub updated_at: Timestamp,
}

/// A conversation with a page of its messages, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationView {
    pub id: ConversationId,
    pub title: String,
    pub model: String,
    pub messages: Vec<MessageView>,
    /// Pass it to read the messages before these; none at the beginning.
    pub older_than: Option<MessageId>,
}

/// What a member sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// None starts a conversation.
    pub conversation: Option<ConversationId>,
    pub text: String,
    /// None keeps the conversation's, or takes the default.
    pub model: Option<String>,
}

/// The answer to a sent message: where to look, and what to listen to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    pub conversation: ConversationId,
    /// The member's message; for a regenerated answer the one that it answers.
    pub message: MessageId,
    pub answer: MessageId,
    pub run: RunId,
}
