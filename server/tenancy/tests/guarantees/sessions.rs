//! Browser sessions: what the cookie opens, for how long, and what ends it.

use crate::fixture::Fixture;
use contract::{Role, Timestamp, UserId};
use std::{sync::Arc, time::Duration};
use tenancy::{ABSOLUTE_EXPIRY, ControlSessions, FixedClock, IDLE_EXPIRY, SESSION_CLAIMS_KEY, SessionClaims};
use time::OffsetDateTime;
use tower_sessions_core::{Expiry, Session, SessionStore, session::Record};

const STORED_KEYS: &str = "SELECT id_hash AS value FROM browser_session";
const MEMBERSHIPS_DELETE: &str = "DELETE FROM membership WHERE account_id = $1";

/// tower-sessions computes expiry dates by the machine's clock, so that these tests start from it.
async fn sessions(fixture: &Fixture) -> (Arc<ControlSessions>, Arc<FixedClock>) {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    let clock = Arc::new(FixedClock::at(Timestamp::from_millis(now.try_into().unwrap())));
    (Arc::new(ControlSessions::new(fixture.tenancy.control().clone(), clock.clone())), clock)
}

fn session(store: &Arc<ControlSessions>, id: Option<tower_sessions_core::session::Id>) -> Session {
    Session::new(id, store.clone(), Some(Expiry::OnInactivity(IDLE_EXPIRY.try_into().unwrap())))
}

fn record(valid_for: Duration) -> Record {
    let expiry_date = OffsetDateTime::now_utc() + valid_for;
    let data = [("greeting".to_owned(), "hello".into())].into();
    Record { id: Default::default(), data, expiry_date }
}

fn claims() -> SessionClaims {
    let now = Timestamp::from_millis(5);
    SessionClaims {
        user: UserId::new(),
        epoch: 3,
        signed_in_at: now,
        renewed_at: now,
        tenant: None,
        impersonation: None,
        vouched_by: None,
    }
}

#[tokio::test]
async fn a_session_comes_back_as_it_was_written() {
    let fixture = Fixture::new().await;
    let (store, _) = sessions(&fixture).await;
    let written = session(&store, None);
    let claims = claims();
    written.insert(SESSION_CLAIMS_KEY, &claims).await.unwrap();
    written.save().await.unwrap();
    let read = session(&store, written.id());
    assert_eq!(read.get::<SessionClaims>(SESSION_CLAIMS_KEY).await.unwrap(), Some(claims));
}

#[tokio::test]
async fn the_cookie_is_nowhere_in_the_database() {
    let fixture = Fixture::new().await;
    let (store, _) = sessions(&fixture).await;
    let mut record = record(IDLE_EXPIRY);
    store.create(&mut record).await.unwrap();
    let keys: Vec<String> = fixture.tenancy.control().read(STORED_KEYS).fetch_all().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].contains(&record.id.to_string()));
}

#[tokio::test]
async fn a_taken_id_is_not_taken_over() {
    let fixture = Fixture::new().await;
    let (store, _) = sessions(&fixture).await;
    let mut first = record(IDLE_EXPIRY);
    store.create(&mut first).await.unwrap();
    let mut second = record(IDLE_EXPIRY);
    second.id = first.id;
    second.data = [("greeting".to_owned(), "mine".into())].into();
    store.create(&mut second).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(store.load(&first.id).await.unwrap().unwrap().data, first.data);
    assert_eq!(store.load(&second.id).await.unwrap().unwrap().data, second.data);
}

#[tokio::test]
async fn a_session_gets_a_new_id_and_the_old_one_is_dead() {
    let fixture = Fixture::new().await;
    let (store, _) = sessions(&fixture).await;
    let before = session(&store, None);
    before.insert("seen", true).await.unwrap();
    before.save().await.unwrap();
    let old_id = before.id().unwrap();
    before.cycle_id().await.unwrap();
    before.save().await.unwrap();
    let new_id = before.id().unwrap();
    assert_ne!(old_id, new_id);
    assert!(store.load(&old_id).await.unwrap().is_none());
    assert!(store.load(&new_id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_nobody_uses_expires_and_use_prolongs_it() {
    let fixture = Fixture::new().await;
    let (store, clock) = sessions(&fixture).await;
    let (mut used, mut unused) = (record(IDLE_EXPIRY), record(IDLE_EXPIRY));
    store.create(&mut used).await.unwrap();
    store.create(&mut unused).await.unwrap();
    used.expiry_date += Duration::from_secs(60 * 60);
    store.save(&used).await.unwrap();

    clock.advance(IDLE_EXPIRY - Duration::from_secs(60));
    assert!(store.load(&unused.id).await.unwrap().is_some());
    clock.advance(Duration::from_secs(120));
    assert!(store.load(&unused.id).await.unwrap().is_none());
    assert!(store.load(&used.id).await.unwrap().is_some());

    assert_eq!(store.delete_expired().await.unwrap(), 1);
    assert!(store.load(&used.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_request_that_ends_late_does_not_revive_a_session() {
    let fixture = Fixture::new().await;
    let (store, _) = sessions(&fixture).await;
    let mut record = record(IDLE_EXPIRY);
    store.create(&mut record).await.unwrap();
    let in_flight = store.load(&record.id).await.unwrap().unwrap();
    store.delete(&record.id).await.unwrap();
    store.save(&in_flight).await.unwrap();
    assert!(store.load(&record.id).await.unwrap().is_none());
}

#[tokio::test]
async fn no_session_outlives_its_absolute_age() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let mut claims = fixture.claims("ada@acme.test").await;
    fixture.clock.advance(ABSOLUTE_EXPIRY - Duration::from_millis(1));
    claims.renew(fixture.tenancy.clock().now());
    assert!(fixture.principal(&claims).await.is_some());
    fixture.clock.advance(Duration::from_millis(1));
    claims.renew(fixture.tenancy.clock().now());
    assert!(fixture.principal(&claims).await.is_none(), "use does not prolong it beyond");
}

#[tokio::test]
async fn a_session_of_nobody_is_no_session() {
    let fixture = Fixture::new().await;
    fixture.person("ada@acme.test").await;
    let mut claims = fixture.claims("ada@acme.test").await;
    claims.user = UserId::new();
    assert!(fixture.principal(&claims).await.is_none());
}

#[tokio::test]
async fn a_new_role_counts_from_the_next_request_and_a_lost_membership_too() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = fixture.member("ada@acme.test", &acme, Role::Member).await;
    let claims = fixture.claims("ada@acme.test").await;
    let role = || async { fixture.principal(&claims).await.unwrap().scope().map(|scope| scope.role()) };
    assert_eq!(role().await.unwrap(), Role::Member);

    fixture.tenancy.member_add(acme.id, ada, Role::Viewer).await.unwrap();
    assert_eq!(role().await.unwrap(), Role::Viewer);

    fixture.tenancy.control().write(MEMBERSHIPS_DELETE).bind(ada).execute().await.unwrap();
    fixture.tenancy.member_add(globex.id, ada, Role::Admin).await.unwrap();
    assert!(role().await.is_err(), "a session of one tenant must not carry on in another");
}
