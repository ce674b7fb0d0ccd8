//! An operator inside a tenant: with a reason, for a while, in the tenant's sight, and with nothing left behind.

use crate::fixture::{Fixture, PASSWORD, email, home, password};
use contract::{ImpersonationId, Role, UserId};
use std::time::Duration;
use tenancy::{
    LONGEST_IMPERSONATION, NewImpersonation, NewKey, NewSingleSignOn, Principal, Secret, SessionClaims, TenancyError,
    TenantRecord, audit_verify,
};

const OPERATOR: &str = "olga@seam.test";

struct Visit {
    fixture: Fixture,
    acme: TenantRecord,
    claims: SessionClaims,
    id: ImpersonationId,
}

fn asked(tenant: &TenantRecord, role: Role, minutes: u64) -> NewImpersonation {
    let lasting = Duration::from_secs(minutes * 60);
    NewImpersonation { tenant: tenant.id, role, reason: " ticket 4711 ".to_owned(), lasting }
}

impl Visit {
    /// Olga, who has a tenant of her own, inside Acme for half an hour.
    async fn begin(role: Role) -> Self {
        let fixture = Fixture::new().await;
        let acme = fixture.tenant("acme").await;
        fixture.member("ada@acme.test", &acme, Role::Admin).await;
        let olga = operator(&fixture).await;
        let own = fixture.tenant("own").await;
        fixture.tenancy.member_add(own.id, olga, Role::Admin).await.unwrap();
        let mut claims = fixture.claims(OPERATOR).await;
        let principal = fixture.principal(&claims).await.unwrap();
        let id = fixture.tenancy.impersonation_begin(&principal, &asked(&acme, role, 30)).await.unwrap();
        claims.impersonation = Some(id);
        Self { fixture, acme, claims, id }
    }

    async fn olga(&self) -> Principal {
        self.fixture.principal(&self.claims).await.unwrap().from_address(home())
    }

    async fn minutes_later(&self, minutes: i64) {
        self.fixture.clock.advance(Duration::from_secs(u64::try_from(minutes).unwrap() * 60));
    }
}

async fn operator(fixture: &Fixture) -> UserId {
    fixture.tenancy.operator_create(email(OPERATOR), password(PASSWORD)).await.unwrap();
    fixture.tenancy.user_by_email(&email(OPERATOR)).await.unwrap().unwrap().id
}

#[tokio::test]
async fn an_operator_acts_in_the_tenant_in_the_role_that_was_asked_for() {
    let visit = Visit::begin(Role::Viewer).await;
    let scope = visit.olga().await.scope().unwrap();
    assert_eq!((scope.tenant(), scope.role()), (visit.acme.id, Role::Viewer));
    let refused = visit.fixture.tenancy.member_list(&scope, &contract::ListQuery::default()).await;
    assert!(matches!(refused, Err(TenancyError::PermissionDenied { .. })));
    let view = visit.olga().await.view();
    assert_eq!(view.current.map(|current| current.tenant), Some(visit.acme.id));
    assert_eq!(view.impersonation.map(|time| (time.id, time.over)), Some((visit.id, false)));
    assert!(view.others.iter().any(|other| other.slug.as_str() == "own"));
}

#[tokio::test]
async fn without_it_an_operator_has_no_way_in() {
    let visit = Visit::begin(Role::Admin).await;
    let mut plain = visit.claims.clone();
    plain.impersonation = None;
    plain.tenant = Some(visit.acme.id);
    let olga = visit.fixture.principal(&plain).await.unwrap();
    assert!(matches!(olga.scope(), Err(TenancyError::NoTenant)));
    assert!(matches!(olga.membership_of(visit.acme.id), Err(TenancyError::NotFound { .. })));
}

#[tokio::test]
async fn the_tenant_reads_who_why_and_until_when_and_on_whose_behalf_things_were_done() {
    let visit = Visit::begin(Role::Admin).await;
    let tenancy = &visit.fixture.tenancy;
    let ada = visit.fixture.scope("ada@acme.test").await;
    let [seen] = &tenancy.impersonations_lasting(&ada).await.unwrap()[..] else { panic!("one visit lasts") };
    assert_eq!((seen.operator.as_str(), seen.reason.as_str(), seen.role), (OPERATOR, "ticket 4711", Role::Admin));

    let bob = visit.fixture.member("bob@acme.test", &visit.acme, Role::Member).await;
    let scope = visit.olga().await.scope().unwrap();
    tenancy.member_role_set(&scope, bob, Role::Viewer).await.unwrap();
    let log = tenancy.audit_list(&ada, None, "").await.unwrap();
    let changed = log.iter().find(|entry| entry.action == "member.role_set").unwrap();
    assert_eq!((changed.name.as_str(), changed.on_behalf_of.as_deref()), (OPERATOR, Some("acme")));
    let began = log.iter().find(|entry| entry.action == "impersonation.begin").unwrap();
    assert!(began.change.contains("ticket 4711") && began.on_behalf_of.is_none(), "{}", began.change);
    assert_eq!(audit_verify(tenancy.control(), None).await.unwrap().fault(), None);
    assert_eq!(tenancy.impersonation_list(&ada).await.unwrap().len(), 1);
}

#[tokio::test]
async fn it_ends_by_itself_and_leads_nowhere_silently() {
    let visit = Visit::begin(Role::Admin).await;
    visit.minutes_later(29).await;
    assert!(visit.olga().await.scope().is_ok());
    visit.minutes_later(1).await;
    let olga = visit.olga().await;
    assert!(matches!(olga.scope(), Err(TenancyError::ImpersonationOver { tenant }) if tenant == "ACME"));
    assert!(olga.view().impersonation.unwrap().over);
    assert_eq!(olga.view().current, None, "not the operator's own tenant either, before she says so");
    let ada = visit.fixture.scope("ada@acme.test").await;
    assert!(visit.fixture.tenancy.impersonations_lasting(&ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn both_sides_can_end_it_at_once() {
    let visit = Visit::begin(Role::Admin).await;
    let tenancy = &visit.fixture.tenancy;
    let ada = visit.fixture.scope("ada@acme.test").await;
    tenancy.impersonation_revoke(&ada, visit.id).await.unwrap();
    assert!(matches!(visit.olga().await.scope(), Err(TenancyError::ImpersonationOver { .. })));
    let again = tenancy.impersonation_revoke(&ada, visit.id).await;
    assert!(matches!(again, Err(TenancyError::NotFound { .. })));

    let visit = Visit::begin(Role::Admin).await;
    visit.fixture.tenancy.impersonation_end(&visit.olga().await, visit.id).await.unwrap();
    assert!(matches!(visit.olga().await.scope(), Err(TenancyError::ImpersonationOver { .. })));
    let ada = visit.fixture.scope("ada@acme.test").await;
    let log = visit.fixture.tenancy.audit_list(&ada, None, "impersonation.end").await.unwrap();
    assert_eq!(log.len(), 1);
    assert!(visit.fixture.tenancy.impersonation_list(&ada).await.unwrap()[0].ended_at.is_some());
    assert!(visit.fixture.tenancy.impersonations_lasting(&ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_over_is_not_ended_once_more() {
    let visit = Visit::begin(Role::Admin).await;
    let tenancy = &visit.fixture.tenancy;
    let ada = visit.fixture.scope("ada@acme.test").await;
    let ends = async || tenancy.audit_list(&ada, None, "impersonation.end").await.unwrap().len();
    let olga = visit.olga().await;
    tenancy.impersonation_end(&olga, visit.id).await.unwrap();
    let ended_at = tenancy.impersonation_list(&ada).await.unwrap()[0].ended_at;
    visit.minutes_later(1).await;
    tenancy.impersonation_end(&olga, visit.id).await.unwrap();
    assert_eq!((ends().await, tenancy.impersonation_list(&ada).await.unwrap()[0].ended_at), (1, ended_at));

    let visit = Visit::begin(Role::Admin).await;
    let tenancy = &visit.fixture.tenancy;
    let ada = visit.fixture.scope("ada@acme.test").await;
    let olga = visit.olga().await;
    visit.minutes_later(30).await;
    tenancy.impersonation_end(&olga, visit.id).await.unwrap();
    let refused = tenancy.impersonation_revoke(&ada, visit.id).await;
    assert!(matches!(refused, Err(TenancyError::NotFound { .. })), "{refused:?}");
    assert!(tenancy.audit_list(&ada, None, "impersonation.end").await.unwrap().is_empty(), "it ended by itself");
}

#[tokio::test]
async fn it_ends_with_the_sessions_and_with_the_right_of_whoever_is_inside() {
    let visit = Visit::begin(Role::Admin).await;
    let (fixture, tenancy) = (&visit.fixture, &visit.fixture.tenancy);
    let ada = fixture.scope("ada@acme.test").await;
    let pia = tenancy.user_create(email("pia@seam.test"), Some(password(PASSWORD)), true).await.unwrap();
    let claims = fixture.claims("pia@seam.test").await;
    let pias = fixture.principal(&claims).await.unwrap();
    let begin = async |who: &Principal| tenancy.impersonation_begin(who, &asked(&visit.acme, Role::Viewer, 5)).await;
    let hers = begin(&pias).await.unwrap();
    // One more of Olga's, which is over by itself, and one that she has left.
    begin(&visit.olga().await).await.unwrap();
    visit.minutes_later(5).await;
    let left = begin(&visit.olga().await).await.unwrap();
    tenancy.impersonation_end(&visit.olga().await, left).await.unwrap();
    let again = begin(&pias).await.unwrap();
    let lasting = async || -> Vec<_> {
        tenancy.impersonations_lasting(&ada).await.unwrap().into_iter().map(|visit| visit.id).collect()
    };
    assert_eq!(lasting().await, [again, visit.id]);

    tenancy.sign_out_everywhere(visit.claims.user).await.unwrap();
    assert_eq!(lasting().await, [again], "another's is not touched");
    let ends = async || tenancy.audit_list(&ada, None, "impersonation.end").await.unwrap();
    let told = ends().await;
    assert_eq!(told.len(), 2, "what was over before is not told again");
    assert!(told[0].change.contains(&visit.id.to_string()) && told[0].change.contains(OPERATOR), "{}", told[0].change);
    assert_eq!(told[0].target, "acme");

    let operator = pias.operator_scope().unwrap();
    tenancy.user_sign_out(&operator, pia).await.unwrap();
    assert!(lasting().await.is_empty());
    let anew = fixture.claims(OPERATOR).await;
    let third = begin(&fixture.principal(&anew).await.unwrap()).await;
    assert!(third.is_ok(), "{third:?}");
    tenancy.user_operator_set(&operator, visit.claims.user, false).await.unwrap();
    assert!(lasting().await.is_empty());
    assert_eq!(ends().await.len(), 4);
    assert!(!ends().await.iter().any(|entry| entry.change.contains(&hers.to_string())), "it ended by itself");
}

#[tokio::test]
async fn nothing_made_in_it_opens_the_tenant_afterwards() {
    let visit = Visit::begin(Role::Admin).await;
    let scope = visit.olga().await.scope().unwrap();
    let tenancy = &visit.fixture.tenancy;
    let key =
        NewKey { name: "later".to_owned(), scopes: contract::KeyScope::ALL.to_vec(), models: None, expires_at: None };
    let refused = tenancy.key_create(&scope, &key).await.map(drop);
    assert!(matches!(refused, Err(TenancyError::OutlivesImpersonation { .. })), "{refused:?}");
    let refused = tenancy.invitation_create(&scope, &email(OPERATOR), Role::Admin).await.map(drop);
    assert!(matches!(refused, Err(TenancyError::OutlivesImpersonation { .. })), "{refused:?}");
    let provider = NewSingleSignOn {
        issuer: "https://login.seam.test".to_owned(),
        client_id: "seam".to_owned(),
        client_secret: Some(Secret::new("olga's own".to_owned())),
        default_role: Role::Member,
        enabled: false,
        required: false,
    };
    let refused = tenancy.single_sign_on_save(&scope, provider).await.map(drop);
    assert!(matches!(refused, Err(TenancyError::OutlivesImpersonation { .. })), "{refused:?}");
    let refused = scope.management().map(drop);
    assert!(matches!(refused, Err(TenancyError::OutlivesImpersonation { .. })), "{refused:?}");
}

#[tokio::test]
async fn it_is_nobody_elses() {
    let visit = Visit::begin(Role::Admin).await;
    let fixture = &visit.fixture;
    // Another operator who learnt the id, and an operator who is none any more.
    let pia = fixture.tenancy.user_create(email("pia@seam.test"), Some(password(PASSWORD)), true).await.unwrap();
    let mut claims = fixture.claims("pia@seam.test").await;
    claims.impersonation = Some(visit.id);
    assert!(fixture.principal(&claims).await.unwrap().scope().is_err());
    let pias = fixture.principal(&claims).await.unwrap().operator_scope().unwrap();
    fixture.tenancy.user_operator_set(&pias, visit.claims.user, false).await.unwrap();
    assert!(visit.olga().await.scope().is_err());
    // Who was made one and never chose a password cannot sign in, and does not count.
    fixture.tenancy.user_open(&pias, &email("new@seam.test"), None, true, None).await.unwrap();
    let last = fixture.tenancy.user_operator_set(&pias, pia, false).await;
    assert!(matches!(last, Err(TenancyError::LastOperator { .. })));
    // Another tenant's admin.
    let globex = fixture.tenant("globex").await;
    fixture.member("eve@globex.test", &globex, Role::Admin).await;
    let eve = fixture.scope("eve@globex.test").await;
    let refused = fixture.tenancy.impersonation_revoke(&eve, visit.id).await;
    assert!(matches!(refused, Err(TenancyError::NotFound { .. })));
    assert!(fixture.tenancy.impersonation_list(&eve).await.unwrap().is_empty());
}

#[tokio::test]
async fn it_needs_an_operator_a_reason_and_a_bound() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    fixture.member("ada@acme.test", &acme, Role::Admin).await;
    operator(&fixture).await;
    let claims = fixture.claims("ada@acme.test").await;
    let ada = fixture.principal(&claims).await.unwrap();
    let refused = fixture.tenancy.impersonation_begin(&ada, &asked(&acme, Role::Admin, 30)).await;
    assert!(matches!(refused, Err(TenancyError::PermissionDenied { .. })));
    let claims = fixture.claims(OPERATOR).await;
    let olga = fixture.principal(&claims).await.unwrap();
    let silent = NewImpersonation { reason: "  ".to_owned(), ..asked(&acme, Role::Admin, 30) };
    let endless = asked(&acme, Role::Admin, LONGEST_IMPERSONATION.as_secs() / 60 + 1);
    for (wrong, expected) in [(silent, "reason"), (endless, "minutes"), (asked(&acme, Role::Admin, 0), "minutes")] {
        let refused = fixture.tenancy.impersonation_begin(&olga, &wrong).await;
        assert!(matches!(refused, Err(TenancyError::Invalid { field, .. }) if field == expected), "{refused:?}");
    }
    assert_eq!(fixture.number("SELECT COUNT(*) AS value FROM impersonation").await, 0);
}
