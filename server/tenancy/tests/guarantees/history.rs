//! What an account's owner reads about who came in.

use crate::fixture::{Fixture, PASSWORD, home, password};
use contract::{SignInHow, SignInOutcome};
use std::time::Duration;
use tenancy::{Client, SIGN_INS_KEPT, SIGN_INS_KEPT_FOR};

const COUNT: &str = "SELECT COUNT(*) AS value FROM sign_in_event";

async fn outcomes(fixture: &Fixture, user: contract::UserId) -> Vec<SignInOutcome> {
    let view = fixture.tenancy.entrance_view(user).await.unwrap();
    view.recent.into_iter().map(|event| event.outcome).collect()
}

#[tokio::test]
async fn each_attempt_leaves_one_line_that_says_what_it_came_to() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    fixture.tenancy.sign_in("ada@acme.test", password("wrong password"), home()).await.unwrap_err();
    fixture.clock.advance(Duration::from_secs(1));
    let browser = Client::new(home(), Some("Firefox on a laptop"));
    fixture.tenancy.sign_in(" ADA@acme.test", password(PASSWORD), browser).await.unwrap();
    let view = fixture.tenancy.entrance_view(ada).await.unwrap();
    let [right, wrong] = &view.recent[..] else { panic!("{view:?}") };
    assert_eq!((right.outcome, right.how), (SignInOutcome::Succeeded, SignInHow::Password));
    assert_eq!((right.address.as_str(), right.agent.as_deref()), ("192.0.2.1", Some("Firefox on a laptop")));
    assert_eq!((wrong.outcome, wrong.agent.as_deref()), (SignInOutcome::WrongPassword, None));
    assert_eq!(right.at.millis_since(wrong.at), 1_000);
}

#[tokio::test]
async fn sessions_are_counted_that_are_the_accounts_own_and_alive() {
    const BROWSER: &str = "
        INSERT INTO browser_session (id_hash, data, expires_at, account_id, session_epoch)
        VALUES ($1, '{}', $2, $3, (SELECT session_epoch + $4 FROM account WHERE id = $3))";
    let fixture = Fixture::new().await;
    let (ada, bob) = (fixture.person("ada@acme.test").await, fixture.person("bob@acme.test").await);
    let now = fixture.tenancy.clock().now();
    for (id, minutes, whose, epoch) in
        [("a", 1, ada, 0), ("b", 0, ada, 0), ("c", 1, ada, 1), ("d", 1, bob, 0), ("e", 1, bob, 0)]
    {
        let until = now.plus_millis(minutes * 60_000);
        let session = fixture.tenancy.control().write(BROWSER).bind(id).bind(until).bind(whose).bind(epoch);
        session.execute().await.unwrap();
    }
    let counted = async |user| fixture.tenancy.entrance_view(user).await.unwrap().sessions;
    assert_eq!((counted(ada).await, counted(bob).await), (1, 2));
}

#[tokio::test]
async fn attempts_at_accounts_that_are_not_there_leave_nothing() {
    let fixture = Fixture::new().await;
    fixture.tenancy.sign_in("nobody@acme.test", password("wrong password"), home()).await.unwrap_err();
    assert_eq!(fixture.number(COUNT).await, 0);
}

#[tokio::test]
async fn a_storm_of_guesses_is_a_handful_of_lines() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    for _ in 0..20 {
        fixture.tenancy.sign_in("ada@acme.test", password("wrong password"), home()).await.unwrap_err();
    }
    let outcomes = outcomes(&fixture, ada).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == SignInOutcome::WrongPassword).count(), 5);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == SignInOutcome::Throttled).count(), 1);
}

#[tokio::test]
async fn the_right_password_at_the_last_moment_was_not_throttled() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    for _ in 0..tenancy::FAILURES_PER_ACCOUNT - 1 {
        fixture.tenancy.sign_in("ada@acme.test", password("wrong password"), home()).await.unwrap_err();
    }
    fixture.clock.advance(Duration::from_secs(1));
    fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await.unwrap();
    let outcomes = outcomes(&fixture, ada).await;
    assert_eq!(outcomes[0], SignInOutcome::Succeeded);
    assert!(!outcomes.contains(&SignInOutcome::Throttled), "{outcomes:?}");
}

#[tokio::test]
async fn history_is_bounded_in_number_and_in_time() {
    let fixture = Fixture::new().await;
    let (ada, bob) = (fixture.person("ada@acme.test").await, fixture.person("bob@acme.test").await);
    fixture.tenancy.sign_in("bob@acme.test", password(PASSWORD), home()).await.unwrap();
    let control = fixture.tenancy.control();
    let fill = "
        WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 300)
        INSERT INTO sign_in_event (id, account_id, at, address, how, outcome)
        SELECT 'x' || value, CAST($1 AS TEXT), CAST($2 AS BIGINT) + value, 'here', 'password', 'succeeded' FROM n";
    let now = fixture.tenancy.clock().now();
    control.write(fill).bind(ada).bind(now).execute().await.unwrap();
    fixture.tenancy.sign_ins_prune().await.unwrap();
    assert_eq!(fixture.number(COUNT).await, SIGN_INS_KEPT + 1);
    let newest = fixture.tenancy.entrance_view(ada).await.unwrap().recent[0].at;
    assert_eq!(newest.millis_since(now), 300, "the newest stay");
    assert_eq!(outcomes(&fixture, bob).await.len(), 1);
    fixture.clock.advance(SIGN_INS_KEPT_FOR + Duration::from_secs(1));
    fixture.tenancy.sign_ins_prune().await.unwrap();
    assert_eq!(fixture.number(COUNT).await, 0);
}
