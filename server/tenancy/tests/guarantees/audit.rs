//! The audit log: whoever touches it is noticed, also at its end, and each entry says what was changed.

use crate::fixture::{Fixture, email, home, password};
use contract::{AuditEntry, KeyScope, Role};
use serde_json::{Value, json};
use tenancy::{
    AuditReport, Chain, ChainCheck, NewKey, OperatorScope, Scope, Seal, Tenancy, TenantRecord, Unsealed, audit_verify,
};

async fn report(fixture: &Fixture) -> AuditReport {
    audit_verify(fixture.tenancy.control(), None).await.unwrap()
}

async fn touch(fixture: &Fixture, sql: &'static str) -> u64 {
    fixture.tenancy.control().write(sql).execute().await.unwrap()
}

/// Two tenants whose logs have five entries each, written in turns.
async fn busy() -> (Fixture, TenantRecord, TenantRecord) {
    let fixture = Fixture::new().await;
    let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
    let mut houses = Vec::new();
    for tenant in [&acme, &globex] {
        let admin = format!("admin@{}.test", tenant.slug);
        fixture.member(&admin, tenant, Role::Admin).await;
        let member = fixture.member(&format!("bob@{}.test", tenant.slug), tenant, Role::Member).await;
        houses.push((fixture.scope(&admin).await, member));
    }
    for role in [Role::Viewer, Role::Member, Role::Viewer, Role::Member, Role::Viewer] {
        for (admin, member) in &houses {
            fixture.tenancy.member_role_set(admin, *member, role).await.unwrap();
        }
    }
    (fixture, acme, globex)
}

#[tokio::test]
async fn an_entry_that_was_altered_or_removed_is_noticed() {
    let (fixture, acme, _) = busy().await;
    let first_fault = async || {
        let report = report(&fixture).await;
        report.chains.iter().find_map(|chain| chain.broken_at.map(|at| (chain.chain.clone(), at)))
    };
    assert_eq!(report(&fixture).await.fault(), None);
    let id: String = acme.id.to_string();
    touch(&fixture, "UPDATE audit_entry SET name = 'mallory' WHERE seq = 2").await;
    assert_eq!(first_fault().await, Some((id.clone(), 2)));
    touch(&fixture, "DELETE FROM audit_entry WHERE seq = 3").await;
    assert_eq!(first_fault().await, Some((id, 2)));
}

#[tokio::test]
async fn the_end_of_a_log_cannot_be_cut_off_unnoticed() {
    let (fixture, acme, _) = busy().await;
    assert_eq!(touch(&fixture, "DELETE FROM audit_entry WHERE seq > 3").await, 4);
    let found = report(&fixture).await;
    assert!(found.chains.iter().all(|chain| chain.broken_at.is_none()), "what is left of each chain is sound");
    assert_eq!(found.unsealed, Some(Unsealed::Entry { chain: acme.id.to_string(), seq: 4 }));
    assert!(found.fault().unwrap().contains(&format!("entry 4 of tenant {}", acme.id)));
}

#[tokio::test]
async fn a_log_cannot_disappear_as_a_whole_unnoticed() {
    let (fixture, acme, _) = busy().await;
    let remove = fixture.tenancy.control().write("DELETE FROM audit_entry WHERE chain = $1").bind(acme.id);
    assert_eq!(remove.execute().await.unwrap(), 5);
    assert_eq!(report(&fixture).await.unsealed, Some(Unsealed::Entry { chain: acme.id.to_string(), seq: 1 }));
}

#[tokio::test]
async fn whoever_also_cuts_the_seals_is_noticed_by_one_that_was_kept() {
    let (fixture, ..) = busy().await;
    let kept = report(&fixture).await.seal.unwrap();
    assert_eq!(kept.number, 10);
    touch(&fixture, "DELETE FROM audit_seal WHERE number = 5").await;
    assert_eq!(report(&fixture).await.unsealed, Some(Unsealed::Seal(5)));
    touch(&fixture, "DELETE FROM audit_seal WHERE number > 4").await;
    touch(&fixture, "DELETE FROM audit_entry WHERE seq > 2").await;
    assert_eq!(report(&fixture).await.fault(), None, "nothing that is here says so");
    let with_kept = async |kept: &Seal| audit_verify(fixture.tenancy.control(), Some(kept)).await.unwrap().unsealed;
    assert_eq!(with_kept(&kept).await, Some(Unsealed::Cut(10)));
    let other = Seal { number: 3, hash: "a".repeat(43) };
    assert_eq!(with_kept(&other).await, Some(Unsealed::Other(3)));
    let earlier = report(&fixture).await.seal.unwrap();
    assert_eq!(with_kept(&earlier).await, None);
}

#[tokio::test]
async fn seals_that_are_gone_from_the_beginning_are_missed() {
    let (fixture, acme, globex) = busy().await;
    touch(&fixture, "DELETE FROM audit_seal").await;
    touch(&fixture, "DELETE FROM audit_entry WHERE seq > 3").await;
    let first = [&acme, &globex].map(|tenant| tenant.id.to_string()).into_iter().min().unwrap();
    assert_eq!(report(&fixture).await.unsealed, Some(Unsealed::Entered { chain: first, seq: 1 }));
    // What is written from then on is sealed, from one on, and does not hide it.
    fixture.tenancy.user_open(&OperatorScope::command_line(), &email("op@seam.test"), None, true, None).await.unwrap();
    touch(&fixture, "DELETE FROM audit_entry WHERE chain <> ''").await;
    assert_eq!(report(&fixture).await.fault(), None, "the platform's own log is whole");
    touch(&fixture, "DELETE FROM audit_seal").await;
    fixture.tenancy.user_open(&OperatorScope::command_line(), &email("oq@seam.test"), None, true, None).await.unwrap();
    assert_eq!(report(&fixture).await.unsealed, Some(Unsealed::Missing { chain: String::new(), seq: 2 }));
    touch(&fixture, "DELETE FROM audit_seal").await;
    touch(&fixture, "DELETE FROM audit_entry").await;
    assert_eq!(report(&fixture).await.unsealed, Some(Unsealed::Gone));
}

#[tokio::test]
async fn an_entry_that_was_put_there_past_the_log_is_noticed() {
    let (fixture, acme, _) = busy().await;
    // As sound as the log would write it, but for the seal.
    let insert = fixture.tenancy.control().write(
        "INSERT INTO audit_entry (chain, seq, at, actor, name, action, target, change, hash)
        SELECT chain, 6, at, actor, name, action, target, change, $2 FROM audit_entry WHERE chain = $1 AND seq = 5",
    );
    let scope = fixture.scope("admin@acme.test").await;
    let last = fixture.tenancy.audit_export(&scope, 4).await.unwrap().remove(0);
    let entry = AuditEntry { seq: 6, address: None, ..last.entry };
    let link = tenancy::audit_link(acme.id, &last.hash, &entry);
    insert.bind(acme.id).bind(link).execute().await.unwrap();
    let found = report(&fixture).await;
    assert!(found.chains.iter().all(|chain| chain.broken_at.is_none()));
    assert_eq!(found.unsealed, Some(Unsealed::Entered { chain: acme.id.to_string(), seq: 6 }));
}

#[tokio::test]
async fn an_exported_log_is_verified_without_the_database() {
    let (fixture, acme, _) = busy().await;
    let scope = fixture.scope("admin@acme.test").await;
    let mut exported = fixture.tenancy.audit_export(&scope, 0).await.unwrap();
    let check = |entries: &[tenancy::SealedEntry]| {
        let mut check = ChainCheck::new(acme.id.to_string());
        let _ = entries.iter().all(|entry| check.take(entry));
        check.into_report().broken_at
    };
    assert_eq!((check(&exported), exported.len()), (None, 5));
    exported[2].entry.target = "mallory@acme.test".to_owned();
    assert_eq!(check(&exported), Some(3));
    exported.remove(2);
    assert_eq!(check(&exported), Some(3));
}

fn change(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.change).unwrap()
}

async fn newest(tenancy: &Tenancy, scope: &Scope) -> AuditEntry {
    tenancy.audit_list(scope, None, "").await.unwrap().remove(0)
}

#[tokio::test]
async fn an_entry_says_how_it_was_before_and_how_it_is_after() {
    let fixture = Fixture::new().await;
    let (tenancy, acme) = (&fixture.tenancy, fixture.tenant("acme").await);
    fixture.member("ada@acme.test", &acme, Role::Admin).await;
    let ada = fixture.scope("ada@acme.test").await;

    let new = NewKey { name: "ci".to_owned(), scopes: vec![KeyScope::Inference], models: None, expires_at: None };
    let (key, _) = tenancy.key_create(&ada, &new).await.unwrap();
    tenancy.key_revoke(&ada, key).await.unwrap();
    let revoked = newest(tenancy, &ada).await;
    let before = &change(&revoked)["before"];
    assert_eq!((revoked.action.as_str(), &before["scopes"]), ("key.revoke", &json!(["inference"])));
    assert!(before["prefix"].as_str().unwrap().starts_with("sk-seam-"), "{before}");
    assert_eq!(revoked.address.as_deref(), Some("192.0.2.1"));

    tenancy.invitation_create(&ada, &email("bob@acme.test"), Role::Viewer).await.unwrap();
    let invited = tenancy.invitation_list(&ada).await.unwrap().remove(0);
    tenancy.invitation_withdraw(&ada, &invited.id).await.unwrap();
    assert_eq!(change(&newest(tenancy, &ada).await), json!({ "before": { "role": "viewer" }, "after": null }));

    let domain: contract::EmailDomain = "acme.test".parse().unwrap();
    tenancy.domain_claim(&ada, &domain).await.unwrap();
    tenancy.domain_confirm(&OperatorScope::command_line(), acme.id, &domain).await.unwrap();
    let confirmed = newest(tenancy, &ada).await;
    let told = |confirmed: bool| json!({ "confirmed": confirmed, "tenant": "acme" });
    assert_eq!(change(&confirmed), json!({ "before": told(false), "after": told(true) }));
    tenancy.domain_release(&ada, &domain).await.unwrap();
    assert_eq!(change(&newest(tenancy, &ada).await), json!({ "before": told(true), "after": null }));
}

#[tokio::test]
async fn a_command_is_told_with_the_user_and_the_machine_it_ran_on() {
    let fixture = Fixture::new().await;
    let acme = fixture.tenant("acme").await;
    let domain: contract::EmailDomain = "acme.test".parse().unwrap();
    let operator = OperatorScope::command_line();
    fixture.tenancy.domain_confirm(&operator, acme.id, &domain).await.unwrap();
    let entry = fixture.tenancy.audit_list_of_platform(&operator, None, "").await.unwrap().remove(0);
    let from = entry.address.unwrap();
    assert!(from.starts_with("user ") && from.contains(" of "), "{from}");
}

#[tokio::test]
async fn the_first_operator_is_told_with_the_address_they_came_from() {
    let fixture = Fixture::new().await;
    let link = fixture.tenancy.operator_link_create().await.unwrap();
    let chosen = password("correct horse battery");
    fixture.tenancy.operator_create_with_link(link.as_str(), email("olga@seam.test"), chosen, home()).await.unwrap();
    let operator = OperatorScope::command_line();
    let log = fixture.tenancy.audit_export_of_platform(&operator, 0).await.unwrap();
    assert_eq!((log[0].entry.action.as_str(), log[0].entry.address.as_deref()), ("operator.create", Some("192.0.2.1")));
    assert_eq!(report(&fixture).await.chains[0].chain, "", "{:?}", Chain::Platform);
}
