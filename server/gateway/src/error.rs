//! What the gateway can answer instead of an answer.

use crate::{PartialOutcome, provider::ProviderError};
use metering::MeteringError;
use registry::RegistryError;
use store::StoreError;
use tenancy::{TenancyError, VaultError};

#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("there is no model “{name}”")]
    UnknownModel { name: String },
    /// Nothing was dispatched, so nothing is in the ledger.
    #[error("the model “{model}” cannot answer now: {reason}")]
    NoTarget { model: String, reason: String },
    /// Nobody who may answer for the model speaks the dialect in which the field means something.
    #[error(
        "no provider of the model “{model}” can do justice to “{field}”: it would have to be left out, and the answer \
         would be another"
    )]
    Untranslatable { model: String, field: String },
    /// Every attempt failed before its first word; each is in the ledger.
    #[error("no provider answered in {attempts} attempts; the last said: {last}")]
    AllAttemptsFailed { last: ProviderError, attempts: i64 },
    /// The request itself was refused; another provider would refuse it too.
    #[error("{cause}")]
    Rejected { cause: ProviderError },
    /// The answer ended before its end; what it came to is settled. `Cancelled`: nobody wanted it any more.
    #[error("the answer was interrupted: {cause}")]
    Interrupted { outcome: Box<PartialOutcome>, cause: ProviderError },
    #[error("there is no provider “{name}”; those there are: {known}")]
    UnknownProvider { name: String, known: String },
    #[error(
        "the targets of the model “{model}” have changed meanwhile; look at them again, then move what you want moved"
    )]
    TargetMoved { model: String },
    #[error("the provider “{name}” cannot be set up: {reason}")]
    InvalidProvider { name: String, reason: String },
    /// What a tenant gave for a key, or gave none, cannot be used.
    #[error("{reason}")]
    InvalidKey { reason: String },
    #[error("the server is restarting; try again in a moment")]
    ShuttingDown,
    /// The task that made the answer broke down; its attempt is settled at the next start.
    #[error("the answer broke down inside the gateway")]
    Abandoned,
    #[error(transparent)]
    Metering(#[from] MeteringError),
    #[error(transparent)]
    Registry(RegistryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<RegistryError> for GatewayError {
    fn from(error: RegistryError) -> Self {
        if let RegistryError::UnknownModel { name, .. } = error {
            return Self::UnknownModel { name };
        }
        Self::Registry(error)
    }
}
