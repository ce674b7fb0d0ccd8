//! How the places of a provider are doing, as this process sees it: from real traffic, and forgotten with the provider's
//! configuration.
//!
//! A place that fails again and again is left alone for a while, then tried with one request, whose outcome decides. A
//! place that asked to wait is left alone until then. Nobody waits at a door that is shut: the next place is asked.
//!
//! What one tenant asks may be what a place fails at. So a request counts once, however often it is tried, and while
//! others are answered, the failures of one tenant alone shut no door.

use crate::provider::ProviderError;
use contract::{LastError, PlaceHealth, PlaceState, RequestId, TenantId};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What happened longer ago says nothing about whether a place answers now.
const WINDOW: Duration = Duration::from_secs(30);
/// So many failures within the window, and at least as many as successes, shut a door.
const FAILURES: usize = 5;
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// A place that asks for more time than this means something else.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// A shorter pause is over before anybody is at the door again.
const WORTH_WAITING: Duration = Duration::from_millis(100);
/// How many outcomes are kept of each place.
const KEPT: usize = 100;
/// How quick a place is, is told by answers that are no older.
const PACE_AGE: Duration = Duration::from_secs(600);
/// From fewer answers nobody can tell how long the slow ones take.
const ENOUGH: usize = 20;

/// The places of one provider: its models.
#[derive(Debug, Default)]
pub(crate) struct Health {
    places: Mutex<HashMap<String, Arc<Mutex<Place>>>>,
}

#[derive(Debug, Default)]
struct Place {
    outcomes: VecDeque<Outcome>,
    door: Door,
    /// How often it was shut in a row.
    shut: u32,
    /// It asked not to be asked before this.
    asked_to_wait: Option<Instant>,
    /// How many tokens a second its last answers had.
    speeds: VecDeque<(Instant, f64)>,
    /// Whosever fault it was.
    last_error: Option<(Instant, &'static str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Door {
    #[default]
    Open,
    /// Until then; afterwards one request may try.
    Shut(Instant),
    /// One request is trying, since then.
    Trying(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Outcome {
    at: Instant,
    by: Asker,
    succeeded: bool,
    pace: Pace,
}

/// How quick an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Nobody measured it.
    Unknown,
    /// Until the first words of one that came bit by bit.
    FirstWords(Duration),
    /// Until all of one that came at once.
    Whole(Duration),
}

/// On whose behalf a place is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    pub tenant: TenantId,
    pub request: RequestId,
}

/// Why a place is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resting {
    /// It failed again and again.
    Failing(Duration),
    /// It asked for time.
    AskedToWait(Duration),
}

impl Resting {
    /// What whoever asks is told when no other place is left.
    pub fn told(self, provider: &str) -> ProviderError {
        match self {
            Self::Failing(rest) => ProviderError::NotReady(format!(
                "the provider {provider} failed again and again and is left alone; try again in {} s",
                rest.as_secs().max(1)
            )),
            Self::AskedToWait(wait) => ProviderError::RateLimited { retry_after: Some(wait) },
        }
    }
}

impl Health {
    /// Whether a place may be asked now. Whoever is admitted says what became of it.
    pub fn admit(&self, model: &str, by: Asker) -> Result<Admission, Resting> {
        let place = self.place(model);
        let now = Instant::now();
        let mut known = lock(&place);
        if let Some(until) = known.asked_to_wait {
            if now < until {
                return Err(Resting::AskedToWait(until - now));
            }
            known.asked_to_wait = None;
        }
        let trying = match known.door {
            Door::Open => false,
            Door::Shut(until) if now < until => return Err(Resting::Failing(until - now)),
            Door::Shut(_) => {
                known.door = Door::Trying(now);
                true
            }
            Door::Trying(since) if now - since < FIRST_REST => {
                return Err(Resting::Failing(FIRST_REST - (now - since)));
            }
            // It takes its time, or its reader does: nobody else is kept waiting for it.
            Door::Trying(_) => {
                known.door = Door::Trying(now);
                true
            }
        };
        drop(known);
        Ok(Admission { place, by, trying })
    }

    /// Whether a place would be passed over now.
    pub fn is_resting(&self, model: &str) -> bool {
        let place = self.place(model);
        let now = Instant::now();
        let known = lock(&place);
        let shut = matches!(known.door, Door::Shut(until) if now < until);
        shut || known.asked_to_wait.is_some_and(|until| now < until)
    }

    /// How a place is doing, for whoever runs the platform.
    pub fn seen(&self, model: &str) -> PlaceHealth {
        let (p50, p95) = (self.usual(model, false), self.percentile(model, 95, false));
        let place = self.place(model);
        let known = lock(&place);
        let recent = || known.outcomes.iter().filter(|outcome| outcome.at.elapsed() < PACE_AGE);
        let last_error =
            known.last_error.map(|(at, code)| LastError { code: code.to_owned(), seconds_ago: seconds(at.elapsed()) });
        PlaceHealth {
            state: known.state(Instant::now()),
            requests: count(recent().count()),
            answered: count(recent().filter(|outcome| outcome.succeeded).count()),
            first_words_p50_ms: p50.map(millis),
            first_words_p95_ms: p95.map(millis),
            tokens_per_second: known.usual_speed(),
            last_error,
        }
    }

    /// How soon its first words usually come, or all of an answer that comes whole; none when nobody knows.
    pub fn usual(&self, model: &str, whole: bool) -> Option<Duration> {
        let times = self.times(model, whole);
        times.get(times.len() / 2).copied()
    }

    /// What so many of a hundred answers do not take longer than, until their first words or as a whole; none where too
    /// little is known.
    pub fn percentile(&self, model: &str, percent: u8, whole: bool) -> Option<Duration> {
        let times = self.times(model, whole);
        let at = times.len().saturating_mul(usize::from(percent)) / 100;
        if times.len() < ENOUGH { None } else { times.get(at).or(times.last()).copied() }
    }

    /// How long answers took lately, the shortest first.
    fn times(&self, model: &str, whole: bool) -> Vec<Duration> {
        let place = self.place(model);
        let known = lock(&place);
        let recent = known.outcomes.iter().filter(|outcome| outcome.at.elapsed() < PACE_AGE);
        let mut times: Vec<Duration> = recent
            .filter_map(|outcome| match outcome.pace {
                Pace::FirstWords(time) => (!whole).then_some(time),
                Pace::Whole(time) => whole.then_some(time),
                Pace::Unknown => None,
            })
            .collect();
        drop(known);
        times.sort_unstable();
        times
    }

    /// Whether the last thing that is known of it is a failure.
    pub fn failed_last(&self, model: &str) -> bool {
        let place = self.place(model);
        let known = lock(&place);
        known.outcomes.back().is_some_and(|outcome| !outcome.succeeded && outcome.at.elapsed() < WINDOW)
    }

    fn place(&self, model: &str) -> Arc<Mutex<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(model) {
            return Arc::clone(place);
        }
        Arc::clone(places.entry(model.to_owned()).or_default())
    }
}

fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// One request that was let in. Dropped without a word, it says nothing about the place.
#[derive(Debug)]
pub(crate) struct Admission {
    place: Arc<Mutex<Place>>,
    by: Asker,
    trying: bool,
}

impl Admission {
    /// Its first words are there: others need not wait for the last ones to be let in.
    pub fn heard(&self) {
        if !self.trying {
            return;
        }
        let mut place = lock(&self.place);
        if matches!(place.door, Door::Trying(_)) {
            place.door = Door::Open;
        }
    }

    /// How fast its answer came.
    pub fn spoke(&self, tokens_per_second: f64) {
        let mut place = lock(&self.place);
        if place.speeds.len() == KEPT {
            place.speeds.pop_front();
        }
        place.speeds.push_back((Instant::now(), tokens_per_second));
    }

    /// It answered.
    pub fn answered(mut self, pace: Pace) {
        let tried = std::mem::take(&mut self.trying);
        let mut place = lock(&self.place);
        place.note(self.by, true, pace);
        // One that began before the door was shut says nothing about now.
        if tried {
            place.door = Door::Open;
        }
        if place.door == Door::Open {
            place.shut = 0;
        }
    }

    pub fn failed(mut self, cause: &ProviderError) {
        // That nobody waits any more is no error.
        if !matches!(cause, ProviderError::Cancelled) {
            lock(&self.place).last_error = Some((Instant::now(), cause.code()));
        }
        if let ProviderError::RateLimited { retry_after: Some(wait) } = cause {
            if *wait >= WORTH_WAITING {
                lock(&self.place).asked_to_wait = Some(Instant::now() + (*wait).min(LONGEST_WAIT));
            }
            return;
        }
        if !cause.is_the_places_own() {
            return;
        }
        let tried = std::mem::take(&mut self.trying);
        let mut place = lock(&self.place);
        place.note(self.by, false, Pace::Unknown);
        if tried || (place.door == Door::Open && place.keeps_failing()) {
            let rest = FIRST_REST.saturating_mul(2u32.saturating_pow(place.shut)).min(LONGEST_REST);
            place.shut = place.shut.saturating_add(1);
            // Not all nodes come back at once.
            place.door = Door::Shut(Instant::now() + rest.mul_f64(0.8 + rand::random::<f64>() * 0.4));
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // Most are not: they need not wait for the place once more.
        if !self.trying {
            return;
        }
        let mut place = lock(&self.place);
        if matches!(place.door, Door::Trying(_)) {
            // It never came to an end: the next one may try.
            place.door = Door::Shut(Instant::now());
        }
    }
}

impl Place {
    fn state(&self, now: Instant) -> PlaceState {
        let left = |until: Instant| seconds(until.saturating_duration_since(now)).max(1);
        if let Some(until) = self.asked_to_wait.filter(|until| now < *until) {
            return PlaceState::AskedToWait { seconds: left(until) };
        }
        match self.door {
            Door::Open => PlaceState::Open,
            Door::Shut(until) if now < until => PlaceState::Resting { seconds: left(until) },
            // The next one who comes tries.
            Door::Shut(_) | Door::Trying(_) => PlaceState::Trying,
        }
    }

    fn usual_speed(&self) -> Option<f64> {
        let recent = self.speeds.iter().filter(|(at, _)| at.elapsed() < PACE_AGE);
        let mut speeds: Vec<f64> = recent.map(|(_, speed)| *speed).collect();
        speeds.sort_by(f64::total_cmp);
        speeds.get(speeds.len() / 2).copied()
    }

    fn note(&mut self, by: Asker, succeeded: bool, pace: Pace) {
        if !succeeded {
            self.outcomes.retain(|outcome| outcome.succeeded || outcome.by != by);
        }
        if self.outcomes.len() == KEPT {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(Outcome { at: Instant::now(), by, succeeded, pace });
    }

    fn keeps_failing(&self) -> bool {
        let recent = self.outcomes.iter().filter(|outcome| outcome.at.elapsed() < WINDOW);
        let (answered, failed): (Vec<&Outcome>, Vec<&Outcome>) = recent.partition(|outcome| outcome.succeeded);
        let Some(first) = failed.first() else { return false };
        let another = |outcome: &&Outcome| outcome.by.tenant != first.by.tenant;
        let others_fare_well = !failed.iter().any(another) && answered.iter().any(another);
        failed.len() >= FAILURES && failed.len() >= answered.len() && !others_fare_well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: ProviderError = ProviderError::Cut;

    /// A request of its own each time, of one tenant or another.
    fn of(tenant: u8) -> Asker {
        let tenant = format!("00000000-0000-7000-8000-00000000000{tenant}").parse().unwrap();
        Asker { tenant, request: RequestId::new() }
    }

    async fn later(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    fn fail(health: &Health, times: usize) {
        for _ in 0..times {
            health.admit("m", of(1)).unwrap().failed(&DOWN);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_keeps_failing_is_left_alone_then_tried_by_one() {
        let health = Health::default();
        fail(&health, 4);
        health.admit("m", of(1)).unwrap().failed(&DOWN);
        assert!(matches!(health.admit("m", of(1)), Err(Resting::Failing(rest)) if rest <= Duration::from_secs(6)));
        assert!(health.admit("another", of(1)).is_ok());
        later(7).await;
        let trying = health.admit("m", of(1)).unwrap();
        assert!(health.admit("m", of(1)).is_err(), "one at a time");
        trying.failed(&DOWN);
        later(7).await;
        assert!(health.admit("m", of(1)).is_err(), "twice as long the second time");
        later(6).await;
        health.admit("m", of(1)).unwrap().answered(Pace::Unknown);
        assert!(health.admit("m", of(1)).is_ok() && health.admit("m", of(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_tries_and_goes_away_leaves_the_door_to_the_next() {
        let health = Health::default();
        fail(&health, 5);
        later(7).await;
        drop(health.admit("m", of(1)).unwrap());
        health.admit("m", of(1)).unwrap().answered(Pace::Unknown);
        assert!(health.admit("m", of(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_among_many_successes_or_long_ago_shut_nothing() {
        let health = Health::default();
        for _ in 0..9 {
            health.admit("m", of(1)).unwrap().answered(Pace::Unknown);
        }
        fail(&health, 8);
        assert!(health.admit("m", of(1)).is_ok());
        let health = Health::default();
        fail(&health, 4);
        later(31).await;
        fail(&health, 4);
        assert!(health.admit("m", of(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_the_places_own_fault_counts_for_nothing() {
        let health = Health::default();
        for _ in 0..20 {
            let refused = ProviderError::Rejected { status: 400, message: String::new() };
            health.admit("m", of(1)).unwrap().failed(&refused);
            health.admit("m", of(1)).unwrap().failed(&ProviderError::Cancelled);
        }
        assert!(health.admit("m", of(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_to_wait_is_waited_for() {
        let health = Health::default();
        let busy = ProviderError::RateLimited { retry_after: Some(Duration::from_secs(3)) };
        health.admit("m", of(1)).unwrap().failed(&busy);
        assert!(matches!(health.admit("m", of(1)), Err(Resting::AskedToWait(_))));
        later(3).await;
        assert!(health.admit("m", of(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_usual_time_to_the_first_words_is_the_middle_one() {
        let health = Health::default();
        assert_eq!(health.usual("m", false), None);
        for milliseconds in [900, 100, 200] {
            health.admit("m", of(1)).unwrap().answered(Pace::FirstWords(Duration::from_millis(milliseconds)));
        }
        assert_eq!(health.usual("m", false), Some(Duration::from_millis(200)));
        assert_eq!(health.percentile("m", 95, false), None, "too few to tell");
        for milliseconds in 1..=97 {
            health.admit("m", of(1)).unwrap().answered(Pace::Whole(Duration::from_millis(milliseconds)));
        }
        assert_eq!(health.usual("m", false), Some(Duration::from_millis(200)), "whole answers are another matter");
        assert_eq!(health.percentile("m", 95, true), Some(Duration::from_millis(93)));
        later(601).await;
        assert_eq!(health.usual("m", false), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_seen_of_a_place_is_what_it_did_of_late() {
        let health = Health::default();
        assert_eq!((health.seen("m").requests, health.seen("m").state), (0, PlaceState::Open));
        let admitted = health.admit("m", of(1)).unwrap();
        admitted.spoke(40.0);
        admitted.answered(Pace::FirstWords(Duration::from_millis(200)));
        fail(&health, 5);
        let seen = health.seen("m");
        assert_eq!((seen.requests, seen.answered, seen.first_words_p50_ms), (6, 1, Some(200)));
        assert_eq!((seen.first_words_p95_ms, seen.tokens_per_second), (None, Some(40.0)));
        assert!(matches!(seen.state, PlaceState::Resting { seconds: 3..=6 }), "{:?}", seen.state);
        later(7).await;
        assert_eq!(health.seen("m").state, PlaceState::Trying);
        assert_eq!(health.seen("m").last_error, Some(LastError { code: "cut".to_owned(), seconds_ago: 7 }));
        // Not the place's fault, and yet what an operator looks for.
        health.admit("m", of(1)).unwrap().failed(&ProviderError::UnknownModel("m".to_owned()));
        assert_eq!(health.seen("m").last_error.map(|error| error.code).as_deref(), Some("unknown_model"));
        let busy = ProviderError::RateLimited { retry_after: Some(Duration::from_secs(3)) };
        health.admit("m", of(1)).unwrap().failed(&busy);
        assert_eq!(health.seen("m").state, PlaceState::AskedToWait { seconds: 3 });
        later(601).await;
        assert_eq!((health.seen("m").requests, health.seen("m").tokens_per_second), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_counts_once_and_one_tenant_alone_shuts_no_door_that_others_walk_through() {
        let health = Health::default();
        let again_and_again = of(1);
        for _ in 0..20 {
            health.admit("m", again_and_again).unwrap().failed(&DOWN);
        }
        assert!(health.admit("m", of(1)).is_ok(), "one request");
        health.admit("m", of(2)).unwrap().answered(Pace::Unknown);
        fail(&health, 20);
        assert!(health.admit("m", of(1)).is_ok(), "another tenant is answered");
        health.admit("m", of(3)).unwrap().failed(&DOWN);
        assert!(health.admit("m", of(2)).is_err(), "two of them are not");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_words_open_the_door_and_a_cut_shuts_it_again() {
        let health = Health::default();
        fail(&health, 5);
        later(7).await;
        let trying = health.admit("m", of(1)).unwrap();
        assert!(health.admit("m", of(1)).is_err());
        trying.heard();
        assert!(health.admit("m", of(1)).is_ok());
        trying.failed(&DOWN);
        assert!(health.admit("m", of(1)).is_err());
    }
}
