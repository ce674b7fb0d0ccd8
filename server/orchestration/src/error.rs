//! Why chatting was refused. `platform` maps these to what crosses the wire.

use contract::Problem;
use registry::RegistryError;
use store::StoreError;
use tenancy::TenancyError;

#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// A field of the input cannot be used; the detail names the limit.
    #[error("{detail}")]
    InvalidInput { field: &'static str, detail: String },
    /// Does not exist, or belongs to somebody else: the two look the same from outside.
    #[error("there is no such {what}")]
    NotFound { what: &'static str },
    /// A conversation has one run at a time.
    #[error("an answer is still being written in this conversation; wait for its end or stop it, then try again")]
    Busy,
    #[error("the server is shutting down and starts no new answers; try again in a moment")]
    ShuttingDown,
    /// The other nodes took this one for dead, twice in a row.
    #[error("this server has just lost its connection to the others; try again in a moment")]
    Removed,
    /// The run is over, and its last event could not be stored.
    #[error("the answer ended without its end being stored: {0}")]
    RunLost(#[source] Box<Problem>),
    /// A defect: the task that should have started the run died.
    #[error("starting the answer failed unexpectedly")]
    Panicked,
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A version in the registry holds parameters that no chat understands.
    #[error("the parameters of “{config}” cannot be used: {reason}")]
    Config { config: String, reason: serde_json::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChatError {
    pub(crate) fn invalid(field: &'static str, detail: impl Into<String>) -> Self {
        Self::InvalidInput { field, detail: detail.into() }
    }
}
