//! Texts into vectors, with the same order of attempts and the same ledger as a chat.

use crate::{
    EmbedRequest, Embedded, GatewayError, PartialOutcome,
    accounting::{Accounting, Asked, Ending},
    estimates,
    health::Pace,
    places::Places,
    provider::{EmbedCall, Embeddings, ProviderError},
    race::Turn,
    route::Leg,
    router::{self, Attempted, Interest, Operation, Round},
};
use contract::TokenUsage;
use metering::AttemptStatus;
use std::sync::Arc;
use store::share;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An embedding and all that its attempts need.
pub(crate) struct Embedding {
    pub accounting: Accounting,
    pub places: Arc<Places>,
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
        let Embedding { places, asked, deadline, interest, .. } = &embedding;
        let (by, deadline) = (asked.asker(), *deadline);
        let round = Round { legs: &legs, places, by, deadline, hedge_after: None, interest };
        let embedded = router::answer(&embedding, round).await;
        // Whoever went away needs no vectors.
        let _ = end.send(embedded);
    }));
    ended.await.unwrap_or(Err(GatewayError::Abandoned))
}

impl Operation for Embedding {
    type Answer = Embedded;

    async fn attempt(&self, leg: &Leg, turn: Turn<'_>) -> Result<Attempted<Embedded>, GatewayError> {
        let number = turn.number;
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
        let timeout = turn.deadline.map_or(own, |share| share.min(own)) - open.dispatched();
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
                let input = match usage.input {
                    Some(input) => Some(input),
                    None => estimates::texts(leg, &self.request.inputs).await,
                };
                let usage = TokenUsage { input, output: Some(0), ..usage };
                let ending = Ending { status: AttemptStatus::Succeeded, error_code: None, usage, measured };
                let receipt = open.settle(ending).await?;
                let route = leg.route();
                Ok(Attempted::Answered(Embedded { vectors, usage, cost: receipt.cost, measured, route }))
            }
            Some(Err(cause)) => {
                let used = cause.may_have_used_tokens();
                let input = if used { estimates::texts(leg, &self.request.inputs).await } else { Some(0) };
                let usage = TokenUsage { input, output: Some(0), ..TokenUsage::default() };
                let status = AttemptStatus::Failed;
                open.settle(Ending { status, error_code: Some(cause.code()), usage, measured: !used }).await?;
                Ok(Attempted::Unheard(cause))
            }
            None => {
                let input = estimates::texts(leg, &self.request.inputs).await;
                let usage = TokenUsage { input, output: Some(0), ..TokenUsage::default() };
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

    /// How long vectors take is owed to how many there are.
    fn pace(&self, _answer: &Embedded) -> Pace {
        Pace::Unknown
    }
}
