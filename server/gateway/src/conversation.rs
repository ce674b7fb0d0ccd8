//! A conversation in Seam's own words: what every dialect is read into, and what every provider's request is written from.

use contract::MessageRole;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// All that a model is to read, and how it is to answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation {
    pub system: Option<String>,
    pub turns: Vec<ChatTurn>,
    pub parameters: ChatParameters,
    pub tools: Toolbox,
    pub format: Format,
}

/// One turn: what a person (and the tools they run) said, or what the model did.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatTurn {
    pub role: MessageRole,
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Text(String),
    Picture(Picture),
    /// Of an assistant's turn.
    Call(ToolCall),
    /// Of a user's turn.
    Result(ToolResult),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    Data { media_type: String, base64: String },
    Url(String),
}

/// A tool that a model wants to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// A JSON object.
    pub arguments: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of its call.
    pub call: String,
    pub text: String,
    pub failed: bool,
}

/// The tools that a model may ask for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Toolbox {
    pub offered: Vec<Tool>,
    pub choice: ToolChoice,
    /// Whether at most one may be asked for in an answer.
    pub one_at_a_time: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// A JSON schema of its arguments.
    pub schema: Value,
    /// Whether arguments must fit the schema to the letter; none: as the provider likes.
    pub strict: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    Never,
    /// At least one, whichever.
    Any,
    Named(String),
}

/// What an answer is to look like.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Format {
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON that fits a schema.
    Schema { name: Option<String>, schema: Value, strict: Option<bool> },
}

/// How to generate. Absent means the provider's own default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// What a conversation asks for beyond text, for which not every provider has words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    Tools,
    Pictures,
    /// An answer that is some JSON object.
    Json,
    /// An answer that fits a JSON schema.
    Schema,
}

/// A picture or a recording counts as so many tokens, where nobody tells: about what a picture of a megapixel costs.
pub(crate) const TOKENS_OF_MEDIA: i64 = 1_000;

impl ChatTurn {
    pub fn of_text(role: MessageRole, text: impl Into<String>) -> Self {
        Self { role, pieces: vec![Piece::Text(text.into())] }
    }

    /// What is said in it, of all that it holds.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Picture(_) | Piece::Call(_) | Piece::Result(_) => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => Cow::Owned([first, second].into_iter().chain(texts).collect()),
        }
    }
}

impl Conversation {
    /// Its texts, in order; what tools say is not among them.
    pub fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.system.iter().map(|system| Cow::Borrowed(system.as_str())).chain(self.turns.iter().map(ChatTurn::text))
    }

    /// About how many tokens a model reads of it, by `count` for its texts.
    pub fn estimate(&self, count: impl Fn(&str) -> i64) -> i64 {
        let system = self.system.iter().map(|text| count(text));
        let said = self.turns.iter().flat_map(|turn| &turn.pieces).map(|piece| match piece {
            Piece::Text(text) => count(text),
            Piece::Picture(_) => TOKENS_OF_MEDIA,
            Piece::Call(call) => count(&call.name).saturating_add(count(&call.arguments.to_string())),
            Piece::Result(result) => count(&result.text),
        });
        let tools = self.tools.offered.iter().map(|tool| {
            let described = tool.description.as_deref().map_or(0, &count);
            count(&tool.name).saturating_add(described).saturating_add(count(&tool.schema.to_string()))
        });
        let format = match &self.format {
            Format::Text | Format::Json => 0,
            Format::Schema { schema, .. } => count(&schema.to_string()),
        };
        system.chain(said).chain(tools).fold(format, i64::saturating_add)
    }

    /// About how many bytes there are to count.
    pub fn bytes(&self) -> usize {
        let pieces = self.turns.iter().flat_map(|turn| &turn.pieces).map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Picture(_) => 0,
            Piece::Call(call) => call.arguments.as_object().map_or(0, |arguments| 64 * arguments.len()),
            Piece::Result(result) => result.text.len(),
        });
        // Schemas are not measured: writing them out is what takes the time.
        let tools = self.tools.offered.len().saturating_mul(1_000);
        self.system.iter().map(String::len).chain(pieces).fold(tools, usize::saturating_add)
    }

    /// What it asks for beyond text.
    pub fn needs(&self) -> Vec<Need> {
        let holds = |wanted: fn(&Piece) -> bool| self.turns.iter().flat_map(|turn| &turn.pieces).any(wanted);
        let tools = !self.tools.offered.is_empty() || holds(|piece| matches!(piece, Piece::Call(_) | Piece::Result(_)));
        [
            (tools, Need::Tools),
            (holds(|piece| matches!(piece, Piece::Picture(_))), Need::Pictures),
            (self.format == Format::Json, Need::Json),
            (matches!(self.format, Format::Schema { .. }), Need::Schema),
        ]
        .into_iter()
        .filter_map(|(needed, need)| needed.then_some(need))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_is_read_counts_and_everything_beyond_text_is_needed() {
        let mut asked = Conversation { system: Some("ab".to_owned()), ..Conversation::default() };
        assert!(asked.needs().is_empty());
        let letters = |text: &str| i64::try_from(text.len()).unwrap();
        let picture = Picture::Data { media_type: "image/png".to_owned(), base64: "A".repeat(100_000) };
        asked.turns.push(ChatTurn {
            role: MessageRole::User,
            pieces: vec![Piece::Text("c".to_owned()), Piece::Picture(picture), Piece::Text("d".to_owned())],
        });
        assert_eq!(asked.turns[0].text(), "cd");
        assert_eq!((asked.estimate(letters), asked.needs()), (4 + TOKENS_OF_MEDIA, vec![Need::Pictures]));
        let call = ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: json!({}) };
        asked.turns = vec![ChatTurn { role: MessageRole::Assistant, pieces: vec![Piece::Call(call)] }];
        asked.format = Format::Schema { name: None, schema: json!({}), strict: None };
        assert_eq!((asked.estimate(letters), asked.needs()), (2 + 3 + 2, vec![Need::Tools, Need::Schema]));
    }
}
