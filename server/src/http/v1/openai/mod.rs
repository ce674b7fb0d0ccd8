//! OpenAI's dialect over HTTP. <https://platform.openai.com/docs/api-reference>

pub(super) mod chat;
pub(super) mod embeddings;
pub(super) mod responses;
