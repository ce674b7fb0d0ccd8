//! How to sample and when to end, checked once before a call waits for a slot.

use crate::{conversation::ChatParameters, provider::ProviderError};
use llama_cpp_2::sampling::LlamaSampler;

/// The model card's own examples use these two.
const DEFAULT_TEMPERATURE: f32 = 0.2;
const DEFAULT_TOP_P: f32 = 0.9;
/// A model of this size sometimes never finds its end; ten seconds of text is enough unless asked for more.
const DEFAULT_OUTPUT_TOKENS: i64 = 1024;
/// Every stop string is searched for after every token.
const MAX_STOPS: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Generating {
    /// Zero takes the likeliest token each time.
    temperature: f32,
    top_p: f32,
    seed: u32,
    pub max_output_tokens: i64,
    pub stop: Vec<String>,
}

impl Generating {
    /// # Errors
    /// `Rejected` with status 400, naming the parameter.
    pub fn parse(parameters: &ChatParameters) -> Result<Self, ProviderError> {
        let ChatParameters { temperature, top_p, max_output_tokens, seed, stop } = parameters;
        let temperature = temperature.map_or(DEFAULT_TEMPERATURE, |value| value as f32);
        if !(0.0..=2.0).contains(&temperature) {
            return Err(rejected(format!("temperature {temperature} is not between 0 and 2")));
        }
        let top_p = top_p.map_or(DEFAULT_TOP_P, |value| value as f32);
        if !(0.0..=1.0).contains(&top_p) {
            return Err(rejected(format!("top_p {top_p} is not between 0 and 1")));
        }
        let max_output_tokens = max_output_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS);
        if max_output_tokens < 1 {
            return Err(rejected(format!("max_output_tokens {max_output_tokens} is not a positive number")));
        }
        if stop.len() > MAX_STOPS {
            return Err(rejected(format!("{} stop strings are more than {MAX_STOPS}", stop.len())));
        }
        // llama.cpp reads the largest seed as “choose one”, which a caller who fixed it did not ask for.
        let seed = seed.unwrap_or_else(rand::random).min(u32::MAX - 1);
        Ok(Self { temperature, top_p, seed, max_output_tokens, stop: stop.clone() })
    }

    /// Temperature first and then top-p, in the order of the model's reference implementation.
    pub fn sampler(&self) -> LlamaSampler {
        if self.temperature <= 0.0 {
            return LlamaSampler::greedy();
        }
        LlamaSampler::chain(
            [LlamaSampler::temp(self.temperature), LlamaSampler::top_p(self.top_p, 1), LlamaSampler::dist(self.seed)],
            true,
        )
    }
}

pub(super) fn rejected(message: String) -> ProviderError {
    ProviderError::Rejected { status: 400, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        for (parameters, name) in [
            (ChatParameters { temperature: Some(-0.1), ..Default::default() }, "temperature"),
            (ChatParameters { temperature: Some(f64::NAN), ..Default::default() }, "temperature"),
            (ChatParameters { top_p: Some(1.5), ..Default::default() }, "top_p"),
            (ChatParameters { max_output_tokens: Some(0), ..Default::default() }, "max_output_tokens"),
            (ChatParameters { stop: vec![String::from("x"); 17], ..Default::default() }, "stop"),
        ] {
            let error = Generating::parse(&parameters).unwrap_err();
            assert!(matches!(&error, ProviderError::Rejected { status: 400, message } if message.contains(name)));
        }
    }

    #[test]
    fn absent_parameters_take_the_models_own_defaults() {
        let generating = Generating::parse(&ChatParameters::default()).unwrap();
        assert_eq!((generating.temperature, generating.top_p), (0.2, 0.9));
        assert_eq!(generating.max_output_tokens, 1024);
    }
}
