//! One answer in the making: what of its prompt is evaluated, what comes next, what may be shown.
//!
//! Knows nothing of slots and batches; `chat_engine.rs` evaluates tokens and reports here.

use super::{
    chat_model::ChatModel,
    delivery::{Delivered, Delivery},
    queue::ChatJob,
    text::{Shown, StopMatcher, Utf8Assembler},
};
use crate::provider::{ChatPart, ProviderError};
use contract::{FinishReason, TokenUsage};
use llama_cpp_2::{sampling::LlamaSampler, token::LlamaToken};
use tokio_util::sync::CancellationToken;

pub(super) struct Generation {
    prompt: Vec<LlamaToken>,
    /// Tokens of the prompt that were warm.
    cached: usize,
    /// The sampled token that is evaluated next; none while the prompt is.
    pub next: Option<LlamaToken>,
    pub sampler: LlamaSampler,
    produced: i64,
    /// The most it may produce, by the caller's wish and by the context.
    limit: i64,
    characters: Utf8Assembler,
    stop: StopMatcher,
    delivery: Delivery,
    ended: bool,
    cancel: CancellationToken,
}

/// Whether a slot has something to do for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// More tokens can be evaluated.
    Ready,
    /// The reader is behind.
    Paused,
    /// The answer is delivered or unwanted; the slot is free.
    Over,
}

impl Generation {
    pub fn new(job: ChatJob, cached: usize, context_tokens: usize) -> Self {
        // The last token produced is never evaluated, so it needs no place in the context.
        let room = i64::try_from(context_tokens - job.prompt.len().min(context_tokens) + 1).unwrap_or(i64::MAX);
        Self {
            cached,
            next: None,
            sampler: job.generating.sampler(),
            produced: 0,
            limit: job.generating.max_output_tokens.min(room),
            characters: Utf8Assembler::default(),
            stop: StopMatcher::new(job.generating.stop),
            delivery: Delivery::new(job.parts),
            ended: false,
            cancel: job.cancel,
            prompt: job.prompt,
        }
    }

    /// The part of the prompt that is not evaluated yet, when `evaluated` tokens are.
    pub fn rest_of_prompt(&self, evaluated: usize) -> &[LlamaToken] {
        self.prompt.get(evaluated..).unwrap_or_default()
    }

    /// Notices that nobody wants the answer any more, and hands over what waits for the reader.
    pub fn poll(&mut self) -> Readiness {
        if self.cancel.is_cancelled() {
            self.delivery.end(Err(ProviderError::Cancelled));
            self.delivery.flush();
            return Readiness::Over;
        }
        match self.delivery.flush() {
            Delivered::Open => Readiness::Ready,
            Delivered::Blocked => Readiness::Paused,
            Delivered::Over => Readiness::Over,
        }
    }

    /// Takes the token that was sampled after everything before it. Returns whether it is part of the answer.
    pub fn accept(&mut self, token: LlamaToken, model: &ChatModel) -> bool {
        if model.ends_answer(token) {
            self.finish(FinishReason::Stop);
            return false;
        }
        self.produced += 1;
        let text = self.characters.push(&model.piece(token));
        match self.stop.push(&text) {
            Shown::More(text) => self.delivery.text(&text),
            Shown::Stopped(text) => {
                self.delivery.text(&text);
                self.end(FinishReason::Stop);
                return true;
            }
        }
        if self.produced >= self.limit {
            self.finish(FinishReason::Length);
        } else {
            self.next = Some(token);
        }
        true
    }

    /// Ends the answer with what was held back.
    fn finish(&mut self, reason: FinishReason) {
        let rest = self.characters.finish();
        match self.stop.push(&rest) {
            Shown::More(text) => {
                self.delivery.text(&text);
                self.delivery.text(&self.stop.finish());
                self.end(reason);
            }
            Shown::Stopped(text) => {
                self.delivery.text(&text);
                self.end(FinishReason::Stop);
            }
        }
    }

    fn end(&mut self, reason: FinishReason) {
        let count = |tokens: usize| i64::try_from(tokens).ok();
        let usage = TokenUsage {
            input: count(self.prompt.len()),
            cached_input: count(self.cached),
            output: Some(self.produced),
            ..TokenUsage::default()
        };
        self.ended = true;
        self.next = None;
        self.delivery.end(Ok(ChatPart::Finished { reason, usage }));
    }

    /// Whether only the delivery is left.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Ends the answer with an error, as far as the reader has room for it.
    pub fn fail(mut self, error: ProviderError) {
        self.delivery.end(Err(error));
        self.delivery.flush();
    }
}
