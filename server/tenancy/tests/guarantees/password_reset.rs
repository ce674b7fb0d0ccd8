//! A new password by a link.

use crate::fixture::{Fixture, PASSWORD, email, home, password};
use std::time::Duration;
use tenancy::{Client, OneTimeToken, OperatorScope, RESET_LIFETIME, TenancyError};

const NEW: &str = "entirely new words";

async fn link(fixture: &Fixture, address: &str) -> OneTimeToken {
    fixture.tenancy.password_reset_begin(&email(address), &home().into()).await.unwrap().unwrap()
}

fn client() -> Client {
    home().into()
}

fn expired<T: std::fmt::Debug>(result: Result<T, TenancyError>) -> bool {
    matches!(result, Err(TenancyError::ResetExpired))
}

#[tokio::test]
async fn a_link_works_once_ends_every_session_and_voids_the_others() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let session = fixture.claims("ada@acme.test").await;
    let (first, second) = (link(&fixture, "ada@acme.test").await, link(&fixture, "ada@acme.test").await);
    assert_eq!(fixture.tenancy.password_reset_check(first.as_str()).await.unwrap(), email("ada@acme.test"));
    fixture.tenancy.password_reset(first.as_str(), password(NEW), &client()).await.unwrap();
    assert!(fixture.principal(&session).await.is_none());
    for token in [&first, &second] {
        assert!(expired(fixture.tenancy.password_reset(token.as_str(), password("again and again"), &client()).await));
        assert!(expired(fixture.tenancy.password_reset_check(token.as_str()).await));
    }
    let old = fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await;
    assert!(matches!(old, Err(TenancyError::SignInRefused)));
    fixture.tenancy.sign_in("ada@acme.test", password(NEW), home()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opened_twice_at_once_sets_one_password() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let token = link(&fixture, "ada@acme.test").await;
    let who = client();
    let set = |new| fixture.tenancy.password_reset(token.as_str(), password(new), &who);
    let (one, two) = tokio::join!(set("the first of two"), set("the second of two"));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let winner = if one.is_ok() { "the first of two" } else { "the second of two" };
    fixture.tenancy.sign_in("ada@acme.test", password(winner), home()).await.unwrap();
}

#[tokio::test]
async fn a_password_that_its_owner_changes_voids_links_too() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    let token = link(&fixture, "ada@acme.test").await;
    fixture.tenancy.password_change(ada, password(PASSWORD), password(NEW)).await.unwrap();
    assert!(expired(fixture.tenancy.password_reset_check(token.as_str()).await));
}

#[tokio::test]
async fn a_link_runs_out_after_an_hour() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let token = link(&fixture, "ada@acme.test").await;
    fixture.clock.advance(RESET_LIFETIME - Duration::from_secs(1));
    fixture.tenancy.password_reset_check(token.as_str()).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    assert!(expired(fixture.tenancy.password_reset(token.as_str(), password(NEW), &client()).await));
}

#[tokio::test]
async fn links_are_kept_as_hashes_alone() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let token = link(&fixture, "ada@acme.test").await;
    let kept: String =
        fixture.tenancy.control().read("SELECT token_hash AS value FROM password_reset").fetch_one().await.unwrap();
    assert!(!kept.contains(token.as_str()) && !token.as_str().contains(&kept));
    assert!(expired(fixture.tenancy.password_reset_check(&kept).await));
}

#[tokio::test]
async fn nobody_gets_a_link_to_an_account_that_is_not_there() {
    let fixture = Fixture::new().await;
    let none = fixture.tenancy.password_reset_begin(&email("nobody@acme.test"), &client()).await.unwrap();
    assert!(none.is_none());
    let operator = OperatorScope::command_line();
    let missing = fixture.tenancy.password_reset_link_create(&operator, &email("nobody@acme.test")).await;
    assert!(matches!(missing, Err(TenancyError::NotFound { .. })));
}

#[tokio::test]
async fn an_operators_link_voids_older_ones_and_stands_in_the_log_of_their_tenants() {
    let fixture = Fixture::new().await;
    let operator = OperatorScope::command_line();
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = fixture.member("ada@acme.test", &acme, contract::Role::Admin).await;
    fixture.member("eve@globex.test", &globex, contract::Role::Admin).await;
    let eves = link(&fixture, "eve@globex.test").await;
    let mailed = link(&fixture, "ada@acme.test").await;
    let by_address = fixture.tenancy.password_reset_link_create(&operator, &email("ada@acme.test")).await.unwrap();
    assert!(expired(fixture.tenancy.password_reset_check(mailed.as_str()).await));
    let (address, by_id) = fixture.tenancy.user_reset_link(&operator, ada).await.unwrap();
    assert_eq!(address, email("ada@acme.test"));
    assert!(expired(fixture.tenancy.password_reset_check(by_address.as_str()).await));
    assert!(fixture.tenancy.password_reset_check(eves.as_str()).await.is_ok());

    let log = fixture.tenancy.audit_list(&fixture.scope("ada@acme.test").await, None, "").await.unwrap();
    let lines: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.target.as_str())).collect();
    assert_eq!(lines, [("user.reset_link", "ada@acme.test"); 2]);
    assert!(!log.iter().any(|entry| entry.change.contains(by_id.as_str())));
    assert!(fixture.tenancy.audit_list(&fixture.scope("eve@globex.test").await, None, "").await.unwrap().is_empty());
    assert_eq!(fixture.tenancy.audit_list_of_platform(&operator, None, "reset_link").await.unwrap().len(), 2);
    // The password of now works until the link is used.
    fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await.unwrap();
    let nobody = fixture.tenancy.user_reset_link(&operator, contract::UserId::new()).await;
    assert!(matches!(nobody, Err(TenancyError::NotFound { .. })));
}

#[tokio::test]
async fn an_operators_link_is_in_the_log_and_so_is_its_use() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let operator = OperatorScope::command_line();
    let token = fixture.tenancy.password_reset_link_create(&operator, &email("ada@acme.test")).await.unwrap();
    fixture.tenancy.password_reset(token.as_str(), password(NEW), &client()).await.unwrap();
    let log = fixture.tenancy.audit_list_of_platform(&operator, None, "").await.unwrap();
    let lines: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.name.as_str())).collect();
    assert_eq!(lines, [("user.password_reset", "ada@acme.test"), ("user.reset_link", "command line")]);
    assert_eq!(log[0].address.as_deref(), Some("192.0.2.1"));
    assert!(!log.iter().any(|entry| entry.change.contains(token.as_str())));
}

#[tokio::test]
async fn whoever_was_locked_out_gets_in_with_the_new_password() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    for _ in 0..tenancy::FAILURES_PER_ACCOUNT {
        fixture.tenancy.sign_in("ada@acme.test", password("wrong password"), home()).await.unwrap_err();
    }
    let refused = fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await;
    assert!(matches!(refused, Err(TenancyError::Throttled { .. })));
    let token = link(&fixture, "ada@acme.test").await;
    fixture.tenancy.password_reset(token.as_str(), password(NEW), &client()).await.unwrap();
    fixture.tenancy.sign_in("ada@acme.test", password(NEW), home()).await.unwrap();
}

#[tokio::test]
async fn asking_is_bounded_by_account_and_by_client() {
    let fixture = Fixture::new().await;
    let ask = |address: String, from: u8| {
        let tenancy = fixture.tenancy.clone();
        async move { tenancy.password_reset_admit(&email(&address), crate::fixture::elsewhere(from)).await }
    };
    for n in 0..3 {
        ask("ada@acme.test".to_owned(), n).await.unwrap();
    }
    assert!(matches!(ask("ada@acme.test".to_owned(), 9).await, Err(TenancyError::Throttled { .. })));
    for n in 0..10 {
        ask(format!("user{n}@acme.test"), 77).await.unwrap();
    }
    assert!(matches!(ask("user11@acme.test".to_owned(), 77).await, Err(TenancyError::Throttled { .. })));
    // Asking does not use up the guesses at the password.
    fixture.person("ada@acme.test").await;
    fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), crate::fixture::elsewhere(77)).await.unwrap();
}
