//! How fast the local engine is, through the same `Provider` that the gateway uses.
//!
//! `cargo run --release -p gateway --example local_bench [MODELS_DIR]` prints one line of JSON that
//! scripts/bench-llama.sh compares with llama.cpp itself on the same file, threads and token counts.

use contract::{MessageRole, TenantId};
use futures::StreamExt;
use gateway::conversation::{ChatParameters, ChatTurn, Conversation};
use gateway::provider::{ChatCall, ChatPart, EmbedCall, Provider, ProviderError};
use gateway::providers::local::{
    LocalProvider, LocalSettings,
    models::{CHAT_MODEL, EMBEDDING_MODEL},
};
use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const OUTPUT_TOKENS: i64 = 128;
/// The best of so many counts: what else the machine does only ever makes it slower.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    match bench().await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<serde_json::Value, ProviderError> {
    let cache = std::env::var("SEAM_CACHE_DIR").unwrap_or_else(|_| ".".to_owned());
    let dir = std::env::args().nth(1).map_or_else(|| Path::new(&cache).join("models"), Into::into);
    let settings = LocalSettings::new(dir);
    let threads = settings.threads;
    let provider = LocalProvider::start(settings);
    for model in [CHAT_MODEL, EMBEDDING_MODEL] {
        while let Some(reason) = provider.unavailable_reason(model) {
            if !reason.contains("loading") {
                return Err(ProviderError::NotReady(reason));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let text = "The quick brown fox jumps over the lazy dog near the river bank. ".repeat(32);
    let mut best = Timing { prompt_tokens: 0, first: Duration::MAX, tokens_a_second: 0.0 };
    let mut together: f64 = 0.0;
    let mut delay = Duration::MAX;
    for _ in 0..ROUNDS {
        // Every call has its own tenant, so that no prefix is warm.
        let timing = generate(&provider, &text).await?;
        best.prompt_tokens = timing.prompt_tokens;
        best.first = best.first.min(timing.first);
        best.tokens_a_second = best.tokens_a_second.max(timing.tokens_a_second);
        let short = "Tell me a story.";
        let two = async { tokio::try_join!(generate(&provider, short), generate(&provider, short)) };
        let (two, round_delay) = beside(two).await;
        let (a, b) = two?;
        together = together.max(a.tokens_a_second + b.tokens_a_second);
        delay = delay.min(round_delay);
    }
    Ok(serde_json::json!({
        "threads": threads,
        "prompt_tokens": best.prompt_tokens,
        "output_tokens": OUTPUT_TOKENS,
        "prefill_tokens_a_second": best.prompt_tokens as f64 / best.first.as_secs_f64(),
        "first_token_ms": best.first.as_secs_f64() * 1e3,
        "decode_tokens_a_second": best.tokens_a_second,
        "decode_tokens_a_second_of_two": together,
        "runtime_delay_p99_ms": delay.as_secs_f64() * 1e3,
        "embed_inputs_a_second": embed(&provider).await?,
    }))
}

/// How late the runtime wakes a task while `work` is done, at the 99th percentile: the delay that the engine
/// adds to a request of the web server in this process.
async fn beside<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let done = CancellationToken::new();
    let stop = done.clone();
    let watch = tokio::spawn(async move {
        const PAUSE: Duration = Duration::from_millis(5);
        let mut delays = Vec::new();
        while !stop.is_cancelled() {
            let start = Instant::now();
            tokio::time::sleep(PAUSE).await;
            delays.push(start.elapsed().saturating_sub(PAUSE));
        }
        delays.sort_unstable();
        delays.get(delays.len() * 99 / 100).copied().unwrap_or_default()
    });
    let result = work.await;
    done.cancel();
    (result, watch.await.unwrap_or(Duration::MAX))
}

struct Timing {
    prompt_tokens: i64,
    first: Duration,
    tokens_a_second: f64,
}

async fn generate(provider: &LocalProvider, text: &str) -> Result<Timing, ProviderError> {
    let call = ChatCall {
        tenant: TenantId::new(),
        model: CHAT_MODEL.to_owned(),
        conversation: Arc::new(Conversation {
            turns: vec![ChatTurn::of_text(MessageRole::User, text)],
            parameters: ChatParameters {
                temperature: Some(1.0),
                seed: Some(1),
                max_output_tokens: Some(OUTPUT_TOKENS),
                ..Default::default()
            },
            ..Conversation::default()
        }),
        native: None,
        cancel: CancellationToken::new(),
    };
    let start = Instant::now();
    let mut stream = provider.chat(call).await?;
    let mut first = None;
    while let Some(part) = stream.next().await {
        match part? {
            ChatPart::Text(_) | ChatPart::Tool(_) | ChatPart::Native(_) => {
                first.get_or_insert_with(|| start.elapsed());
            }
            ChatPart::Finished { usage, .. } => {
                let first = first.unwrap_or_else(|| start.elapsed());
                let decoded = usage.output.unwrap_or(0) - 1;
                let tokens_a_second = decoded as f64 / (start.elapsed() - first).as_secs_f64();
                return Ok(Timing { prompt_tokens: usage.input.unwrap_or(0), first, tokens_a_second });
            }
        }
    }
    Err(ProviderError::Cut)
}

/// Paragraphs of about a hundred tokens a second.
async fn embed(provider: &LocalProvider) -> Result<f64, ProviderError> {
    let paragraph = "Invoices are settled once a month and every attempt is in the ledger. ".repeat(7);
    let inputs = vec![paragraph; 32];
    let count = inputs.len() as f64;
    let start = Instant::now();
    let cancel = CancellationToken::new();
    provider
        .embed(EmbedCall {
            tenant: TenantId::new(),
            model: EMBEDDING_MODEL.to_owned(),
            inputs,
            dimensions: None,
            cancel,
        })
        .await?;
    Ok(count / start.elapsed().as_secs_f64())
}
