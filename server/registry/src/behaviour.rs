//! How a model behaves beyond who answers it: its limits, and what is done for speed and price.

use crate::RegistryError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};
use store::{Row, StoreError};
use tenancy::Fault;

const LONGEST_DEADLINE_MS: i64 = 600_000;
const LONGEST_TTL_S: i64 = 90 * 86_400;
/// Below this, texts that have little to do with each other count as alike.
const LEAST_SIMILARITY: f64 = 0.5;

/// What becomes of an answer whose reader has gone away. Who stops an answer always ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Disconnect {
    /// The provider is told at once; what was produced until then is estimated.
    #[default]
    Abort,
    /// It is listened to until its end, so that what it costs is known.
    Drain,
}

impl Disconnect {
    pub const ALL: [Self; 2] = [Self::Abort, Self::Drain];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Drain => "drain",
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names nothing that can be done about a reader who has gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is nothing that on_disconnect can be; use abort or drain")]
pub struct UnknownDisconnect(String);

impl FromStr for Disconnect {
    type Err = UnknownDisconnect;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|disconnect| disconnect.as_str() == text);
        found.ok_or_else(|| UnknownDisconnect(text.chars().take(40).collect()))
    }
}

/// Which answers may be given again. They are a tenant's own, and go to nobody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CachePolicy {
    /// How long an answer may be given again, in seconds.
    pub ttl_s: i64,
    /// How alike what was asked last must be, as the cosine of two vectors, when all that came before is the same.
    /// None: the same to the letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// The model that makes the vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed_with: Option<String>,
}

impl CachePolicy {
    /// Everything about it that cannot be, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(1..=LONGEST_TTL_S).contains(&self.ttl_s) {
            faults.push(("ttl_s", format!("must be between 1 and {LONGEST_TTL_S}")));
        }
        if self.similarity.is_some_and(|similarity| !(LEAST_SIMILARITY..=1.0).contains(&similarity)) {
            faults.push(("similarity", format!("must be between {LEAST_SIMILARITY} and 1")));
        }
        match (self.similarity, &self.embed_with) {
            (Some(_), None) => {
                let reason = "needs embed_with beside it: the model that makes vectors to compare";
                faults.push(("similarity", reason.to_owned()));
            }
            (None, Some(_)) => faults.push(("embed_with", "needs a similarity beside it, such as 0.95".to_owned())),
            (Some(_), Some(_)) | (None, None) => {}
        }
        faults
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Behaviour {
    /// How long it may take until the first words, over all attempts. None: as long as each of them may.
    pub deadline_ms: Option<i64>,
    /// The next place is asked beside one that takes longer than so many of a hundred answers did. None: never.
    pub hedge_percentile: Option<i64>,
    pub on_disconnect: Disconnect,
    /// None: every answer is made anew.
    pub cache: Option<CachePolicy>,
}

impl Behaviour {
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis)
    }

    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let unexpected =
            |column: &str, reason: String| StoreError::Column { column: format!("model.{column}"), reason };
        let on_disconnect: String = row.get("on_disconnect")?;
        let cache: Option<String> = row.get("cache")?;
        Ok(Self {
            deadline_ms: row.get("deadline_ms")?,
            hedge_percentile: row.get("hedge_percentile")?,
            on_disconnect: on_disconnect
                .parse()
                .map_err(|error: UnknownDisconnect| unexpected("on_disconnect", error.to_string()))?,
            cache: cache
                .map(|text| serde_json::from_str(&text).map_err(|error| unexpected("cache", error.to_string())))
                .transpose()?,
        })
    }

    /// Everything about it that cannot be, by the name of the model's field.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.deadline_ms.is_some_and(|limit| !(1..=LONGEST_DEADLINE_MS).contains(&limit)) {
            faults.push(("deadline_ms", format!("must be between 1 and {LONGEST_DEADLINE_MS}")));
        }
        if self.hedge_percentile.is_some_and(|percent| !(50..=99).contains(&percent)) {
            faults.push(("hedge_percentile", "must be between 50 and 99".to_owned()));
        }
        let of_cache = self.cache.as_ref().map(CachePolicy::faults).unwrap_or_default();
        faults.extend(of_cache.into_iter().map(|(field, reason)| ("cache", format!("has a {field} that {reason}"))));
        faults
    }

    pub(crate) fn cache_text(&self) -> Result<Option<String>, RegistryError> {
        let stored = self.cache.as_ref().map(serde_json::to_string).transpose();
        stored.map_err(|error| RegistryError::Invalid {
            what: "model".to_owned(),
            field: "cache",
            reason: format!("cannot be stored: {error}"),
        })
    }

    /// As an operator reads them, by the names of the resource's fields.
    pub(crate) fn told(&self) -> [(&'static str, Option<String>); 4] {
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        let cache = match &self.cache {
            None => None,
            Some(CachePolicy { ttl_s, similarity: None, .. }) => Some(format!("{ttl_s} s")),
            Some(CachePolicy { ttl_s, similarity: Some(similarity), embed_with }) => {
                Some(format!("{ttl_s} s, alike by {similarity} of {}", embed_with.as_deref().unwrap_or("nothing")))
            }
        };
        [
            ("deadline_ms", number(self.deadline_ms)),
            ("hedge_percentile", number(self.hedge_percentile)),
            ("on_disconnect", Some(self.on_disconnect.to_string())),
            ("cache", cache),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_says_how_long_and_how_alike() {
        let policy = |ttl_s, similarity, embed_with: Option<&str>| CachePolicy {
            ttl_s,
            similarity,
            embed_with: embed_with.map(str::to_owned),
        };
        let wrong = |policy: CachePolicy| policy.faults().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        assert!(wrong(policy(60, None, None)).is_empty());
        assert!(wrong(policy(60, Some(0.95), Some("minilm"))).is_empty());
        assert_eq!(wrong(policy(0, None, None)), ["ttl_s"]);
        assert_eq!(wrong(policy(0, Some(0.2), Some("minilm"))), ["ttl_s", "similarity"]);
        assert_eq!(wrong(policy(60, Some(f64::NAN), Some("minilm"))), ["similarity"]);
        assert_eq!(wrong(policy(60, Some(0.9), None)), ["similarity"]);
        assert_eq!(wrong(policy(60, None, Some("minilm"))), ["embed_with"]);
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let policy = CachePolicy { ttl_s: 60, similarity: Some(0.9), embed_with: Some("m".to_owned()) };
        let behaviour = Behaviour { cache: Some(policy.clone()), ..Behaviour::default() };
        let text = behaviour.cache_text().unwrap().unwrap();
        assert_eq!(serde_json::from_str::<CachePolicy>(&text).unwrap(), policy);
        assert!(serde_json::from_str::<CachePolicy>(r#"{"ttl_s":1,"other":2}"#).is_err());
    }
}
