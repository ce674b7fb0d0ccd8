//! A demo's past: the same declaration makes the same requests, whenever and however often it is applied.
//!
//! Each day is made from its own date, so applying the file again tomorrow adds one day and changes none.

use super::resources::Usage;
use contract::{RequestId, TenantId, Timestamp, TokenUsage};
use metering::{Feature, SeededAttempt};
use registry::Target;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// People work from about eight to eight.
const DAY_BEGINS_MS: i64 = 8 * 60 * 60 * 1000;
const DAY_LASTS_MS: i64 = 12 * 60 * 60 * 1000;
/// What is left of a working day's traffic at a weekend, in percent.
const WEEKEND_PERCENT: i64 = 35;
/// How much single requests differ from the mean either way, in percent.
const SPREAD_PERCENT: i64 = 60;

/// The requests of the days before `now`, oldest first.
pub(super) fn attempts(usage: &Usage, tenant: TenantId, target: &Target, now: Timestamp) -> Vec<SeededAttempt> {
    let today = now.as_millis().div_euclid(DAY_MS);
    let mut attempts = Vec::new();
    for day in today - usage.days..today {
        let mut chance = Chance::seeded(&[usage.tenant.as_str(), &usage.model, &day.to_string()]);
        // The epoch was a Thursday.
        let weekend = matches!((day + 4).rem_euclid(7), 0 | 6);
        let share = if weekend { WEEKEND_PERCENT } else { 100 };
        let requests = usage.requests_per_day * share * chance.around_hundred(20) / 10_000;
        for _ in 0..requests.max(1) {
            attempts.push(attempt(usage, tenant, target, day, &mut chance));
        }
    }
    attempts.sort_by_key(|attempt| attempt.dispatched_at);
    attempts
}

fn attempt(usage: &Usage, tenant: TenantId, target: &Target, day: i64, chance: &mut Chance) -> SeededAttempt {
    let at = day * DAY_MS + DAY_BEGINS_MS + chance.below(DAY_LASTS_MS);
    let input = (usage.input_tokens * chance.around_hundred(SPREAD_PERCENT) / 100).max(1);
    let output = (usage.output_tokens * chance.around_hundred(SPREAD_PERCENT) / 100).max(1);
    let first_token_ms = 150 + chance.below(500);
    let mut random = [0; 10];
    for (place, byte) in random.iter_mut().zip(chance.next().to_be_bytes().into_iter().chain([0x5e, 0xed])) {
        *place = byte;
    }
    let millis = u64::try_from(at).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    SeededAttempt {
        tenant,
        request: RequestId::from_uuid(id),
        user: None,
        feature: Feature::Chat,
        requested_model: usage.model.clone(),
        provider: target.provider.clone(),
        provider_model: target.model.clone(),
        prompt: None,
        usage: TokenUsage { input: Some(input), output: Some(output), ..TokenUsage::default() },
        first_token_ms: Some(first_token_ms),
        total_ms: first_token_ms + output * 12,
        dispatched_at: Timestamp::from_millis(at),
    }
}

/// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): small, and the same on every machine and version.
struct Chance(u64);

impl Chance {
    /// FNV-1a over the words that decide everything.
    fn seeded(words: &[&str]) -> Self {
        let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `bound`; the tiny bias of the remainder is no matter for a demo.
    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() >> 1).unwrap_or_default() % bound.max(1)
    }

    /// A percentage around 100.
    fn around_hundred(&mut self, spread: i64) -> i64 {
        100 - spread + self.below(2 * spread + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(20_000 * DAY_MS + DAY_MS / 2);

    fn declared() -> Usage {
        Usage {
            tenant: "acme".parse().unwrap(),
            model: "assistant".to_owned(),
            days: 14,
            requests_per_day: 40,
            input_tokens: 800,
            output_tokens: 200,
        }
    }

    fn target() -> Target {
        Target { provider: "local".to_owned(), model: "m".to_owned(), weight: 1 }
    }

    #[test]
    fn the_same_declaration_makes_the_same_past() {
        let tenant = TenantId::new();
        let first = attempts(&declared(), tenant, &target(), NOON);
        assert_eq!(first, attempts(&declared(), tenant, &target(), NOON.plus_millis(1000)));
        let ids: std::collections::HashSet<_> = first.iter().map(|attempt| attempt.request).collect();
        assert_eq!(ids.len(), first.len());
        assert!(first.iter().all(|attempt| attempt.dispatched_at < NOON));
        let per_day = first.len() as i64 / 14;
        assert!((20..=48).contains(&per_day), "{per_day}");
    }

    #[test]
    fn tomorrow_adds_a_day_and_changes_none() {
        let tenant = TenantId::new();
        let today = attempts(&declared(), tenant, &target(), NOON);
        let tomorrow = attempts(&declared(), tenant, &target(), NOON.plus_millis(DAY_MS));
        let kept = today.iter().filter(|attempt| tomorrow.contains(attempt)).count();
        assert!(kept > today.len() * 8 / 10, "{kept} of {}", today.len());
    }
}
