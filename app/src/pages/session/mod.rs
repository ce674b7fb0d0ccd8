//! Pages about the session.

mod create;

pub use create::SessionCreate;
