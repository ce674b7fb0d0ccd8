//! Pages about the operator.

mod create;

pub use create::OperatorCreate;
