//! Which slot a call takes: the warm one of its own tenant, and never the warmth of another's.
//!
//! A slot is one sequence in llama.cpp's memory. Between calls it keeps the tokens of its last conversation;
//! a call that begins with them skips their prefill. How fast an answer begins therefore tells what was asked
//! before, so a prefix is only ever shared within one tenant.

use contract::TenantId;
use llama_cpp_2::token::LlamaToken;

/// What a slot remembers. `tokens` is exactly what llama.cpp holds for the sequence.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub tenant: Option<TenantId>,
    pub tokens: Vec<LlamaToken>,
    /// The engine's clock when it was last used; larger is later.
    pub last_used: u64,
}

/// The slot to take, and how many of its first tokens stay valid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub slot: usize,
    pub reuse: usize,
}

/// Chooses between the free slots, given with their index. None when there is none.
///
/// The longest common prefix wins as long as it is at least half of the slot's memory or of the prompt.
/// Otherwise the two are different conversations that begin alike (the template and the system prompt
/// always do), and an unused slot keeps both warm; when none is left, the longest unused one gives way.
pub(super) fn choose<'a>(
    free: impl Iterator<Item = (usize, &'a Memory)> + Clone,
    tenant: TenantId,
    prompt: &[LlamaToken],
) -> Option<Choice> {
    let reusable = |memory: &Memory| match memory.tenant {
        // The last token of the prompt is always evaluated: its output is the first token of the answer.
        Some(owner) if owner == tenant => common_prefix(&memory.tokens, prompt).min(prompt.len().saturating_sub(1)),
        Some(_) | None => 0,
    };
    let warm = free
        .clone()
        .map(|(slot, memory)| (Choice { slot, reuse: reusable(memory) }, memory))
        .filter(|(choice, memory)| {
            choice.reuse > 0 && (choice.reuse * 2 >= memory.tokens.len() || choice.reuse * 2 >= prompt.len())
        })
        .max_by_key(|(choice, memory)| (choice.reuse, memory.last_used))
        .map(|(choice, _)| choice);
    warm.or_else(|| {
        free.min_by_key(|(_, memory)| (!memory.tokens.is_empty(), memory.last_used))
            .map(|(slot, memory)| Choice { slot, reuse: reusable(memory) })
    })
}

fn common_prefix(a: &[LlamaToken], b: &[LlamaToken]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: impl IntoIterator<Item = i32>) -> Vec<LlamaToken> {
        ids.into_iter().map(LlamaToken::new).collect()
    }

    fn memory(tenant: Option<TenantId>, ids: impl IntoIterator<Item = i32>, last_used: u64) -> Memory {
        Memory { tenant, tokens: tokens(ids), last_used }
    }

    fn chosen(slots: &[Memory], tenant: TenantId, prompt: impl IntoIterator<Item = i32>) -> Option<(usize, usize)> {
        choose(slots.iter().enumerate(), tenant, &tokens(prompt)).map(|choice| (choice.slot, choice.reuse))
    }

    #[test]
    fn the_longest_prefix_of_the_same_tenant_wins() {
        let us = TenantId::new();
        let slots = [memory(Some(us), [1, 2, 9], 5), memory(Some(us), [1, 2, 3, 4], 3), memory(None, [], 0)];
        assert_eq!(chosen(&slots, us, [1, 2, 3, 4, 5]), Some((1, 4)));
    }

    #[test]
    fn another_tenants_tokens_are_never_reused() {
        let (us, them) = (TenantId::new(), TenantId::new());
        assert_eq!(chosen(&[memory(Some(them), 0..100, 1)], us, 0..120), Some((0, 0)));
        let slots = [memory(Some(them), 0..100, 1), memory(None, [], 0)];
        assert_eq!(chosen(&slots, us, 0..120), Some((1, 0)));
    }

    #[test]
    fn the_last_token_of_the_prompt_is_always_evaluated() {
        let us = TenantId::new();
        assert_eq!(chosen(&[memory(Some(us), 0..10, 1)], us, 0..10), Some((0, 9)));
    }

    #[test]
    fn another_conversation_with_the_same_beginning_takes_an_unused_slot() {
        let us = TenantId::new();
        let slots = [memory(Some(us), 0..100, 1), memory(None, [], 0)];
        assert_eq!(chosen(&slots, us, (0..10).chain(200..300)), Some((1, 0)));
    }

    #[test]
    fn when_all_are_warm_the_longest_unused_gives_way_and_its_common_beginning_still_counts() {
        let us = TenantId::new();
        let slots = [memory(Some(us), 0..100, 7), memory(Some(us), 0..100, 3)];
        assert_eq!(chosen(&slots, us, (0..10).chain(200..300)), Some((1, 10)));
    }

    #[test]
    fn without_a_free_slot_there_is_no_choice() {
        assert_eq!(chosen(&[], TenantId::new(), 0..3), None);
    }
}
