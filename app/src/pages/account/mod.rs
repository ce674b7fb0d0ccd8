//! Pages about the account.

mod show;

pub use show::AccountShow;
