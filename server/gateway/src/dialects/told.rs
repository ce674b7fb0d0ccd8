//! What an answer is told by, in whichever dialect.

use crate::{
    AnswerPart, GatewayError, Outcome,
    provider::{ProviderError, ToolPart},
};
use futures::{Stream, StreamExt};
use serde_json::Value;

/// An event of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// None where the dialect names none.
    pub name: Option<String>,
    pub data: String,
}

impl Event {
    pub(super) fn unnamed(data: &Value) -> Self {
        Self { name: None, data: data.to_string() }
    }
}

/// Puts one answer into the words of a dialect.
pub trait Telling: Send + Sync + 'static {
    /// What a part of a streamed answer becomes.
    fn events(&mut self, part: AnswerPart) -> Vec<Event>;

    /// The answer as it was told at the end of a stream, for dialects that keep it.
    fn told(&self) -> Option<&Value> {
        None
    }

    /// A whole answer. Errors: a model said something that the dialect has no place for.
    fn whole(&self, answer: Whole) -> Result<Value, ProviderError>;
}

/// An answer that has come to its end.
#[derive(Debug, Clone)]
pub struct Whole {
    pub text: String,
    pub calls: Vec<Called>,
    /// In the dialect that was asked in, from a provider that speaks it; then there is nothing above.
    pub native: Option<Value>,
    pub outcome: Outcome,
}

/// A tool that the model wants to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub id: String,
    pub name: String,
    /// As the model wrote them: mostly a JSON object.
    pub arguments: String,
}

impl Whole {
    /// Waits for all of an answer.
    pub async fn of(
        mut parts: impl Stream<Item = Result<AnswerPart, GatewayError>> + Unpin + Send,
    ) -> Result<Self, GatewayError> {
        let (mut text, mut native) = (String::new(), None);
        let mut calls: Vec<Called> = Vec::new();
        while let Some(part) = parts.next().await {
            match part? {
                AnswerPart::Text(more) => text.push_str(&more),
                AnswerPart::Tool(ToolPart::Begins { id, name }) => {
                    calls.push(Called { id, name, arguments: String::new() });
                }
                AnswerPart::Tool(ToolPart::Arguments(more)) => {
                    if let Some(call) = calls.last_mut() {
                        call.arguments.push_str(&more);
                    }
                }
                AnswerPart::Native(answer) => native = Some(answer),
                AnswerPart::Finished(outcome) => return Ok(Self { text, calls, native, outcome }),
            }
        }
        Err(GatewayError::Abandoned)
    }
}
