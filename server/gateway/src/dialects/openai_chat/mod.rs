//! OpenAI's chat completions. <https://platform.openai.com/docs/api-reference/chat>

mod answer;
mod portable;
mod request;

pub use answer::Telling;
pub use request::ChatCompletion;
