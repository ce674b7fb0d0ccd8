//! Guessing is bounded, whatever is guessed and however many guess at once.

use crate::fixture::{Fixture, PASSWORD, elsewhere, home, password};
use std::time::Duration;
use tenancy::{FAILURES_PER_ACCOUNT, FAILURES_PER_ADDRESS, SignedIn, THROTTLE_WINDOW, TenancyError};
use tokio::task::JoinSet;

const SUBJECTS: &str = "SELECT COUNT(*) AS value FROM sign_in_throttle";

impl Fixture {
    async fn guess(&self, typed: &str) -> Result<SignedIn, TenancyError> {
        self.tenancy.sign_in(typed, password("wrong password"), home()).await
    }

    async fn fail_until_throttled(&self, typed: &str) -> u64 {
        for n in 0..FAILURES_PER_ACCOUNT {
            assert!(matches!(self.guess(typed).await, Err(TenancyError::SignInRefused)), "guess {n} is judged");
        }
        retry_after(self.guess(typed).await)
    }
}

fn retry_after(answer: Result<SignedIn, TenancyError>) -> u64 {
    match answer {
        Err(TenancyError::Throttled { retry_after_seconds }) => retry_after_seconds,
        other => panic!("expected to be throttled, got {other:?}"),
    }
}

#[tokio::test]
async fn after_five_failures_even_the_right_password_waits_as_long_as_it_was_told() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let right = || fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), elsewhere(1));
    fixture.guess("ada@acme.test").await.unwrap_err();
    fixture.clock.advance(Duration::from_millis(90_500)); // the window began with the first failure
    for _ in 1..FAILURES_PER_ACCOUNT {
        fixture.guess("ada@acme.test").await.unwrap_err();
    }

    let seconds = retry_after(right().await);
    assert_eq!(seconds, THROTTLE_WINDOW.as_secs() - 90);
    fixture.clock.advance(Duration::from_secs(seconds - 1));
    assert_eq!(retry_after(right().await), 1);
    fixture.clock.advance(Duration::from_secs(1));
    right().await.unwrap();
}

#[tokio::test]
async fn an_unknown_account_is_throttled_like_a_known_one() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let known = fixture.fail_until_throttled("ada@acme.test").await;
    let unknown = fixture.fail_until_throttled("nobody@acme.test").await;
    let malformed = fixture.fail_until_throttled("nobody").await;
    assert_eq!([known, unknown, malformed], [THROTTLE_WINDOW.as_secs(); 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_once_do_not_pass_the_bound() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let mut guesses = JoinSet::new();
    for n in 0..32 {
        let tenancy = fixture.tenancy.clone();
        let guess = password("wrong password");
        guesses.spawn(async move { tenancy.sign_in("ada@acme.test", guess, elsewhere(n)).await });
    }
    let (mut judged, mut throttled) = (0, 0);
    while let Some(answer) = guesses.join_next().await {
        match answer.unwrap() {
            Err(TenancyError::SignInRefused) => judged += 1,
            Err(TenancyError::Throttled { .. }) => throttled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((judged, throttled), (FAILURES_PER_ACCOUNT, 32 - FAILURES_PER_ACCOUNT));
}

#[tokio::test]
async fn one_address_cannot_try_account_after_account() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    for n in 0..FAILURES_PER_ADDRESS {
        let refused = fixture.guess(&format!("nobody-{n}@acme.test")).await;
        assert!(matches!(refused, Err(TenancyError::SignInRefused)), "guess {n} is judged");
    }
    retry_after(fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await);
    // Nobody else is held up, and the refused attempt counted neither against Ada's account …
    for _ in 0..FAILURES_PER_ACCOUNT {
        retry_after(fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await);
    }
    fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), elsewhere(1)).await.unwrap();
}

#[tokio::test]
async fn signing_in_forgives_the_accounts_failures_and_not_the_addresss() {
    let fixture = Fixture::new().await;
    fixture.person("mallory@acme.test").await;
    let mut failures = 0;
    // Own successes in between must not buy guesses at others.
    while failures < FAILURES_PER_ADDRESS {
        for _ in 1..FAILURES_PER_ACCOUNT {
            if failures < FAILURES_PER_ADDRESS {
                let refused = fixture.guess("mallory@acme.test").await;
                assert!(matches!(refused, Err(TenancyError::SignInRefused)), "{failures}: {refused:?}");
                failures += 1;
            }
        }
        if failures < FAILURES_PER_ADDRESS {
            fixture.claims("mallory@acme.test").await;
        }
    }
    retry_after(fixture.guess("ada@acme.test").await);
}

#[tokio::test]
async fn an_office_behind_one_address_signs_in_as_often_as_it_likes() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    for _ in 0..=FAILURES_PER_ADDRESS {
        fixture.claims("ada@acme.test").await;
    }
}

#[tokio::test]
async fn a_stolen_session_cannot_guess_the_password_either() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    let change = |old| fixture.tenancy.password_change(ada, password(old), password("another good password"));
    for _ in 0..FAILURES_PER_ACCOUNT {
        assert!(matches!(change("wrong password").await, Err(TenancyError::WrongPassword)));
    }
    assert!(matches!(change(PASSWORD).await, Err(TenancyError::Throttled { .. })));
}

#[tokio::test]
async fn what_is_over_is_not_kept() {
    let fixture = Fixture::new().await;
    fixture.guess("nobody@acme.test").await.unwrap_err();
    fixture.guess("somebody@acme.test").await.unwrap_err();
    assert_eq!(fixture.number(SUBJECTS).await, 3, "two accounts and an address");
    fixture.clock.advance(THROTTLE_WINDOW);
    fixture.guess("another@acme.test").await.unwrap_err();
    assert_eq!(fixture.number(SUBJECTS).await, 2);
}
