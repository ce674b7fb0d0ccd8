//! What metering can answer instead of a result.

use contract::{AttemptNo, RequestId};
use store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum MeteringError {
    #[error("attempt {} of request {request} is already in the ledger; number each attempt anew", attempt.0)]
    AlreadyRecorded { request: RequestId, attempt: AttemptNo },
    #[error("attempt {} of request {request} is already settled; a settlement is final", attempt.0)]
    AlreadySettled { request: RequestId, attempt: AttemptNo },
    #[error("attempt {} of request {request} is not in the ledger; record its intent before dispatch", attempt.0)]
    NotRecorded { request: RequestId, attempt: AttemptNo },
    /// The others took this node for dead and have ended what was its own.
    #[error("attempt {} of request {request} was not dispatched: this node has left the others; try again", attempt.0)]
    Removed { request: RequestId, attempt: AttemptNo },
    #[error("attempt {} of request {request} was not dispatched: its workspace is being deleted, or was", attempt.0)]
    Closed { request: RequestId, attempt: AttemptNo },
    #[error("attempt {} of request {request} cannot be settled as “dispatched”; say how it ended", attempt.0)]
    NotAnOutcome { request: RequestId, attempt: AttemptNo },
    #[error(
        "the ledger's journal cannot be written: {0}; see to it that the data directory has space and may be written to"
    )]
    Journal(#[source] std::io::Error),
    /// Entries are safe in the journal meanwhile.
    #[error("the ledger's table cannot be written at the moment, and too much waits for it; try again")]
    Behind,
    #[error(
        "the price of {provider}/{model} from {effective_from} is already recorded with other numbers \
         ({differences}); prices are never edited because past costs point at them: \
         give the new price a new effective_from"
    )]
    PriceConflict { provider: String, model: String, effective_from: String, differences: String },
    #[error("the plan “{plan}” is that of {tenants}; give them another one first")]
    PlanInUse { plan: String, tenants: String },
    #[error("the {field} of {what} {reason}")]
    Invalid { what: String, field: &'static str, reason: String },
    /// Whoever asks may not read these books.
    #[error(transparent)]
    Tenancy(#[from] tenancy::TenancyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
