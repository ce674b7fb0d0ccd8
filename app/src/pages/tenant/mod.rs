//! Pages about tenants.

mod create;
mod list;

pub use create::TenantCreate;
pub use list::TenantList;
