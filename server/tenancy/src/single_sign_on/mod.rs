//! Single sign-on: a tenant's own identity provider vouches for its people (OpenID Connect).
//!
//! - `setting.rs`: which provider, as the tenant's admins set it; the secret is sealed for the tenant.
//! - `domain.rs`: the e-mail domains that count, once the operator has confirmed them.
//! - `flow.rs`: to the provider and back, with everything that is checked on the way.
//! - `identity.rs`: which account a person of the provider is.
//! - `wire.rs`: requests to providers.
//!
//! What always holds: a provider speaks for addresses in confirmed domains of its own tenant and for nobody else,
//! never for an operator; a session that it opened acts in its tenant alone. The decisions are told in
//! docs/adr/0009.

mod domain;
mod flow;
mod identity;
mod setting;
mod wire;

pub use domain::Claim;
pub use flow::{Departure, FLOW_LIFETIME};
pub(crate) use setting::secret_context;
pub use setting::{NewSingleSignOn, ProviderUnusable};

use contract::EmailDomain;

/// Why somebody did not come in by single sign-on. Never says whether an account exists.
#[derive(Debug, thiserror::Error)]
pub enum SingleSignOnError {
    #[error("single sign-on is not set up for {domain}; sign in with your password, or ask your admin")]
    NotSetUp { domain: EmailDomain },
    #[error("this sign-in was begun in another browser, took too long, or was used already; begin again")]
    Stale,
    /// The provider's own code, such as `access_denied`.
    #[error("your organisation's sign-in refused you ({code}); begin again, or ask your admin")]
    Denied { code: String },
    /// The cause is for the log.
    #[error("your organisation's sign-in gave no usable answer; try again, and tell your admin if it stays")]
    Unusable { cause: String },
    #[error(
        "your organisation's sign-in does not say which address is yours; ask your admin to share the e-mail claim"
    )]
    NoEmail,
    #[error("your organisation has not verified your e-mail address; ask your admin, then begin again")]
    NotVerified,
    #[error("the domain {domain} is not one of those of {tenant}; sign in another way, or ask your admin")]
    ForeignDomain { domain: EmailDomain, tenant: String },
    /// An operator's address, or one that another person of the provider holds. Not told apart.
    #[error("this address cannot be used with single sign-on here; ask your admin")]
    NotThisAddress,
    #[error("you do not belong to {tenant} any more; ask an admin for an invitation")]
    Removed { tenant: String },
}
