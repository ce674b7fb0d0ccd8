//! Anthropic's Messages. <https://docs.anthropic.com/en/api/messages>

mod answer;
mod portable;
mod request;

pub use answer::Telling;
pub use request::{counting, message};
