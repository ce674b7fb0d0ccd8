//! Continuous batching: several conversations advance together, one token a step each, while new prompts are
//! read in bounded pieces beside them.
//!
//! Owned by the engine's thread. `Memory::tokens` of a slot always equals what llama.cpp holds for its
//! sequence: tokens are added after they were evaluated, and both are cut together.

use super::{
    chat_model::{ChatModel, LoadError},
    generation::{Generation, Readiness},
    queue::CallQueue,
    slot::{self, Memory},
    statistics::Counters,
};
use crate::provider::ProviderError;
use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::{BatchAddError, LlamaBatch},
};
use std::{num::NonZeroU32, sync::atomic::Ordering};

/// Prompt tokens of one step while somebody's answer streams: they hold up its next token by a quarter of a
/// second at most.
const PROMPT_CHUNK_BESIDE_ANSWERS: usize = 64;
/// Prompt tokens of one step otherwise. Larger pieces are hardly faster, and a cancelled call has to wait
/// for the step to end.
const PROMPT_CHUNK: usize = 256;

struct Slot {
    sequence: i32,
    memory: Memory,
    generation: Option<Generation>,
}

pub(super) struct ChatEngine<'model> {
    model: &'model ChatModel,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    slots: Vec<Slot>,
    context_tokens: usize,
    clock: u64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Worked,
    /// All answers wait for their readers.
    Paused,
    Idle,
}

/// A token of the batch after which a slot's next token is sampled.
struct Sampling {
    slot: usize,
    output: i32,
}

impl<'model> ChatEngine<'model> {
    pub fn new(
        backend: &LlamaBackend,
        model: &'model ChatModel,
        slots: usize,
        context_tokens: usize,
        threads: i32,
    ) -> Result<Self, LoadError> {
        let batch_tokens = PROMPT_CHUNK + slots;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(count(slots * context_tokens)))
            .with_n_batch(count(batch_tokens))
            .with_n_ubatch(count(batch_tokens))
            .with_n_seq_max(count(slots))
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let context = model.model.new_context(backend, parameters)?;
        let slots = (0..).take(slots).map(|sequence| Slot { sequence, memory: Memory::default(), generation: None });
        Ok(Self {
            model,
            context,
            batch: LlamaBatch::new(batch_tokens, 1),
            slots: slots.collect(),
            context_tokens,
            clock: 0,
        })
    }

    /// One round: frees what nobody wants, fills free slots from the queue, evaluates one batch.
    pub fn step(&mut self, queue: &CallQueue, counters: &Counters) -> Step {
        let ready = self.poll();
        let ready = ready + self.admit(queue, counters);
        counters.busy_slots.store(self.slots.len() - self.free_slots(), Ordering::Relaxed);
        if ready == 0 {
            return if self.free_slots() == self.slots.len() { Step::Idle } else { Step::Paused };
        }
        if let Err(message) = self.evaluate(counters) {
            self.fail_all(&message);
        }
        Step::Worked
    }

    fn free_slots(&self) -> usize {
        self.slots.iter().filter(|slot| slot.generation.is_none()).count()
    }

    /// Returns how many answers can go on.
    fn poll(&mut self) -> usize {
        let mut ready = 0;
        for slot in &mut self.slots {
            match slot.generation.as_mut().map(Generation::poll) {
                Some(Readiness::Ready) => ready += 1,
                Some(Readiness::Paused) | None => {}
                Some(Readiness::Over) => slot.generation = None,
            }
        }
        ready
    }

    /// Gives free slots to waiting calls. Returns how many began.
    fn admit(&mut self, queue: &CallQueue, counters: &Counters) -> usize {
        let mut begun = 0;
        while let Some(job) = queue.take_chat(self.free_slots()) {
            let free = self.slots.iter().enumerate().filter(|(_, slot)| slot.generation.is_none());
            let choice = slot::choose(free.map(|(at, slot)| (at, &slot.memory)), job.tenant, &job.prompt);
            let Some((choice, slot)) = choice.and_then(|choice| Some((choice.reuse, self.slots.get_mut(choice.slot)?)))
            else {
                job.parts.refuse(ProviderError::Saturated);
                continue;
            };
            let reuse = match keep_only(&mut self.context, slot, choice) {
                Ok(kept) => kept,
                Err(error) => {
                    job.parts.refuse(failed(&error));
                    continue;
                }
            };
            self.clock += 1;
            slot.memory.last_used = self.clock;
            slot.memory.tenant = Some(job.tenant);
            Counters::add(&counters.prompt_tokens, job.prompt.len());
            Counters::add(&counters.cached_tokens, reuse);
            slot.generation = Some(Generation::new(job, reuse, self.context_tokens));
            begun += 1;
        }
        begun
    }

    fn evaluate(&mut self, counters: &Counters) -> Result<(), String> {
        let (sampling, added) = self.fill_batch().map_err(|error| error.to_string())?;
        if self.batch.n_tokens() == 0 {
            return Ok(());
        }
        self.context.decode(&mut self.batch).map_err(|error| error.to_string())?;
        for (slot, count) in self.slots.iter_mut().zip(added) {
            let Some(generation) = &mut slot.generation else { continue };
            match generation.next.take() {
                Some(token) if count > 0 => slot.memory.tokens.push(token),
                Some(token) => generation.next = Some(token),
                None => {
                    let rest = generation.rest_of_prompt(slot.memory.tokens.len());
                    slot.memory.tokens.extend(rest.iter().take(count));
                }
            }
        }
        for Sampling { slot, output } in sampling {
            let Some(slot) = self.slots.get_mut(slot) else { continue };
            let Some(generation) = &mut slot.generation else { continue };
            let token = generation.sampler.sample(&self.context, output);
            if generation.accept(token, self.model) {
                Counters::add(&counters.output_tokens, 1);
            }
            // What the token made is with the reader before the next step begins.
            if generation.poll() == Readiness::Over {
                slot.generation = None;
            }
        }
        Ok(())
    }

    /// Puts the next tokens of all answers into the batch: those that stream first, then pieces of prompts.
    /// Returns where to sample, and how many tokens of each slot are in the batch.
    fn fill_batch(&mut self) -> Result<(Vec<Sampling>, Vec<usize>), BatchAddError> {
        self.batch.clear();
        let mut sampling = Vec::new();
        let mut added = vec![0; self.slots.len()];
        let mut prompts = 0;
        for ((at, slot), added) in self.slots.iter_mut().enumerate().zip(&mut added) {
            let Some(generation) = &mut slot.generation else { continue };
            if generation.has_ended() || generation.poll() != Readiness::Ready {
                continue;
            }
            match generation.next {
                Some(token) => {
                    sampling.push(Sampling { slot: at, output: self.batch.n_tokens() });
                    self.batch.add(token, position(&slot.memory), &[slot.sequence], true)?;
                    *added = 1;
                }
                None => prompts += 1,
            }
        }
        let chunk = if sampling.is_empty() { PROMPT_CHUNK } else { PROMPT_CHUNK_BESIDE_ANSWERS };
        // An equal share for everyone, so that a short prompt is not held up by a long one.
        let share = chunk.checked_div(prompts).unwrap_or(0).max(1);
        for ((at, slot), added) in self.slots.iter().enumerate().zip(&mut added) {
            let Some(generation) = &slot.generation else { continue };
            if generation.has_ended() || generation.next.is_some() || prompts == 0 {
                continue;
            }
            let rest = generation.rest_of_prompt(slot.memory.tokens.len());
            for (&token, position) in rest.iter().take(share).zip(position(&slot.memory)..) {
                *added += 1;
                let is_last = *added == rest.len();
                if is_last {
                    sampling.push(Sampling { slot: at, output: self.batch.n_tokens() });
                }
                self.batch.add(token, position, &[slot.sequence], is_last)?;
            }
        }
        Ok((sampling, added))
    }

    /// llama.cpp refused a batch: what it holds is no longer known, so everything is forgotten.
    fn fail_all(&mut self, message: &str) {
        tracing::error!(message, "llama.cpp could not evaluate a batch; its answers are cut");
        self.context.clear_kv_cache();
        for slot in &mut self.slots {
            slot.memory = Memory::default();
            if let Some(generation) = slot.generation.take() {
                generation.fail(failed(message));
            }
        }
    }

    /// Ends every answer; for shutting down.
    pub fn cut_all(&mut self) {
        for slot in &mut self.slots {
            if let Some(generation) = slot.generation.take() {
                generation.fail(ProviderError::Cut);
            }
        }
    }
}

/// Cuts a slot's memory to its first `reuse` tokens, and returns how many stayed.
fn keep_only(context: &mut LlamaContext<'_>, slot: &mut Slot, reuse: usize) -> Result<usize, String> {
    if reuse < slot.memory.tokens.len() {
        let from = u32::try_from(reuse).map_err(|error| error.to_string())?;
        let sequence = slot.sequence;
        context.kv_cache_seq_rm(sequence, Some(from), None).map_err(|error| error.to_string())?;
        slot.memory.tokens.truncate(reuse);
    }
    Ok(slot.memory.tokens.len())
}

fn position(memory: &Memory) -> i32 {
    i32::try_from(memory.tokens.len()).unwrap_or(i32::MAX)
}

fn failed(message: &str) -> ProviderError {
    ProviderError::Failed { status: 500, message: format!("llama.cpp: {message}") }
}
