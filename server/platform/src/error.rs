//! What keeps the platform from opening, from being ready, or from taking a provider.

use gateway::{GatewayError, provider::ProviderError};
use metering::MeteringError;
use orchestration::ChatError;
use store::StoreError;
use tenancy::{TenancyError, VaultError};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("what an earlier run left open in the ledger could not be closed: {0}")]
    Ledger(#[from] MeteringError),
    #[error("what an earlier run left open among answers could not be looked for: {0}")]
    Chats(#[from] ChatError),
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
}

/// Why requests should go elsewhere for now.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("the control database does not answer: {0}")]
    Database(#[from] StoreError),
    #[error("the control database lacks migrations: {0:?}")]
    Migrations(Vec<i64>),
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// Why a provider was not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    /// The key was tried and the provider said no, or could not be asked.
    #[error("the key could not be tried: {0}")]
    Refused(#[source] ProviderError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}
