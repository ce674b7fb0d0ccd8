//! The first operator: the link works once, for an hour, for one person.

use crate::fixture::{Fixture, PASSWORD, email, home, password};
use std::time::Duration;
use tenancy::{LINK_LIFETIME, OneTimeToken, TenancyError};
use tokio::task::JoinSet;

const OPERATORS: &str = "SELECT COUNT(*) AS value FROM account WHERE operator = TRUE";
const ACCOUNTS: &str = "SELECT COUNT(*) AS value FROM account";
const STORED_TOKEN: &str = "SELECT token_hash AS value FROM one_time_link";

impl Fixture {
    async fn use_link(&self, token: &OneTimeToken, address: &str) -> Result<(), TenancyError> {
        let created =
            self.tenancy.operator_create_with_link(token.as_str(), email(address), password(PASSWORD), home()).await;
        created.map(|_| ())
    }

    async fn link(&self) -> OneTimeToken {
        self.tenancy.operator_link_create().await.unwrap()
    }

    async fn link_works(&self, token: &OneTimeToken) -> bool {
        match self.tenancy.operator_link_check(token.as_str()).await {
            Ok(()) => true,
            Err(TenancyError::LinkExpired) => false,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn the_link_makes_an_operator_and_works_once() {
    let fixture = Fixture::new().await;
    assert!(!fixture.tenancy.operator_exists().await.unwrap());
    let token = fixture.link().await;
    assert!(fixture.link_works(&token).await && fixture.link_works(&token).await, "looking does not use it up");

    fixture.use_link(&token, "op@seam.test").await.unwrap();

    assert!(fixture.tenancy.operator_exists().await.unwrap());
    assert!(!fixture.link_works(&token).await);
    assert!(matches!(fixture.use_link(&token, "other@seam.test").await, Err(TenancyError::LinkExpired)));
    assert_eq!(fixture.number(ACCOUNTS).await, 1);
    let claims = fixture.claims("op@seam.test").await;
    fixture.principal(&claims).await.unwrap().require_operator().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_use_the_link_at_once_one_becomes_operator() {
    let fixture = Fixture::new().await;
    let token = fixture.link().await;
    let mut users = JoinSet::new();
    for n in 0..12 {
        let (tenancy, token) = (fixture.tenancy.clone(), token.clone());
        let address = email(&format!("op-{n}@seam.test"));
        users.spawn(async move {
            tenancy.operator_create_with_link(token.as_str(), address, password(PASSWORD), home()).await
        });
    }
    let mut winners = 0;
    while let Some(result) = users.join_next().await {
        match result.unwrap() {
            Ok(_) => winners += 1,
            Err(TenancyError::LinkExpired) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((winners, fixture.number(OPERATORS).await, fixture.number(ACCOUNTS).await), (1, 1, 1));
}

#[tokio::test]
async fn the_link_expires() {
    let fixture = Fixture::new().await;
    let token = fixture.link().await;
    fixture.clock.advance(LINK_LIFETIME - Duration::from_millis(1));
    assert!(fixture.link_works(&token).await);
    fixture.clock.advance(Duration::from_millis(1));
    assert!(!fixture.link_works(&token).await);
    assert!(matches!(fixture.use_link(&token, "op@seam.test").await, Err(TenancyError::LinkExpired)));
    assert!(!fixture.tenancy.operator_exists().await.unwrap());
}

#[tokio::test]
async fn links_of_several_starts_all_work_until_one_is_used() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.link().await, fixture.link().await);
    assert!(fixture.link_works(&first).await && fixture.link_works(&second).await);
    fixture.use_link(&first, "op@seam.test").await.unwrap();
    let late = fixture.use_link(&second, "other@seam.test").await;
    assert!(matches!(late, Err(TenancyError::LinkExpired)), "{late:?}");
    assert_eq!(fixture.number(OPERATORS).await, 1);
}

#[tokio::test]
async fn a_failed_use_leaves_the_link_for_a_second_try() {
    let fixture = Fixture::new().await;
    fixture.person("taken@seam.test").await;
    let token = fixture.link().await;
    let taken = fixture.use_link(&token, "taken@seam.test").await;
    assert!(matches!(taken, Err(TenancyError::AlreadyExists { .. })), "{taken:?}");
    assert!(!fixture.tenancy.operator_exists().await.unwrap());
    fixture.use_link(&token, "op@seam.test").await.unwrap();
}

#[tokio::test]
async fn a_guessed_or_mangled_link_is_an_expired_one() {
    let fixture = Fixture::new().await;
    let token = fixture.link().await;
    for wrong in ["", "x", &token.as_str()[1..], &format!("{token}x"), &"a".repeat(100_000)] {
        let checked = fixture.tenancy.operator_link_check(wrong).await;
        assert!(matches!(checked, Err(TenancyError::LinkExpired)));
    }
}

#[tokio::test]
async fn the_link_itself_is_nowhere_in_the_database_nor_in_logs() {
    let fixture = Fixture::new().await;
    let token = fixture.link().await;
    assert_eq!(token.as_str().len(), 43, "32 bytes in base64url");
    let stored: String = fixture.tenancy.control().read(STORED_TOKEN).fetch_one().await.unwrap();
    assert_ne!(stored, token.as_str());
    assert_eq!(format!("{token:?}"), "OneTimeToken(…)");
    assert_eq!(token.to_string(), token.as_str());
}

#[tokio::test]
async fn the_operator_from_the_environment_is_created_once_and_voids_the_link() {
    let fixture = Fixture::new().await;
    let token = fixture.link().await;
    let first = fixture.tenancy.operator_create(email("op@seam.test"), password(PASSWORD)).await.unwrap();
    let again = fixture.tenancy.operator_create(email("op@seam.test"), password("later on another")).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(fixture.number(OPERATORS).await, 1);
    assert!(!fixture.link_works(&token).await);
    fixture.claims("op@seam.test").await; // with the first password
}

#[tokio::test]
async fn whoever_had_the_operators_address_before_is_out() {
    let fixture = Fixture::new().await;
    let user = fixture.person("op@seam.test").await;
    let before = fixture.claims("op@seam.test").await;
    let promoted =
        fixture.tenancy.operator_create(email("op@seam.test"), password("the operator's own")).await.unwrap();
    assert_eq!(promoted, user);
    assert!(fixture.principal(&before).await.is_none());
    let old = fixture.tenancy.sign_in("op@seam.test", password(PASSWORD), home()).await;
    assert!(matches!(old, Err(TenancyError::SignInRefused)));
    let new = fixture.tenancy.sign_in("op@seam.test", password("the operator's own"), home()).await.unwrap();
    assert!(new.view.operator);
}
