//! The order of attempts: retries at one provider, then the next one, until somebody answers or refuses.
//!
//! `chat.rs` and `embedding.rs` say what one attempt is; this file knows nothing of text or vectors.

use crate::{GatewayError, PartialOutcome, provider::ProviderError, retry, route::Leg};
use contract::{AttemptNo, TokenUsage};
use std::{future::Future, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether anybody still wants the answer.
#[derive(Debug, Clone)]
pub(crate) struct Interest {
    /// Cancelled by the caller, or when the reader is dropped.
    pub wanted: CancellationToken,
    /// Cancelled when the gateway shuts down.
    pub closing: CancellationToken,
}

impl Interest {
    /// Returns when nobody does.
    pub async fn lost(&self) {
        tokio::select! {
            () = self.wanted.cancelled() => {}
            () = self.closing.cancelled() => {}
        }
    }
}

/// What became of one attempt that is settled already.
pub(crate) enum Attempted<A> {
    Answered(A),
    /// It failed before anything of it was heard, so another attempt can be made.
    Unheard(ProviderError),
}

/// One kind of call. An error ends the request.
pub(crate) trait Operation: Send + Sync {
    type Answer: Send;

    fn attempt(
        &self,
        leg: &Leg,
        number: AttemptNo,
    ) -> impl Future<Output = Result<Attempted<Self::Answer>, GatewayError>> + Send;

    /// How soon the first words came, where there are any.
    fn first_token(answer: &Self::Answer) -> Option<Duration>;
}

/// Makes attempts until one answers, or until it would be too late.
pub(crate) async fn answer<O: Operation>(
    operation: &O,
    legs: &[Leg],
    deadline: Option<Instant>,
    interest: &Interest,
) -> Result<O::Answer, GatewayError> {
    let mut attempts = 0;
    let mut last = None;
    let too_late = |pause: Duration| deadline.is_some_and(|deadline| Instant::now() + pause >= deadline);
    for leg in legs {
        let mut retries = 0;
        while !too_late(Duration::ZERO) {
            let admission = match leg.provider.health.admit(&leg.model) {
                Ok(admission) => admission,
                Err(resting) => {
                    last.get_or_insert_with(|| resting.told(&leg.provider.name));
                    break;
                }
            };
            attempts += 1;
            let attempted = operation.attempt(leg, AttemptNo(attempts)).await;
            match &attempted {
                Ok(Attempted::Answered(answer)) => admission.answered(O::first_token(answer)),
                // The model's limit ran out, which is not the place's fault.
                Ok(Attempted::Unheard(ProviderError::TimedOut(_))) if too_late(Duration::ZERO) => drop(admission),
                Ok(Attempted::Unheard(cause)) | Err(GatewayError::Interrupted { cause, .. }) => admission.failed(cause),
                // It says nothing about the place.
                Err(_) => drop(admission),
            }
            let cause = match attempted? {
                Attempted::Answered(answer) => return Ok(answer),
                Attempted::Unheard(cause) => cause,
            };
            tracing::warn!(provider = leg.provider.name, model = leg.model, %cause, "an attempt failed");
            if !cause.is_retryable() {
                return Err(GatewayError::Rejected { cause });
            }
            let pause = retry::pause(&cause, retries, leg.provider.max_retries, rand::random());
            last = Some(cause);
            let Some(pause) = pause.filter(|pause| !too_late(*pause)) else { break };
            retries += 1;
            tokio::select! {
                biased;
                () = interest.lost() => return Err(cancelled_between(leg, attempts)),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    let last = last.unwrap_or_else(|| ProviderError::NotReady("there is no place to ask".to_owned()));
    Err(GatewayError::AllAttemptsFailed { last, attempts })
}

/// Nobody wanted the answer any more while nothing was under way: all attempts are settled as what they were.
fn cancelled_between(leg: &Leg, attempts: i64) -> GatewayError {
    let outcome = PartialOutcome {
        usage: TokenUsage::default(),
        cost: None,
        measured: false,
        route: leg.route(),
        first_token_ms: None,
        total_ms: 0,
        attempts,
    };
    GatewayError::Interrupted { outcome: Box::new(outcome), cause: ProviderError::Cancelled }
}
