//! How many of something each of many holds at once, with a bound for each.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts what is held, by holder. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub(super) struct Tally<K>(Arc<Mutex<HashMap<K, usize>>>);

/// What is held, given back when dropped.
#[derive(Debug)]
pub(super) struct Held<K: Eq + Hash> {
    key: K,
    amount: usize,
    tally: Tally<K>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// One more for `key`, unless it has `most` already.
    pub fn hold(&self, key: K, most: usize) -> Option<Held<K>> {
        self.hold_many(key, 1, most)
    }

    /// So many more for `key`, unless it would have more than `most`.
    pub fn hold_many(&self, key: K, amount: usize, most: usize) -> Option<Held<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let then = counts.get(&key).copied().unwrap_or(0).saturating_add(amount);
        if then > most {
            return None;
        }
        counts.insert(key.clone(), then);
        Some(Held { key, amount, tally: self.clone() })
    }
}

impl<K: Eq + Hash> Drop for Held<K> {
    fn drop(&mut self) {
        let mut counts = self.tally.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.key) {
            Some(count) if *count > self.amount => *count -= self.amount,
            Some(_) | None => drop(counts.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holds_up_to_the_bound_and_what_is_given_back_is_free() {
        let tally = Tally::default();
        let first = tally.hold("a", 2).unwrap();
        let second = tally.hold("a", 2).unwrap();
        assert!(tally.hold("a", 2).is_none());
        assert!(tally.hold("b", 2).is_some());
        drop(first);
        assert!(tally.hold("a", 2).is_some());
        drop(second);
        assert!(tally.0.lock().unwrap().is_empty());

        let much = tally.hold_many("a", 5, 8).unwrap();
        assert!(tally.hold_many("a", 4, 8).is_none(), "what is refused counts for nothing");
        let more = tally.hold_many("a", 3, 8).unwrap();
        drop(much);
        assert!(tally.hold_many("a", 5, 8).is_some());
        drop(more);
        assert!(tally.0.lock().unwrap().is_empty());
    }
}
