//! The one mapping from what layers report to what crosses the wire.
//!
//! Matches are exhaustive: a new error must be placed here before it compiles. What an error says of the
//! inside (SQL, paths, upstream messages) is logged under the trace id and never sent.

use crate::{ConnectError, NotReady, OpenError, current_trace_id};
use contract::{FieldError, Problem, ProblemCode, sentence};
use gateway::{GatewayError, provider::ProviderError};
use metering::MeteringError;
use orchestration::ChatError;
use registry::RegistryError;
use std::{error::Error, io::ErrorKind};
use store::StoreError;
use tenancy::{SingleSignOnError, TenancyError, VaultError};

/// An error of a layer that can be told to whoever caused the request.
pub trait IntoProblem {
    fn into_problem(self) -> Problem;
}

/// What is a problem already.
impl IntoProblem for Problem {
    fn into_problem(self) -> Problem {
        self
    }
}

/// A failure of ours: the cause goes to the log, the id to the reader.
pub(crate) fn internal(error: &(dyn Error + 'static)) -> Problem {
    logged(
        ProblemCode::Internal,
        "The request could not be carried out. Try again; if it stays, tell the operator.",
        error,
    )
}

pub(crate) fn logged(code: ProblemCode, detail: &str, error: &(dyn Error + 'static)) -> Problem {
    let trace_id = current_trace_id();
    tracing::error!(trace_id, error = %chain(error), code = ?code, "a request failed");
    Problem::new(code, detail).trace_id(trace_id)
}

/// An error with its causes on one line, for the log. Sources that their parent repeats are left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

impl IntoProblem for StoreError {
    fn into_problem(self) -> Problem {
        match &self {
            Self::Full(_) => logged(
                ProblemCode::StorageFull,
                "The server's disk is full. Nothing was lost; free some space, then try again.",
                &self,
            ),
            Self::Busy(_) => logged(
                ProblemCode::StorageUnavailable,
                "The database is busy. Nothing was lost; try again in a moment.",
                &self,
            )
            .retry_after(2),
            Self::Unreachable(_) => logged(
                ProblemCode::StorageUnavailable,
                "The database does not answer. Tell the operator, then try again.",
                &self,
            )
            .retry_after(5),
            Self::ReadOnly(_) | Self::Directory { .. } => logged(
                ProblemCode::StorageUnavailable,
                "The server cannot write to its data directory. Tell the operator, then try again.",
                &self,
            ),
            Self::Constraint(_)
            | Self::Aborted
            | Self::Ambiguous(_)
            | Self::Engine(_)
            | Self::Migration { .. }
            | Self::Column { .. }
            | Self::Database(_) => internal(&self),
        }
    }
}

impl IntoProblem for VaultError {
    fn into_problem(self) -> Problem {
        internal(&self)
    }
}

impl IntoProblem for TenancyError {
    fn into_problem(self) -> Problem {
        let said = sentence(&self.to_string());
        match self {
            Self::NotSignedIn => Problem::new(ProblemCode::NotSignedIn, "Sign in to go on."),
            Self::SingleSignOnRequired { .. } => Problem::new(ProblemCode::SignInRefused, said),
            Self::SingleSignOn(error) => {
                if let SingleSignOnError::Unusable { cause } = &error {
                    tracing::warn!(cause, "an identity provider gave no usable answer");
                }
                Problem::new(ProblemCode::SignInRefused, said)
            }
            Self::SignInRefused => Problem::new(ProblemCode::SignInRefused, said),
            Self::WrongPassword => Problem::field("current", said),
            Self::Throttled { retry_after_seconds } => Problem::new(
                ProblemCode::TooManyRequests,
                format!("Too many attempts failed. Wait {}, then try again.", duration(retry_after_seconds)),
            )
            .retry_after(retry_after_seconds),
            Self::LinkExpired | Self::InvitationExpired | Self::ResetExpired => {
                Problem::new(ProblemCode::LinkExpired, said)
            }
            Self::PermissionDenied { .. } => Problem::new(ProblemCode::PermissionDenied, said),
            Self::NoTenant => denied("You work in no tenant yet", said),
            Self::NotWithSingleSignOn => denied("Single sign-on does not open this", said),
            Self::Suspended { .. } => denied(
                "This workspace is suspended",
                with_remedy(said, "Ask whoever runs this platform when it opens again; nothing of it is lost."),
            ),
            Self::ImpersonationOver { .. } => denied("Your time in this tenant is over", said),
            Self::OutlivesImpersonation { .. } => denied("This would outlast your time here", said),
            Self::InvitationForAnother { .. } => denied("This invitation is for somebody else", said),
            Self::LastAdmin { .. } => conflict("A tenant keeps one admin", said),
            Self::LastAdminOf { .. } => conflict("A tenant would be left without an admin", said),
            Self::LastOperator { .. } => conflict("The platform keeps one operator", said),
            Self::OperatorStays { .. } => conflict("An operator is not deleted", said),
            Self::NotConfirmed { .. } => Problem::field("confirm", said),
            Self::NotFound { .. } => Problem::new(ProblemCode::NotFound, said),
            Self::AlreadyExists { what, name } => taken(what, &name),
            Self::Invalid { field, reason } => Problem::field(field, reason),
            Self::Overloaded => Problem::new(ProblemCode::TooManyRequests, said).retry_after(2),
            Self::Store(error) => error.into_problem(),
            Self::Vault(error) => error.into_problem(),
            error @ (Self::Hash(_) | Self::Random(_) | Self::Worker(_)) => internal(&error),
        }
    }
}

fn denied(title: &str, said: String) -> Problem {
    Problem::new(ProblemCode::PermissionDenied, said).titled(title)
}

pub(crate) fn conflict(title: &str, said: String) -> Problem {
    Problem::new(ProblemCode::Conflict, said).titled(title)
}

fn with_remedy(mut said: String, remedy: &str) -> String {
    said.push(' ');
    said.push_str(remedy);
    said
}

/// What exists already, with what to do instead, on the field in which it was named.
fn taken(what: &str, name: &str) -> Problem {
    let (field, title, detail) = match what {
        "member" => (
            "email",
            "They belong to this tenant already",
            format!("{name} is a member already. Change their role in the list of people."),
        ),
        "account" => (
            "email",
            "There is an account already",
            format!("There is already an account of {name}. Sign in with it, or use another address."),
        ),
        "key" => (
            "name",
            "A key has this name already",
            format!("There is already a key “{name}” that works. Revoke it first, or choose another name."),
        ),
        _ => ("slug", "This name is taken", format!("There is already a {what} “{name}”. Choose another short name.")),
    };
    let mut problem = conflict(title, detail.clone());
    problem.errors.push(FieldError { field: field.to_owned(), detail });
    problem
}

/// Seconds as a person says them.
fn duration(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

impl IntoProblem for MeteringError {
    fn into_problem(self) -> Problem {
        let said = sentence(&self.to_string());
        match self {
            Self::PriceConflict { .. } => conflict("The book has another price from then on", said),
            Self::PlanInUse { .. } => conflict("Tenants have this plan", said),
            Self::Invalid { field, .. } => Problem::field(field, said),
            Self::Tenancy(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
            error @ (Self::AlreadyRecorded { .. }
            | Self::AlreadySettled { .. }
            | Self::NotRecorded { .. }
            | Self::NotAnOutcome { .. }
            | Self::Removed { .. }) => internal(&error),
            Self::Closed { .. } => Problem::new(ProblemCode::PermissionDenied, "This workspace is being deleted."),
            error @ Self::Behind => logged(
                ProblemCode::StorageUnavailable,
                "The database is behind. Nothing was lost; try again in a moment.",
                &error,
            )
            .retry_after(2),
            // The remedy is the operator's.
            Self::Journal(error) if error.kind() == ErrorKind::StorageFull => logged(
                ProblemCode::StorageFull,
                "The server's disk is full. Nothing was lost; free some space, then try again.",
                &error,
            ),
            error @ Self::Journal(_) => logged(
                ProblemCode::StorageUnavailable,
                "The server cannot write to its data directory. Tell the operator, then try again.",
                &error,
            ),
        }
    }
}

impl IntoProblem for RegistryError {
    fn into_problem(self) -> Problem {
        let said = sentence(&self.to_string());
        match self {
            Self::UnknownModel { .. } => Problem::field("model", said),
            Self::Invalid { field, .. } => Problem::field(field, said),
            Self::UnknownProvider { .. } => Problem::field("provider", said),
            Self::Store(error) => error.into_problem(),
            error @ (Self::UnknownPrompt { .. } | Self::Corrupt { .. }) => internal(&error),
        }
    }
}

impl IntoProblem for ProviderError {
    fn into_problem(self) -> Problem {
        let detail = "The model's provider failed. Try again, or choose another model.";
        match &self {
            Self::Unreachable(_)
            | Self::Failed { .. }
            | Self::Malformed(_)
            | Self::Cut
            | Self::GaveUp(_)
            | Self::Rejected { .. } => logged(ProblemCode::ProviderFailed, detail, &self),
            Self::TimedOut(_) => logged(
                ProblemCode::ProviderFailed,
                "The model's provider did not answer in time. Try again, or choose another model.",
                &self,
            ),
            Self::RateLimited { retry_after } => {
                let problem = Problem::new(
                    ProblemCode::ModelUnavailable,
                    "The model's provider takes no more requests for now. Wait a little, then try again.",
                );
                match retry_after {
                    Some(wait) => problem.retry_after(wait.as_secs().max(1)),
                    None => problem,
                }
            }
            Self::Unauthorised | Self::Forbidden(_) | Self::UnknownModel(_) => logged(
                ProblemCode::ModelUnavailable,
                "This model is not set up correctly. Choose another one, and tell the operator.",
                &self,
            ),
            Self::ContextExceeded { .. } => Problem::new(ProblemCode::PayloadTooLarge, sentence(&self.to_string())),
            Self::Saturated | Self::NotReady(_) => {
                Problem::new(ProblemCode::ModelUnavailable, sentence(&self.to_string())).retry_after(5)
            }
            Self::Cancelled => Problem::new(ProblemCode::Interrupted, "The request was stopped."),
        }
    }
}

impl IntoProblem for GatewayError {
    fn into_problem(self) -> Problem {
        let said = sentence(&self.to_string());
        match self {
            Self::UnknownModel { .. } => Problem::field("model", said),
            Self::NoTarget { .. } => Problem::new(ProblemCode::ModelUnavailable, said),
            Self::Untranslatable { field, .. } => Problem::field(&field, said),
            Self::TargetMoved { .. } => Problem::new(ProblemCode::Conflict, said),
            Self::InvalidKey { .. } => Problem::field("api_key", said),
            Self::InvalidProvider { .. } | Self::UnknownProvider { .. } => Problem::field("provider", said),
            Self::AllAttemptsFailed { last, .. } => last.into_problem(),
            Self::Rejected { cause } | Self::Interrupted { cause, .. } => cause.into_problem(),
            Self::ShuttingDown => Problem::new(ProblemCode::ShuttingDown, said).retry_after(5),
            Self::Metering(error) => error.into_problem(),
            Self::Registry(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
            Self::Tenancy(error) => error.into_problem(),
            Self::Vault(error) => error.into_problem(),
            error @ Self::Abandoned => internal(&error),
        }
    }
}

impl IntoProblem for ChatError {
    fn into_problem(self) -> Problem {
        let said = sentence(&self.to_string());
        match self {
            Self::InvalidInput { field, .. } => Problem::field(field, said),
            Self::NotFound { .. } => Problem::new(ProblemCode::NotFound, said),
            Self::Busy => conflict("An answer is being written", said),
            Self::ShuttingDown => Problem::new(ProblemCode::ShuttingDown, said).retry_after(5),
            Self::Removed => Problem::new(ProblemCode::StorageUnavailable, said).retry_after(2),
            Self::RunLost(problem) => *problem,
            Self::Tenancy(error) => error.into_problem(),
            Self::Registry(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
            error @ (Self::Panicked | Self::Config { .. }) => internal(&error),
        }
    }
}

impl IntoProblem for ConnectError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Tenancy(error) => error.into_problem(),
            Self::Gateway(error) => error.into_problem(),
            Self::Refused(ProviderError::Unauthorised) => Problem::field(
                "api_key",
                "The provider does not take this key. Copy it again, whole, and try once more.",
            ),
            Self::Refused(error) => Problem::field("api_key", format!("The key could not be tried: {error}.")),
        }
    }
}

impl IntoProblem for NotReady {
    fn into_problem(self) -> Problem {
        match self {
            Self::Database(error) => error.into_problem(),
            Self::ShuttingDown => Problem::new(ProblemCode::ShuttingDown, "The server is shutting down."),
            error @ Self::Migrations(_) => logged(
                ProblemCode::StorageUnavailable,
                "The database is not at this version of Seam. Run: seam migrate",
                &error,
            ),
        }
    }
}

impl IntoProblem for OpenError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Store(error) => error.into_problem(),
            Self::Vault(error) => error.into_problem(),
            Self::Ledger(error) => error.into_problem(),
            Self::Chats(error) => error.into_problem(),
            Self::Tenancy(error) => error.into_problem(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internals_stay_inside() {
        let error = StoreError::Column { column: "password_hash".to_owned(), reason: "secret".to_owned() };
        let problem = ChatError::Store(error).into_problem();
        assert_eq!(problem.code, ProblemCode::Internal);
        let wire = serde_json::to_string(&problem).unwrap();
        assert!(!wire.contains("password_hash") && !wire.contains("secret"), "{wire}");
        assert!(problem.trace_id.is_some());
    }

    #[test]
    fn each_refusal_is_called_by_what_happened() {
        let email = || "ada@acme.test".parse().unwrap();
        let suspended = TenancyError::Suspended { tenant: "Acme".to_owned(), reason: "unpaid since May".to_owned() };
        let refusals = [
            TenancyError::PermissionDenied { needs: tenancy::Needs::Operator },
            TenancyError::NoTenant,
            TenancyError::NotWithSingleSignOn,
            suspended,
            TenancyError::ImpersonationOver { tenant: "Acme".to_owned() },
            TenancyError::OutlivesImpersonation { what: "a key" },
            TenancyError::InvitationForAnother { email: email() },
            TenancyError::LastAdmin { email: email() },
            TenancyError::LastAdminOf { email: email(), tenant: "acme".parse().unwrap() },
            TenancyError::LastOperator { email: email() },
            TenancyError::OperatorStays { email: email() },
            TenancyError::AlreadyExists { what: "tenant", name: "acme".to_owned() },
            TenancyError::AlreadyExists { what: "member", name: "ada@acme.test".to_owned() },
            TenancyError::AlreadyExists { what: "account", name: "ada@acme.test".to_owned() },
        ];
        let titles: Vec<String> = refusals.into_iter().map(|error| error.into_problem().title).collect();
        for (at, title) in titles.iter().enumerate() {
            assert!(!titles[..at].contains(title), "“{title}” says two things");
            assert_ne!(title, ProblemCode::Conflict.title());
        }
    }

    #[test]
    fn a_member_is_not_told_to_choose_another_name() {
        let problem = TenancyError::AlreadyExists { what: "member", name: "ada@acme.test".to_owned() }.into_problem();
        assert_eq!((problem.status, problem.errors[0].field.as_str()), (409, "email"));
        assert_eq!(problem.detail, "ada@acme.test is a member already. Change their role in the list of people.");
    }

    #[test]
    fn a_throttled_sign_in_says_how_long() {
        let problem = TenancyError::Throttled { retry_after_seconds: 61 * 10 }.into_problem();
        assert_eq!((problem.status, problem.retry_after), (429, Some(610)));
        assert!(problem.detail.contains("11 minutes"), "{}", problem.detail);
    }

    #[test]
    fn a_refused_key_is_an_error_of_its_field() {
        let problem = ConnectError::Refused(ProviderError::Unauthorised).into_problem();
        assert_eq!(problem.status, 422);
        assert_eq!(problem.errors.first().map(|error| error.field.as_str()), Some("api_key"));
    }
}
