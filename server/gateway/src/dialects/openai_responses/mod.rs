//! OpenAI's Responses. <https://platform.openai.com/docs/api-reference/responses>

mod answer;
mod portable;
mod request;

pub use answer::Telling;
pub use request::Responses;
