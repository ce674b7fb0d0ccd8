//! Pages about a forgotten password.

mod ask;
mod set;

pub use ask::PasswordAsk;
pub use set::PasswordSet;
