//! API keys, as the consoles and the management API see them, and how their lists are asked for.

use crate::{Day, KeyId, NoDay, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Calls models.
    Inference,
    /// Manages the tenant, as its admins do.
    Manage,
}

impl KeyScope {
    pub const ALL: [Self; 2] = [Self::Inference, Self::Manage];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Manage => "manage",
        }
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no scope of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not what a key may do; use inference or manage")]
pub struct UnknownKeyScope(String);

impl FromStr for KeyScope {
    type Err = UnknownKeyScope;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| UnknownKeyScope(text.chars().take(40).collect()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    pub id: KeyId,
    pub name: String,
    /// The beginning of the secret, which is shown once and then never again.
    pub prefix: String,
    pub scopes: Vec<KeyScope>,
    /// The models it may ask for; none: all.
    pub models: Option<Vec<String>>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl KeyView {
    /// Whether it opens anything at this moment, and if not why.
    pub fn state(&self, now: Timestamp) -> KeyState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(end)) if end <= now => KeyState::Expired,
            (None, _) => KeyState::Active,
        }
    }
}

/// Whether a key works. What was revoked stays revoked, also after it would have expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Active,
    Expired,
    Revoked,
}

impl KeyState {
    pub const ALL: [Self; 3] = [Self::Active, Self::Expired, Self::Revoked];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// The text names no state of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no state of a key; use active, expired or revoked")]
pub struct UnknownKeyState(String);

impl FromStr for KeyState {
    type Err = UnknownKeyState;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| UnknownKeyState(text.chars().take(40).collect()))
    }
}

/// In which order keys are read, up or down. Never used lies before all use, and no expiry after every expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum KeyOrder {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "created")]
    Created,
    #[default]
    #[serde(rename = "-created")]
    CreatedDown,
    #[serde(rename = "used")]
    Used,
    #[serde(rename = "-used")]
    UsedDown,
    #[serde(rename = "expires")]
    Expires,
    #[serde(rename = "-expires")]
    ExpiresDown,
}

impl KeyOrder {
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::NameDown,
        Self::Created,
        Self::CreatedDown,
        Self::Used,
        Self::UsedDown,
        Self::Expires,
        Self::ExpiresDown,
    ];

    /// As it stands in an address: `-` is down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::NameDown => "-name",
            Self::Created => "created",
            Self::CreatedDown => "-created",
            Self::Used => "used",
            Self::UsedDown => "-used",
            Self::Expires => "expires",
            Self::ExpiresDown => "-expires",
        }
    }
}

/// The text names no order of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no order of keys; use name, created, used or expires, with - before it for the other way round")]
pub struct UnknownKeyOrder(String);

impl FromStr for KeyOrder {
    type Err = UnknownKeyOrder;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|order| order.as_str() == text);
        known.ok_or_else(|| UnknownKeyOrder(text.chars().take(40).collect()))
    }
}

/// Which page of which of a tenant's keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyQuery {
    /// Only what contains these words in its name, or in the beginning of its secret.
    pub words: String,
    /// From 1; 0 counts as 1.
    pub page: i64,
    #[serde(default)]
    pub order: KeyOrder,
    /// None: all.
    #[serde(default)]
    pub state: Option<KeyState>,
}

/// How many keys there are of each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyCounts {
    pub active: i64,
    pub expired: i64,
    pub revoked: i64,
}

impl KeyCounts {
    pub const fn of(self, state: Option<KeyState>) -> i64 {
        match state {
            None => self.active + self.expired + self.revoked,
            Some(KeyState::Active) => self.active,
            Some(KeyState::Expired) => self.expired,
            Some(KeyState::Revoked) => self.revoked,
        }
    }
}

/// How long a key is to work, as a form offers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLifetime {
    Endless,
    Days(u16),
    /// To the last moment of a day of UTC.
    Through(Day),
}

/// The text names no lifetime of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownKeyLifetime {
    #[error("choose one of the offered times")]
    Choice,
    #[error("{0}")]
    Date(#[from] NoDay),
}

impl KeyLifetime {
    /// What stands for [`KeyLifetime::Through`] in a form, beside the date.
    pub const ON_A_DATE: &'static str = "date";
    /// The days that are offered.
    pub const DAYS: [u16; 3] = [30, 90, 365];

    /// `never`, a number of days, or `date` with a date.
    pub fn parse(choice: &str, date: &str) -> Result<Self, UnknownKeyLifetime> {
        match choice {
            "" | "never" => Ok(Self::Endless),
            Self::ON_A_DATE => Ok(Self::Through(date.parse()?)),
            days => {
                let offered = Self::DAYS.into_iter().find(|offered| offered.to_string() == days);
                offered.map(Self::Days).ok_or(UnknownKeyLifetime::Choice)
            }
        }
    }

    /// When a key ends that is made now.
    pub const fn end(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Endless => None,
            Self::Days(days) => Some(now.plus_millis(days as i64 * Day::MILLIS)),
            Self::Through(day) => Some(day.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn every_order_and_state_is_read_as_it_is_written() {
        for order in KeyOrder::ALL {
            assert_eq!(order.as_str().parse(), Ok(order));
            assert_eq!(serde_json::to_value(order).unwrap(), order.as_str());
        }
        for state in KeyState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert!("size".parse::<KeyOrder>().is_err() && "dead".parse::<KeyState>().is_err());
    }

    #[test]
    fn lifetimes_end_when_they_say() {
        let end = |choice, date| KeyLifetime::parse(choice, date).map(|lifetime| lifetime.end(NOW));
        assert_eq!(end("never", "2026-01-01"), Ok(None));
        assert_eq!(end("30", ""), Ok(Some(NOW.plus_millis(30 * 86_400_000))));
        // 2026-12-31 23:59:59.999
        assert_eq!(end("date", "2026-12-31"), Ok(Some(Timestamp::from_millis(1_798_761_599_999))));
        assert_eq!(end("31", ""), Err(UnknownKeyLifetime::Choice));
        assert!(matches!(end("date", "tomorrow"), Err(UnknownKeyLifetime::Date(_))));
    }
}
