//! The tenant's console: its people, its keys, its models, its log.

mod audit;
mod keys;
mod members;
mod models;
mod provider_keys;
mod sign_in;

pub use audit::AuditShow;
pub use keys::KeysShow;
pub use members::MembersShow;
pub use models::ModelsShow;
pub use provider_keys::ProviderKeysShow;
pub use sign_in::SignInShow;
