//! Pages about the session.

mod create;
mod sso;

pub use create::SessionCreate;
pub use sso::SessionSso;
