//! Texts into vectors, with the same order of attempts and the same ledger as a chat.

use crate::{
    EmbedRequest, Embedded, GatewayError, PartialOutcome,
    accounting::{Accounting, Asked, Ending},
    provider::{EmbedCall, Embeddings, ProviderError},
    route::Leg,
    router::{self, Attempted, Interest, Operation},
};
use contract::{AttemptNo, TokenUsage};
use metering::AttemptStatus;
use std::time::Duration;
use store::share;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An embedding and all that its attempts need.
pub(crate) struct Embedding {
    pub accounting: Accounting,
    pub asked: Asked,
    pub request: EmbedRequest,
    pub interest: Interest,
    pub deadline: Option<Instant>,
}

/// Runs in a task of its own: it settles also when nobody waits any more.
pub(crate) async fn run(embedding: Embedding, legs: Vec<Leg>, tasks: &TaskTracker) -> Result<Embedded, GatewayError> {
    let (end, ended) = oneshot::channel();
    let _waiting = embedding.interest.wanted.clone().drop_guard();
    tasks.spawn(share::split(async move {
        let interest = embedding.interest.clone();
        let embedded = router::answer(&embedding, &legs, embedding.deadline, &interest).await;
        // Whoever went away needs no vectors.
        let _ = end.send(embedded);
    }));
    ended.await.unwrap_or(Err(GatewayError::Abandoned))
}

impl Operation for Embedding {
    type Answer = Embedded;

    async fn attempt(&self, leg: &Leg, number: AttemptNo) -> Result<Attempted<Embedded>, GatewayError> {
        let open = self.accounting.open(&self.asked, number, leg).await?;
        let call = EmbedCall {
            tenant: self.asked.tenant,
            model: leg.model.clone(),
            inputs: self.request.inputs.clone(),
            dimensions: self.request.dimensions,
            cancel: CancellationToken::new(),
        };
        let _end = call.cancel.clone().drop_guard();
        let own = open.dispatched() + leg.provider.timeout;
        let timeout = self.deadline.map_or(own, |in_all| in_all.min(own)) - open.dispatched();
        let embedded = tokio::select! {
            biased;
            () = self.interest.lost() => None,
            embedded = tokio::time::timeout(timeout, leg.provider.instance.embed(call)) => {
                Some(embedded.unwrap_or(Err(ProviderError::TimedOut(timeout))))
            }
        };
        match embedded {
            Some(Ok(Embeddings { vectors, usage })) => {
                let measured = usage.input.is_some();
                let input = usage.input.unwrap_or_else(|| self.estimate(leg));
                let usage = TokenUsage { input: Some(input), cached_input: usage.cached_input, output: Some(0) };
                let ending = Ending { status: AttemptStatus::Succeeded, error_code: None, usage, measured };
                let receipt = open.settle(ending).await?;
                let route = leg.route();
                Ok(Attempted::Answered(Embedded { vectors, usage, cost: receipt.cost, measured, route }))
            }
            Some(Err(cause)) => {
                let used = cause.may_have_used_tokens();
                let input = if used { self.estimate(leg) } else { 0 };
                let usage = TokenUsage { input: Some(input), cached_input: None, output: Some(0) };
                let status = AttemptStatus::Failed;
                open.settle(Ending { status, error_code: Some(cause.code()), usage, measured: !used }).await?;
                Ok(Attempted::Unheard(cause))
            }
            None => {
                let usage = TokenUsage { input: Some(self.estimate(leg)), cached_input: None, output: Some(0) };
                let ending = Ending { status: AttemptStatus::Stopped, error_code: None, usage, measured: false };
                let receipt = open.settle(ending).await?;
                let outcome = PartialOutcome {
                    usage,
                    cost: receipt.cost,
                    measured: false,
                    route: leg.route(),
                    first_token_ms: None,
                    total_ms: receipt.total_ms,
                    attempts: number.0,
                };
                Err(GatewayError::Interrupted { outcome: Box::new(outcome), cause: ProviderError::Cancelled })
            }
        }
    }

    /// Vectors have no first words.
    fn first_token(_answer: &Embedded) -> Option<Duration> {
        None
    }
}

impl Embedding {
    fn estimate(&self, leg: &Leg) -> i64 {
        self.request.inputs.iter().map(|text| leg.provider.instance.count_tokens(&leg.model, text)).sum()
    }
}
