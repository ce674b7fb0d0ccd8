//! What an attempt costs: a pure function of its tokens and the price in force when it was dispatched.
//!
//! Input and output are a line each, and so is each kind of token with a price of its own: read from the provider's
//! cache, taken into it, thought. A line is tokens·price, rounded once. Which price was in force is decided in SQL, see
//! `ledger.rs`.

use contract::{NanoUsd, TokenPrice, TokenUsage};

/// More than this is not a count but a provider's mistake, and is treated as unknown. The longest context
/// windows are a thousand times shorter; a sum over very many attempts stays far from the end of `i64`.
pub const MAX_TOKENS_PER_ATTEMPT: i64 = 1_000_000_000;

/// The part of a price version that an interactive attempt is billed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptPrice {
    pub version: i64,
    pub input: TokenPrice,
    /// None: cached tokens cost what others do.
    pub cached_input: Option<TokenPrice>,
    /// None: what the provider takes into its cache costs what others do.
    pub cache_write: Option<TokenPrice>,
    /// None: what it keeps for an hour costs as `cache_write`.
    pub cache_write_1h: Option<TokenPrice>,
    pub output: TokenPrice,
    /// None: thoughts cost what words do.
    pub reasoning: Option<TokenPrice>,
}

impl AttemptPrice {
    /// Unknown when the tokens of either direction are.
    pub fn cost_of(&self, usage: &TokenUsage) -> Option<NanoUsd> {
        let usage = plausible(usage);
        let (input, output) = (usage.input?, usage.output?);
        let written_1h = usage.cache_write_1h.unwrap_or(0);
        let read = [
            (usage.cached_input.unwrap_or(0), self.cached_input),
            (usage.cache_write.unwrap_or(0) - written_1h, self.cache_write),
            (written_1h, self.cache_write_1h.or(self.cache_write)),
        ];
        let said = [(usage.reasoning.unwrap_or(0), self.reasoning)];
        Some(lines(input, self.input, &read) + lines(output, self.output, &said))
    }
}

/// Of `all` tokens those of kinds that have a price of their own by that, the others together by `price`.
fn lines(all: i64, price: TokenPrice, kinds: &[(i64, Option<TokenPrice>)]) -> NanoUsd {
    let own = kinds.iter().filter_map(|(tokens, own)| own.map(|own| (*tokens, own)));
    let (others, cost) =
        own.fold((all, NanoUsd::ZERO), |(others, cost), (tokens, own)| (others - tokens, cost + own.cost_of(tokens)));
    cost + price.cost_of(others)
}

/// The usage with what cannot be a count taken as unknown, and no more of any kind of token than there were in all.
pub(crate) fn plausible(reported: &TokenUsage) -> TokenUsage {
    let count = |tokens: Option<i64>| tokens.filter(|count| (0..=MAX_TOKENS_PER_ATTEMPT).contains(count));
    let within = |part: Option<i64>, all: Option<i64>| count(part).map(|part| all.map_or(part, |all| part.min(all)));
    let (input, output) = (count(reported.input), count(reported.output));
    let cached_input = within(reported.cached_input, input);
    let not_cached = input.map(|input| input - cached_input.unwrap_or(0));
    let cache_write = within(reported.cache_write, not_cached);
    TokenUsage {
        input,
        cached_input,
        cache_write,
        cache_write_1h: within(reported.cache_write_1h, cache_write.or(Some(0))),
        output,
        reasoning: within(reported.reasoning, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(input: i64, cached_input: Option<i64>, output: i64) -> AttemptPrice {
        let per_million = |nanos| TokenPrice::per_million(NanoUsd::from_nanos(nanos));
        AttemptPrice {
            version: 1,
            input: per_million(input),
            cached_input: cached_input.map(per_million),
            cache_write: None,
            cache_write_1h: None,
            output: per_million(output),
            reasoning: None,
        }
    }

    /// $3 in, $0.30 cached, $3.75 and $6 into the cache, $15 out, as Anthropic publishes them for a model of its.
    fn anthropic() -> AttemptPrice {
        let per_million = |nanos| Some(TokenPrice::per_million(NanoUsd::from_nanos(nanos)));
        AttemptPrice {
            cache_write: per_million(3_750_000_000),
            cache_write_1h: per_million(6_000_000_000),
            ..price(3_000_000_000, Some(300_000_000), 15_000_000_000)
        }
    }

    fn usage(input: i64, cached_input: Option<i64>, output: i64) -> TokenUsage {
        TokenUsage { input: Some(input), cached_input, output: Some(output), ..TokenUsage::default() }
    }

    #[test]
    fn cached_tokens_are_billed_at_their_own_price() {
        // gpt-4o-mini: $0.15 in, $0.075 cached, $0.60 out; by hand: 600·150 + 400·75 + 200·600 nano-dollars.
        let price = price(150_000_000, Some(75_000_000), 600_000_000);
        assert_eq!(price.cost_of(&usage(1_000, Some(400), 200)), Some(NanoUsd::from_nanos(240_000)));
    }

    #[test]
    fn what_goes_into_a_cache_is_billed_once_and_by_how_long_it_stays() {
        // By hand: 100·3,000 + 1,000·300 + 2,000·3,750 + 500·6,000 + 10·15,000 nano-dollars.
        let all = TokenUsage { cache_write: Some(2_500), cache_write_1h: Some(500), ..usage(3_600, Some(1_000), 10) };
        assert_eq!(anthropic().cost_of(&all), Some(NanoUsd::from_nanos(11_250_000)));
        // Without a price of its own an hour costs what minutes do, and without either what all input does.
        let minutes = AttemptPrice { cache_write_1h: None, ..anthropic() };
        assert_eq!(minutes.cost_of(&all), Some(NanoUsd::from_nanos(10_125_000)));
        let neither = AttemptPrice { cache_write: None, ..minutes };
        assert_eq!(neither.cost_of(&all), Some(NanoUsd::from_nanos(8_250_000)));
    }

    #[test]
    fn thoughts_are_part_of_what_was_said_and_may_have_their_price() {
        let thought = TokenUsage { reasoning: Some(40), ..usage(0, None, 100) };
        let same = price(0, None, 1_000_000_000);
        assert_eq!(same.cost_of(&thought), Some(NanoUsd::from_nanos(100_000)));
        let apart =
            AttemptPrice { reasoning: Some(TokenPrice::per_million(NanoUsd::from_nanos(2_000_000_000))), ..same };
        assert_eq!(apart.cost_of(&thought), Some(NanoUsd::from_nanos(140_000)));
    }

    #[test]
    fn without_a_cached_price_cached_tokens_cost_what_others_do() {
        let price = price(150_000_000, None, 600_000_000);
        assert_eq!(price.cost_of(&usage(1_000, Some(400), 200)), price.cost_of(&usage(1_000, None, 200)));
    }

    #[test]
    fn each_line_is_rounded_once() {
        // Half a nano-dollar a token on every line: three lines of one token round up to three.
        let price = price(500_000, Some(500_000), 500_000);
        assert_eq!(price.cost_of(&usage(2, Some(1), 1)), Some(NanoUsd::from_nanos(3)));
    }

    #[test]
    fn what_cannot_be_a_count_is_unknown_and_not_free() {
        let price = price(1_000_000, None, 1_000_000);
        assert_eq!(price.cost_of(&TokenUsage::default()), None);
        assert_eq!(price.cost_of(&TokenUsage { input: Some(5), ..TokenUsage::default() }), None);
        assert_eq!(price.cost_of(&usage(-1, None, 5)), None);
        assert_eq!(price.cost_of(&usage(5, None, i64::MAX)), None);
        assert_eq!(price.cost_of(&usage(0, None, 0)), Some(NanoUsd::ZERO));
    }

    proptest! {
        /// The exact rational cost, in millionths of a nano-dollar, and never off by more than half a unit a line.
        #[test]
        fn a_cost_is_the_exact_one_but_for_three_roundings(
            prices in (0i64..1_000_000_000_000_000, proptest::option::of(0i64..1_000_000_000_000_000), 0i64..1_000_000_000_000_000),
            input in 0i64..3_000_000, cached in 0i64..3_000_000, output in 0i64..3_000_000,
        ) {
            let cached = cached.min(input);
            let exact = i128::from(prices.0) * i128::from(input - cached)
                + i128::from(prices.1.unwrap_or(prices.0)) * i128::from(cached)
                + i128::from(prices.2) * i128::from(output);
            let cost = price(prices.0, prices.1, prices.2).cost_of(&usage(input, Some(cached), output)).unwrap();
            let off = i128::from(cost.as_nanos()) * 1_000_000 - exact;
            prop_assert!(off.abs() <= 1_500_000, "{off}");
        }

        #[test]
        fn more_cached_than_read_costs_as_if_all_was_cached(
            input in 0i64..1_000_000, beyond in 0i64..1_000_000, output in 0i64..1_000_000,
        ) {
            let price = price(150_000_000, Some(75_000_000), 600_000_000);
            let reported = price.cost_of(&usage(input, Some(input + beyond), output));
            prop_assert_eq!(reported, price.cost_of(&usage(input, Some(input), output)));
        }

        #[test]
        fn more_tokens_never_cost_less(
            input in 0i64..1_000_000, cached in 0i64..1_000_000, output in 0i64..1_000_000, more in 0i64..1_000,
        ) {
            let price = price(150_000_000, Some(75_000_000), 600_000_000);
            let cost = price.cost_of(&usage(input, Some(cached), output));
            prop_assert!(price.cost_of(&usage(input + more, Some(cached), output)) >= cost);
            prop_assert!(price.cost_of(&usage(input, Some(cached), output + more)) >= cost);
        }

        #[test]
        fn no_report_of_a_provider_makes_the_arithmetic_fail(
            input in any::<Option<i64>>(), cached_input in any::<Option<i64>>(), output in any::<Option<i64>>(),
            cache_write in any::<Option<i64>>(), cache_write_1h in any::<Option<i64>>(),
            reasoning in any::<Option<i64>>(), prices in (0i64..=i64::MAX, any::<bool>()),
        ) {
            let price = price(prices.0, prices.1.then_some(prices.0), prices.0);
            let own = prices.1.then_some(price.input);
            let price = AttemptPrice { cache_write: own, cache_write_1h: own, reasoning: own, ..price };
            let usage = TokenUsage { input, cached_input, cache_write, cache_write_1h, output, reasoning };
            if let Some(cost) = price.cost_of(&usage) {
                prop_assert!(cost >= NanoUsd::ZERO);
            }
        }

        /// Whatever is told of kinds: with one price for all of them it is tokens·price, but for a rounding each.
        #[test]
        fn no_token_is_billed_twice_or_not_at_all(
            input in 0i64..1_000_000, cached in any::<Option<i64>>(), written in any::<Option<i64>>(),
            lasting in any::<Option<i64>>(), output in 0i64..1_000_000, reasoning in any::<Option<i64>>(),
        ) {
            let flat = price(1_000_000_000, None, 1_000_000_000);
            let own = Some(flat.input);
            let apart =
                AttemptPrice { cached_input: own, cache_write: own, cache_write_1h: own, reasoning: own, ..flat };
            let told = TokenUsage {
                cache_write: written, cache_write_1h: lasting, reasoning, ..usage(input, cached, output)
            };
            prop_assert_eq!(apart.cost_of(&told), Some(NanoUsd::from_nanos((input + output) * 1_000)));
        }
    }
}
