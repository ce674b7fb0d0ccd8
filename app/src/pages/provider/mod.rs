//! Pages about providers.

mod list;

pub use list::ProviderList;
