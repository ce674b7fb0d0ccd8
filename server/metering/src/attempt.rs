//! The words of the ledger: what is said before an attempt, after it, and what a row tells.

use contract::{AttemptNo, NanoUsd, RequestId, TenantId, Timestamp, TokenUsage, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, str::FromStr};
use store::{FromRow, Row, StoreError};

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptStatus {
    /// Under way: its intent is recorded and nothing else.
    Dispatched,
    Succeeded,
    /// The provider refused it or failed before it had answered.
    Failed,
    /// The person who asked stopped it, or went away.
    Stopped,
    /// The provider's stream ended before its end.
    Cut,
    /// The node that had dispatched it ended in the middle; found and closed by another, or at the next start.
    Interrupted,
}

impl AttemptStatus {
    pub const ALL: [Self; 6] =
        [Self::Dispatched, Self::Succeeded, Self::Failed, Self::Stopped, Self::Cut, Self::Interrupted];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dispatched => "dispatched",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Cut => "cut",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What the tokens were for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Seam's own chat.
    Chat,
    /// A tenant's program, by `/v1`.
    Api,
    /// Vectors by which an answer that is there already is found.
    Cache,
}

impl Feature {
    pub const ALL: [Self; 3] = [Self::Chat, Self::Api, Self::Cache];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Api => "api",
            Self::Cache => "cache",
        }
    }
}

/// How an answer was found that was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheKind {
    /// The same request was answered before, or is being answered.
    Exact,
    /// One that is alike was.
    Semantic,
}

impl CacheKind {
    pub const ALL: [Self; 2] = [Self::Exact, Self::Semantic];

    /// As `x-seam-cache` tells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "hit",
            Self::Semantic => "semantic",
        }
    }
}

/// The text names no way in which an answer is found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not how an answer is found that is there already")]
pub struct UnknownCacheKind(String);

/// The text names no status of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a status of an attempt")]
pub struct UnknownStatus(String);

/// The text names no feature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a feature that tokens are spent on")]
pub struct UnknownFeature(String);

macro_rules! names {
    ($($name:ident or $unknown:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = $unknown;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .into_iter()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| $unknown(text.chars().take(40).collect()))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}
names!(AttemptStatus or UnknownStatus, Feature or UnknownFeature, CacheKind or UnknownCacheKind);

/// What is recorded before an attempt is dispatched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub tenant: TenantId,
    pub request: RequestId,
    pub attempt: AttemptNo,
    /// None when the platform itself asks.
    pub user: Option<UserId>,
    pub feature: Feature,
    /// What was asked for, such as `assistant`.
    pub requested_model: String,
    pub provider: String,
    /// The provider's own name of the model.
    pub provider_model: String,
    /// Name and version of the prompt config that applied.
    pub prompt: Option<(String, i64)>,
    /// Decides which price version applies.
    pub dispatched_at: Timestamp,
    /// Whether the tenant pays its provider itself.
    pub own_key: bool,
}

/// An answer that was there already: it costs nothing, and says what it cost when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheHit {
    pub tenant: TenantId,
    pub request: RequestId,
    pub user: Option<UserId>,
    pub feature: Feature,
    pub requested_model: String,
    /// Who made it.
    pub provider: String,
    pub provider_model: String,
    pub prompt: Option<(String, i64)>,
    pub kind: CacheKind,
    /// None: nobody knows, or not yet.
    pub saved: Option<NanoUsd>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Anything but `Dispatched`.
    pub status: AttemptStatus,
    /// For programs; none when it succeeded.
    pub error_code: Option<String>,
    /// What is known of the tokens. An attempt that never reached a model says zero, not unknown;
    /// an embedding says zero output tokens.
    pub usage: TokenUsage,
    /// Whether the provider reported the usage, rather than that it was estimated.
    pub measured: bool,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
}

/// What a settlement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Unknown when there is no price or the usage is unknown.
    pub cost: Option<NanoUsd>,
    /// The version in force at dispatch, also when the usage was unknown.
    pub price_version: Option<i64>,
}

/// One attempt as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    pub request: RequestId,
    pub attempt: AttemptNo,
    pub user: Option<UserId>,
    pub feature: Feature,
    pub status: AttemptStatus,
    pub error_code: Option<String>,
    pub requested_model: String,
    pub provider: String,
    pub provider_model: String,
    pub prompt: Option<(String, i64)>,
    pub usage: TokenUsage,
    pub cost: Option<NanoUsd>,
    pub price_version: Option<i64>,
    pub measured: bool,
    /// Made by a demo's seed, not by traffic.
    pub seeded: bool,
    pub dispatched_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    pub first_token_ms: Option<i64>,
    pub total_ms: Option<i64>,
    /// None: a provider was asked.
    pub cache: Option<CacheKind>,
    /// What the answer cost when it was made.
    pub saved: Option<NanoUsd>,
    /// Whether the tenant pays its provider itself.
    pub own_key: bool,
}

impl FromRow for LedgerRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            request: row.get("request_id")?,
            attempt: row.get("attempt")?,
            user: row.get("account_id")?,
            feature: named(row, "feature")?,
            status: named(row, "status")?,
            error_code: row.get("error_code")?,
            requested_model: row.get("requested_model")?,
            provider: row.get("provider")?,
            provider_model: row.get("provider_model")?,
            prompt: row.get::<Option<String>>("prompt_name")?.zip(row.get::<Option<i64>>("prompt_version")?),
            usage: TokenUsage {
                input: row.get("input_tokens")?,
                cached_input: row.get("cached_input_tokens")?,
                cache_write: row.get("cache_write_tokens")?,
                cache_write_1h: row.get("cache_write_1h_tokens")?,
                output: row.get("output_tokens")?,
                reasoning: row.get("reasoning_tokens")?,
            },
            cost: row.get("cost")?,
            price_version: row.get("price_version")?,
            measured: row.get("measured")?,
            seeded: row.get("seeded")?,
            dispatched_at: row.get("dispatched_at")?,
            settled_at: row.get("settled_at")?,
            first_token_ms: row.get("first_token_ms")?,
            total_ms: row.get("total_ms")?,
            cache: match row.get::<Option<String>>("cache")? {
                Some(_) => Some(named(row, "cache")?),
                None => None,
            },
            saved: row.get("saved")?,
            own_key: row.get("own_key")?,
        })
    }
}

/// A column that holds the name of one of our own enums.
fn named<T: FromStr<Err: fmt::Display>>(row: &Row, column: &str) -> Result<T, StoreError> {
    row.get::<String>(column)?
        .parse()
        .map_err(|error: T::Err| StoreError::Column { column: column.to_owned(), reason: error.to_string() })
}
