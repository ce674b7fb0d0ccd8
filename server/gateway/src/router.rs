//! The order of attempts: retries at one provider, then the next one, until somebody answers or refuses. Where a model
//! says so, the next one is asked beside one that is slow, and whoever is heard first answers (`race.rs`).
//!
//! `chat.rs` and `embedding.rs` say what one attempt is; this file knows nothing of text or vectors.

use crate::{
    GatewayError, PartialOutcome,
    health::{Admission, Asker, Pace},
    places::Places,
    provider::ProviderError,
    race::{Race, Turn},
    retry,
    route::Leg,
};
use contract::{AttemptNo, TokenUsage};
use std::{
    future::Future,
    sync::atomic::{AtomicI64, AtomicUsize, Ordering},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A place that nobody has measured, and that said nothing for so long, may be told to have failed.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Another one was heard first.
    Beaten,
}

/// One kind of call. An error ends the request.
pub(crate) trait Operation: Send + Sync {
    type Answer: Send;

    /// `turn` is told when the first words are there.
    fn attempt(
        &self,
        leg: &Leg,
        turn: Turn<'_>,
    ) -> impl Future<Output = Result<Attempted<Self::Answer>, GatewayError>> + Send;

    /// How quick an answer was.
    fn pace(&self, answer: &Self::Answer) -> Pace;

    /// How many tokens a second it had; none where that says nothing.
    fn speed(&self, _answer: &Self::Answer) -> Option<f64> {
        None
    }
}

/// Who is asked, in which order, on whose behalf.
pub(crate) struct Round<'a> {
    pub legs: &'a [Leg],
    pub places: &'a Places,
    pub by: Asker,
    /// When the first words must have come.
    pub deadline: Option<Instant>,
    /// After how long without a word the next place is asked as well.
    pub hedge_after: Option<Duration>,
    pub interest: &'a Interest,
}

/// Of the time that is left, what the first of so many places has: one that says nothing must not use up the time of all.
fn share(deadline: Instant, places: usize) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / u32::try_from(places).unwrap_or(u32::MAX)
}

fn too_late(deadline: Option<Instant>, pause: Duration) -> bool {
    deadline.is_some_and(|deadline| Instant::now() + pause >= deadline)
}

/// Makes attempts until one answers, or until it would be too late.
pub(crate) async fn answer<O: Operation>(operation: &O, round: Round<'_>) -> Result<O::Answer, GatewayError> {
    let (attempts, next) = (AtomicI64::new(0), AtomicUsize::new(0));
    let climb = Climb { operation, round: &round, race: Race::new(), attempts, next };
    let hedge = round.hedge_after.filter(|_| round.legs.len() > 1);
    match hedge {
        None => settled(climb.up(Way::First).await, None),
        // On the heap, so that a request that goes one way alone is small.
        Some(after) => Box::pin(both_ways(&climb, after)).await,
    }
}

/// The second way begins after so long without a word on the first.
async fn both_ways<O: Operation>(climb: &Climb<'_, O>, after: Duration) -> Result<O::Answer, GatewayError> {
    let over = CancellationToken::new();
    let first = async {
        let _over = over.clone().drop_guard();
        climb.up(Way::First).await
    };
    let second = async {
        tokio::select! {
            biased;
            () = over.cancelled() => return None,
            () = climb.race.decided() => return None,
            () = tokio::time::sleep(after) => {}
        }
        Some(climb.up(Way::Second).await)
    };
    let (first, second) = tokio::join!(first, second);
    settled(first, second)
}

/// How far one climb came; none when the other one was heard first, or had taken every place.
type Climbed<A> = Result<Option<A>, GatewayError>;

/// Of two climbs, what the request came to: what was heard counts, and of two that came to nothing the first.
fn settled<A>(first: Climbed<A>, second: Option<Climbed<A>>) -> Result<A, GatewayError> {
    match (first, second) {
        (Ok(Some(answer)), _) | (_, Some(Ok(Some(answer)))) => Ok(answer),
        (Ok(None), Some(Err(error))) | (Err(GatewayError::AllAttemptsFailed { .. }), Some(Err(error))) => Err(error),
        (Err(error), _) => Err(error),
        // Whoever is beaten is beaten by the other.
        (Ok(None), None | Some(Ok(None))) => Err(GatewayError::Abandoned),
    }
}

/// One way up the places, retries and all; two of them may be under way at once.
struct Climb<'a, O> {
    operation: &'a O,
    round: &'a Round<'a>,
    race: Race,
    /// How many attempts were begun, on either way.
    attempts: AtomicI64,
    /// The place that whichever way comes next goes to: nobody is asked twice at once.
    next: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    First,
    Second,
}

impl<O: Operation> Climb<'_, O> {
    async fn up(&self, way: Way) -> Climbed<O::Answer> {
        let Round { legs, places, by, interest, .. } = *self.round;
        let mut last = None;
        while let Some(leg) = legs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let deadline = self.round.deadline.map(|deadline| share(deadline, 1 + self.places_left()));
            let mut retries = 0;
            while !too_late(deadline, Duration::ZERO) {
                if self.race.is_decided() {
                    return Ok(None);
                }
                let leg = match places.still(leg, by.tenant).await? {
                    Ok(leg) => leg,
                    Err(reason) => {
                        last.get_or_insert_with(|| ProviderError::NotReady(format!("{}: {reason}", leg.route())));
                        break;
                    }
                };
                let admission = match leg.provider.health.admit(&leg.model, by) {
                    Ok(admission) => admission,
                    Err(resting) => {
                        last.get_or_insert_with(|| resting.told(&leg.provider.name));
                        break;
                    }
                };
                let cause = match self.attempt(&leg, admission, deadline).await? {
                    Attempted::Answered(answer) => return Ok(Some(answer)),
                    Attempted::Beaten => return Ok(None),
                    Attempted::Unheard(cause) => cause,
                };
                tracing::warn!(provider = leg.provider.name, model = leg.model, %cause, "an attempt failed");
                if !cause.is_retryable() {
                    return Err(GatewayError::Rejected { cause });
                }
                let pause = retry::pause(&cause, retries, leg.provider.max_retries, rand::random());
                last = Some(cause);
                let Some(pause) = pause.filter(|pause| !too_late(deadline, *pause)) else { break };
                retries += 1;
                tokio::select! {
                    biased;
                    () = interest.lost() => return Err(cancelled_between(&leg, self.attempts.load(Ordering::Relaxed))),
                    () = self.race.decided() => return Ok(None),
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
        if last.is_none() && way == Way::Second {
            return Ok(None);
        }
        let last = last.unwrap_or_else(|| ProviderError::NotReady("there is no place to ask".to_owned()));
        Err(GatewayError::AllAttemptsFailed { last, attempts: self.attempts.load(Ordering::Relaxed) })
    }

    /// How many places could be asked after this one: those that rest need no time.
    fn places_left(&self) -> usize {
        let left = self.round.legs.iter().skip(self.next.load(Ordering::Relaxed));
        left.filter(|leg| !leg.provider.health.is_resting(&leg.model)).count()
    }

    /// One attempt, and what it says about the place.
    async fn attempt(
        &self,
        leg: &Leg,
        admission: Admission,
        deadline: Option<Instant>,
    ) -> Result<Attempted<O::Answer>, GatewayError> {
        let number = AttemptNo(self.attempts.fetch_add(1, Ordering::Relaxed) + 1);
        let began = Instant::now();
        let turn = Turn { number, admission: &admission, race: &self.race, deadline };
        let attempted = self.operation.attempt(leg, turn).await;
        match &attempted {
            Ok(Attempted::Answered(answer)) => {
                if let Some(speed) = self.operation.speed(answer) {
                    admission.spoke(speed);
                }
                admission.answered(self.operation.pace(answer));
            }
            // The model's limit ran out before the place could be expected to answer, which is not its fault.
            Ok(Attempted::Unheard(ProviderError::TimedOut(_)))
                if too_late(deadline, Duration::ZERO) && began.elapsed() < usual(leg) =>
            {
                drop(admission)
            }
            Ok(Attempted::Unheard(cause)) | Err(GatewayError::Interrupted { cause, .. }) => admission.failed(cause),
            // It says nothing about the place.
            Ok(Attempted::Beaten) | Err(_) => drop(admission),
        }
        attempted
    }
}

/// By when nearly all answers of a place have begun.
fn usual(leg: &Leg) -> Duration {
    let measured = leg.provider.health.percentile(&leg.model, 95, false);
    measured.unwrap_or(PATIENCE).min(leg.provider.timeout)
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
