//! Models that members choose between, and the kinds of provider behind them.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The protocol by which a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI and every server compatible with it.
    Openai,
    Anthropic,
    /// Google's own protocol.
    Gemini,
    /// llama.cpp in this process.
    Local,
    /// Deterministic text and named faults, for tests and benchmarks.
    Simulated,
}

impl ProviderKind {
    pub const ALL: [Self; 5] = [Self::Openai, Self::Anthropic, Self::Gemini, Self::Local, Self::Simulated];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Local => "local",
            Self::Simulated => "simulated",
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind of provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a kind of provider; use openai, anthropic, gemini, local or simulated")]
pub struct UnknownProviderKind(String);

impl FromStr for ProviderKind {
    type Err = UnknownProviderKind;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownProviderKind(text.chars().take(40).collect()))
    }
}

/// A provider at which a tenant may use a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnKeyView {
    pub provider: String,
    pub kind: ProviderKind,
    /// Whether it is asked at all just now.
    pub enabled: bool,
    /// The last characters of the tenant's key, where they tell nothing; none: it has no key there.
    pub hint: Option<String>,
    pub updated_at: Option<Timestamp>,
}

/// A model as the picker offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelView {
    /// What clients ask for, such as `assistant`.
    pub name: String,
    /// Where it is answered now, such as `local/smollm2-135m-instruct`; its first target while nowhere.
    pub route: String,
    /// False while none of its targets can answer, with the first one's reason beside it.
    pub available: bool,
    pub unavailable_reason: Option<String>,
}
