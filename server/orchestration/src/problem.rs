//! What a member is told when an answer fails: a sentence to act on, never internals.
//!
//! The cause itself is logged with the run's id, which is the problem's trace id.

use contract::{Problem, ProblemCode};
use gateway::{GatewayError, provider::ProviderError};
use metering::MeteringError;
use registry::RegistryError;
use store::StoreError;

/// How the gateway's failure reads to the member.
pub(crate) fn of_gateway(error: &GatewayError) -> Problem {
    match error {
        GatewayError::AllAttemptsFailed { last, .. } => of_provider(last),
        GatewayError::Rejected { cause } | GatewayError::Interrupted { cause, .. } => of_provider(cause),
        GatewayError::UnknownModel { name } => Problem::new(
            ProblemCode::ModelUnavailable,
            format!("There is no model named “{name}” any more. Choose another model and try again."),
        ),
        GatewayError::NoTarget { model, .. } => Problem::new(
            ProblemCode::ModelUnavailable,
            format!("The model “{model}” cannot answer at the moment. Choose another model, or try again later."),
        ),
        GatewayError::Store(error)
        | GatewayError::Metering(MeteringError::Store(error))
        | GatewayError::Registry(RegistryError::Store(error)) => of_store(error),
        GatewayError::Metering(MeteringError::Behind | MeteringError::Journal(_)) => {
            tracing::error!(%error, "the ledger cannot be written");
            let detail = "The server cannot write down what answers cost, and gives none meanwhile. Try again in a moment.";
            Problem::new(ProblemCode::StorageUnavailable, detail).retry_after(2)
        }
        GatewayError::ShuttingDown => shutting_down(),
        GatewayError::InvalidKey { .. }
        | GatewayError::InvalidProvider { .. }
        | GatewayError::UnknownProvider { .. }
        | GatewayError::TargetMoved { .. }
        // Conversations are asked about in Seam's own words.
        | GatewayError::Untranslatable { .. }
        | GatewayError::Abandoned
        | GatewayError::Metering(_)
        | GatewayError::Registry(_)
        | GatewayError::Tenancy(_)
        | GatewayError::Vault(_) => internal(),
    }
}

fn of_provider(error: &ProviderError) -> Problem {
    match error {
        ProviderError::Unreachable(_) => Problem::new(
            ProblemCode::ProviderFailed,
            "The model's provider could not be reached. Try again in a moment.",
        ),
        ProviderError::TimedOut(_) => Problem::new(
            ProblemCode::ProviderFailed,
            "The model's provider did not answer in time. Try again, or choose another model.",
        ),
        ProviderError::RateLimited { retry_after } => {
            let problem = Problem::new(
                ProblemCode::ModelUnavailable,
                "The model's provider takes no more requests for now. Wait a little, then try again.",
            );
            match retry_after {
                Some(wait) => problem.retry_after(wait.as_secs().max(1)),
                None => problem,
            }
        }
        ProviderError::Unauthorised | ProviderError::Forbidden(_) | ProviderError::UnknownModel(_) => Problem::new(
            ProblemCode::ModelUnavailable,
            "This model is not set up correctly. Choose another one, and tell whoever runs this server.",
        ),
        ProviderError::Rejected { .. } => Problem::new(
            ProblemCode::ProviderFailed,
            "The model's provider refused this request. Rephrase the message, or choose another model.",
        ),
        ProviderError::ContextExceeded { tokens, limit } => Problem::new(
            ProblemCode::PayloadTooLarge,
            format!(
                "This is more than the model can read: about {tokens} tokens, and it reads at most {limit}. \
                 Shorten the message, or choose a model with a longer context."
            ),
        ),
        ProviderError::Failed { .. } | ProviderError::Malformed(_) => Problem::new(
            ProblemCode::ProviderFailed,
            "The model's provider failed. Try again, or choose another model.",
        ),
        ProviderError::GaveUp(_) => Problem::new(
            ProblemCode::ProviderFailed,
            "The model broke off its answer. Ask again, perhaps in other words, or choose another model.",
        ),
        ProviderError::Cut => Problem::new(
            ProblemCode::ProviderFailed,
            "The connection to the model's provider was lost before the answer was whole. Try again.",
        ),
        ProviderError::Saturated => {
            Problem::new(ProblemCode::ModelUnavailable, "The model is busy with other answers. Try again in a moment.")
                .retry_after(5)
        }
        ProviderError::NotReady(_) => Problem::new(
            ProblemCode::ModelUnavailable,
            "The model is not ready yet. Try again in a moment, or choose another one.",
        )
        .retry_after(5),
        ProviderError::Cancelled => interrupted(),
    }
}

/// How the database's failure reads to the member.
pub(crate) fn of_store(error: &StoreError) -> Problem {
    match error {
        StoreError::Full(_) => Problem::new(
            ProblemCode::StorageFull,
            "The server's disk is full, so the rest of the answer could not be kept. \
             Tell whoever runs this server, then try again.",
        ),
        StoreError::ReadOnly(_) | StoreError::Busy(_) | StoreError::Unreachable(_) | StoreError::Directory { .. } => {
            Problem::new(
                ProblemCode::StorageUnavailable,
                "The server's database did not take the answer. Try again in a moment.",
            )
        }
        StoreError::Constraint(_)
        | StoreError::Aborted
        | StoreError::Ambiguous(_)
        | StoreError::Engine(_)
        | StoreError::Migration { .. }
        | StoreError::Column { .. }
        | StoreError::Database(_) => internal(),
    }
}

pub(crate) fn shutting_down() -> Problem {
    Problem::new(
        ProblemCode::ShuttingDown,
        "The server restarted before the answer was whole. What was said so far is kept; try again.",
    )
}

/// The run was found without anybody driving it.
pub(crate) fn interrupted() -> Problem {
    Problem::new(
        ProblemCode::Interrupted,
        "The server stopped before the answer was whole. What was said so far is kept; try again.",
    )
}

pub(crate) fn too_long() -> Problem {
    Problem::new(
        ProblemCode::ProviderFailed,
        "The model did not stop writing, so the answer was ended here. Try again with another wording.",
    )
}

pub(crate) fn internal() -> Problem {
    Problem::new(ProblemCode::Internal, "The answer failed for a reason that is not yours. Try again.")
}
