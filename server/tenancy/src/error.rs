//! What tenancy answers instead of a result.

use crate::{SingleSignOnError, VaultError};
use contract::{Email, EmailDomain, Role, Slug};
use std::fmt;
use store::StoreError;

/// What an action asks of whoever does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// At least this role in the tenant.
    Role(Role),
    /// To run the platform.
    Operator,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(Role::Admin) => f.write_str("an admin of the tenant"),
            Self::Role(Role::Member) => f.write_str("a member of the tenant"),
            Self::Role(Role::Viewer) => f.write_str("a viewer of the tenant"),
            Self::Operator => f.write_str("the operator"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TenancyError {
    #[error("nobody is signed in")]
    NotSignedIn,
    /// Deliberately the same for an unknown account and a wrong password.
    #[error("the e-mail address or the password is not right")]
    SignInRefused,
    /// At changing a password, where the account is known.
    #[error("the current password is not right")]
    WrongPassword,
    #[error("too many failed attempts; try again in {retry_after_seconds} seconds")]
    Throttled { retry_after_seconds: u64 },
    #[error("this link was used or has expired; restart Seam to get a new one")]
    LinkExpired,
    /// Told of a domain, and never of an account.
    #[error("addresses at {domain} sign in with single sign-on; choose that instead of the password")]
    SingleSignOnRequired { domain: EmailDomain },
    #[error(
        "you came by single sign-on, which opens its own organisation alone; sign out, and sign in with your password"
    )]
    NotWithSingleSignOn,
    #[error(transparent)]
    SingleSignOn(#[from] SingleSignOnError),
    #[error("this link was used or has expired; ask for a new one")]
    ResetExpired,
    #[error("this invitation was used, withdrawn, or has expired; ask for a new one")]
    InvitationExpired,
    #[error("this invitation is for {email}; sign in with that address, then open it again")]
    InvitationForAnother { email: Email },
    #[error("this takes {needs}")]
    PermissionDenied { needs: Needs },
    #[error("this session works in no tenant; ask an admin to add you to one, then sign in again")]
    NoTenant,
    #[error("“{tenant}” is suspended: {reason}")]
    Suspended { tenant: String, reason: String },
    /// An operator's session, after its time inside a tenant.
    #[error("your time in {tenant} is over; leave it on the page of tenants, or ask for more time there")]
    ImpersonationOver { tenant: String },
    /// What is made during an impersonation must not outlive it.
    #[error("{what} would still open this tenant when your time in it is over; ask one of its admins to do this")]
    OutlivesImpersonation { what: &'static str },
    /// A tenant that nobody could manage any more.
    #[error("{email} is the last admin; make somebody else an admin first")]
    LastAdmin { email: Email },
    #[error("{email} is the last operator; make somebody else an operator first")]
    LastOperator { email: Email },
    /// The same, told to an operator who deletes somebody.
    #[error("{email} is the last admin of {tenant}; make somebody else an admin there first, or delete that tenant")]
    LastAdminOf { email: Email, tenant: Slug },
    #[error("{email} runs the platform; take the operator’s rights first")]
    OperatorStays { email: Email },
    #[error("the address that was typed is not this person's; type “{email}” to delete them")]
    NotConfirmed { email: Email },
    #[error("there is no {what}")]
    NotFound { what: String },
    #[error("the {what} “{name}” exists already")]
    AlreadyExists { what: &'static str, name: String },
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    /// More passwords wait to be checked than is reasonable to queue.
    #[error("too many people are signing in at once; try again in a moment")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A stored hash that is none, or a machine without memory for argon2.
    #[error("the password could not be hashed or checked: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("the system gave no random numbers: {0}")]
    Random(#[from] rand::rngs::SysError),
    /// The thread that hashes panicked or the runtime is going down.
    #[error("the password could not be hashed or checked: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

impl From<argon2::password_hash::Error> for TenancyError {
    fn from(error: argon2::password_hash::Error) -> Self {
        Self::Hash(error)
    }
}
