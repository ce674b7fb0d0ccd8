//! One chat, from its first attempt to its settled end, which outlives its reader.
//!
//! The work owns the attempt: when the reader goes away or cancels, it ends the provider's work and settles
//! what was said. Text goes out through a bounded channel; a slow reader slows the provider, not the server.

use crate::{
    AnswerPart, Answering, CacheUse, ChatRequest, GatewayError, Outcome, PartialOutcome,
    accounting::{Accounting, Asked, Ending, Receipt},
    estimates,
    health::Pace,
    hearing::{Broken, Hearing, Said},
    places::Places,
    provider::ProviderError,
    race::Turn,
    route::Leg,
    router::{self, Attempted, Interest, Operation, Round},
};
use contract::{AttemptNo, FinishReason, TokenUsage};
use futures::{StreamExt, stream};
use metering::AttemptStatus;
use registry::Disconnect;
use std::{sync::Arc, time::Duration};
use store::share;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::{sync::DropGuard, task::TaskTracker};

/// Texts on their way to the reader: enough to ride out a hiccup, not enough to run ahead of it.
const TEXTS_UNDER_WAY: usize = 64;

/// Fewer tokens than this do not tell how fast an answer came.
const FEWEST_TOKENS: i64 = 8;

/// A chat and all that its attempts need.
pub(crate) struct Chat {
    pub accounting: Accounting,
    pub places: Arc<Places>,
    pub asked: Asked,
    pub request: ChatRequest,
    pub interest: Interest,
    /// When the first words must have come.
    pub deadline: Option<Instant>,
    /// After how long without a word the next place is asked as well.
    pub hedge_after: Option<Duration>,
    pub on_disconnect: Disconnect,
}

/// Begins the chat's work and returns with its first text.
pub(crate) async fn start(chat: Chat, legs: Vec<Leg>, tasks: &TaskTracker) -> Result<Answering, GatewayError> {
    let (texts, mut said) = mpsc::channel(TEXTS_UNDER_WAY);
    let (end, ended) = oneshot::channel();
    // Held by whoever waits: first here, then by the answer's stream.
    let reader = chat.interest.wanted.clone().drop_guard();
    tasks.spawn(share::split(async move {
        let telling = Telling { chat, texts };
        let Chat { places, asked, request, hedge_after, interest, .. } = &telling.chat;
        // What a provider sends whole has no first words that could come in time: its own limit holds, and no other place
        // has less time for it.
        let sent_whole = legs.iter().any(|leg| request.is_sent_whole_by(leg.provider.instance.as_ref()));
        let (by, deadline) = (asked.asker(), telling.chat.deadline.filter(|_| !sent_whole));
        let round = Round { legs: &legs, places, by, deadline, hedge_after: *hedge_after, interest };
        let outcome = router::answer(&telling, round).await;
        // A reader that is gone needs no end.
        let _ = end.send(outcome);
    }));
    match said.recv().await {
        Some(Said::Begun { route }) => {
            let reading = Reading { said, ended, _wants: reader };
            Ok(Answering { parts: parts(reading), route, cache: CacheUse::Bypass })
        }
        Some(Said::Text(_) | Said::Tool(_) | Said::Native(_)) | None => match ended.await {
            Ok(Err(error)) => Err(error),
            // An answer always begins before it ends.
            Ok(Ok(_)) | Err(_) => Err(GatewayError::Abandoned),
        },
    }
}

/// An answer that is being read.
struct Reading {
    said: mpsc::Receiver<Said>,
    ended: oneshot::Receiver<Result<Outcome, GatewayError>>,
    _wants: DropGuard,
}

/// What the reader sees: all text, then the end, which is sent after it is settled.
fn parts(reading: Reading) -> stream::BoxStream<'static, Result<AnswerPart, GatewayError>> {
    stream::unfold(Some(reading), |state| async {
        let mut reading = state?;
        loop {
            let part = match reading.said.recv().await {
                Some(Said::Text(text)) => AnswerPart::Text(text),
                Some(Said::Tool(tool)) => AnswerPart::Tool(tool),
                Some(Said::Native(value)) => AnswerPart::Native(value),
                Some(Said::Begun { .. }) => continue,
                None => {
                    let end = (&mut reading.ended).await.unwrap_or(Err(GatewayError::Abandoned));
                    return Some((end.map(AnswerPart::Finished), None));
                }
            };
            return Some((Ok(part), Some(reading)));
        }
    })
    .boxed()
}

/// A chat with the channel to its reader.
struct Telling {
    chat: Chat,
    texts: mpsc::Sender<Said>,
}

impl Operation for Telling {
    type Answer = Outcome;

    async fn attempt(&self, leg: &Leg, turn: Turn<'_>) -> Result<Attempted<Outcome>, GatewayError> {
        let number = turn.number;
        let open = self.chat.accounting.open(&self.chat.asked, number, leg).await?;
        let mut hearing = Hearing::new(&self.chat, &self.texts, leg, turn, open);
        let end = hearing.listen().await;
        let Hearing { open, said, heard, unread, .. } = hearing;
        match end {
            // It was listened to for its bill alone.
            Ok((_, usage)) if unread => {
                let ending = Ending { status: AttemptStatus::Stopped, ..self.succeeded(leg, usage, &said).await };
                let receipt = open.settle(ending).await?;
                Err(interrupted(leg, number, receipt, ProviderError::Cancelled))
            }
            Ok((reason, usage)) => {
                let ending = self.succeeded(leg, usage, &said).await;
                let receipt = open.settle(ending).await?;
                Ok(Attempted::Answered(whole(reason, leg, number, receipt)))
            }
            Err(Broken::Beaten) => {
                let mut ending = self.broken(leg, &said, AttemptStatus::Stopped, None).await;
                ending.error_code = Some("outrun");
                open.settle(ending).await?;
                Ok(Attempted::Beaten)
            }
            Err(Broken::Unwanted) => {
                let ending = self.broken(leg, &said, AttemptStatus::Stopped, None).await;
                let receipt = open.settle(ending).await?;
                Err(interrupted(leg, number, receipt, ProviderError::Cancelled))
            }
            Err(Broken::By(cause)) if unread => {
                let ending = self.broken(leg, &said, AttemptStatus::Stopped, Some(&cause)).await;
                let receipt = open.settle(ending).await?;
                Err(interrupted(leg, number, receipt, ProviderError::Cancelled))
            }
            Err(Broken::By(cause)) if !heard => {
                let status = if said.is_empty() { AttemptStatus::Failed } else { AttemptStatus::Cut };
                let mut ending = self.broken(leg, &said, status, Some(&cause)).await;
                if said.is_empty() && !cause.may_have_used_tokens() {
                    ending.usage =
                        TokenUsage { input: Some(0), cached_input: Some(0), output: Some(0), ..TokenUsage::default() };
                    ending.measured = true;
                }
                open.settle(ending).await?;
                Ok(Attempted::Unheard(cause))
            }
            Err(Broken::By(cause)) => {
                let ending = self.broken(leg, &said, AttemptStatus::Cut, Some(&cause)).await;
                let receipt = open.settle(ending).await?;
                Err(interrupted(leg, number, receipt, cause))
            }
        }
    }

    fn pace(&self, answer: &Outcome) -> Pace {
        let span = |ms: i64| u64::try_from(ms).ok().map(Duration::from_millis);
        let pace = if self.chat.request.is_whole() {
            span(answer.total_ms).map(Pace::Whole)
        } else {
            answer.first_token_ms.and_then(span).map(Pace::FirstWords)
        };
        pace.unwrap_or(Pace::Unknown)
    }

    /// From the first words on, where they came before the others.
    fn speed(&self, answer: &Outcome) -> Option<f64> {
        let first = if self.chat.request.is_whole() { Some(0) } else { answer.first_token_ms };
        let milliseconds = answer.total_ms.saturating_sub(first?);
        // Short ones are mostly rounding.
        let tokens = answer.usage.output.filter(|tokens| *tokens >= FEWEST_TOKENS && milliseconds > 0)?;
        Some(tokens as f64 * 1_000.0 / milliseconds as f64)
    }
}

impl Telling {
    /// What the provider reported; where it was silent, an estimate that is labelled as one.
    async fn succeeded(&self, leg: &Leg, usage: TokenUsage, said: &str) -> Ending {
        let measured = usage.input.is_some() && usage.output.is_some();
        let usage = if measured {
            usage
        } else {
            let estimate = Box::pin(estimates::chat(leg, &self.chat.request, said)).await;
            TokenUsage { input: usage.input.or(estimate.input), output: usage.output.or(estimate.output), ..usage }
        };
        Ending { status: AttemptStatus::Succeeded, error_code: None, usage, measured }
    }

    async fn broken(&self, leg: &Leg, said: &str, status: AttemptStatus, cause: Option<&ProviderError>) -> Ending {
        let usage = Box::pin(estimates::chat(leg, &self.chat.request, said)).await;
        Ending { status, error_code: cause.map(ProviderError::code), usage, measured: false }
    }
}

fn whole(reason: FinishReason, leg: &Leg, number: AttemptNo, receipt: Receipt) -> Outcome {
    let Receipt { usage, cost, measured, first_token_ms, total_ms } = receipt;
    Outcome { reason, usage, cost, measured, route: leg.route(), first_token_ms, total_ms, attempts: number.0 }
}

fn interrupted(leg: &Leg, number: AttemptNo, receipt: Receipt, cause: ProviderError) -> GatewayError {
    let Receipt { usage, cost, measured, first_token_ms, total_ms } = receipt;
    let outcome =
        PartialOutcome { usage, cost, measured, route: leg.route(), first_token_ms, total_ms, attempts: number.0 };
    GatewayError::Interrupted { outcome: Box::new(outcome), cause }
}
