//! Signing in: who gets in, and what those learn who do not.

use crate::fixture::{Fixture, PASSWORD, elsewhere, email, home, password};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::phc::PasswordHash as Phc};
use contract::Role;
use std::time::{Duration, Instant};
use tenancy::{NewUser, PasswordHash, Tenancy, TenancyError};

const HASH_OF_ADA: &str = "SELECT password_hash AS value FROM account WHERE email = 'ada@acme.test'";

#[tokio::test]
async fn the_right_password_signs_in_to_the_oldest_membership() {
    let fixture = Fixture::new().await;
    let first = fixture.tenant("zebra").await;
    let second = fixture.tenant("acme").await;
    let ada = fixture.member("ada@acme.test", &first, Role::Admin).await;
    fixture.clock.advance(Duration::from_secs(1));
    fixture.tenancy.member_add(second.id, ada, Role::Viewer).await.unwrap();

    // An address is no case-sensitive thing, and people type blanks.
    let signed_in = fixture.tenancy.sign_in(" Ada@ACME.test ", password(PASSWORD), home()).await.unwrap();

    assert_eq!(signed_in.claims.user, ada);
    assert_eq!(signed_in.claims.tenant, Some(first.id));
    let current = signed_in.view.current.unwrap();
    assert_eq!((current.tenant, current.role), (first.id, Role::Admin));
    assert_eq!(signed_in.view.email.as_str(), "ada@acme.test");
    assert!(!signed_in.view.operator);
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_get_the_same_answer() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    fixture.tenancy.user_create(email("invited@acme.test"), None, false).await.unwrap();
    for typed in ["ada@acme.test", "nobody@acme.test", "invited@acme.test", "not an address", ""] {
        let refused = fixture.tenancy.sign_in(typed, password("wrong password"), home()).await.unwrap_err();
        assert!(matches!(refused, TenancyError::SignInRefused), "{typed}: {refused}");
    }
}

#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_wrong_password() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let mut times = Vec::new();
    for typed in ["ada@acme.test", "nobody@acme.test", "not an address"] {
        let mut fastest = Duration::MAX;
        for n in 0..4 {
            let begun = Instant::now();
            fixture.tenancy.sign_in(typed, password("wrong password"), elsewhere(n)).await.unwrap_err();
            fastest = fastest.min(begun.elapsed());
        }
        times.push(fastest);
    }
    // Without the work for nobody the ratio is below a tenth; the rest is a busy machine's noise.
    let [known, unknown, malformed] = times.try_into().unwrap();
    assert!(unknown > known / 4, "known {known:?}, unknown {unknown:?}");
    assert!(malformed > known / 4, "known {known:?}, malformed {malformed:?}");
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_the_next_sign_in() {
    let fixture = Fixture::new().await;
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 1, 1, None).unwrap());
    let weak: Phc = weak.hash_password(PASSWORD.as_bytes()).unwrap();
    let weak = PasswordHash::parse(weak.to_string()).unwrap();
    let user = NewUser {
        tenant: None,
        email: email("ada@acme.test"),
        role: Role::Member,
        password_hash: Some(weak),
        operator: false,
    };
    let mut tx = fixture.tenancy.control().begin().await.unwrap();
    Tenancy::apply_user(&mut tx, fixture.tenancy.clock().now(), &user).await.unwrap();
    tx.commit().await.unwrap();
    let stored = || async { fixture.tenancy.control().read(HASH_OF_ADA).fetch_one::<String>().await.unwrap() };

    fixture.tenancy.sign_in("ada@acme.test", password("wrong password"), home()).await.unwrap_err();
    assert!(stored().await.contains("m=8192"), "a wrong password changes nothing");
    let claims = fixture.claims("ada@acme.test").await;
    let replaced = stored().await;
    assert!(replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{replaced}");
    assert!(fixture.principal(&claims).await.is_some(), "a rehash ends no session");
    fixture.claims("ada@acme.test").await;
    assert_eq!(stored().await, replaced, "a hash of today stays");
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    let (mut this, other) = (fixture.claims("ada@acme.test").await, fixture.claims("ada@acme.test").await);

    let new = password("another good password");
    this.epoch = fixture.tenancy.password_change(ada, password(PASSWORD), new.clone()).await.unwrap();

    assert!(fixture.principal(&this).await.is_some());
    assert!(fixture.principal(&other).await.is_none());
    let old = fixture.tenancy.sign_in("ada@acme.test", password(PASSWORD), home()).await;
    assert!(matches!(old, Err(TenancyError::SignInRefused)));
    fixture.tenancy.sign_in("ada@acme.test", new, home()).await.unwrap();
}

#[tokio::test]
async fn a_password_is_changed_only_by_whoever_knows_it() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    let claims = fixture.claims("ada@acme.test").await;
    let change = |old| fixture.tenancy.password_change(ada, password(old), password("another good password"));

    assert!(matches!(change("wrong password").await, Err(TenancyError::WrongPassword)));
    assert!(fixture.principal(&claims).await.is_some());
    fixture.claims("ada@acme.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_password_changes_at_once_one_wins() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    let change = |new: &str| fixture.tenancy.password_change(ada, password(PASSWORD), password(new));
    let (one, two) = tokio::join!(change("first new password"), change("second new password"));
    let (winner, loser) = if one.is_ok() { ("first new password", two) } else { ("second new password", one) };
    assert!(matches!(loser, Err(TenancyError::WrongPassword)), "{loser:?}");
    fixture.tenancy.sign_in("ada@acme.test", password(winner), home()).await.unwrap();
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_of_that_person_alone() {
    let fixture = Fixture::new().await;
    let ada = fixture.person("ada@acme.test").await;
    fixture.person("bob@acme.test").await;
    let (laptop, phone) = (fixture.claims("ada@acme.test").await, fixture.claims("ada@acme.test").await);
    let bob = fixture.claims("bob@acme.test").await;

    fixture.tenancy.sign_out_everywhere(ada).await.unwrap();

    assert!(fixture.principal(&laptop).await.is_none());
    assert!(fixture.principal(&phone).await.is_none());
    assert!(fixture.principal(&bob).await.is_some());
    let again = fixture.claims("ada@acme.test").await;
    assert!(fixture.principal(&again).await.is_some());
}
