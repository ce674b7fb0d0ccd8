//! Whether and when the same provider is asked again.

use crate::provider::ProviderError;
use std::time::Duration;

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A provider that asks for a longer pause is passed over: somebody is waiting for the answer.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long to wait before the same provider is asked again; none when it should not be.
///
/// `retries` is how many there were, `jitter` is between 0 and 1: the pause is half fixed, half chance, so
/// that many who failed together do not come back together.
pub(crate) fn pause(cause: &ProviderError, retries: u32, max_retries: u32, jitter: f64) -> Option<Duration> {
    if retries >= max_retries || !cause.may_pass() {
        return None;
    }
    let doubled = FIRST_BACKOFF.saturating_mul(2u32.saturating_pow(retries)).min(LONGEST_BACKOFF);
    let backoff = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    let ProviderError::RateLimited { retry_after: Some(asked) } = cause else { return Some(backoff) };
    // Never sooner than it asks, and not all of them at once.
    let asked_for = asked.saturating_add(FIRST_BACKOFF.mul_f64(jitter.clamp(0.0, 1.0)));
    (*asked <= LONGEST_RETRY_AFTER).then(|| backoff.max(asked_for))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rate_limited(seconds: u64) -> ProviderError {
        ProviderError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_never_exceed_the_retries() {
        let pauses: Vec<u128> =
            (0..8).filter_map(|n| pause(&ProviderError::Cut, n, 7, 1.0)).map(|p| p.as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pause(&ProviderError::Cut, 0, 7, 0.0), Some(Duration::from_millis(100)));
        assert_eq!(pause(&ProviderError::Cut, 0, 0, 0.0), None);
    }

    #[test]
    fn a_provider_gets_the_pause_it_asks_for_unless_that_is_too_long() {
        assert_eq!(pause(&rate_limited(3), 0, 1, 0.0), Some(Duration::from_secs(3)));
        assert_eq!(pause(&rate_limited(3), 0, 1, 1.0), Some(Duration::from_millis(3_200)));
        assert_eq!(pause(&rate_limited(0), 0, 1, 1.0), Some(FIRST_BACKOFF));
        assert_eq!(pause(&rate_limited(11), 0, 1, 1.0), None);
    }

    #[test]
    fn what_does_not_pass_is_not_asked_again() {
        assert_eq!(pause(&ProviderError::Unauthorised, 0, 3, 0.0), None);
        assert_eq!(pause(&ProviderError::NotReady(String::new()), 0, 3, 0.0), None);
    }
}
