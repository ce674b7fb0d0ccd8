//! Pages about the operator: the account, and what operators did.

mod audit;
mod create;

pub use audit::PlatformAuditShow;
pub use create::OperatorCreate;
