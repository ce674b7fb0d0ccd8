//! A provider that is none: deterministic text at a set pace, and named faults, for tests and benchmarks.
//!
//! Its text says “simulated”, so that nobody takes it for a model's. It exists only where a provider of
//! this kind is configured. The same call and seed always give the same words; one word is one token.

use crate::provider::{ChatCall, ChatPart, ChatParts, EmbedCall, Embeddings, Provider, ProviderError};
use async_stream::try_stream;
use async_trait::async_trait;
use contract::{FinishReason, ProviderKind, TokenUsage};
use futures::StreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const WORDS: [&str; 16] = [
    "amber", "brook", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kelp", "lagoon",
    "meadow", "north", "orchard", "prairie",
];
/// As many as the local embedding model has.
const DIMENSIONS: usize = 384;

/// What goes wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    #[default]
    None,
    /// A failure of the server (500).
    Error,
    /// A refusal that asks to wait for `retry_after_ms`.
    RateLimit,
    /// Silence, until the provider's timeout.
    Hang,
    /// The same in the middle of the answer.
    Silence,
    /// The stream ends before its end.
    Cut,
    /// An event that is not the protocol.
    Malformed,
}

impl Fault {
    /// A model of this name has this fault, whatever the options say.
    fn of_model(model: &str) -> Option<Self> {
        match model {
            "sim-ok" => Some(Self::None),
            "sim-error" => Some(Self::Error),
            "sim-rate-limit" => Some(Self::RateLimit),
            "sim-hang" => Some(Self::Hang),
            "sim-silence" => Some(Self::Silence),
            "sim-cut" => Some(Self::Cut),
            "sim-malformed" => Some(Self::Malformed),
            _ => None,
        }
    }
}

/// The provider's `options`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatedOptions {
    /// Zero is as fast as it can.
    pub tokens_per_second: f64,
    /// How long an answer is.
    pub tokens: usize,
    pub first_token_ms: u64,
    pub fault: Fault,
    pub retry_after_ms: u64,
    /// How much is said before the fault. None: half the answer for `silence`, `cut` and `malformed`, nothing for the others.
    pub fault_after_tokens: Option<usize>,
}

impl Default for SimulatedOptions {
    fn default() -> Self {
        Self {
            tokens_per_second: 0.0,
            tokens: 24,
            first_token_ms: 0,
            fault: Fault::None,
            retry_after_ms: 1_000,
            fault_after_tokens: None,
        }
    }
}

impl SimulatedOptions {
    /// Reads the provider's options; the error is the first of the faults.
    pub fn parse(options: &serde_json::Value) -> Result<Self, String> {
        match Self::faults(options).into_iter().next() {
            Some(fault) => Err(fault),
            None => serde_json::from_value(options.clone()).map_err(|error| error.to_string()),
        }
    }

    /// Everything about the options that cannot be. Each names the field.
    pub fn faults(options: &serde_json::Value) -> Vec<String> {
        let Some(fields) = options.as_object() else { return vec!["they are no table".to_owned()] };
        // Each for itself, since reading them together ends at the first that is wrong.
        let alone = |(name, value): (&String, &serde_json::Value)| {
            let field = serde_json::json!({ name: value });
            serde_json::from_value(field).map_err(|error| format!("{name}: {}", plain(&error))).and_then(Self::bounded)
        };
        fields.iter().filter_map(|field| alone(field).err()).collect()
    }

    fn bounded(self) -> Result<(), String> {
        if !(0.0..=1e6).contains(&self.tokens_per_second) {
            return Err("tokens_per_second must be between 0 and 1000000".to_owned());
        }
        if self.tokens > 100_000 {
            return Err("tokens must be at most 100000".to_owned());
        }
        Ok(())
    }

    /// When the token of this number is due, counted from the call.
    fn due(&self, token: usize) -> Duration {
        let paced = if self.tokens_per_second > 0.0 { token as f64 / self.tokens_per_second } else { 0.0 };
        Duration::from_millis(self.first_token_ms) + Duration::from_secs_f64(paced)
    }
}

/// An error of reading in words for people who know no types of ours.
fn plain(error: &serde_json::Error) -> String {
    let words = [("u64", "a whole number"), ("usize", "a whole number"), ("f64", "a number")];
    words.into_iter().fold(error.to_string(), |said, (from, to)| said.replace(from, to))
}

/// The simulated provider.
pub struct Simulated {
    options: SimulatedOptions,
    timeout: Duration,
}

impl Simulated {
    /// `timeout` is how long a `hang` lasts.
    pub const fn new(options: SimulatedOptions, timeout: Duration) -> Self {
        Self { options, timeout }
    }

    fn fault_in(&self, model: &str) -> (Fault, usize) {
        let fault = Fault::of_model(model).unwrap_or(self.options.fault);
        let default = match fault {
            Fault::None | Fault::Error | Fault::RateLimit | Fault::Hang => 0,
            Fault::Silence | Fault::Cut | Fault::Malformed => self.options.tokens / 2,
        };
        (fault, self.options.fault_after_tokens.unwrap_or(default))
    }
}

/// What a fault looks like from outside, or none.
async fn strike(
    fault: Fault,
    options: &SimulatedOptions,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<(), ProviderError> {
    match fault {
        Fault::None => Ok(()),
        Fault::Error => Err(ProviderError::Failed { status: 500, message: "simulated failure".to_owned() }),
        Fault::RateLimit => {
            Err(ProviderError::RateLimited { retry_after: Some(Duration::from_millis(options.retry_after_ms)) })
        }
        Fault::Hang | Fault::Silence => {
            wait_until(Instant::now() + timeout, cancel).await?;
            Err(ProviderError::TimedOut(timeout))
        }
        Fault::Cut => Err(ProviderError::Cut),
        Fault::Malformed => Err(ProviderError::Malformed("a simulated event".to_owned())),
    }
}

async fn wait_until(due: Instant, cancel: &CancellationToken) -> Result<(), ProviderError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ProviderError::Cancelled),
        () = tokio::time::sleep_until(due) => Ok(()),
    }
}

/// A number that depends on all of the call and on nothing else.
fn digest_of(call: &ChatCall) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(call.model.as_bytes());
    for text in call.conversation.texts() {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    }
    digest.update(call.conversation.parameters.seed.unwrap_or(0).to_le_bytes());
    digest.finalize().into()
}

/// The word at a place: the label first, then what the digest picks.
fn word(digest: &[u8; 32], place: usize) -> String {
    match place {
        0 => "simulated:".to_owned(),
        _ => {
            let byte = digest.get(place % 32).copied().unwrap_or(0);
            let index = (usize::from(byte) + place / 32 * 7) % WORDS.len();
            format!(" {}", WORDS.get(index).copied().unwrap_or("amber"))
        }
    }
}

fn words_in(text: &str) -> i64 {
    i64::try_from(text.split_whitespace().count()).unwrap_or(i64::MAX)
}

#[async_trait]
impl Provider for Simulated {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Simulated
    }

    fn unavailable_reason(&self, _model: &str) -> Option<String> {
        None
    }

    async fn chat(&self, call: ChatCall) -> Result<ChatParts, ProviderError> {
        let (fault, fault_after) = self.fault_in(&call.model);
        let (options, timeout) = (self.options.clone(), self.timeout);
        if fault_after == 0 {
            strike(fault, &options, timeout, &call.cancel).await?;
        }
        let limit = call.conversation.parameters.max_output_tokens.and_then(|limit| usize::try_from(limit).ok());
        let length = limit.map_or(options.tokens, |limit| limit.min(options.tokens));
        let reason = if length < options.tokens { FinishReason::Length } else { FinishReason::Stop };
        let input = call.conversation.estimate(words_in);
        let digest = digest_of(&call);
        let started = Instant::now();
        let stream = try_stream! {
            for place in 0..length {
                if place > 0 && place == fault_after {
                    strike(fault, &options, timeout, &call.cancel).await?;
                }
                let due = options.due(place);
                if !due.is_zero() {
                    wait_until(started + due, &call.cancel).await?;
                }
                yield ChatPart::Text(word(&digest, place));
            }
            if fault_after >= length && fault_after > 0 {
                strike(fault, &options, timeout, &call.cancel).await?;
            }
            let output = i64::try_from(length).unwrap_or(i64::MAX);
            let (input, output) = (Some(input), Some(output));
            let usage = TokenUsage { input, cached_input: Some(0), output, ..TokenUsage::default() };
            yield ChatPart::Finished { reason, usage };
        };
        Ok(stream.boxed())
    }

    async fn embed(&self, call: EmbedCall) -> Result<Embeddings, ProviderError> {
        call.require_dimensions(DIMENSIONS)?;
        let (fault, _) = self.fault_in(&call.model);
        strike(fault, &self.options, self.timeout, &call.cancel).await?;
        let vectors = call.inputs.iter().map(|text| vector_of(&call.model, text)).collect();
        let input = call.inputs.iter().map(|text| words_in(text)).sum();
        Ok(Embeddings {
            vectors,
            usage: TokenUsage { input: Some(input), cached_input: Some(0), output: Some(0), ..TokenUsage::default() },
        })
    }

    fn count_tokens(&self, _model: &str, text: &str) -> i64 {
        words_in(text)
    }
}

/// A unit vector that depends on the text alone.
fn vector_of(model: &str, text: &str) -> Vec<f32> {
    let mut vector = Vec::with_capacity(DIMENSIONS);
    for block in 0u32.. {
        if vector.len() >= DIMENSIONS {
            break;
        }
        let digest =
            Sha256::new().chain_update(model).chain_update([0]).chain_update(text).chain_update(block.to_le_bytes());
        vector.extend(digest.finalize().iter().map(|byte| f32::from(*byte) - 127.5));
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{ChatParameters, ChatTurn, Conversation};
    use contract::{MessageRole, TenantId};
    use serde_json::json;
    use std::sync::Arc;

    fn call(model: &str, seed: u32) -> ChatCall {
        ChatCall {
            tenant: TenantId::new(),
            model: model.to_owned(),
            conversation: Arc::new(Conversation {
                system: Some("Be brief.".to_owned()),
                turns: vec![ChatTurn::of_text(MessageRole::User, "What is it?")],
                parameters: ChatParameters { seed: Some(seed), ..ChatParameters::default() },
                ..Conversation::default()
            }),
            native: None,
            cancel: CancellationToken::new(),
        }
    }

    fn simulated(options: serde_json::Value) -> Simulated {
        Simulated::new(SimulatedOptions::parse(&options).unwrap(), Duration::from_secs(5))
    }

    /// The text, how it ended, and after how many parts.
    async fn answer(provider: &Simulated, call: ChatCall) -> (String, Result<TokenUsage, ProviderError>, usize) {
        let mut parts = match provider.chat(call).await {
            Ok(parts) => parts,
            Err(error) => return (String::new(), Err(error), 0),
        };
        let (mut text, mut count) = (String::new(), 0);
        while let Some(part) = parts.next().await {
            match part {
                Ok(ChatPart::Text(more)) => {
                    text.push_str(&more);
                    count += 1;
                }
                Ok(part @ (ChatPart::Tool(_) | ChatPart::Native(_))) => panic!("{part:?}"),
                Ok(ChatPart::Finished { usage, .. }) => return (text, Ok(usage), count),
                Err(error) => return (text, Err(error), count),
            }
        }
        panic!("the stream ended without an end: {text}");
    }

    #[tokio::test]
    async fn the_same_call_and_seed_give_the_same_labelled_words() {
        let provider = simulated(json!({"tokens": 40}));
        let (first, usage, parts) = answer(&provider, call("m", 1)).await;
        assert_eq!(answer(&provider, call("m", 1)).await.0, first);
        assert_ne!(answer(&provider, call("m", 2)).await.0, first);
        assert!(first.starts_with("simulated: "));
        assert_eq!(parts, 40);
        assert_eq!(provider.count_tokens("m", &first), 40);
        assert_eq!(
            usage.unwrap(),
            TokenUsage { input: Some(5), cached_input: Some(0), output: Some(40), ..TokenUsage::default() }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept() {
        let provider = simulated(json!({"tokens": 11, "tokens_per_second": 10.0, "first_token_ms": 500}));
        let started = Instant::now();
        answer(&provider, call("m", 1)).await.1.unwrap();
        assert_eq!(started.elapsed().as_millis(), 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn each_fault_has_its_face_and_its_place() {
        let provider = simulated(json!({"tokens": 10, "retry_after_ms": 70}));
        let (text, end, _) = answer(&provider, call("sim-error", 1)).await;
        assert!(text.is_empty() && matches!(end, Err(ProviderError::Failed { status: 500, .. })));
        let (_, end, _) = answer(&provider, call("sim-rate-limit", 1)).await;
        assert!(matches!(end, Err(ProviderError::RateLimited { retry_after: Some(wait) }) if wait.as_millis() == 70));
        let (_, end, _) = answer(&provider, call("sim-hang", 1)).await;
        assert!(matches!(end, Err(ProviderError::TimedOut(_))));
        let (_, end, parts) = answer(&provider, call("sim-cut", 1)).await;
        assert!(matches!(end, Err(ProviderError::Cut)) && parts == 5);
        let (_, end, parts) = answer(&provider, call("sim-malformed", 1)).await;
        assert!(matches!(end, Err(ProviderError::Malformed(_))) && parts == 5);
        let late = simulated(json!({"tokens": 10, "fault": "error", "fault_after_tokens": 10}));
        let (_, end, parts) = answer(&late, call("m", 1)).await;
        assert!(matches!(end, Err(ProviderError::Failed { .. })) && parts == 10);
    }

    #[test]
    fn options_with_a_slip_are_refused() {
        for bad in [json!({"token": 1}), json!({"fault": "explode"}), json!({"tokens_per_second": -1.0})] {
            assert!(SimulatedOptions::parse(&bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn embeddings_are_unit_vectors_of_the_text() {
        let provider = simulated(json!({}));
        let embed = |text: &str| EmbedCall {
            tenant: TenantId::new(),
            model: "e".to_owned(),
            inputs: vec![text.to_owned()],
            dimensions: None,
            cancel: CancellationToken::new(),
        };
        let one = provider.embed(embed("a")).await.unwrap();
        assert_eq!(one, provider.embed(embed("a")).await.unwrap());
        assert_ne!(one.vectors, provider.embed(embed("b")).await.unwrap().vectors);
        assert_eq!(one.vectors[0].len(), DIMENSIONS);
        assert!((one.vectors[0].iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
    }
}
