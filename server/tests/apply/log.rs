//! What the audit log says of an application: what was changed, as it was before and as it is after, and no secrets.

use super::{GIVEN, KEYS, NEXT, WHOLE, applied, apply, environment, tenancy};
use contract::AuditEntry;
use serde_json::{Value, json};
use tenancy::{OperatorScope, Tenancy, audit_verify};
use testbase::Scratch;

fn change(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.change).unwrap()
}

/// The last entry of the platform's log about a thing.
async fn of_platform(tenancy: &Tenancy, target: &str) -> Value {
    let log = tenancy.audit_list_of_platform(&OperatorScope::command_line(), None, "").await.unwrap();
    change(log.iter().find(|entry| entry.target == target).unwrap())
}

/// The last entry of acme's log about a thing.
async fn of_acme(tenancy: &Tenancy, target: &str) -> Value {
    let acme = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let log = tenancy.audit_list(&tenancy.command_line_scope(acme.id), None, "").await.unwrap();
    change(log.iter().find(|entry| entry.target == target).unwrap())
}

#[tokio::test]
async fn what_an_application_changes_is_in_the_log() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    apply(&tenancy, WHOLE, &environment, true).await.unwrap();
    let operator = OperatorScope::command_line();
    assert!(tenancy.audit_list_of_platform(&operator, None, "").await.unwrap().is_empty(), "a dry run is no change");
    for _ in 0..2 {
        applied(&tenancy, WHOLE).await;
    }
    applied(&tenancy, &WHOLE.replace("50.00", "70.00")).await;
    let log = tenancy.audit_list_of_platform(&operator, None, "").await.unwrap();
    let told: Vec<_> = log.iter().rev().map(|entry| (entry.action.as_str(), entry.target.as_str())).collect();
    let expected = [
        ("provider.apply", "openai-eu"),
        ("plan.apply", "pro"),
        ("model.apply", "fast"),
        ("price.apply", "openai-eu/gpt-4o-mini"),
        ("tenant.apply", "acme"),
        ("tenant.apply", "acme"),
    ];
    assert_eq!(told, expected, "what is a tenant's stands in its own");
    assert_eq!(change(&log[0]), json!({ "before": { "monthly_budget": "50" }, "after": { "monthly_budget": "70" } }));
    assert_eq!(log[0].actor, "command-line");
    assert!(!log.iter().any(|entry| entry.change.contains("sk-test")));
    let acme = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let own = tenancy.audit_list(&tenancy.command_line_scope(acme.id), None, "").await.unwrap();
    let own: Vec<_> = own.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(own, ["tenant.apply", "user.apply", "usage.apply", "tenant.apply"]);
    assert_eq!(audit_verify(tenancy.control(), None).await.unwrap().fault(), None);
}

#[tokio::test]
async fn what_was_made_is_told_with_all_its_fields() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, WHOLE).await;
    let provider = json!({
        "kind": "openai", "base_url": "http://127.0.0.1:9100/v1", "api_key": "set", "region": "eu",
        "zero_retention": false, "timeout_ms": 60000, "whole_timeout_ms": 600000, "max_retries": 1, "options": {},
        "enabled": true, "own_keys": null,
    });
    assert_eq!(of_platform(&tenancy, "openai-eu").await, json!({ "before": null, "after": provider }));
    let tenant = json!({
        "plan": "pro", "monthly_budget": "50", "soft_budget": null, "region": null, "zero_retention": false,
    });
    assert_eq!(
        of_platform(&tenancy, "acme").await,
        json!({ "before": null, "after": tenant }),
        "by its short name alone"
    );
    assert_eq!(of_acme(&tenancy, "acme").await["after"]["display_name"], "acme");
    let user = json!({ "before": null, "after": { "password": "set", "role": "admin" } });
    assert_eq!(of_acme(&tenancy, "ada@acme.test").await, user);
    let usage = of_acme(&tenancy, "acme · fast").await;
    assert!(usage["before"].is_null() && usage["after"]["requests"].as_u64() > Some(0), "{usage}");
}

#[tokio::test]
async fn what_was_changed_is_told_before_and_after() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, WHOLE).await;
    let text = WHOLE
        .replace("99.00", "79.00")
        .replace("weight = 2", "weight = 3")
        .replace("region = \"eu\"", "options = {}")
        .replace("2026-01-01", "2026-02-01")
        .replace("0.15", "0.10")
        .replace("role = \"admin\"", "role = \"viewer\"");
    let text = text
        .replace("[[user]]", "[[user]]\ntenant = \"acme\"\nemail = \"grace@acme.test\"\nrole = \"admin\"\n\n[[user]]");
    applied(&tenancy, &text).await;
    let expected = [
        ("pro", json!({ "before": { "monthly_fee": "99" }, "after": { "monthly_fee": "79" } })),
        ("openai-eu", json!({ "before": { "region": "eu" }, "after": { "region": null } })),
        (
            "fast",
            json!({
                "before": { "targets": "openai-eu/gpt-4o-mini×1, local/smollm2-135m-instruct×2" },
                "after": { "targets": "openai-eu/gpt-4o-mini×1, local/smollm2-135m-instruct×3" },
            }),
        ),
        (
            "openai-eu/gpt-4o-mini",
            json!({
                "before": { "effective_from": "2026-01-01T00:00:00Z", "input": "0.15" },
                "after": { "effective_from": "2026-02-01T00:00:00Z", "input": "0.1" },
            }),
        ),
    ];
    for (target, expected) in expected {
        assert_eq!(of_platform(&tenancy, target).await, expected, "{target}");
    }
    let role = json!({ "before": { "role": "admin" }, "after": { "role": "viewer" } });
    assert_eq!(of_acme(&tenancy, "ada@acme.test").await, role);
}

#[tokio::test]
async fn a_secret_is_told_by_words_alone() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    for text in [KEYS, WHOLE] {
        applied(&tenancy, text).await;
    }
    let key = json!({ "scopes": ["inference"], "models": ["assistant"], "expires_at": null, "secret": "set" });
    assert_eq!(of_platform(&tenancy, "acme · ci").await, json!({ "before": null, "after": key }));
    applied(&tenancy, &KEYS.replace("ACME_KEY", "NEXT_KEY").replace("models = [\"assistant\"]", "")).await;
    applied(&tenancy, &WHOLE.replace("\"KEY\"", "\"OTHER\"")).await;
    let replaced = json!({
        "before": { "models": ["assistant"], "secret": "set" }, "after": { "models": null, "secret": "replaced" },
    });
    assert_eq!(of_acme(&tenancy, "acme · ci").await, replaced);
    let replaced = json!({ "before": { "api_key": "set" }, "after": { "api_key": "replaced" } });
    assert_eq!(of_platform(&tenancy, "openai-eu").await, replaced);
    let log = tenancy.audit_list_of_platform(&OperatorScope::command_line(), None, "").await.unwrap();
    assert!(![GIVEN, NEXT, "sk-test", "sk-other"].iter().any(|secret| log.iter().any(|e| e.change.contains(secret))));
}
