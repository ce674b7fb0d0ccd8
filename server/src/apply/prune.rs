//! What a file does not name goes, of the kinds that whoever applies it says.
//!
//! What always holds: nothing goes that answers or bills need, and nothing that would take a customer's data along:
//! tenants, people and keys have commands of their own, and prices are never taken out of the book.

use super::{Mistake, Resources};
use contract::Timestamp;
use gateway::Gateway;
use metering::{Metering, MeteringError};
use registry::Registry;
use serde_json::Value;
use store::{StoreError, Transaction};
use tenancy::Tenancy;

/// A kind of which what is absent may go; in the order in which they refer to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Prunable {
    Model,
    Provider,
    Plan,
}

impl Prunable {
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Plan => "plan",
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Model => "model.prune",
            Self::Provider => "provider.prune",
            Self::Plan => "plan.prune",
        }
    }

    fn declares(self, resources: &Resources, name: &str) -> bool {
        match self {
            Self::Model => resources.models.iter().any(|model| model.value.name == name),
            Self::Provider => resources.providers.iter().any(|provider| provider.value.name == name),
            Self::Plan => resources.plans.iter().any(|plan| plan.value.name == name),
        }
    }

    async fn names(self, tx: &mut Transaction) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Model => Ok(Registry::models_in(tx).await?.into_iter().map(|model| model.name).collect()),
            Self::Provider => Gateway::provider_names(tx).await,
            Self::Plan => Metering::plan_names(tx).await,
        }
    }

    async fn stored(self, tx: &mut Transaction, name: &str) -> Result<Option<Value>, StoreError> {
        match self {
            Self::Model => Registry::model_told(tx, name).await,
            Self::Provider => Gateway::provider_told(tx, name).await,
            Self::Plan => Metering::plan_told(tx, name).await,
        }
    }

    /// The inner error is why it stays.
    async fn remove(self, tx: &mut Transaction, name: &str) -> Result<Result<(), String>, StoreError> {
        match self {
            Self::Model => Registry::remove_model(tx, name).await,
            Self::Provider => Gateway::remove_provider(tx, name).await,
            Self::Plan => match Metering::remove_plan(tx, name).await {
                Ok(()) => Ok(Ok(())),
                Err(MeteringError::Store(error)) => Err(error),
                Err(needed) => Ok(Err(needed.to_string())),
            },
        }
    }
}

/// Takes away what the file does not name; what went, and what could not.
pub(super) async fn absent(
    tx: &mut Transaction,
    now: Timestamp,
    resources: &Resources,
    kinds: &[Prunable],
) -> Result<(Vec<(&'static str, String)>, Vec<Mistake>), StoreError> {
    let (mut gone, mut mistakes) = (Vec::new(), Vec::new());
    let mut kinds = kinds.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let mut absent = kind.names(tx).await?;
        absent.retain(|name| !kind.declares(resources, name));
        // Of two that need each other's absence the second one can go once the first has.
        loop {
            let (before, mut needed) = (absent.len(), Vec::new());
            for name in std::mem::take(&mut absent) {
                let was = kind.stored(tx, &name).await?.unwrap_or_default();
                match kind.remove(tx, &name).await? {
                    Ok(()) => {
                        Tenancy::apply_record(tx, now, kind.action(), &name, (was, Value::Null), None).await?;
                        gone.push((kind.kind(), name));
                    }
                    Err(reason) => needed.push((name, reason)),
                }
            }
            if needed.is_empty() || needed.len() == before {
                // What is missing has no line.
                mistakes.extend(needed.into_iter().map(|(name, reason)| Mistake {
                    line: 1,
                    message: format!("the {} “{name}” is not in this file and cannot go: {reason}", kind.kind()),
                }));
                break;
            }
            absent = needed.into_iter().map(|(name, _)| name).collect();
        }
    }
    Ok((gone, mistakes))
}
