//! What pages are made of.

#[cfg(feature = "ssr")]
mod audit_change;
#[cfg(feature = "ssr")]
pub mod audit_log;
pub mod chat;
#[cfg(feature = "ssr")]
pub mod console;
#[cfg(feature = "ssr")]
pub mod entrance;
#[cfg(feature = "ssr")]
pub mod form;
pub mod frame;
pub mod history;
pub mod icon;
#[cfg(feature = "ssr")]
pub mod list;
pub mod offline;
pub mod palette;
#[cfg(feature = "ssr")]
pub mod place;
pub mod problem;
pub mod visit;
