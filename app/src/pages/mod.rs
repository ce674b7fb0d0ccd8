//! The pages, one folder a noun and one file a verb.
//!
//! The browser's program knows those that live; the others are rendered by the server alone.

#[cfg(feature = "ssr")]
mod account;
#[cfg(feature = "ssr")]
mod admin;
mod chat;
#[cfg(feature = "ssr")]
mod home;
#[cfg(feature = "ssr")]
mod invitation;
mod missing;
#[cfg(feature = "ssr")]
mod model;
#[cfg(feature = "ssr")]
mod operator;
#[cfg(feature = "ssr")]
mod password;
#[cfg(feature = "ssr")]
mod provider;
#[cfg(feature = "ssr")]
mod session;
#[cfg(feature = "ssr")]
mod tenant;
#[cfg(feature = "ssr")]
mod user;

pub use chat::ChatShow;
pub use missing::MissingShow;
#[cfg(feature = "ssr")]
pub use {
    account::AccountShow,
    admin::{AuditShow, KeysShow, MembersShow, ModelsShow, ProviderKeysShow, SignInShow},
    home::HomeShow,
    invitation::InvitationAccept,
    model::{ModelChoose, ModelList},
    operator::{OperatorCreate, PlatformAuditShow},
    password::{PasswordAsk, PasswordSet},
    provider::ProviderList,
    session::{SessionCreate, SessionSso},
    tenant::{TenantCreate, TenantList, TenantShow},
    user::UserList,
};
