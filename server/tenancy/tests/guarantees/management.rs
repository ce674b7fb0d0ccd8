//! Managing a tenant from outside: the same rules as for its admins, and its own log tells of it.

use crate::fixture::{Fixture, email, home};
use contract::{KeyQuery, KeyScope, ListQuery, Role};
use tenancy::{KeyHolder, Management, NewKey, OperatorScope, TenancyError, TenantPatch, audit_verify};

fn key(name: &str) -> NewKey {
    NewKey { name: name.to_owned(), scopes: vec![KeyScope::Inference], models: None, expires_at: None }
}

/// The right of a program with an operator's key.
async fn program(fixture: &Fixture) -> OperatorScope {
    let made = fixture.tenancy.operator_key_create(&OperatorScope::command_line(), &key("billing")).await;
    let holder = fixture.tenancy.authenticate_key(made.unwrap().1.expose(), home()).await.unwrap();
    let Some(KeyHolder::Operator(operator)) = holder else { panic!("an operator's key") };
    operator
}

async fn actions(fixture: &Fixture, management: &Management) -> Vec<(String, String)> {
    let log = fixture.tenancy.audit_page(management, None, "", 100).await.unwrap();
    log.into_iter().rev().map(|entry| (entry.action, entry.name)).collect()
}

#[tokio::test]
async fn an_operators_program_manages_by_name_or_id_and_is_named_in_the_tenants_log() {
    let fixture = Fixture::new().await;
    let (operator, acme) = (program(&fixture).await, fixture.tenant("acme").await);
    let ada = fixture.member("ada@acme.test", &acme, Role::Admin).await;
    let bob = fixture.member("bob@acme.test", &acme, Role::Member).await;
    let tenancy = &fixture.tenancy;
    tenancy.tenant_suspend(&operator, acme.id, "unpaid").await.unwrap();
    let management = tenancy.management(&operator, "acme").await.unwrap();
    let by_id = tenancy.management(&operator, &acme.id.to_string()).await.unwrap();
    assert_eq!(tenancy.tenant_own(&by_id).await.unwrap().slug, acme.slug);
    for nothing in ["globex", "", "%", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        let refused = tenancy.management(&operator, nothing).await;
        assert!(matches!(refused, Err(TenancyError::NotFound { .. })), "{nothing}: {refused:?}");
    }
    tenancy.member_role_set(&management, bob, Role::Viewer).await.unwrap();
    assert_eq!(tenancy.member_find(&management, bob).await.unwrap().role, Role::Viewer);
    let last = tenancy.member_remove(&management, ada).await;
    assert!(matches!(last, Err(TenancyError::LastAdmin { .. })), "{last:?}");
    let (key, _) = tenancy.key_create(&management, &key("app")).await.unwrap();
    tenancy.key_revoke(&management, key).await.unwrap();
    tenancy.invitation_create(&management, &email("carol@acme.test"), Role::Member).await.unwrap();
    let expected = ["tenant.suspend", "member.role_set", "key.create", "key.revoke", "member.invite"];
    assert_eq!(actions(&fixture, &management).await, expected.map(|action| (action.to_owned(), "billing".to_owned())));
    assert_eq!(audit_verify(tenancy.control(), None).await.unwrap().fault(), None);
}

#[tokio::test]
async fn only_admins_have_the_right_and_it_ends_at_their_tenant() {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    fixture.member("ada@acme.test", &acme, Role::Admin).await;
    fixture.member("bob@acme.test", &acme, Role::Member).await;
    let eve = fixture.member("eve@globex.test", &globex, Role::Member).await;
    let bob = fixture.scope("bob@acme.test").await.management();
    assert!(matches!(bob, Err(TenancyError::PermissionDenied { .. })), "{bob:?}");
    let management = fixture.scope("ada@acme.test").await.management().unwrap();
    let tenancy = &fixture.tenancy;
    let theirs = tenancy.member_find(&management, eve).await;
    assert!(matches!(theirs, Err(TenancyError::NotFound { .. })), "{theirs:?}");
    let theirs = tenancy.key_create(&tenancy.command_line_scope(globex.id), &key("app")).await.unwrap().0;
    let found = tenancy.key_find(&management, theirs).await;
    assert!(matches!(found, Err(TenancyError::NotFound { .. })), "{found:?}");
    let page = tenancy.member_page(&management, &ListQuery::default(), 1).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.size), (1, 2, 1));
    assert_eq!(tenancy.key_page(&management, &KeyQuery::default(), 10).await.unwrap().0.total, 0);
}

#[tokio::test]
async fn a_change_of_a_tenant_is_whole_or_not_and_logged_where_it_differs() {
    let fixture = Fixture::new().await;
    let (operator, acme) = (program(&fixture).await, fixture.tenant("acme").await);
    let tenancy = &fixture.tenancy;
    let bad = TenantPatch {
        display_name: Some("Acme Labs".to_owned()),
        plan: Some(Some("gold".to_owned())),
        ..TenantPatch::default()
    };
    assert!(matches!(tenancy.tenant_change(&operator, acme.id, bad).await, Err(TenancyError::NotFound { .. })));
    let bad = TenantPatch { soft_budget: Some(Some("-1".parse().unwrap())), ..TenantPatch::default() };
    assert!(matches!(tenancy.tenant_change(&operator, acme.id, bad).await, Err(TenancyError::Invalid { .. })));
    let same = TenantPatch { display_name: Some(acme.display_name.clone()), ..TenantPatch::default() };
    tenancy.tenant_change(&operator, acme.id, same).await.unwrap();
    let management = tenancy.management(&operator, "acme").await.unwrap();
    assert!(actions(&fixture, &management).await.is_empty());
    let good = TenantPatch { region: Some(Some("eu".to_owned())), ..TenantPatch::default() };
    tenancy.tenant_change(&operator, acme.id, good).await.unwrap();
    assert_eq!(tenancy.tenant_own(&management).await.unwrap().region.as_deref(), Some("eu"));
    for log in [
        tenancy.audit_page(&management, None, "tenant.change", 10).await.unwrap(),
        tenancy.audit_page_of_platform(&operator, None, "tenant.change", 10).await.unwrap(),
    ] {
        assert_eq!(log.len(), 1, "{log:?}");
        assert_eq!(log[0].change, "{\"after\":{\"region\":\"eu\"},\"before\":{\"region\":null}}");
    }
}

#[tokio::test]
async fn an_account_and_its_membership_are_made_together_and_logged() {
    let fixture = Fixture::new().await;
    let (operator, acme) = (OperatorScope::command_line(), fixture.tenant("acme").await);
    let tenancy = &fixture.tenancy;
    let nowhere = contract::TenantId::new();
    let lost = tenancy.user_open(&operator, &email("a@b.test"), None, false, Some((nowhere, Role::Member))).await;
    assert!(matches!(lost, Err(TenancyError::NotFound { .. })), "{lost:?}");
    assert!(tenancy.user_by_email(&email("a@b.test")).await.unwrap().is_none(), "both or neither");
    let made = tenancy.user_open(&operator, &email("a@b.test"), None, false, Some((acme.id, Role::Viewer))).await;
    let management = tenancy.management(&operator, "acme").await.unwrap();
    assert_eq!(tenancy.member_find(&management, made.unwrap()).await.unwrap().role, Role::Viewer);
    let platform = tenancy.audit_page_of_platform(&operator, None, "user.create", 10).await.unwrap();
    let own = tenancy.audit_page(&management, None, "member.add", 10).await.unwrap();
    assert_eq!((platform.len(), own.len()), (1, 1));
}
