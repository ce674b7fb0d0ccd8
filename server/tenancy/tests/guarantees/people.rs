//! Members, invitations and what the log says of them.

use crate::fixture::{Fixture, email, home, new_tenant, password};
use contract::{ListQuery, Role};
use tenancy::{Invited, NewTenant, Scope, TenancyError};

async fn admin(fixture: &Fixture, address: &str, tenant: &tenancy::TenantRecord) -> Scope {
    fixture.member(address, tenant, Role::Admin).await;
    fixture.scope(address).await
}

fn everything() -> ListQuery {
    ListQuery::default()
}

/// The list is read from a copy of the address, which the database keeps.
#[tokio::test]
async fn a_list_shows_the_address_that_an_account_has_now() {
    const MOVED: &str = "UPDATE account SET email = 'zoe@acme.test' WHERE email = $1";
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    fixture.member("bob@acme.test", &acme, Role::Member).await;
    let names = async || -> Vec<String> {
        let members = fixture.tenancy.member_list(&ada, &everything()).await.unwrap().items;
        members.into_iter().map(|member| member.email.to_string()).collect()
    };
    assert_eq!(names().await, ["ada@acme.test", "bob@acme.test"]);
    fixture.tenancy.control().write(MOVED).bind("ada@acme.test").execute().await.unwrap();
    assert_eq!(names().await, ["bob@acme.test", "zoe@acme.test"]);
}

#[tokio::test]
async fn an_invited_stranger_joins_once_with_the_role_they_were_offered() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    let token = fixture.tenancy.invitation_create(&ada, &email("bob@acme.test"), Role::Viewer).await.unwrap();
    let offer = fixture.tenancy.invitation_offer(token.as_str()).await.unwrap();
    assert_eq!((offer.tenant.as_str(), offer.role, offer.has_account), ("ACME", Role::Viewer, false));
    assert_eq!(offer.invited_by, "ada@acme.test");

    let new = || Invited::New { password: password("a few words make one"), address: home() };
    let (_, tenant) = fixture.tenancy.invitation_accept(token.as_str(), new()).await.unwrap();
    assert_eq!(tenant, acme.id);
    let members = fixture.tenancy.member_list(&ada, &everything()).await.unwrap();
    let roles: Vec<_> = members.items.iter().map(|member| (member.email.as_str(), member.role)).collect();
    assert_eq!(roles, [("ada@acme.test", Role::Admin), ("bob@acme.test", Role::Viewer)]);
    let again = fixture.tenancy.invitation_accept(token.as_str(), new()).await;
    assert!(matches!(again, Err(TenancyError::InvitationExpired)));
    fixture.tenancy.sign_in("bob@acme.test", password("a few words make one"), home()).await.unwrap();
}

#[tokio::test]
async fn an_invitation_that_takes_the_place_of_another_says_so() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let (ada, eve) = (admin(&fixture, "ada@acme.test", &acme).await, admin(&fixture, "eve@globex.test", &globex).await);
    let (tenancy, bob) = (&fixture.tenancy, email("bob@acme.test"));
    tenancy.invitation_create(&eve, &bob, Role::Admin).await.unwrap();
    for role in [Role::Viewer, Role::Member] {
        tenancy.invitation_create(&ada, &bob, role).await.unwrap();
    }
    let log = tenancy.audit_list(&ada, None, "member.invite").await.unwrap();
    let told: Vec<_> = log.iter().map(|entry| entry.change.as_str()).collect();
    let expected =
        [r#"{"before":{"role":"viewer"},"after":{"role":"member"}}"#, r#"{"before":null,"after":{"role":"viewer"}}"#];
    let parsed = |texts: &[&str]| -> Vec<serde_json::Value> {
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    };
    assert_eq!(parsed(&told), parsed(&expected));
}

#[tokio::test]
async fn a_link_opens_nobodys_account() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let mallory = admin(&fixture, "mallory@acme.test", &acme).await;
    fixture.member("bob@globex.test", &globex, Role::Admin).await;
    // Has a password: must be signed in.
    let token = fixture.tenancy.invitation_create(&mallory, &email("bob@globex.test"), Role::Member).await.unwrap();
    let new = || Invited::New { password: password("mallory's own choice"), address: home() };
    let refused = fixture.tenancy.invitation_accept(token.as_str(), new()).await;
    assert!(matches!(refused, Err(TenancyError::InvitationForAnother { .. })));
    // Somebody else is signed in.
    let claims = fixture.claims("mallory@acme.test").await;
    let principal = fixture.principal(&claims).await.unwrap();
    let refused = fixture.tenancy.invitation_accept(token.as_str(), Invited::SignedIn(&principal)).await;
    assert!(matches!(refused, Err(TenancyError::InvitationForAnother { .. })));
    // Has no password yet, but is an operator, or belongs to another tenant.
    fixture.tenancy.user_create(email("olga@seam.test"), None, true).await.unwrap();
    let carol = fixture.tenancy.user_create(email("carol@globex.test"), None, false).await.unwrap();
    fixture.tenancy.member_add(globex.id, carol, Role::Member).await.unwrap();
    for address in ["olga@seam.test", "carol@globex.test"] {
        let token = fixture.tenancy.invitation_create(&mallory, &email(address), Role::Member).await.unwrap();
        let refused = fixture.tenancy.invitation_accept(token.as_str(), new()).await;
        assert!(matches!(refused, Err(TenancyError::InvitationForAnother { .. })), "{address}");
        let signed_in = fixture.tenancy.sign_in(address, password("mallory's own choice"), home()).await;
        assert!(matches!(signed_in, Err(TenancyError::SignInRefused)), "{address}");
    }
    assert_eq!(fixture.tenancy.member_list(&mallory, &everything()).await.unwrap().total, 1);
}

#[tokio::test]
async fn an_account_that_opens_nothing_yet_gets_its_password_by_the_link() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    fixture.tenancy.user_create(email("dora@acme.test"), None, false).await.unwrap();
    let token = fixture.tenancy.invitation_create(&ada, &email("dora@acme.test"), Role::Member).await.unwrap();
    let new = Invited::New { password: password("a few words make one"), address: home() };
    fixture.tenancy.invitation_accept(token.as_str(), new).await.unwrap();
    fixture.tenancy.sign_in("dora@acme.test", password("a few words make one"), home()).await.unwrap();
}

#[tokio::test]
async fn a_list_of_people_is_the_tenants_own_in_every_order() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    fixture.member("abe@globex.test", &globex, Role::Member).await;
    fixture.member("zoe@globex.test", &globex, Role::Member).await;
    for order in contract::ListOrder::ALL {
        let page = fixture.tenancy.member_list(&ada, &ListQuery { order, ..everything() }).await.unwrap();
        let names: Vec<_> = page.items.iter().map(|member| member.email.as_str()).collect();
        assert_eq!((names, page.total), (vec!["ada@acme.test"], 1), "{order:?}");
    }
}

#[tokio::test]
async fn who_has_an_account_joins_by_signing_in() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    fixture.member("bob@globex.test", &globex, Role::Member).await;
    let token = fixture.tenancy.invitation_create(&ada, &email("bob@globex.test"), Role::Admin).await.unwrap();
    let claims = fixture.claims("bob@globex.test").await;
    let bob = fixture.principal(&claims).await.unwrap();
    fixture.tenancy.invitation_accept(token.as_str(), Invited::SignedIn(&bob)).await.unwrap();
    let bob = fixture.principal(&claims).await.unwrap();
    assert_eq!(bob.memberships().len(), 2);
}

#[tokio::test]
async fn links_run_out_are_withdrawn_and_replaced() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    let bob = email("bob@acme.test");
    let invite = || fixture.tenancy.invitation_create(&ada, &bob, Role::Member);
    let works = async |token: &tenancy::OneTimeToken| fixture.tenancy.invitation_offer(token.as_str()).await.is_ok();
    let first = invite().await.unwrap();
    let second = invite().await.unwrap();
    assert!(!works(&first).await && works(&second).await);
    let open = fixture.tenancy.invitation_list(&ada).await.unwrap();
    assert_eq!(open.len(), 1);
    fixture.tenancy.invitation_withdraw(&ada, &open[0].id).await.unwrap();
    assert!(!works(&second).await);
    let third = invite().await.unwrap();
    fixture.clock.advance(tenancy::INVITATION_LIFETIME);
    assert!(!works(&third).await);
    assert!(fixture.tenancy.invitation_list(&ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tenant_has_at_most_a_thousand_open_invitations_of_its_own() {
    const INSERT: &str = "
        INSERT INTO invitation (tenant_id, id, token_hash, email, role, invited_by, created_at, expires_at)
        VALUES ($1, $2, $2, $2, 'member', 'somebody', 1, $3)";
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    let (past, later) = (fixture.tenancy.clock().now(), fixture.tenancy.clock().now().plus_millis(60_000));
    let mut tx = fixture.tenancy.control().begin().await.unwrap();
    for (tenant, number, until) in [(acme.id, 999, later), (acme.id, 30, past), (globex.id, 30, later)] {
        for _ in 0..number {
            let name = contract::RequestId::new().to_string();
            tx.query(INSERT).bind(tenant).bind(name).bind(until).execute().await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    fixture.tenancy.invitation_create(&ada, &email("thousandth@acme.test"), Role::Member).await.unwrap();
    let refused = fixture.tenancy.invitation_create(&ada, &email("more@acme.test"), Role::Member).await;
    assert!(matches!(refused, Err(TenancyError::Invalid { field: "email", .. })), "{refused:?}");
}

#[tokio::test]
async fn only_admins_manage_and_strangers_are_not_found() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    let stranger = fixture.member("eve@globex.test", &globex, Role::Member).await;
    let viewer = fixture.member("vic@acme.test", &acme, Role::Viewer).await;
    let vic = fixture.scope("vic@acme.test").await;
    let denied = |result: Result<(), TenancyError>| matches!(result, Err(TenancyError::PermissionDenied { .. }));
    assert!(denied(fixture.tenancy.member_list(&vic, &everything()).await.map(drop)));
    assert!(denied(fixture.tenancy.member_role_set(&vic, viewer, Role::Admin).await));
    assert!(denied(fixture.tenancy.member_remove(&vic, viewer).await));
    assert!(denied(fixture.tenancy.invitation_create(&vic, &email("x@acme.test"), Role::Admin).await.map(drop)));
    assert!(denied(fixture.tenancy.invitation_list(&vic).await.map(drop)));
    assert!(denied(fixture.tenancy.key_list(&vic).await.map(drop)));
    assert!(denied(fixture.tenancy.key_find(&vic, contract::KeyId::new()).await.map(drop)));
    assert!(denied(fixture.tenancy.member_find(&vic, viewer).await.map(drop)));
    assert!(denied(fixture.tenancy.tenant_own(&vic).await.map(drop)));
    assert!(denied(fixture.tenancy.audit_list(&vic, None, "").await.map(drop)));
    assert!(denied(fixture.tenancy.impersonation_list(&vic).await.map(drop)));
    assert!(denied(fixture.tenancy.impersonation_revoke(&vic, contract::ImpersonationId::new()).await));

    let missing = |result: Result<(), TenancyError>| matches!(result, Err(TenancyError::NotFound { .. }));
    assert!(missing(fixture.tenancy.member_role_set(&ada, stranger, Role::Admin).await));
    assert!(missing(fixture.tenancy.member_remove(&ada, stranger).await));
    assert!(missing(fixture.tenancy.member_remove(&ada, contract::UserId::new()).await));
}

#[tokio::test]
async fn what_an_admin_does_to_a_member_of_two_tenants_holds_in_their_own() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    let eve = admin(&fixture, "eve@globex.test", &globex).await;
    let bob = fixture.member("bob@acme.test", &acme, Role::Member).await;
    let dan = fixture.member("dan@acme.test", &acme, Role::Member).await;
    fixture.tenancy.member_add(globex.id, bob, Role::Admin).await.unwrap();
    let role = async |scope: &Scope, user| fixture.tenancy.member_find(scope, user).await.map(|member| member.role);
    fixture.tenancy.member_role_set(&ada, bob, Role::Viewer).await.unwrap();
    assert_eq!(role(&ada, bob).await.unwrap(), Role::Viewer);
    assert_eq!(role(&eve, bob).await.unwrap(), Role::Admin, "the other tenant said something else");
    assert_eq!(role(&ada, dan).await.unwrap(), Role::Member, "and somebody else was not meant");
    fixture.tenancy.member_remove(&ada, bob).await.unwrap();
    assert!(matches!(role(&ada, bob).await, Err(TenancyError::NotFound { .. })));
    assert_eq!(role(&eve, bob).await.unwrap(), Role::Admin);
    assert_eq!(role(&ada, dan).await.unwrap(), Role::Member);
}

#[tokio::test]
async fn a_tenant_keeps_an_admin() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    // Somebody else's admins are nobody here.
    fixture.member("eve@globex.test", &fixture.tenant("globex").await, Role::Admin).await;
    let me = ada.user().unwrap();
    let last = |result: Result<(), TenancyError>| matches!(result, Err(TenancyError::LastAdmin { .. }));
    assert!(last(fixture.tenancy.member_role_set(&ada, me, Role::Member).await));
    assert!(last(fixture.tenancy.member_remove(&ada, me).await));
    let bob = fixture.member("bob@acme.test", &acme, Role::Member).await;
    fixture.tenancy.member_role_set(&ada, bob, Role::Admin).await.unwrap();
    fixture.tenancy.member_remove(&ada, me).await.unwrap();
    // Counts from the next request on.
    assert!(fixture.principal(&fixture.claims("ada@acme.test").await).await.unwrap().scope().is_err());
}

#[tokio::test]
async fn long_lists_are_searched_and_cut_on_the_server() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    for number in 0..60 {
        let user =
            fixture.tenancy.user_create(email(&format!("user{number:02}@acme.test")), None, false).await.unwrap();
        fixture.tenancy.member_add(acme.id, user, Role::Member).await.unwrap();
    }
    let page = async |words: &str, page| {
        fixture.tenancy.member_list(&ada, &ListQuery { words: words.to_owned(), page, ..everything() }).await.unwrap()
    };
    let first = page("", 1).await;
    assert_eq!((first.items.len(), first.total, first.last()), (50, 61, 2));
    assert_eq!(page("", 2).await.items.len(), 11);
    assert!(page("", 99).await.items.is_empty());
    assert_eq!(page("USER1", 1).await.total, 10);
    // Letters beyond ASCII are compared as they are, which is how both engines lower them.
    let operator = tenancy::OperatorScope::command_line();
    let school = NewTenant { display_name: "École du Nord".to_owned(), ..new_tenant("ecole") };
    fixture.tenancy.tenant_create(school).await.unwrap();
    for (words, found) in [("École", 1), ("École DU", 1), ("Lycée", 0)] {
        let query = ListQuery { words: words.to_owned(), page: 1, ..everything() };
        assert_eq!(fixture.tenancy.tenant_page(&operator, &query).await.unwrap().total, found, "{words}");
    }
    // What is typed is taken literally.
    assert_eq!(page("user_1", 1).await.total, 0);
    assert_eq!(page("%", 1).await.total, 0);
}

#[tokio::test]
async fn every_change_is_in_the_tenants_log_and_nobody_elses() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let ada = admin(&fixture, "ada@acme.test", &acme).await;
    let eve = admin(&fixture, "eve@globex.test", &globex).await;
    let bob = fixture.member("bob@acme.test", &acme, Role::Member).await;
    fixture.tenancy.member_role_set(&ada, bob, Role::Viewer).await.unwrap();
    // Nothing changes, so nothing is told.
    fixture.tenancy.member_role_set(&ada, bob, Role::Viewer).await.unwrap();
    fixture.tenancy.member_remove(&ada, bob).await.unwrap();
    let log = fixture.tenancy.audit_list(&ada, None, "").await.unwrap();
    let lines: Vec<_> = log.iter().map(|entry| (entry.seq, entry.action.as_str(), entry.target.as_str())).collect();
    assert_eq!(lines, [(2, "member.remove", "bob@acme.test"), (1, "member.role_set", "bob@acme.test")]);
    assert_eq!(log[1].change, r#"{"after":{"role":"viewer"},"before":{"role":"member"}}"#);
    assert_eq!((log[0].name.as_str(), log[0].address.as_deref()), ("ada@acme.test", Some("192.0.2.1")));
    assert_eq!(fixture.tenancy.audit_list(&ada, Some(2), "").await.unwrap().len(), 1);
    assert_eq!(fixture.tenancy.audit_list(&ada, None, "Role_Set").await.unwrap().len(), 1);
    assert!(fixture.tenancy.audit_list(&eve, None, "").await.unwrap().is_empty());
}
