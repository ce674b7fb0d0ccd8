//! Pages about tenants.

mod create;
mod list;
mod show;

pub use create::TenantCreate;
pub use list::TenantList;
pub use show::TenantShow;
