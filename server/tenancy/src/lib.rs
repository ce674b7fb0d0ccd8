//! Who somebody is and what they may touch: accounts, sign-in, sessions, tenants, memberships, the vault.
//!
//! What always holds:
//! - A [`Scope`], the only key to a tenant's data, is minted here and nowhere else: for a member whose
//!   session is alive ([`Principal::scope`]), for a key that works ([`Tenancy::authenticate_key`]), for the
//!   commands of `seam`, or for the platform's own upkeep ([`Tenancy::upkeep_scope`]).
//!   An operator enters a tenant for a while and in its sight ([`Tenancy::impersonation_begin`]).
//! - Passwords are argon2id hashes, made and checked off the async threads ([`password`](self::PasswordHash)).
//! - What opens something is stored as its hash (session cookies, one-time links) or sealed ([`Vault`]).
//!
//! Where to look: signing in is `sign_in`, its bounds are `throttle`, who came in is `history`; the first operator is `operator`;
//! a new password by a link is `password_reset`;
//! a tenant's own identity provider is `single_sign_on`;
//! the cookie's session is `session`, what it amounts to is `principal`; the tables have one module each:
//! `account` (`user` is how operators manage them, `removal` how they leave), `tenant` (`customer` likewise), `membership` (`member` is how admins do),
//! `invitation`, `api_key`, `impersonation`, `audit`. What a program with an operator's key may do inside a tenant is
//! `management`. The decisions are told in docs/adr/0003.

mod account;
mod api_key;
mod audit;
mod author;
mod change;
mod client;
mod clock;
mod customer;
mod data_key;
mod declared_key;
mod digest;
mod error;
mod history;
mod impersonation;
mod invitation;
mod management;
mod member;
mod membership;
mod operator;
mod password;
mod password_reset;
mod principal;
mod removal;
mod reseal;
mod scope;
mod secret;
mod session;
mod sign_in;
mod single_sign_on;
mod tenancy;
mod tenant;
mod throttle;
mod user;
mod vault;

pub use account::{NewUser, UserRecord};
pub use api_key::{KEY_PREFIX, KeyHolder, NewKey, OPERATOR_KEY_PREFIX};
pub use audit::{
    AuditReport, Chain, ChainCheck, ChainReport, NoSeal, Seal, SealedEntry, Unsealed, audit_link, audit_seal_tenant,
    audit_verify, audit_verify_tenant, owner as audit_owner,
};
pub use author::{Actor, Author};
pub use change::{Change, Fault, Told, as_values, differences};
pub use client::Client;
pub use clock::{Clock, FixedClock, SharedClock, SystemClock};
pub use data_key::DataKey;
pub use declared_key::{DeclaredKey, GivenSecret, UnfitSecret};
pub use error::{Needs, TenancyError};
pub use history::{SIGN_INS_KEPT, SIGN_INS_KEPT_FOR};
pub use impersonation::{LONGEST_IMPERSONATION, NewImpersonation};
pub use invitation::{INVITATION_LIFETIME, Invited};
pub use management::{Management, Manages, TenantPatch};
pub use operator::{LINK_LIFETIME, OneTimeToken};
pub use password::PasswordHash;
pub use password_reset::RESET_LIFETIME;
pub use principal::{ABSOLUTE_EXPIRY, IDLE_EXPIRY, Principal, SESSION_CLAIMS_KEY, SessionClaims, SignedIn};
pub use scope::{OperatorScope, Scope};
pub use secret::Secret;
pub use session::ControlSessions;
pub use single_sign_on::{Claim, Departure, FLOW_LIFETIME, NewSingleSignOn, ProviderUnusable, SingleSignOnError};
pub use tenancy::Tenancy;
pub use tenant::{NewTenant, TenantRecord};
pub use throttle::{
    FAILURES_PER_ACCOUNT, FAILURES_PER_ADDRESS, RESETS_PER_ACCOUNT, RESETS_PER_ADDRESS, THROTTLE_WINDOW,
    account_subject,
};
pub use vault::{Vault, VaultError};
