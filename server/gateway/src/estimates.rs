//! How many tokens a request comes to, where nobody tells. What takes long to count is not counted on a thread that
//! others wait for.

use crate::{ChatRequest, route::Leg};
use contract::TokenUsage;
use std::sync::Arc;

/// So many bytes are counted in well under a millisecond, also by a tokenizer.
const QUICK: usize = 4 << 10;

/// Of an attempt that said so much.
pub(crate) async fn chat(leg: &Leg, request: &ChatRequest, said: &str) -> TokenUsage {
    let foreign = request.foreign.as_ref();
    // What has no other form than the caller's is counted as it was written.
    let native = foreign.filter(|foreign| foreign.native_only.is_some()).map(|foreign| foreign.native.clone());
    let (conversation, said) = (Arc::clone(&request.conversation), said.to_owned());
    let bytes = match &native {
        Some(_) => usize::MAX,
        None => conversation.bytes().saturating_add(said.len()),
    };
    counted(leg, bytes, move |count| {
        let native = native.map_or(0, |native| native.estimate(&count));
        let read = conversation.estimate(count);
        TokenUsage { input: Some(read.saturating_add(native)), output: Some(count(&said)), ..TokenUsage::default() }
    })
    .await
    .unwrap_or_default()
}

/// Of texts that are to become vectors.
pub(crate) async fn texts(leg: &Leg, texts: &[String]) -> Option<i64> {
    let texts = texts.to_vec();
    let bytes = texts.iter().map(String::len).fold(0, usize::saturating_add);
    counted(leg, bytes, move |count| texts.iter().map(|text| count(text)).sum()).await
}

/// Runs `work` with the place's way to count; none where it broke down, so that the amount is unknown.
async fn counted<T: Send + 'static>(
    leg: &Leg,
    bytes: usize,
    work: impl FnOnce(&dyn Fn(&str) -> i64) -> T + Send + 'static,
) -> Option<T> {
    let (provider, model) = (Arc::clone(&leg.provider.instance), leg.model.clone());
    let work = move || work(&|text| provider.count_tokens(&model, text));
    if bytes <= QUICK { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
}
