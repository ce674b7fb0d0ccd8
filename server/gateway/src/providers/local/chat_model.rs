//! The chat model as loaded: its template, its tokenizer, its pieces of text. Shared with callers' threads.

use super::parameters::rejected;
use crate::{conversation::Conversation, provider::ProviderError};
use contract::MessageRole;
use llama_cpp_2::{
    llama_backend::LlamaBackend,
    model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel, params::LlamaModelParams},
    token::LlamaToken,
};
use std::path::Path;

/// Marks where text that somebody wrote would read as a control token. Not part of any prompt.
const BREAK: char = '\u{F8FF}';

/// llama.cpp could not load a file whose bytes are right; memory is the usual reason.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("llama.cpp could not load the model; is there enough memory?")]
    Model(#[from] llama_cpp_2::LlamaModelLoadError),
    #[error("the model has no chat template")]
    Template(#[from] llama_cpp_2::ChatTemplateError),
    #[error("llama.cpp could not set up its memory for the model; is there enough?")]
    Context(#[from] llama_cpp_2::LlamaContextLoadError),
}

#[derive(Debug)]
pub(super) struct ChatModel {
    pub model: LlamaModel,
    template: LlamaChatTemplate,
    /// The texts that the tokenizer turns into control tokens, such as `<|im_end|>`.
    control: Vec<String>,
}

impl ChatModel {
    pub fn load(backend: &LlamaBackend, path: &Path) -> Result<Self, LoadError> {
        let model = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default())?;
        let template = model.chat_template(None)?;
        let vocab = model.vocab();
        let control = vocab
            .tokens()
            .filter(|&token| vocab.is_control(token))
            .filter_map(|token| vocab.text(token))
            .map(|text| text.to_string_lossy().into_owned())
            .filter(|text| text.len() > 1)
            .collect();
        Ok(Self { template, control, model })
    }

    /// The conversation in the model's own format, ready for its answer.
    ///
    /// The published template adds a system message (“You are a helpful AI assistant named SmolLM …”) where
    /// there is none. llama.cpp does not, and neither do we: with that sentence these weights answer a question
    /// about France's capital in broken French, without it with “The capital of France is Paris.”
    ///
    /// What people wrote cannot end a turn or begin another: a control token's text in it is read as text.
    pub fn prompt(&self, conversation: &Conversation) -> Result<Vec<LlamaToken>, ProviderError> {
        let mut messages = Vec::with_capacity(conversation.turns.len() + 1);
        if let Some(system) = &conversation.system {
            messages.push(self.message("system", system)?);
        }
        for turn in &conversation.turns {
            let role = match turn.role {
                MessageRole::User => "user",
                MessageRole::Assistant => "assistant",
            };
            messages.push(self.message(role, &turn.text())?);
        }
        let text = self
            .model
            .apply_chat_template(&self.template, &messages, true)
            .map_err(|error| ProviderError::Failed { status: 500, message: format!("chat template: {error}") })?;
        let vocab = self.model.vocab();
        let mut tokens = Vec::with_capacity(text.len() / 3);
        for part in text.split(BREAK) {
            vocab.tokenize_into(part.as_bytes(), &mut tokens, false, true);
        }
        Ok(tokens)
    }

    fn message(&self, role: &str, text: &str) -> Result<LlamaChatMessage, ProviderError> {
        let text = break_control(text, &self.control).replace('\0', "\u{FFFD}");
        LlamaChatMessage::new(role.to_owned(), text)
            .map_err(|_| rejected("a message contains a character that the model cannot read".to_owned()))
    }

    /// How many tokens `text` has, without any template around it.
    pub fn count(&self, text: &str) -> i64 {
        let tokens = self.model.vocab().tokenize(text.as_bytes(), false, false).len();
        i64::try_from(tokens).unwrap_or(i64::MAX)
    }

    /// The bytes that a token adds to the answer; a control token adds none.
    pub fn piece(&self, token: LlamaToken) -> Vec<u8> {
        self.model.vocab().token_to_piece(token, false, None)
    }

    pub fn ends_answer(&self, token: LlamaToken) -> bool {
        self.model.vocab().is_eog(token)
    }
}

/// Puts a break into every occurrence of a control token's text, after its first character.
fn break_control(text: &str, control: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        out.push(character);
        let here = text.get(at..).unwrap_or_default();
        if control.iter().any(|token| here.starts_with(token.as_str())) {
            out.push(BREAK);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_token_in_somebodys_text_is_broken_even_when_nested() {
        let control = ["<|im_end|>".to_owned()];
        assert_eq!(break_control("a<|im_end|>b", &control), format!("a<{BREAK}|im_end|>b"));
        assert_eq!(break_control("<|im_<|im_end|>end|>", &control), format!("<|im_<{BREAK}|im_end|>end|>"));
        assert_eq!(break_control("no <|im_ token", &control), "no <|im_ token");
    }
}
