//! Pages about the account.

mod entrance;
mod show;

pub use show::AccountShow;
