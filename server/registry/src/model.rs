//! Models: what clients ask for, and the targets that answer it.

use crate::{Behaviour, RegistryError};
use contract::{NameError, Timestamp, unseen};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};
use store::{FromRow, Row, StoreError, Transaction};
use tenancy::{Change, Fault, Told, as_values, differences};

pub(crate) const MODELS: &str = "
SELECT name, strategy, targets, deadline_ms, hedge_percentile, on_disconnect, cache FROM model ORDER BY name";

const MODEL_BY_NAME: &str = "
SELECT name, strategy, targets, deadline_ms, hedge_percentile, on_disconnect, cache FROM model WHERE name = $1";

const MODEL_UPSERT: &str = "
INSERT INTO model
    (name, strategy, targets, deadline_ms, hedge_percentile, on_disconnect, cache, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (name) DO UPDATE SET
    strategy = excluded.strategy, targets = excluded.targets, deadline_ms = excluded.deadline_ms,
    hedge_percentile = excluded.hedge_percentile, on_disconnect = excluded.on_disconnect, cache = excluded.cache,
    updated_at = excluded.updated_at";

const MODEL_NAMES: &str = "SELECT name AS value FROM model ORDER BY name LIMIT 20";

const MODEL_DELETE: &str = "DELETE FROM model WHERE name = $1";

// What a label points at is asked for; older versions may name models that are no more.
const PROMPTS_WITH: &str = "
SELECT l.name AS value FROM prompt_label AS l
JOIN prompt_version AS v ON v.name = l.name AND v.version = l.version
WHERE v.model = $1
ORDER BY l.name LIMIT 1";

const PROVIDER_COUNT: &str = "SELECT COUNT(*) AS value FROM provider WHERE name = $1";

const MOST_TARGETS: usize = 16;
const HIGHEST_WEIGHT: u32 = 1_000_000;

/// In which order a model's targets are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The first that can answer, in the order written.
    Fallback,
    /// One by chance in proportion to its weight, the others after it.
    Weighted,
    /// The lowest price first, for what is asked; without a price last.
    Cheapest,
    /// The shortest time to the first words first, as it was lately.
    Fastest,
}

impl Strategy {
    pub const ALL: [Self; 4] = [Self::Fallback, Self::Weighted, Self::Cheapest, Self::Fastest];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Weighted => "weighted",
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a strategy; use fallback, weighted, cheapest or fastest")]
pub struct UnknownStrategy(String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == text)
            .ok_or_else(|| UnknownStrategy(text.chars().take(40).collect()))
    }
}

/// A place that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name of a provider.
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// Its share where the strategy is `weighted`.
    #[serde(default = "Target::default_weight")]
    pub weight: u32,
}

impl Target {
    pub const fn default_weight() -> u32 {
        1
    }

    /// Everything about it that cannot be, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.model.trim().is_empty() {
            faults.push(("model", "is empty; write the provider's own name of it".to_owned()));
        }
        faults.extend(unseen_in(&self.model).map(|reason| ("model", reason)));
        if !(1..=HIGHEST_WEIGHT).contains(&self.weight) {
            faults.push(("weight", format!("is not between 1 and {HIGHEST_WEIGHT}")));
        }
        faults
    }

    /// `provider/model`, as shown to people and sent in `x-seam-route`.
    pub fn route(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

/// A model that clients ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    pub name: String,
    pub strategy: Strategy,
    /// In order of preference; never empty.
    pub targets: Vec<Target>,
    pub behaviour: Behaviour,
}

impl ModelConfig {
    /// The first target that can answer does, and nothing special.
    pub fn new(name: &str, targets: Vec<Target>) -> Self {
        Self { name: name.to_owned(), strategy: Strategy::Fallback, targets, behaviour: Behaviour::default() }
    }
}

impl FromRow for ModelConfig {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let unexpected =
            |column: &str, reason: String| StoreError::Column { column: format!("model.{column}"), reason };
        let strategy: String = row.get("strategy")?;
        let targets: String = row.get("targets")?;
        Ok(Self {
            name: row.get("name")?,
            strategy: strategy.parse().map_err(|error: UnknownStrategy| unexpected("strategy", error.to_string()))?,
            targets: serde_json::from_str(&targets).map_err(|error| unexpected("targets", error.to_string()))?,
            behaviour: Behaviour::from_row(row)?,
        })
    }
}

pub(crate) async fn in_transaction(tx: &mut Transaction, name: &str) -> Result<ModelConfig, RegistryError> {
    let found: Option<ModelConfig> = tx.query(MODEL_BY_NAME).bind(name).fetch_optional().await?;
    if let Some(model) = found {
        return Ok(model);
    }
    let names: Vec<String> = tx.query(MODEL_NAMES).fetch_all().await?;
    Err(RegistryError::UnknownModel { name: name.chars().take(100).collect(), known: names.join(", ") })
}

pub(crate) async fn apply(tx: &mut Transaction, now: Timestamp, model: &ModelConfig) -> Result<Change, RegistryError> {
    check(model)?;
    for target in &model.targets {
        let known: i64 = tx.query(PROVIDER_COUNT).bind(target.provider.as_str()).fetch_one().await?;
        if known == 0 {
            return Err(RegistryError::UnknownProvider {
                model: model.name.clone(),
                provider: target.provider.clone(),
            });
        }
    }
    let before: Option<ModelConfig> = tx.query(MODEL_BY_NAME).bind(model.name.as_str()).fetch_optional().await?;
    if before.as_ref() == Some(model) {
        return Ok(Change::Unchanged);
    }
    let targets = serde_json::to_string(&model.targets)
        .map_err(|error| invalid(model, "targets", format!("cannot be stored: {error}")))?;
    tx.query(MODEL_UPSERT)
        .bind(model.name.as_str())
        .bind(model.strategy.as_str())
        .bind(targets)
        .bind(model.behaviour.deadline_ms)
        .bind(model.behaviour.hedge_percentile)
        .bind(model.behaviour.on_disconnect.as_str())
        .bind(model.behaviour.cache_text()?)
        .bind(now)
        .execute()
        .await?;
    Ok(match before {
        None => Change::created(told(model)),
        Some(before) => Change::Updated(differences(told(&before), told(model))),
    })
}

/// What is told of a model as it is now; none where there is none.
pub(crate) async fn told_now(tx: &mut Transaction, name: &str) -> Result<Option<Value>, StoreError> {
    let model: Option<ModelConfig> = tx.query(MODEL_BY_NAME).bind(name).fetch_optional().await?;
    Ok(model.map(|model| as_values(told(&model))))
}

/// All of them, by name.
pub(crate) async fn list(tx: &mut Transaction) -> Result<Vec<ModelConfig>, StoreError> {
    tx.query(MODELS).fetch_all().await
}

/// Takes a model away. The inner error is who needs it.
pub(crate) async fn remove(tx: &mut Transaction, name: &str) -> Result<Result<(), String>, StoreError> {
    if let Some(prompt) = tx.query(PROMPTS_WITH).bind(name).fetch_optional::<String>().await? {
        return Ok(Err(format!("the prompt “{prompt}” asks for it")));
    }
    let compares = |model: &&ModelConfig| {
        let policy = model.behaviour.cache.as_ref();
        model.name != name && policy.is_some_and(|policy| policy.embed_with.as_deref() == Some(name))
    };
    if let Some(model) = list(tx).await?.iter().find(compares) {
        return Ok(Err(format!("the model “{}” compares questions with it", model.name)));
    }
    tx.query(MODEL_DELETE).bind(name).execute().await?;
    Ok(Ok(()))
}

/// Why a name reads as another, if it does.
fn unseen_in(name: &str) -> Option<String> {
    unseen(name).map(|unseen| format!("cannot be used: {}", NameError::Unseen(unseen)))
}

fn told(model: &ModelConfig) -> Told {
    let targets: Vec<String> = model.targets.iter().map(|t| format!("{}×{}", t.route(), t.weight)).collect();
    let mut told = vec![("strategy", Some(model.strategy.to_string())), ("targets", Some(targets.join(", ")))];
    told.extend(model.behaviour.told());
    told
}

impl ModelConfig {
    /// Everything about it that cannot be, by the name of the field; but for its targets, which are asked one by one.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // Names of models carry dots, slashes and colons ("claude-haiku-4.5", "qwen3:4b").
        if self.name.is_empty()
            || self.name.len() > 100
            || self.name.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            faults.push(("name", "cannot be used: write 1 to 100 characters without spaces".to_owned()));
        }
        faults.extend(unseen_in(&self.name).map(|reason| ("name", reason)));
        if self.targets.is_empty() {
            faults.push(("targets", "are missing; name at least one provider and its model".to_owned()));
        }
        if self.targets.len() > MOST_TARGETS {
            faults.push(("targets", format!("are more than {MOST_TARGETS}; leave some out")));
        }
        faults.extend(self.behaviour.faults());
        faults
    }
}

fn check(model: &ModelConfig) -> Result<(), RegistryError> {
    if let Some((field, reason)) = model.faults().into_iter().next() {
        return Err(invalid(model, field, reason));
    }
    for target in &model.targets {
        if let Some((field, reason)) = target.faults().into_iter().next() {
            return Err(invalid(model, "targets", format!("name {} with a {field} that {reason}", target.route())));
        }
    }
    Ok(())
}

fn invalid(model: &ModelConfig, field: &'static str, reason: String) -> RegistryError {
    RegistryError::Invalid { what: format!("model “{}”", model.name), field, reason }
}
