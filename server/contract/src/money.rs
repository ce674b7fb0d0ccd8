//! Money: integer nano-dollars (10⁻⁹ US dollars), never floating point.
//!
//! `i64` holds ±9.2 billion dollars. Prices are per million tokens, as providers publish them; a cost is
//! computed in `i128` and rounded once per line item, half away from zero.

use serde::{Deserialize, Serialize};
use std::{fmt, iter::Sum, ops::Add, str::FromStr};

const NANOS_PER_DOLLAR: i64 = 1_000_000_000;
const TOKENS_PER_PRICE: i128 = 1_000_000;

/// An amount of US dollars in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(i64);

impl NanoUsd {
    pub const ZERO: Self = Self(0);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// For people: two decimals from ten cents up, below that as many as carry two significant digits.
    pub fn display_short(self) -> String {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "−" } else { "" };
        if magnitude == 0 {
            return "$0".to_owned();
        }
        // The number of decimals at which the second significant digit stands, at least two.
        let mut decimals = 2usize;
        let mut bound = u64::from(NANOS_PER_DOLLAR.unsigned_abs() as u32) / 10;
        while magnitude < bound && decimals < 9 {
            decimals += 1;
            bound /= 10;
        }
        let unit = 10u64.pow(9 - decimals as u32);
        let rounded = (magnitude + unit / 2) / unit;
        let scale = 10u64.pow(decimals as u32);
        format!("{sign}${}.{:0decimals$}", rounded / scale, rounded % scale)
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// Exact decimal dollars without trailing zeros, the inverse of parsing.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let whole = magnitude / NANOS_PER_DOLLAR.unsigned_abs();
        let fraction = format!("{:09}", magnitude % NANOS_PER_DOLLAR.unsigned_abs());
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// The text is no amount of dollars that can be held exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    #[error("“{0}” is not an amount; write decimal dollars such as \"0.15\"")]
    NotANumber(String),
    #[error("“{0}” has more than nine decimals; a nano-dollar is the smallest unit")]
    TooFine(String),
    #[error("“{0}” is too large; the most that can be written down is {most} dollars", most = i64::MAX / NANOS_PER_DOLLAR)]
    TooLarge(String),
}

impl FromStr for NanoUsd {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(40).collect::<String>();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
            return Err(ParseMoneyError::NotANumber(shown()));
        }
        if fraction.len() > 9 {
            return Err(ParseMoneyError::TooFine(shown()));
        }
        let too_large = || ParseMoneyError::TooLarge(shown());
        let whole: i64 = whole.parse().map_err(|_| too_large())?;
        let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| too_large())?;
        let magnitude = whole.checked_mul(NANOS_PER_DOLLAR).and_then(|n| n.checked_add(nanos)).ok_or_else(too_large)?;
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

/// A price in nano-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenPrice(NanoUsd);

impl TokenPrice {
    pub const fn per_million(amount: NanoUsd) -> Self {
        Self(amount)
    }

    pub const fn as_per_million(self) -> NanoUsd {
        self.0
    }

    /// What `tokens` cost at this price, rounded once, half away from zero; saturates at the ends of `i64`.
    pub fn cost_of(self, tokens: i64) -> NanoUsd {
        let product = i128::from(self.0.0) * i128::from(tokens);
        let half = if product < 0 { -(TOKENS_PER_PRICE / 2) } else { TOKENS_PER_PRICE / 2 };
        let rounded = (product + half) / TOKENS_PER_PRICE;
        NanoUsd(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_prices_parse_exactly() {
        assert_eq!("0.15".parse::<NanoUsd>().unwrap().as_nanos(), 150_000_000);
        assert_eq!("99".parse::<NanoUsd>().unwrap().as_nanos(), 99_000_000_000);
        assert_eq!("-0.000000001".parse::<NanoUsd>().unwrap().as_nanos(), -1);
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_reason() {
        assert!(matches!("0,15".parse::<NanoUsd>(), Err(ParseMoneyError::NotANumber(_))));
        assert!(matches!("".parse::<NanoUsd>(), Err(ParseMoneyError::NotANumber(_))));
        assert!(matches!("1.".parse::<NanoUsd>(), Err(ParseMoneyError::NotANumber(_))));
        assert!(matches!("0.0000000001".parse::<NanoUsd>(), Err(ParseMoneyError::TooFine(_))));
        assert!(matches!("99999999999".parse::<NanoUsd>(), Err(ParseMoneyError::TooLarge(_))));
    }

    #[test]
    fn a_cost_is_rounded_once_half_away_from_zero() {
        let price = TokenPrice::per_million(NanoUsd::from_nanos(1_500_000));
        assert_eq!(price.cost_of(1), NanoUsd::from_nanos(2));
        assert_eq!(price.cost_of(3), NanoUsd::from_nanos(5));
        let gpt_4o_mini_output = TokenPrice::per_million("0.60".parse().unwrap());
        assert_eq!(gpt_4o_mini_output.cost_of(1_000), "0.0006".parse().unwrap());
    }

    #[test]
    fn short_form_keeps_two_digits_that_matter() {
        let short = |text: &str| text.parse::<NanoUsd>().unwrap().display_short();
        assert_eq!(short("12.345"), "$12.35");
        assert_eq!(short("0.5"), "$0.50");
        assert_eq!(short("0.00012345"), "$0.00012");
        assert_eq!(short("0"), "$0");
        assert_eq!(short("-3.1"), "−$3.10");
        assert_eq!(short("0.000000007"), "$0.000000007");
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(nanos in -9_000_000_000_000_000_000i64..9_000_000_000_000_000_000) {
            let amount = NanoUsd::from_nanos(nanos);
            prop_assert_eq!(amount.to_string().parse::<NanoUsd>().unwrap(), amount);
        }

        #[test]
        fn splitting_tokens_never_moves_a_cost_by_more_than_the_roundings(price in 0i64..1_000_000_000_000, a in 0i64..1_000_000, b in 0i64..1_000_000) {
            let price = TokenPrice::per_million(NanoUsd::from_nanos(price));
            let apart = price.cost_of(a) + price.cost_of(b);
            prop_assert!((apart.as_nanos() - price.cost_of(a + b).as_nanos()).abs() <= 1);
        }
    }
}
