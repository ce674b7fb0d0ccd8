//! What asks: one way or the other, the same requests by the same client.

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::{JoinHandle, JoinSet};

#[derive(Clone, Copy)]
pub enum Way {
    Direct,
    Through,
}

#[derive(Clone)]
pub struct Load {
    way: Way,
    client: Client,
    url: String,
    key: String,
}

impl Load {
    pub fn new(way: Way, url: &str, key: &str) -> Result<Self> {
        // An error says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[allow(clippy::disallowed_methods)] // nothing here speaks to the world
        let client = Client::builder().tcp_nodelay(true).pool_max_idle_per_host(2_000).build()?;
        Ok(Self { way, client, url: format!("{url}/chat/completions"), key: key.to_owned() })
    }

    fn request(&self, model: &str, streamed: bool) -> RequestBuilder {
        let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "What is the capital of France?" }]);
        let mut body = json!({ "model": model, "messages": messages, "stream": streamed });
        // Seam asks for the usage of streams; whoever asks directly must say so.
        if streamed && matches!(self.way, Way::Direct) {
            body["stream_options"] = json!({ "include_usage": true });
        }
        self.client.post(&self.url).bearer_auth(&self.key).json(&body)
    }

    async fn whole(&self) -> Result<()> {
        let answer = self.request("m", false).send().await?;
        ensure!(answer.status().is_success(), "an answer of {}", answer.status());
        answer.bytes().await?;
        Ok(())
    }

    /// Seconds of each of so many, one after the other.
    pub async fn whole_answers(&self, number: usize) -> Result<Vec<f64>> {
        let mut seconds = Vec::with_capacity(number);
        for _ in 0..number {
            let begun = Instant::now();
            self.whole().await?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
        Ok(seconds)
    }

    /// Seconds until the first event of each of so many streams.
    pub async fn first_words(&self, number: usize) -> Result<Vec<f64>> {
        let mut seconds = Vec::with_capacity(number);
        for _ in 0..number {
            let begun = Instant::now();
            let mut events = self.request("m", true).send().await?.error_for_status()?.bytes_stream();
            events.next().await.context("a stream without events")??;
            seconds.push(begun.elapsed().as_secs_f64());
            while let Some(event) = events.next().await {
                event?;
            }
        }
        Ok(seconds)
    }

    /// Whole answers a second, with so many under way at any time.
    pub async fn a_second(&self, at_once: usize, lasting: Duration) -> Result<f64> {
        let begun = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..at_once {
            let load = self.clone();
            asking.spawn(async move {
                let mut answered = 0_u32;
                while begun.elapsed() < lasting {
                    load.whole().await?;
                    answered += 1;
                }
                anyhow::Ok(answered)
            });
        }
        let mut answered = 0.0;
        while let Some(one) = asking.join_next().await {
            answered += f64::from(one??);
        }
        Ok(answered / begun.elapsed().as_secs_f64())
    }

    /// The longest silence within any of so many streams, after all have begun.
    pub async fn longest_gap(&self, streams: usize) -> Result<f64> {
        let mut reading = JoinSet::new();
        for _ in 0..streams {
            let load = self.clone();
            reading.spawn(async move {
                let mut events = load.request("paced", true).send().await?.error_for_status()?.bytes_stream();
                let (begun, mut last, mut longest) = (Instant::now(), None::<Instant>, 0.0_f64);
                while let Some(event) = events.next().await {
                    event?;
                    let now = Instant::now();
                    // While all of them connect, what is measured is connecting.
                    if let Some(last) = last.filter(|_| begun.elapsed() > Duration::from_secs(1)) {
                        longest = longest.max((now - last).as_secs_f64());
                    }
                    last = Some(now);
                }
                anyhow::Ok(longest)
            });
        }
        let mut longest = 0.0_f64;
        while let Some(one) = reading.join_next().await {
            longest = longest.max(one??);
        }
        Ok(longest)
    }

    /// Asks without end, with so many at once, and takes whatever comes.
    pub fn flood(&self, at_once: usize) -> Flood {
        let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let asking = (0..at_once).map(|_| {
            let (load, over, refused) = (self.clone(), Arc::clone(&over), Arc::clone(&refused));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    if let Ok(answer) = load.request("m", false).send().await {
                        drop(answer.bytes().await);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    // A flood from outside is bounded by its line; without a pause it would be bounded by these processors.
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
            })
        });
        Flood { asking: asking.collect(), over, refused }
    }
}

pub struct Flood {
    asking: Vec<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
}

impl Flood {
    /// How many were refused.
    pub async fn stop(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        for one in self.asking {
            drop(one.await);
        }
        self.refused.load(Ordering::Relaxed)
    }
}

/// The value below which this share lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
