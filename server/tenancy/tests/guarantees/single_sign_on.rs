//! Single sign-on: whom a tenant's provider can speak for, and whom it cannot.

use crate::{
    fixture::{Fixture, PASSWORD, email, home, password},
    provider::{CLIENT, Provider, parameter},
};
use contract::{EmailDomain, Role, SignInHow};
use serde_json::json;
use std::time::Duration;
use tenancy::{
    Claim, FLOW_LIFETIME, NewSingleSignOn, OperatorScope, Principal, ProviderUnusable, Scope, Secret, SessionClaims,
    SingleSignOnError, TenancyError, TenantRecord,
};

const CALLBACK: &str = "http://seam.test/oidc/callback";

/// Tenant Acme with its admin Ada, its domain and its provider.
pub struct World {
    pub fixture: Fixture,
    provider: Provider,
    pub acme: TenantRecord,
    pub ada: Scope,
}

fn domain(text: &str) -> EmailDomain {
    text.parse().unwrap()
}

fn setting(provider: &Provider) -> NewSingleSignOn {
    NewSingleSignOn {
        issuer: provider.issuer.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(Secret::new("hunter2-of-the-client".to_owned())),
        default_role: Role::Member,
        enabled: true,
        required: false,
    }
}

impl World {
    pub async fn new() -> Self {
        let mut fixture = Fixture::new().await;
        fixture.tenancy = fixture.tenancy.clone().private_identity_providers(true);
        let acme = fixture.tenant("acme").await;
        fixture.member("ada@acme.test", &acme, Role::Admin).await;
        let ada = fixture.scope("ada@acme.test").await;
        let provider = Provider::start().await;
        fixture.tenancy.single_sign_on_save(&ada, setting(&provider)).await.unwrap().unwrap();
        fixture.tenancy.domain_confirm(&OperatorScope::command_line(), acme.id, &domain("acme.test")).await.unwrap();
        Self { fixture, provider, acme, ada }
    }

    async fn begin(&self) -> tenancy::Departure {
        let tenancy = &self.fixture.tenancy;
        tenancy.single_sign_on_begin(&domain("acme.test"), CALLBACK, "/chat", home()).await.unwrap()
    }

    async fn finish(&self, departure: &tenancy::Departure) -> Result<SessionClaims, TenancyError> {
        let state = parameter(&departure.url, "state");
        let (tenancy, who) = (&self.fixture.tenancy, home().into());
        let done = tenancy.single_sign_on_complete(Some(&departure.flow), &state, Ok("code"), CALLBACK, &who);
        done.await.map(|(signed_in, _)| signed_in.claims)
    }

    pub async fn enter(&self, subject: &str, address: &str) -> Result<SessionClaims, TenancyError> {
        let departure = self.begin().await;
        self.provider.vouch(&departure.url, subject, address);
        self.finish(&departure).await
    }

    async fn principal(&self, claims: &SessionClaims) -> Principal {
        self.fixture.principal(claims).await.unwrap()
    }
}

fn why<T: std::fmt::Debug>(result: Result<T, TenancyError>) -> SingleSignOnError {
    match result {
        Err(TenancyError::SingleSignOn(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn somebody_new_becomes_a_member_and_stays_the_same_person() {
    let world = World::new().await;
    let first = world.enter("sub-1", "grace@acme.test").await.unwrap();
    let grace = world.principal(&first).await;
    assert_eq!(grace.email(), &email("grace@acme.test"));
    assert_eq!(grace.scope().unwrap().role(), Role::Member);
    let view = world.fixture.tenancy.entrance_view(first.user).await.unwrap();
    assert_eq!((view.recent[0].how, view.recent[0].tenant.as_deref()), (SignInHow::SingleSignOn, Some("ACME")));
    assert!(!view.has_password);
    // Another address of hers, and of somebody else's account: still she.
    world.fixture.person("linus@acme.test").await;
    let again = world.enter("sub-1", "linus@acme.test").await.unwrap();
    assert_eq!(again.user, first.user);
    let log = world.fixture.tenancy.audit_list(&world.ada, None, "grace").await.unwrap();
    let actions: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["member.join", "identity.link"]);
}

#[tokio::test]
async fn an_address_leads_to_its_account_once_and_not_to_two_people() {
    let world = World::new().await;
    let bob = world.fixture.member("bob@acme.test", &world.acme, Role::Viewer).await;
    let claims = world.enter("sub-bob", "bob@acme.test").await.unwrap();
    assert_eq!(claims.user, bob);
    assert_eq!(world.principal(&claims).await.scope().unwrap().role(), Role::Viewer, "what he was he stays");
    let hijack = world.enter("sub-mallory", "bob@acme.test").await;
    assert!(matches!(why(hijack), SingleSignOnError::NotThisAddress));
}

#[tokio::test]
async fn the_provider_speaks_for_its_tenants_confirmed_domains_alone() {
    let world = World::new().await;
    let (fixture, operator) = (&world.fixture, OperatorScope::command_line());
    assert!(matches!(why(world.enter("s", "eve@evil.test").await), SingleSignOnError::ForeignDomain { .. }));
    for expected in [Claim::Made, Claim::MadeBefore] {
        assert_eq!(fixture.tenancy.domain_claim(&world.ada, &domain("evil.test")).await.unwrap(), expected);
    }
    assert!(matches!(why(world.enter("s", "eve@evil.test").await), SingleSignOnError::ForeignDomain { .. }));
    assert!(matches!(why(world.enter("s", "eve@sub.acme.test").await), SingleSignOnError::ForeignDomain { .. }));
    // Confirmed for another tenant.
    let globex = fixture.tenant("globex").await;
    fixture.tenancy.domain_confirm(&operator, globex.id, &domain("evil.test")).await.unwrap();
    // Who claims it too learns nothing of that.
    let again = fixture.tenancy.domain_claim(&world.ada, &domain("evil.test")).await.unwrap();
    assert_eq!(again, Claim::MadeBefore);
    assert!(matches!(why(world.enter("s", "eve@evil.test").await), SingleSignOnError::ForeignDomain { .. }));
    let second = fixture.tenancy.domain_confirm(&operator, world.acme.id, &domain("evil.test")).await;
    assert!(matches!(second, Err(TenancyError::Invalid { field: "domain", .. })), "{second:?}");
    let unknown = fixture.tenancy.single_sign_on_begin(&domain("evil.test"), CALLBACK, "/", home()).await;
    assert!(matches!(why(unknown), SingleSignOnError::NotSetUp { .. }));
    fixture.tenancy.domain_withdraw(&operator, globex.id, &domain("evil.test")).await.unwrap();
    fixture.tenancy.domain_confirm(&operator, world.acme.id, &domain("evil.test")).await.unwrap();
    let again = fixture.tenancy.domain_claim(&world.ada, &domain("evil.test")).await.unwrap();
    assert_eq!(again, Claim::ConfirmedBefore);
    world.enter("s", "eve@evil.test").await.unwrap();
}

#[tokio::test]
async fn the_operator_sees_who_else_says_that_a_domain_is_theirs() {
    let world = World::new().await;
    let (tenancy, operator) = (&world.fixture.tenancy, OperatorScope::command_line());
    let globex = world.fixture.tenant("globex").await;
    world.fixture.member("gus@globex.test", &globex, Role::Admin).await;
    let gus = world.fixture.scope("gus@globex.test").await;
    for name in ["acme.test", "shared.test"] {
        tenancy.domain_claim(&gus, &domain(name)).await.unwrap();
    }
    tenancy.domain_claim(&world.ada, &domain("shared.test")).await.unwrap();
    let claims = tenancy.domain_claims(&operator, globex.id).await.unwrap();
    let told: Vec<_> = claims
        .iter()
        .map(|one| (one.domain.as_str(), one.held_by.as_ref().map(|slug| slug.as_str()), one.other_claims))
        .collect();
    assert_eq!(told, [("acme.test", Some("acme"), 1), ("shared.test", None, 1)]);
    assert!(claims.iter().all(|one| one.claimed_by == "gus@globex.test" && one.confirmed_by.is_none()));
    let own = tenancy.domain_claims(&operator, world.acme.id).await.unwrap();
    assert_eq!((own[0].held_by.as_ref(), own[0].confirmed_by.as_deref()), (None, Some("command line")));
}

#[tokio::test]
async fn no_operator_comes_in_by_a_tenants_provider() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    tenancy.user_create(email("olga@acme.test"), Some(password(PASSWORD)), true).await.unwrap();
    assert!(matches!(why(world.enter("s", "olga@acme.test").await), SingleSignOnError::NotThisAddress));
    // Nor who becomes one later, in a session that is open.
    let claims = world.enter("grace", "grace@acme.test").await.unwrap();
    tenancy.operator_create(email("grace@acme.test"), password(PASSWORD)).await.unwrap();
    let promoted = SessionClaims { epoch: claims.epoch + 1, ..claims };
    assert!(world.fixture.principal(&promoted).await.is_none());
    assert!(matches!(why(world.enter("grace", "grace@acme.test").await), SingleSignOnError::NotThisAddress));
}

#[tokio::test]
async fn a_tenants_provider_opens_no_other_tenant() {
    let world = World::new().await;
    let fixture = &world.fixture;
    let globex = fixture.tenant("globex").await;
    let bob = fixture.member("bob@acme.test", &globex, Role::Admin).await;
    fixture.tenancy.member_add(world.acme.id, bob, Role::Member).await.unwrap();
    let claims = world.enter("bob", "bob@acme.test").await.unwrap();
    let principal = world.principal(&claims).await;
    assert_eq!(principal.memberships().len(), 1);
    assert_eq!(principal.scope().unwrap().tenant(), world.acme.id);
    let moved = SessionClaims { tenant: Some(globex.id), ..claims };
    assert!(matches!(world.principal(&moved).await.scope(), Err(TenancyError::NoTenant)));
    // Nor does it accept an invitation into one.
    fixture.member("hank@globex.test", &globex, Role::Admin).await;
    let hank = fixture.scope("hank@globex.test").await;
    world.enter("grace", "grace@acme.test").await.unwrap();
    let token = fixture.tenancy.invitation_create(&hank, &email("grace@acme.test"), Role::Admin).await.unwrap();
    let grace = world.principal(&world.enter("grace", "grace@acme.test").await.unwrap()).await;
    let joined = fixture.tenancy.invitation_accept(token.as_str(), tenancy::Invited::SignedIn(&grace)).await;
    assert!(matches!(joined, Err(TenancyError::NotWithSingleSignOn)), "{joined:?}");
    assert_eq!(fixture.claims("bob@acme.test").await.vouched_by, None);
}

#[tokio::test]
async fn who_was_removed_stays_outside_until_invited() {
    let world = World::new().await;
    let claims = world.enter("grace", "grace@acme.test").await.unwrap();
    world.fixture.tenancy.member_remove(&world.ada, claims.user).await.unwrap();
    assert!(world.principal(&claims).await.scope().is_err());
    assert!(matches!(why(world.enter("grace", "grace@acme.test").await), SingleSignOnError::Removed { .. }));
    let grace = email("grace@acme.test");
    world.fixture.tenancy.invitation_create(&world.ada, &grace, Role::Viewer).await.unwrap();
    let back = world.enter("grace", "grace@acme.test").await.unwrap();
    assert_eq!(world.principal(&back).await.scope().unwrap().role(), Role::Viewer);
    assert!(world.fixture.tenancy.invitation_list(&world.ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_id_token_that_is_wrong_in_anything_opens_nothing() {
    let world = World::new().await;
    for (claim, value) in [
        ("nonce", json!("another")),
        ("aud", json!("another client")),
        ("iss", json!("http://127.0.0.1:1")),
        ("exp", json!(1_000_000_000)),
    ] {
        let departure = world.begin().await;
        world.provider.vouch(&departure.url, "s", "grace@acme.test");
        world.provider.claim(claim, value);
        assert!(matches!(why(world.finish(&departure).await), SingleSignOnError::Unusable { .. }), "{claim}");
    }
    let departure = world.begin().await;
    world.provider.vouch(&departure.url, "s", "grace@acme.test");
    world.provider.script.lock().unwrap().foreign_key = true;
    assert!(matches!(why(world.finish(&departure).await), SingleSignOnError::Unusable { .. }));
    for (verified, name) in [(json!(false), "unverified"), (json!(null), "unsaid")] {
        let departure = world.begin().await;
        world.provider.vouch(&departure.url, "s", "grace@acme.test");
        world.provider.claim("email_verified", verified);
        assert!(matches!(why(world.finish(&departure).await), SingleSignOnError::NotVerified), "{name}");
    }
    assert!(world.fixture.tenancy.user_by_email(&email("grace@acme.test")).await.unwrap().is_none());
}

#[tokio::test]
async fn the_address_may_be_asked_for_and_is_that_of_the_same_person() {
    let world = World::new().await;
    let ask = async |subject: &str| {
        let departure = world.begin().await;
        world.provider.vouch(&departure.url, "grace", "");
        world
            .provider
            .script
            .lock()
            .unwrap()
            .claims
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.starts_with("email"));
        world.provider.script.lock().unwrap().user_info =
            json!({ "sub": subject, "email": "grace@acme.test", "email_verified": true });
        world.finish(&departure).await
    };
    assert!(matches!(why(ask("somebody else").await), SingleSignOnError::Unusable { .. }));
    ask("grace").await.unwrap();
}

#[tokio::test]
async fn the_way_back_is_the_same_browsers_in_time_and_once() {
    let world = World::new().await;
    let (tenancy, who) = (&world.fixture.tenancy, home().into());
    let departure = world.begin().await;
    world.provider.vouch(&departure.url, "s", "grace@acme.test");
    let state = parameter(&departure.url, "state");
    let stale = async |flow: Option<&str>, state: &str| {
        why(tenancy.single_sign_on_complete(flow, state, Ok("code"), CALLBACK, &who).await)
    };
    assert!(matches!(stale(None, &state).await, SingleSignOnError::Stale));
    assert!(matches!(stale(Some(&departure.flow), "another").await, SingleSignOnError::Stale));
    let mut bent = departure.flow.clone().into_bytes();
    bent[40] = if bent[40] == b'A' { b'B' } else { b'A' };
    assert!(matches!(stale(Some(str::from_utf8(&bent).unwrap()), &state).await, SingleSignOnError::Stale));
    world.finish(&departure).await.unwrap();
    assert!(matches!(why(world.finish(&departure).await), SingleSignOnError::Stale), "used once");
    // The code was asked for with the verifier of the challenge.
    assert!(world.provider.script.lock().unwrap().token_request.contains("code_verifier="));
    assert_eq!(parameter(&departure.url, "code_challenge_method"), "S256");

    let late = world.begin().await;
    world.provider.vouch(&late.url, "s", "grace@acme.test");
    world.fixture.clock.advance(FLOW_LIFETIME + Duration::from_secs(1));
    assert!(matches!(why(world.finish(&late).await), SingleSignOnError::Stale));
    let denied = world.begin().await;
    let state = parameter(&denied.url, "state");
    let said = Err("access_denied");
    let denied = tenancy.single_sign_on_complete(Some(&denied.flow), &state, said, CALLBACK, &who).await;
    assert!(matches!(why(denied), SingleSignOnError::Denied { code } if code == "access_denied"));
}

#[tokio::test]
async fn demanding_it_shuts_passwords_out_of_that_tenant_and_of_no_other() {
    let world = World::new().await;
    let (fixture, tenancy) = (&world.fixture, &world.fixture.tenancy);
    let globex = fixture.tenant("globex").await;
    let bob = fixture.member("bob@acme.test", &world.acme, Role::Member).await;
    let both = fixture.member("both@acme.test", &world.acme, Role::Member).await;
    tenancy.member_add(globex.id, both, Role::Member).await.unwrap();
    fixture.member("guest@elsewhere.test", &world.acme, Role::Member).await;
    let open = fixture.claims("bob@acme.test").await;
    let demanded = NewSingleSignOn { required: true, client_secret: None, ..setting(&world.provider) };
    // Somebody else's coming by it proves nothing about her own.
    world.enter("carl", "carl@acme.test").await.unwrap();
    let early = tenancy.single_sign_on_save(&world.ada, demanded.clone()).await;
    assert!(matches!(early, Err(TenancyError::Invalid { field: "required", .. })), "{early:?}");
    let ada = world.enter("ada", "ada@acme.test").await.unwrap();
    let ada = world.principal(&ada).await.scope().unwrap();
    tenancy.single_sign_on_save(&ada, demanded).await.unwrap().unwrap();

    assert!(world.principal(&open).await.scope().is_err(), "sessions that are open too");
    for (address, typed) in
        [("bob@acme.test", PASSWORD), ("bob@acme.test", "wrong one"), ("nobody@acme.test", PASSWORD)]
    {
        let refused = tenancy.sign_in(address, password(typed), home()).await;
        assert!(matches!(refused, Err(TenancyError::SingleSignOnRequired { .. })), "{address} {refused:?}");
    }
    let elsewhere = fixture.claims("both@acme.test").await;
    assert_eq!(world.principal(&elsewhere).await.scope().unwrap().tenant(), globex.id);
    assert_eq!(world.principal(&elsewhere).await.memberships().len(), 1);
    let guest = fixture.claims("guest@elsewhere.test").await;
    assert_eq!(world.principal(&guest).await.scope().unwrap().tenant(), world.acme.id);
    assert_eq!(world.enter("bob", "bob@acme.test").await.unwrap().user, bob);
    // The operator's way to undo it.
    tenancy.domain_withdraw(&OperatorScope::command_line(), world.acme.id, &domain("acme.test")).await.unwrap();
    fixture.claims("bob@acme.test").await;
}

#[tokio::test]
async fn a_program_may_demand_it_once_an_admin_has_come_by_it() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    let management = tenancy.management(&OperatorScope::command_line(), "acme").await.unwrap();
    let demanded = NewSingleSignOn { required: true, client_secret: None, ..setting(&world.provider) };
    // A member who has come by it could not take it back.
    world.enter("carl", "carl@acme.test").await.unwrap();
    // Nor does another tenant's admin know that it works here, who came by the same provider there.
    globex_at_the_same_provider(&world).await;
    let departure = tenancy.single_sign_on_begin(&domain("globex.test"), CALLBACK, "/chat", home()).await.unwrap();
    world.provider.vouch(&departure.url, "eve", "eve@globex.test");
    world.finish(&departure).await.unwrap();
    let early = tenancy.single_sign_on_save(&management, demanded.clone()).await;
    assert!(matches!(early, Err(TenancyError::Invalid { field: "required", .. })), "{early:?}");
    world.enter("ada", "ada@acme.test").await.unwrap();
    tenancy.single_sign_on_save(&management, demanded).await.unwrap().unwrap();
    let (view, domains) = tenancy.single_sign_on_view(&management).await.unwrap();
    assert!(view.unwrap().required && domains.len() == 1);
}

#[tokio::test]
async fn a_provider_is_tried_before_it_is_kept_and_its_secret_goes_nowhere_else() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    let invalid = |result: Result<Result<(), ProviderUnusable>, TenancyError>| match result {
        Err(TenancyError::Invalid { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    };
    let save = |new| tenancy.single_sign_on_save(&world.ada, new);
    let dead = NewSingleSignOn { issuer: "http://127.0.0.1:1".to_owned(), ..setting(&world.provider) };
    assert_eq!(invalid(save(dead).await).0, "issuer");
    let plain = NewSingleSignOn { issuer: "http://login.example.com".to_owned(), ..setting(&world.provider) };
    assert!(invalid(save(plain).await).1.contains("must begin with https://"));
    world.provider.script.lock().unwrap().issuer = Some("http://127.0.0.1:2".to_owned());
    assert_eq!(invalid(save(setting(&world.provider)).await).0, "issuer");
    world.provider.script.lock().unwrap().issuer = None;
    world.provider.script.lock().unwrap().redirects = true;
    assert_eq!(invalid(save(setting(&world.provider)).await).0, "issuer", "redirects are not followed");
    world.provider.script.lock().unwrap().redirects = false;
    let other = Provider::start().await;
    let moved = NewSingleSignOn { client_secret: None, ..setting(&other) };
    assert_eq!(invalid(save(moved).await).0, "client_secret");
    let admin = NewSingleSignOn { default_role: Role::Admin, ..setting(&world.provider) };
    assert_eq!(invalid(save(admin).await).0, "role");

    let log = tenancy.audit_list(&world.ada, None, "").await.unwrap();
    assert!(log.iter().any(|entry| entry.action == "sign_in.configure"));
    assert!(!log.iter().any(|entry| entry.change.contains("hunter2")));
    let sealed: Vec<u8> = tenancy
        .control()
        .read("SELECT client_secret_sealed AS value FROM sign_in_setting")
        .fetch_one::<Sealed>()
        .await
        .unwrap()
        .0;
    assert!(!String::from_utf8_lossy(&sealed).contains("hunter2"));
}

#[tokio::test]
async fn one_that_does_not_answer_can_be_switched_off_and_is_tried_all_the_same() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    world.provider.script.lock().unwrap().redirects = true;
    let off = NewSingleSignOn { enabled: false, ..setting(&world.provider) };
    let tried = tenancy.single_sign_on_save(&world.ada, off.clone()).await.unwrap();
    assert!(tried.unwrap_err().to_string().starts_with("this provider cannot be used: 127.0.0.1 answers with status"));
    assert!(!tenancy.single_sign_on_view(&world.ada).await.unwrap().0.unwrap().enabled);
    world.provider.script.lock().unwrap().redirects = false;
    assert_eq!(tenancy.single_sign_on_save(&world.ada, off).await.unwrap(), Ok(()));
}

struct Sealed(Vec<u8>);

impl store::FromRow for Sealed {
    fn from_row(row: &store::Row) -> Result<Self, store::StoreError> {
        Ok(Self(row.get("value")?))
    }
}

#[tokio::test]
async fn only_admins_set_it_up_and_strangers_see_nothing() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    world.fixture.member("bob@acme.test", &world.acme, Role::Member).await;
    let bob = world.fixture.scope("bob@acme.test").await;
    let denied = |result: Result<(), TenancyError>| matches!(result, Err(TenancyError::PermissionDenied { .. }));
    assert!(denied(tenancy.single_sign_on_view(&bob).await.map(drop)));
    assert!(denied(tenancy.single_sign_on_save(&bob, setting(&world.provider)).await.map(drop)));
    assert!(denied(tenancy.domain_claim(&bob, &domain("bob.test")).await.map(drop)));
    assert!(denied(tenancy.domain_release(&bob, &domain("acme.test")).await));
    let globex = world.fixture.tenant("globex").await;
    world.fixture.member("eve@globex.test", &globex, Role::Admin).await;
    let eve = world.fixture.scope("eve@globex.test").await;
    let (setting, domains) = tenancy.single_sign_on_view(&eve).await.unwrap();
    assert!(setting.is_none() && domains.is_empty());
    let missing = tenancy.domain_release(&eve, &domain("acme.test")).await;
    assert!(matches!(missing, Err(TenancyError::NotFound { .. })));
}

#[tokio::test]
async fn without_the_operators_leave_no_private_network_is_asked() {
    let world = World::new().await;
    let strict = world.fixture.tenancy.clone().private_identity_providers(false);
    let refused = strict.single_sign_on_save(&world.ada, setting(&world.provider)).await;
    assert!(matches!(refused, Err(TenancyError::Invalid { field: "issuer", .. })), "{refused:?}");
    let begun = strict.single_sign_on_begin(&domain("acme.test"), CALLBACK, "/", home()).await;
    assert!(matches!(why(begun), SingleSignOnError::Unusable { .. }));
}

/// Globex, at the same provider as Acme.
async fn globex_at_the_same_provider(world: &World) -> (TenantRecord, Scope) {
    let tenancy = &world.fixture.tenancy;
    let globex = world.fixture.tenant("globex").await;
    world.fixture.member("eve@globex.test", &globex, Role::Admin).await;
    let eve = world.fixture.scope("eve@globex.test").await;
    tenancy.single_sign_on_save(&eve, setting(&world.provider)).await.unwrap().unwrap();
    tenancy.domain_confirm(&OperatorScope::command_line(), globex.id, &domain("globex.test")).await.unwrap();
    (globex, eve)
}

#[tokio::test]
async fn two_tenants_of_one_provider_know_their_own_people_alone() {
    const USED: &str = "SELECT last_used_at AS value FROM external_identity WHERE tenant_id = $1";
    let world = World::new().await;
    let (tenancy, operator) = (&world.fixture.tenancy, OperatorScope::command_line());
    let (globex, _) = globex_at_the_same_provider(&world).await;
    let enter_globex = async |at: &str, subject: &str, address: &str| {
        let departure = tenancy.single_sign_on_begin(&domain(at), CALLBACK, "/chat", home()).await.unwrap();
        world.provider.vouch(&departure.url, subject, address);
        world.finish(&departure).await
    };
    let here = world.enter("sub-1", "grace@acme.test").await.unwrap();
    let there = enter_globex("globex.test", "sub-1", "gina@globex.test").await.unwrap();
    assert_ne!(here.user, there.user, "who somebody is, each tenant knows for itself");
    let used = async || tenancy.control().read(USED).bind(globex.id).fetch_one::<i64>().await.unwrap();
    let before = used().await;
    world.fixture.clock.advance(Duration::from_secs(60));
    world.enter("sub-1", "grace@acme.test").await.unwrap();
    assert_eq!(used().await, before);
    // The domain moves over: whom Acme's provider vouched for may come into Globex by another subject.
    tenancy.domain_withdraw(&operator, world.acme.id, &domain("acme.test")).await.unwrap();
    tenancy.domain_confirm(&operator, globex.id, &domain("acme.test")).await.unwrap();
    let moved = enter_globex("acme.test", "sub-2", "grace@acme.test").await.unwrap();
    assert_eq!((moved.user, moved.tenant), (here.user, Some(globex.id)));
}

#[tokio::test]
async fn an_invitation_counts_in_its_own_tenant_and_in_time() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    let (_, eve) = globex_at_the_same_provider(&world).await;
    tenancy.invitation_create(&eve, &email("ivy@acme.test"), Role::Admin).await.unwrap();
    let ivy = world.enter("ivy", "ivy@acme.test").await.unwrap();
    assert_eq!(world.principal(&ivy).await.scope().unwrap().role(), Role::Member);
    assert_eq!(tenancy.invitation_list(&eve).await.unwrap().len(), 1, "it is still open");
    tenancy.invitation_create(&world.ada, &email("ken@acme.test"), Role::Admin).await.unwrap();
    world.fixture.clock.advance(tenancy::INVITATION_LIFETIME);
    let ken = world.enter("ken", "ken@acme.test").await.unwrap();
    assert_eq!(world.principal(&ken).await.scope().unwrap().role(), Role::Member, "it had run out");
}

#[tokio::test]
async fn who_came_by_it_elsewhere_does_not_know_that_it_works_here() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    let (globex, _) = globex_at_the_same_provider(&world).await;
    let ada = world.enter("ada", "ada@acme.test").await.unwrap().user;
    tenancy.member_add(globex.id, ada, Role::Admin).await.unwrap();
    let claims = SessionClaims { tenant: Some(globex.id), ..world.fixture.claims("ada@acme.test").await };
    let there = world.principal(&claims).await.scope().unwrap();
    assert_eq!(there.tenant(), globex.id);
    let demanded = NewSingleSignOn { required: true, client_secret: None, ..setting(&world.provider) };
    let refused = tenancy.single_sign_on_save(&there, demanded).await;
    assert!(matches!(refused, Err(TenancyError::Invalid { field: "required", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_tenant_claims_so_many_domains_of_its_own() {
    let world = World::new().await;
    let tenancy = &world.fixture.tenancy;
    let (_, eve) = globex_at_the_same_provider(&world).await;
    for number in 0..49 {
        tenancy.domain_claim(&eve, &domain(&format!("g{number}.test"))).await.unwrap();
    }
    tenancy.domain_claim(&world.ada, &domain("more.acme.test")).await.unwrap();
    let refused = tenancy.domain_claim(&eve, &domain("one.more.test")).await;
    assert!(matches!(refused, Err(TenancyError::Invalid { field: "domain", .. })), "{refused:?}");
}
