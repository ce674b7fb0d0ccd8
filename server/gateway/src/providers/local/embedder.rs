//! The embedding model: texts become vectors of unit length, as sentence-transformers makes them.
//!
//! Mean pooling and its model's metadata come from the GGUF (`models/minilm.rs`); the cut at 256 tokens and
//! the normalisation are done here.

use super::{chat_model::LoadError, queue::EmbedJob, statistics::Counters};
use crate::provider::{Embeddings, ProviderError};
use contract::TokenUsage;
use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaModel, params::LlamaModelParams},
    token::LlamaToken,
};
use std::{num::NonZeroU32, path::Path};

/// `max_seq_length` of the published model, `[CLS]` and `[SEP]` included.
const MAX_TOKENS: usize = 256;
/// Tokens of one step while nobody chats: two full inputs, or sixteen short ones.
const STEP_TOKENS: u32 = 512;
const STEP_INPUTS: i32 = 16;

#[derive(Debug)]
pub(super) struct EmbeddingModel {
    model: LlamaModel,
}

impl EmbeddingModel {
    pub fn load(backend: &LlamaBackend, path: &Path) -> Result<Self, LoadError> {
        Ok(Self { model: LlamaModel::load_from_file(backend, path, &LlamaModelParams::default())? })
    }

    /// The tokens of an input, cut where the published model cuts.
    pub fn tokens(&self, text: &str) -> Vec<LlamaToken> {
        let vocab = self.model.vocab();
        let mut tokens = vocab.tokenize(text.as_bytes(), true, false);
        if tokens.len() > MAX_TOKENS {
            tokens.truncate(MAX_TOKENS - 1);
            tokens.push(vocab.sep());
        }
        tokens
    }

    pub fn count(&self, text: &str) -> i64 {
        i64::try_from(self.model.vocab().tokenize(text.as_bytes(), false, false).len()).unwrap_or(i64::MAX)
    }
}

pub(super) struct Embedder<'model> {
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
}

impl<'model> Embedder<'model> {
    pub fn new(backend: &LlamaBackend, model: &'model EmbeddingModel, threads: i32) -> Result<Self, LoadError> {
        // Attention looks both ways, so an input has to be in one physical batch.
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(STEP_TOKENS))
            .with_n_batch(STEP_TOKENS)
            .with_n_ubatch(STEP_TOKENS)
            .with_n_seq_max(STEP_INPUTS as u32)
            .with_kv_unified(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_embeddings(true)
            .with_no_perf(true);
        let context = model.model.new_context(backend, parameters)?;
        Ok(Self { context, batch: LlamaBatch::new(STEP_TOKENS as usize, 1) })
    }

    /// Embeds some more inputs of a job: one while people wait for chats, as many as fit otherwise. Gives the
    /// job back unless it is finished.
    pub fn step(&mut self, mut job: EmbedJob, one: bool, counters: &Counters) -> Option<EmbedJob> {
        match self.embed_some(&mut job, one, counters) {
            Ok(()) if job.inputs.is_empty() => {
                let usage = TokenUsage {
                    input: Some(job.tokens),
                    cached_input: Some(0),
                    output: Some(0),
                    ..TokenUsage::default()
                };
                // Fails only when nobody waits for it.
                let _ = job.reply.send(Ok(Embeddings { vectors: job.vectors, usage }));
                None
            }
            Ok(()) => Some(job),
            Err(error) => {
                let _ = job.reply.send(Err(error));
                None
            }
        }
    }

    fn embed_some(&mut self, job: &mut EmbedJob, one: bool, counters: &Counters) -> Result<(), ProviderError> {
        self.batch.clear();
        let (mut sequences, mut tokens) = (0, 0);
        let most = if one { 1 } else { STEP_INPUTS };
        while sequences < most
            && let Some(input) = job.inputs.pop_front_if(|input| tokens + input.len() <= STEP_TOKENS as usize)
        {
            for (position, &token) in (0..).zip(&input) {
                self.batch.add(token, position, &[sequences], true).map_err(failed)?;
            }
            tokens += input.len();
            sequences += 1;
        }
        if sequences == 0 {
            return Ok(());
        }
        self.context.decode(&mut self.batch).map_err(failed)?;
        for sequence in 0..sequences {
            let pooled = self.context.embeddings_seq_ith(sequence).map_err(failed)?;
            job.vectors.push(unit_length(pooled));
        }
        job.tokens += i64::try_from(tokens).unwrap_or(i64::MAX);
        Counters::add(&counters.embedded_tokens, tokens);
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> ProviderError {
    ProviderError::Failed { status: 500, message: format!("llama.cpp could not embed: {error}") }
}

fn unit_length(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|number| number * number).sum::<f32>().sqrt().max(1e-12);
    vector.iter().map(|number| number / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_unit_length_and_nothing_divides_by_zero() {
        assert_eq!(unit_length(&[3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(unit_length(&[0.0, 0.0]), [0.0, 0.0]);
    }
}
