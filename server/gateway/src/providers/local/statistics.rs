//! What the engine has done since it started; for metrics and the operator's overview.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A reading of the engine's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LocalStatistics {
    pub slots: usize,
    pub busy_slots: usize,
    /// Calls that wait for a slot, and embeddings that wait for their turn.
    pub waiting_chats: usize,
    pub waiting_embeds: usize,
    /// Tokens of prompts, cached ones included.
    pub prompt_tokens: u64,
    /// Those of `prompt_tokens` that a warm prefix saved.
    pub cached_tokens: u64,
    pub output_tokens: u64,
    pub embedded_tokens: u64,
}

/// Written by the engine's thread, read by any. The numbers are independent, so no order is needed.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub busy_slots: AtomicUsize,
    pub prompt_tokens: AtomicU64,
    pub cached_tokens: AtomicU64,
    pub output_tokens: AtomicU64,
    pub embedded_tokens: AtomicU64,
}

impl Counters {
    pub fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub fn read(&self, slots: usize, (waiting_chats, waiting_embeds): (usize, usize)) -> LocalStatistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LocalStatistics {
            slots,
            busy_slots: self.busy_slots.load(Ordering::Relaxed),
            waiting_chats,
            waiting_embeds,
            prompt_tokens: get(&self.prompt_tokens),
            cached_tokens: get(&self.cached_tokens),
            output_tokens: get(&self.output_tokens),
            embedded_tokens: get(&self.embedded_tokens),
        }
    }
}
