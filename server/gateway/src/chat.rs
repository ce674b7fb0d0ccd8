//! One chat, from its first attempt to its settled end, in a task that outlives its reader.
//!
//! The task owns the attempt: when the reader goes away or cancels, it ends the provider's work and settles
//! what was said. Text goes out through a bounded channel; a slow reader slows the provider, not the server.

use crate::{
    AnswerPart, Answering, ChatRequest, GatewayError, Outcome, PartialOutcome,
    accounting::{Accounting, Asked, Ending, OpenAttempt, Receipt},
    provider::{ChatCall, ChatPart, ChatParts, NativePart, ProviderError, ToolPart, WHOLE_ANSWER},
    route::Leg,
    router::{self, Attempted, Interest, Operation},
};
use contract::{AttemptNo, FinishReason, TokenUsage};
use futures::{StreamExt, stream};
use metering::AttemptStatus;
use serde_json::Value;
use std::time::Duration;
use store::share;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::{sync::DropGuard, task::TaskTracker};

/// Texts on their way to the reader: enough to ride out a hiccup, not enough to run ahead of it.
const TEXTS_UNDER_WAY: usize = 64;

/// A reader that takes nothing for so long has gone away: it holds the provider's connection.
const READER_PATIENCE: Duration = Duration::from_secs(60);
/// What may come before an answer begins: a role, an id, filters' remarks. After so much it has begun all the same.
const MOST_KEPT_BACK: usize = 16;

enum Said {
    /// Once, before the first text: who answers.
    Begun {
        route: String,
    },
    Text(String),
    Tool(ToolPart),
    Native(Value),
}

/// A chat and all that its attempts need.
pub(crate) struct Chat {
    pub accounting: Accounting,
    pub asked: Asked,
    pub request: ChatRequest,
    pub interest: Interest,
    /// When the first words must have come.
    pub deadline: Option<Instant>,
}

/// Starts the chat's task and returns with its first text.
pub(crate) async fn start(chat: Chat, legs: Vec<Leg>, tasks: &TaskTracker) -> Result<Answering, GatewayError> {
    let (texts, mut said) = mpsc::channel(TEXTS_UNDER_WAY);
    let (end, mut ended) = oneshot::channel();
    // Held by whoever waits: first here, then by the answer's stream.
    let reader = chat.interest.wanted.clone().drop_guard();
    tasks.spawn(share::split(async move {
        let interest = chat.interest.clone();
        let telling = Telling { chat, texts };
        let outcome = router::answer(&telling, &legs, telling.chat.deadline, &interest).await;
        // A reader that is gone needs no end.
        let _ = end.send(outcome);
    }));
    match said.recv().await {
        Some(Said::Begun { route }) => Ok(Answering { parts: parts(said, ended, reader), route }),
        Some(Said::Text(_) | Said::Tool(_) | Said::Native(_)) | None => match (&mut ended).await {
            Ok(Err(error)) => Err(error),
            // An answer always begins before it ends.
            Ok(Ok(_)) | Err(_) => Err(GatewayError::Abandoned),
        },
    }
}

/// What the reader sees: all text, then the end, which is sent after it is settled.
fn parts(
    said: mpsc::Receiver<Said>,
    ended: oneshot::Receiver<Result<Outcome, GatewayError>>,
    reader: DropGuard,
) -> stream::BoxStream<'static, Result<AnswerPart, GatewayError>> {
    stream::unfold(Some((said, ended, reader)), |state| async {
        let (mut said, ended, reader) = state?;
        loop {
            match said.recv().await {
                Some(Said::Text(text)) => return Some((Ok(AnswerPart::Text(text)), Some((said, ended, reader)))),
                Some(Said::Tool(tool)) => return Some((Ok(AnswerPart::Tool(tool)), Some((said, ended, reader)))),
                Some(Said::Native(value)) => {
                    return Some((Ok(AnswerPart::Native(value)), Some((said, ended, reader))));
                }
                Some(Said::Begun { .. }) => {}
                None => {
                    let end = ended.await.unwrap_or(Err(GatewayError::Abandoned));
                    return Some((end.map(AnswerPart::Finished), None));
                }
            }
        }
    })
    .boxed()
}

/// A chat with the channel to its reader.
struct Telling {
    chat: Chat,
    texts: mpsc::Sender<Said>,
}

/// Why an answer did not get to its end.
enum Broken {
    /// Nobody wants it any more.
    Unwanted,
    By(ProviderError),
}

impl From<ProviderError> for Broken {
    fn from(cause: ProviderError) -> Self {
        Self::By(cause)
    }
}

impl Operation for Telling {
    type Answer = Outcome;

    async fn attempt(&self, leg: &Leg, number: AttemptNo) -> Result<Attempted<Outcome>, GatewayError> {
        let mut open = self.chat.accounting.open(&self.chat.asked, number, leg).await?;
        let (mut said, mut heard) = (String::new(), false);
        match self.listen(leg, &mut open, &mut said, &mut heard).await {
            Ok((reason, usage)) => {
                let ending = self.succeeded(leg, usage, &said);
                let receipt = open.settle(ending).await?;
                Ok(Attempted::Answered(whole(reason, leg, number, receipt)))
            }
            Err(Broken::Unwanted) => {
                let ending = self.broken(leg, &said, AttemptStatus::Stopped, None);
                let receipt = open.settle(ending).await?;
                Err(interrupted(leg, number, receipt, ProviderError::Cancelled))
            }
            Err(Broken::By(cause)) if !heard => {
                let mut ending = self.broken(leg, &said, AttemptStatus::Failed, Some(&cause));
                if !cause.may_have_used_tokens() {
                    ending.usage = TokenUsage { input: Some(0), cached_input: Some(0), output: Some(0) };
                    ending.measured = true;
                }
                open.settle(ending).await?;
                Ok(Attempted::Unheard(cause))
            }
            Err(Broken::By(cause)) => {
                let ending = self.broken(leg, &said, AttemptStatus::Cut, Some(&cause));
                let receipt = open.settle(ending).await?;
                Err(interrupted(leg, number, receipt, cause))
            }
        }
    }

    fn first_token(answer: &Outcome) -> Option<Duration> {
        answer.first_token_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis)
    }
}

impl Telling {
    /// Passes on what the provider says, until its end. `heard`: whether anything was passed on.
    async fn listen(
        &self,
        leg: &Leg,
        open: &mut OpenAttempt,
        said: &mut String,
        heard: &mut bool,
    ) -> Result<(FinishReason, TokenUsage), Broken> {
        let call = leg.call(self.chat.asked.tenant, &self.chat.request);
        // Whatever ends this attempt also ends the provider's work.
        let _end = call.cancel.clone().drop_guard();
        let whole = call.native.as_ref().is_some_and(|native| !native.streamed);
        let limit = if whole { WHOLE_ANSWER } else { leg.provider.timeout };
        let own = open.dispatched() + limit;
        // Of a whole answer the first words are the last ones too.
        let deadline = self.chat.deadline.filter(|_| !whole).map_or(own, |in_all| in_all.min(own));
        let limit = deadline - open.dispatched();
        let first = tokio::select! {
            biased;
            () = self.chat.interest.lost() => return Err(Broken::Unwanted),
            first = tokio::time::timeout_at(deadline, first_part(leg, call)) => first,
        };
        let (mut part, mut parts) = first.map_err(|_| ProviderError::TimedOut(limit))??;
        let mut kept_back = Vec::new();
        loop {
            let begins = match &part {
                ChatPart::Native(NativePart { begins, .. }) => *begins || kept_back.len() == MOST_KEPT_BACK,
                ChatPart::Text(_) | ChatPart::Tool(_) | ChatPart::Finished { .. } => true,
            };
            if begins && !std::mem::replace(heard, true) {
                self.tell(Said::Begun { route: leg.route() }).await?;
                for value in kept_back.drain(..) {
                    self.tell(Said::Native(value)).await?;
                }
            }
            match part {
                ChatPart::Finished { reason, usage } => return Ok((reason, usage)),
                ChatPart::Text(text) => {
                    open.text_came();
                    said.push_str(&text);
                    self.tell(Said::Text(text)).await?;
                }
                ChatPart::Tool(tool) => {
                    open.text_came();
                    match &tool {
                        ToolPart::Begins { name: more, .. } | ToolPart::Arguments(more) => said.push_str(more),
                    }
                    self.tell(Said::Tool(tool)).await?;
                }
                ChatPart::Native(NativePart { value, .. }) if !*heard => kept_back.push(value),
                ChatPart::Native(NativePart { value, said: more, .. }) => {
                    open.text_came();
                    said.push_str(&more);
                    self.tell(Said::Native(value)).await?;
                }
            }
            part = tokio::select! {
                biased;
                () = self.chat.interest.lost() => return Err(Broken::Unwanted),
                next = next_part(&mut parts) => next?,
            };
        }
    }

    async fn tell(&self, said: Said) -> Result<(), Broken> {
        tokio::select! {
            biased;
            () = self.chat.interest.lost() => Err(Broken::Unwanted),
            sent = tokio::time::timeout(READER_PATIENCE, self.texts.send(said)) => {
                sent.map_err(|_| Broken::Unwanted)?.map_err(|_| Broken::Unwanted)
            }
        }
    }

    /// What the provider reported; where it was silent, an estimate that is labelled as one.
    fn succeeded(&self, leg: &Leg, usage: TokenUsage, said: &str) -> Ending {
        let measured = usage.input.is_some() && usage.output.is_some();
        let usage = if measured {
            usage
        } else {
            let estimate = self.estimate(leg, said);
            TokenUsage {
                input: usage.input.or(estimate.input),
                cached_input: usage.cached_input,
                output: usage.output.or(estimate.output),
            }
        };
        Ending { status: AttemptStatus::Succeeded, error_code: None, usage, measured }
    }

    fn broken(&self, leg: &Leg, said: &str, status: AttemptStatus, cause: Option<&ProviderError>) -> Ending {
        let error_code = cause.map(ProviderError::code);
        Ending { status, error_code, usage: self.estimate(leg, said), measured: false }
    }

    fn estimate(&self, leg: &Leg, said: &str) -> TokenUsage {
        let request = &self.chat.request;
        let count = |text: &str| leg.provider.instance.count_tokens(&leg.model, text);
        // What has no other form than the caller's is counted as it was written.
        let native_only = request.foreign.as_ref().filter(|foreign| foreign.native_only.is_some());
        let native = native_only.map_or(0, |foreign| foreign.native.estimate(&count));
        let read = request.conversation.estimate(count);
        TokenUsage { input: Some(read.saturating_add(native)), cached_input: None, output: Some(count(said)) }
    }
}

/// The first part that says something, with the stream it came from.
async fn first_part(leg: &Leg, call: ChatCall) -> Result<(ChatPart, ChatParts), ProviderError> {
    let mut parts = leg.provider.instance.chat(call).await?;
    let part = next_part(&mut parts).await?;
    Ok((part, parts))
}

/// The next part that says something. A stream that ends without `Finished` was cut.
async fn next_part(parts: &mut ChatParts) -> Result<ChatPart, ProviderError> {
    loop {
        match parts.next().await {
            Some(Ok(ChatPart::Text(text))) if text.is_empty() => {}
            Some(part) => return part,
            None => return Err(ProviderError::Cut),
        }
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
