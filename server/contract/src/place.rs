//! What the consoles tell of the gateway: its providers, the places where models are answered, and how those are doing.
//!
//! Health is what one process saw of real traffic. It holds codes and numbers, never what a provider said.

use crate::{NanoUsd, ProviderKind, TokenUsage};
use serde::{Deserialize, Serialize};

/// Whether requests are let through to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceState {
    /// Whoever wants to may ask it.
    Open,
    /// It failed again and again and is left alone, for so many seconds more.
    Resting { seconds: i64 },
    /// One request is trying whether it answers again.
    Trying,
    /// It asked not to be asked, for so many seconds more.
    AskedToWait { seconds: i64 },
}

/// The last thing that went wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// What the ledger calls it; stable.
    pub code: String,
    pub seconds_ago: i64,
}

/// How a place is doing, by what it was asked in the last ten minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaceHealth {
    pub state: PlaceState,
    /// Requests that it answered, or failed at by its own fault; at most the last hundred.
    pub requests: i64,
    pub answered: i64,
    /// Until its first words, of answers that came bit by bit. None while nobody measured it.
    pub first_words_p50_ms: Option<i64>,
    /// None while there were too few answers to tell.
    pub first_words_p95_ms: Option<i64>,
    /// The middle one of its answers.
    pub tokens_per_second: Option<f64>,
    pub last_error: Option<LastError>,
}

/// A place: a provider's model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaceView {
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// Why it cannot be asked now, for operators; none when it can.
    pub unavailable: Option<String>,
    /// None where there is no such provider.
    pub health: Option<PlaceHealth>,
}

impl PlaceView {
    /// `provider/model`.
    pub fn route(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

/// A target of a model, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetView {
    pub place: PlaceView,
    /// Its share where the strategy is `weighted`.
    pub weight: u32,
}

/// A model and where it is answered, as its operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoutedModelView {
    pub name: String,
    /// `fallback`, `weighted`, `cheapest` or `fastest`.
    pub strategy: String,
    pub targets: Vec<TargetView>,
}

/// A provider as it is configured, without its key, and the places that models have at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderView {
    pub name: String,
    pub kind: ProviderKind,
    pub base_url: Option<String>,
    pub region: Option<String>,
    pub zero_retention: bool,
    pub enabled: bool,
    pub has_key: bool,
    pub places: Vec<PlaceView>,
    /// The models that would have nobody to ask were it switched off.
    pub only_hope_of: Vec<String>,
}

/// Where a target is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveDirection {
    Up,
    Down,
}

/// What became of an operator's test request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    Answered(TrialAnswer),
    /// It was asked, and this is what the ledger calls the failure.
    Failed {
        code: String,
    },
    /// Nobody was asked, for this reason.
    NotAsked {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialAnswer {
    pub route: String,
    pub first_words: String,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
    pub usage: TokenUsage,
    pub measured: bool,
    /// Unknown cost is none, never zero.
    pub cost: Option<NanoUsd>,
}

/// An attempt of a test request, as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialAttempt {
    pub route: String,
    /// What became of it, in the ledger's word.
    pub status: String,
    pub error_code: Option<String>,
}

/// A test request to a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialView {
    pub model: String,
    pub end: TrialEnd,
    /// In the order in which they were begun.
    pub attempts: Vec<TrialAttempt>,
}

/// Why a place of a model does not answer a tenant, in terms that tell nothing of the operator's affairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    SwitchedOff,
    OutsideRegion,
    KeepsData,
    NotSetUp,
    /// It failed again and again, or asked to wait, and is left alone for a moment.
    Resting,
}

/// A model that a tenant's people and programs can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantModelView {
    pub name: String,
    pub available: bool,
    /// Why not, each reason once; empty where it is available.
    pub obstacles: Vec<Obstacle>,
}
