//! What is known of well-known models: names and list prices of a dated file in this binary.

use crate::GatewayError;
use contract::{NanoUsd, ParseMoneyError, ProviderKind, Timestamp, TokenPrice};
use metering::NewPrice;
use serde::Deserialize;

const FILE: &str = include_str!("../data/catalogue.toml");

/// A well-known model; its name is the provider's own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KnownModel {
    pub name: String,
    price: KnownPrice,
    as_of: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct KnownPrice {
    input: TokenPrice,
    cached_input: Option<TokenPrice>,
    cache_write: Option<TokenPrice>,
    cache_write_1h: Option<TokenPrice>,
    output: TokenPrice,
}

impl KnownModel {
    /// Its list price at a provider of this name.
    pub fn price_at(&self, provider: &str) -> NewPrice {
        NewPrice {
            provider: provider.to_owned(),
            model: self.name.clone(),
            input: self.price.input,
            cached_input: self.price.cached_input,
            cache_write: self.price.cache_write,
            cache_write_1h: self.price.cache_write_1h,
            output: self.price.output,
            reasoning: None,
            batch_discount_millionths: None,
            effective_from: self.as_of,
        }
    }
}

/// The well-known models of a kind of provider, the default first.
pub(crate) fn known_models(kind: ProviderKind) -> Result<Vec<KnownModel>, GatewayError> {
    read(FILE, kind).map_err(|reason| GatewayError::InvalidProvider { name: kind.to_string(), reason })
}

fn read(text: &str, kind: ProviderKind) -> Result<Vec<KnownModel>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let as_of: jiff::Timestamp = file.as_of.parse().map_err(|error: jiff::Error| error.to_string())?;
    let as_of = Timestamp::from_millis(as_of.as_millisecond());
    let of_kind = file.model.iter().filter(|model| model.kind == kind);
    of_kind.map(|model| model.known(as_of).map_err(|error| format!("{}: {error}", model.name))).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    as_of: String,
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: ProviderKind,
    name: String,
    input: String,
    cached_input: Option<String>,
    cache_write: Option<String>,
    cache_write_1h: Option<String>,
    output: String,
}

impl Entry {
    fn known(&self, as_of: Timestamp) -> Result<KnownModel, ParseMoneyError> {
        let price = |text: &String| text.parse::<NanoUsd>().map(TokenPrice::per_million);
        Ok(KnownModel {
            name: self.name.clone(),
            price: KnownPrice {
                input: price(&self.input)?,
                cached_input: self.cached_input.as_ref().map(price).transpose()?,
                cache_write: self.cache_write.as_ref().map(price).transpose()?,
                cache_write_1h: self.cache_write_1h.as_ref().map(price).transpose()?,
                output: price(&self.output)?,
            },
            as_of,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_and_no_price_is_a_fake_zero() {
        let openai = known_models(ProviderKind::Openai).unwrap();
        assert!(openai.iter().any(|model| model.name == "gpt-4o-mini"));
        let anthropic = known_models(ProviderKind::Anthropic).unwrap();
        assert!(anthropic.iter().any(|model| model.name.starts_with("claude-")));
        for model in openai.iter().chain(&anthropic) {
            let price = model.price_at("p");
            let zero = TokenPrice::per_million(NanoUsd::ZERO);
            assert!(price.input > zero && price.output > price.input, "{price:?}");
            assert!(price.cached_input.is_some_and(|cached| cached > zero && cached < price.input), "{price:?}");
        }
        assert!(known_models(ProviderKind::Simulated).unwrap().is_empty());
    }

    #[test]
    fn a_slip_in_the_file_names_the_model() {
        let slip =
            "as_of = '2025-12-01T00:00:00Z'\n[[model]]\nkind = 'openai'\nname = 'm'\ninput = '0,15'\noutput = '1'";
        assert!(read(slip, ProviderKind::Openai).unwrap_err().starts_with("m: "));
    }
}
