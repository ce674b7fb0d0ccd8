//! The tenant's console: its people, its keys, its log.

mod audit;
mod keys;
mod members;
mod sign_in;

pub use audit::AuditShow;
pub use keys::KeysShow;
pub use members::MembersShow;
pub use sign_in::SignInShow;
