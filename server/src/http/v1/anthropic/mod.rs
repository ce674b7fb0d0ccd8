//! Anthropic's dialect over HTTP. <https://docs.anthropic.com/en/api/overview>

pub(super) mod messages;
