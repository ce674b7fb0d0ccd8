//! What the model reads of a conversation: the newest turns of the branch that fit its context.
//!
//! The cost of reading them is bounded by the budget, not by the conversation's length. Roles alternate
//! and the first turn is the member's, as strict chat templates demand.

use crate::message::role_from;
use contract::{MessageId, MessageRole};
use gateway::conversation::ChatTurn;
use store::{FromRow, Row, StoreError, TenantStore};

/// Estimated tokens of history in a call. The smallest context in use is the local model's with 4,096
/// tokens a slot: this leaves 512 for the answer and the rest for the system prompt, the template and
/// the error of the estimate. A model that says it reads less is asked again with less, see `run.rs`.
pub(crate) const HISTORY_TOKENS: i64 = 3_000;

/// English has about four letters a token. Bytes, because scripts with more bytes a letter have more
/// tokens a letter.
const BYTES_PER_TOKEN: i64 = 4;
/// What a template adds to each turn.
const TOKENS_PER_TURN: i64 = 4;
/// Bounds the walk when all turns are tiny.
const MAX_TURNS: i64 = 400;
/// Of the turns that a shortened history may begin with, about one in this many does; a power of two.
const ANCHOR_EVERY: u128 = 4;

// Characters are at most as many as bytes, so the walk never ends before the budget does.
const NEWEST_TURNS: &str = "
WITH RECURSIVE branch (id, parent_id, height, chars) AS (
    SELECT message.id, message.parent_id, 1, LENGTH(message.content)
    FROM message
    WHERE message.tenant_id = $1 AND message.id = $2
    UNION ALL
    SELECT parent.id, parent.parent_id, branch.height + 1, branch.chars + LENGTH(parent.content)
    FROM branch
    JOIN message AS parent ON parent.tenant_id = $1 AND parent.id = branch.parent_id
    WHERE branch.height < $3 AND branch.chars <= $4
)
SELECT message.id, message.parent_id, message.role, message.status, message.content
FROM branch
JOIN message ON message.tenant_id = $1 AND message.id = branch.id
ORDER BY branch.height";

/// Who said what.
pub(crate) struct Said {
    role: MessageRole,
    text: String,
}

impl From<Said> for ChatTurn {
    fn from(said: Said) -> Self {
        Self::of_text(said.role, said.text)
    }
}

struct StoredTurn {
    id: MessageId,
    has_parent: bool,
    status: String,
    turn: Said,
}

impl FromRow for StoredTurn {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            has_parent: row.get::<Option<MessageId>>("parent_id")?.is_some(),
            status: row.get("status")?,
            turn: Said { role: role_from(&row.get::<String>("role")?)?, text: row.get("content")? },
        })
    }
}

/// The turns up to and with `last`, oldest first, within about `budget` tokens. `last` is always there.
pub(crate) async fn turns(store: &TenantStore, last: MessageId, budget: i64) -> Result<Vec<Said>, StoreError> {
    let newest_first = store
        .read(NEWEST_TURNS)
        .bind(store.tenant())
        .bind(last)
        .bind(MAX_TURNS)
        .bind(budget.saturating_mul(BYTES_PER_TOKEN))
        .fetch_all::<StoredTurn>()
        .await?;
    Ok(fit(newest_first, budget))
}

/// The estimated size of what `turns` returned.
pub(crate) fn estimated_tokens(turns: &[Said]) -> i64 {
    turns.iter().map(tokens_of).fold(0, i64::saturating_add)
}

fn tokens_of(turn: &Said) -> i64 {
    i64::try_from(turn.text.len()).unwrap_or(i64::MAX) / BYTES_PER_TOKEN + TOKENS_PER_TURN
}

fn fit(newest_first: Vec<StoredTurn>, budget: i64) -> Vec<Said> {
    let mut cut = newest_first.last().is_some_and(|oldest| oldest.has_parent);
    let mut kept = Vec::new();
    let mut tokens: i64 = 0;
    for stored in newest_first.into_iter().filter(is_worth_reading) {
        tokens = tokens.saturating_add(tokens_of(&stored.turn));
        if tokens > budget && !kept.is_empty() {
            cut = true;
            break;
        }
        kept.push(stored);
    }
    kept.reverse();
    let beginning = if cut { anchor(&kept) } else { first_of_member(&kept, kept.len()) };
    alternating(kept.into_iter().skip(beginning).map(|stored| stored.turn))
}

/// A failed or empty answer says nothing; a question is read even when its answer failed.
fn is_worth_reading(stored: &StoredTurn) -> bool {
    match stored.turn.role {
        MessageRole::User => true,
        MessageRole::Assistant => {
            matches!(stored.status.as_str(), "complete" | "stopped") && !stored.turn.text.trim().is_empty()
        }
    }
}

/// Where a history that was cut begins. If it began with whatever just fits, its beginning would move
/// with every message, and a provider could never reuse the prefix it read last time (on the local model
/// thousands of tokens, many seconds). So it begins at a turn that its own id marks, and stays there
/// until that one no longer fits. At most half of what fits is given up for it.
fn anchor(kept: &[StoredTurn]) -> usize {
    let older_half = kept.len() / 2;
    kept.iter()
        .take(older_half)
        .position(|stored| {
            stored.turn.role == MessageRole::User && stored.id.as_uuid().as_u128() & (ANCHOR_EVERY - 1) == 0
        })
        .unwrap_or_else(|| first_of_member(kept, kept.len()))
}

fn first_of_member(kept: &[StoredTurn], within: usize) -> usize {
    kept.iter().take(within).position(|stored| stored.turn.role == MessageRole::User).unwrap_or(0)
}

/// Joins neighbours of the same role, which skipping answers leaves behind.
fn alternating(turns: impl Iterator<Item = Said>) -> Vec<Said> {
    let mut joined: Vec<Said> = Vec::new();
    for turn in turns {
        match joined.last_mut() {
            Some(previous) if previous.role == turn.role => {
                previous.text.push_str("\n\n");
                previous.text.push_str(&turn.text);
            }
            Some(_) | None => joined.push(turn),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(role: MessageRole, status: &str, text: &str) -> StoredTurn {
        StoredTurn {
            id: MessageId::new(),
            has_parent: true,
            status: status.to_owned(),
            turn: Said { role, text: text.to_owned() },
        }
    }

    fn question(text: &str) -> StoredTurn {
        stored(MessageRole::User, "complete", text)
    }

    fn answer(status: &str, text: &str) -> StoredTurn {
        stored(MessageRole::Assistant, status, text)
    }

    fn whole(mut oldest_first: Vec<StoredTurn>) -> Vec<StoredTurn> {
        oldest_first[0].has_parent = false;
        oldest_first.reverse();
        oldest_first
    }

    fn texts(turns: &[Said]) -> Vec<&str> {
        turns.iter().map(|turn| turn.text.as_str()).collect()
    }

    #[test]
    fn a_short_conversation_is_read_whole() {
        let turns = fit(whole(vec![question("a"), answer("complete", "b"), question("c")]), 1000);
        assert_eq!(texts(&turns), ["a", "b", "c"]);
    }

    #[test]
    fn failed_and_empty_answers_are_skipped_and_roles_still_alternate() {
        let turns = fit(
            whole(vec![
                question("a"),
                answer("failed", "half a sen"),
                question("b"),
                answer("stopped", ""),
                question("c"),
                answer("stopped", "kept"),
                question("d"),
            ]),
            1000,
        );
        assert_eq!(texts(&turns), ["a\n\nb\n\nc", "kept", "d"]);
    }

    #[test]
    fn the_newest_message_is_read_however_long_it_is() {
        let long = "x".repeat(100_000);
        let turns = fit(whole(vec![question("a"), answer("complete", "b"), question(&long)]), 100);
        assert_eq!(texts(&turns), [long.as_str()]);
    }

    #[test]
    fn a_cut_history_keeps_to_its_budget_and_begins_with_the_member() {
        let mut all = Vec::new();
        for n in 0..500 {
            all.push(question(&format!("question {n} {}", "q".repeat(80))));
            all.push(answer("complete", &format!("answer {n} {}", "a".repeat(300))));
        }
        all.push(question("last"));
        let turns = fit(whole(all), 3000);
        assert!(estimated_tokens(&turns) <= 3000);
        assert!(turns.len() > 10, "{} turns", turns.len());
        assert_eq!(turns[0].role, MessageRole::User);
        assert_eq!(turns.last().unwrap().text, "last");
        assert!(turns.windows(2).all(|pair| pair[0].role != pair[1].role));
    }

    #[test]
    fn the_beginning_of_a_cut_history_seldom_moves() {
        let ids: Vec<(MessageId, MessageId)> = (0..300).map(|_| (MessageId::new(), MessageId::new())).collect();
        let mut beginnings = Vec::new();
        for length in 100..300 {
            let mut all = Vec::new();
            for (n, (asked, answered)) in ids.iter().take(length).enumerate() {
                all.push(StoredTurn { id: *asked, ..question(&format!("question {n} {}", "q".repeat(80))) });
                all.push(StoredTurn { id: *answered, ..answer("complete", &"a".repeat(300)) });
            }
            all.push(question("last"));
            beginnings.push(fit(whole(all), 3000)[0].text.clone());
        }
        let moves = beginnings.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // One in four on average; without anchors it would be every one of the 199.
        assert!(moves < 100, "the beginning moved {moves} times in 199 messages");
    }
}
