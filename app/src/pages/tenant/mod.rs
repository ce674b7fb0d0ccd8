//! Pages about the tenant.

mod create;

pub use create::TenantCreate;
