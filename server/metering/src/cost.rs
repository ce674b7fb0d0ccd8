//! What an attempt costs: a pure function of its tokens and the price in force when it was dispatched.
//!
//! `(input − cached)·input price + cached·(cached price, or the input price) + output·output price`, each
//! of the three rounded once. Which price was in force is decided in SQL, see `ledger.rs`.

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
    pub output: TokenPrice,
}

impl AttemptPrice {
    /// Unknown when the tokens of either direction are.
    pub fn cost_of(&self, usage: &TokenUsage) -> Option<NanoUsd> {
        let usage = plausible(usage);
        let (input, output) = (usage.input?, usage.output?);
        let cached = usage.cached_input.unwrap_or(0);
        Some(
            self.input.cost_of(input - cached)
                + self.cached_input.unwrap_or(self.input).cost_of(cached)
                + self.output.cost_of(output),
        )
    }
}

/// The usage with what cannot be a count taken as unknown, and no more cached tokens than there were.
pub(crate) fn plausible(reported: &TokenUsage) -> TokenUsage {
    let count = |tokens: Option<i64>| tokens.filter(|count| (0..=MAX_TOKENS_PER_ATTEMPT).contains(count));
    let input = count(reported.input);
    let cached_input = count(reported.cached_input).map(|cached| input.map_or(cached, |input| cached.min(input)));
    TokenUsage { input, cached_input, output: count(reported.output) }
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
            output: per_million(output),
        }
    }

    fn usage(input: i64, cached_input: Option<i64>, output: i64) -> TokenUsage {
        TokenUsage { input: Some(input), cached_input, output: Some(output) }
    }

    #[test]
    fn cached_tokens_are_billed_at_their_own_price() {
        // gpt-4o-mini: $0.15 in, $0.075 cached, $0.60 out; by hand: 600·150 + 400·75 + 200·600 nano-dollars.
        let price = price(150_000_000, Some(75_000_000), 600_000_000);
        assert_eq!(price.cost_of(&usage(1_000, Some(400), 200)), Some(NanoUsd::from_nanos(240_000)));
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
            prices in (0i64..=i64::MAX, any::<bool>()),
        ) {
            let price = price(prices.0, prices.1.then_some(prices.0), prices.0);
            if let Some(cost) = price.cost_of(&TokenUsage { input, cached_input, output }) {
                prop_assert!(cost >= NanoUsd::ZERO);
            }
        }
    }
}
