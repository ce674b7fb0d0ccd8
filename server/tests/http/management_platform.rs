//! The management API: what is the platform's own. Plans, people, and what becomes of tenants.

use crate::{
    browser::Server,
    management::{Program, field},
};
use contract::{KeyScope, Password, Role};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

async fn platform_log(operator: &Program<'_>, words: &str) -> Vec<Value> {
    let log = operator.get(&format!("/api/v1/audit?q={words}")).await.json();
    log["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_plan_is_made_replaced_shown_and_deleted_when_nobody_is_on_it() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let body = json!({ "monthly_fee": "99.00", "overage_markup": "1.4", "requests_per_minute": 60 });
    let made = operator.put("/api/v1/plans/pro", body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let expected = json!({
        "name": "pro", "monthly_fee": "99", "included_credit": "0", "overage_markup": "1.4",
        "requests_per_minute": 60, "tokens_per_minute": null, "max_concurrent": null,
    });
    assert_eq!(made.json(), expected);
    assert_eq!(operator.get("/api/v1/plans/pro").await.json(), expected);
    assert_eq!(operator.put("/api/v1/plans/pro", body).await.status, StatusCode::OK);
    let replaced = operator.put("/api/v1/plans/pro", json!({ "monthly_fee": "79", "overage_markup": "2" })).await;
    assert_eq!((replaced.status, &replaced.json()["requests_per_minute"]), (StatusCode::OK, &Value::Null));
    assert_eq!(operator.get("/api/v1/plans").await.json()["total"], 1);

    for slug in ["acme", "globex", "initech", "soylent", "umbrella"] {
        let made = operator.post("/api/v1/tenants", json!({ "name": slug, "plan": "pro" })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    }
    let refused = operator.delete("/api/v1/plans/pro").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let said = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(said.contains("acme, globex, initech, soylent and 1 more"), "{said}");
    for slug in ["acme", "globex", "initech", "soylent", "umbrella"] {
        operator.patch(&format!("/api/v1/tenants/{slug}"), json!({ "plan": null })).await;
    }
    assert_eq!(operator.delete("/api/v1/plans/pro").await.status, StatusCode::NO_CONTENT);
    assert_eq!(operator.get("/api/v1/plans/pro").await.status, StatusCode::NOT_FOUND);
    assert_eq!(operator.delete("/api/v1/plans/pro").await.status, StatusCode::NOT_FOUND);

    let log = platform_log(&operator, "plan.").await;
    let told: Vec<_> = log.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["plan.delete", "plan.set", "plan.set"], "what changes nothing is no entry");
    assert_eq!((&log[1]["name"], &log[1]["target"]), (&json!("billing"), &json!("pro")));
    let (before, after) = (&log[1]["change"]["before"], &log[1]["change"]["after"]);
    assert_eq!((&before["monthly_fee"], &after["monthly_fee"]), (&json!("99"), &json!("79")));
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused_by_its_field() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    for (bad, name) in [
        (json!({ "overage_markup": "1" }), "monthly_fee"),
        (json!({ "monthly_fee": "1" }), "overage_markup"),
        (json!({ "monthly_fee": "-1", "overage_markup": "1" }), "monthly_fee"),
        (json!({ "monthly_fee": 99, "overage_markup": "1" }), "monthly_fee"),
        (json!({ "monthly_fee": "99999999999", "overage_markup": "1" }), "monthly_fee"),
        (json!({ "monthly_fee": "1", "overage_markup": "1.0000001" }), "overage_markup"),
        (json!({ "monthly_fee": "1", "overage_markup": "1", "included_credit": "some" }), "included_credit"),
        (json!({ "monthly_fee": "1", "overage_markup": "1", "max_concurrent": 0 }), "max_concurrent"),
        (json!({ "monthly_fee": "1", "overage_markup": "1", "max_concurrent": 1e30 }), "max_concurrent"),
        (json!({ "monthly_fee": "1", "overage_markup": "1", "max_concurent": 1 }), "max_concurent"),
    ] {
        let refused = operator.put("/api/v1/plans/pro", bad.clone()).await;
        assert_eq!(field(&refused), name, "{bad}");
        assert!(!refused.text().contains("i64"), "{}", refused.text());
    }
    let body = json!({ "monthly_fee": "1", "overage_markup": "1" });
    assert_eq!(field(&operator.put("/api/v1/plans/Not%20A%20Slug", body).await), "name");
    assert_eq!(operator.get("/api/v1/plans").await.json()["total"], 0);
}

#[tokio::test]
async fn a_person_is_made_and_chooses_a_password_by_a_link_that_is_shown_once() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    Program::manager(&server, "acme").await;
    let body = json!({ "email": "Dora@Acme.test", "tenant": "acme", "role": "viewer" });
    let made = operator.post("/api/v1/users", body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let place = made.header(header::LOCATION).to_owned();
    let made = made.json();
    assert_eq!((&made["user"]["email"], &made["user"]["tenant"]), (&json!("dora@acme.test"), &json!("acme")));
    assert_eq!(operator.get(&place).await.json(), made["user"]);
    let token = made["link"].as_str().unwrap().strip_prefix("http://seam.test/reset/").unwrap();
    let chosen = [("token", token), ("chosen", "correct horse battery")];
    let browser = server.browser();
    let reset = browser.script_form("/api/ui/password-reset", &chosen).await;
    assert!(reset.status.is_success() || reset.status == StatusCode::FOUND, "{} {}", reset.status, reset.text());
    let signed_in = server.browser().sign_in("dora@acme.test", "correct horse battery").await;
    assert_eq!(signed_in.status, StatusCode::FOUND, "{}", signed_in.text());

    let again = operator.post("/api/v1/users", body).await;
    assert_eq!((again.status, &again.json()["errors"][0]["field"]), (StatusCode::CONFLICT, &json!("email")));
    for (bad, name) in [
        (json!({}), "email"),
        (json!({ "email": "dora" }), "email"),
        (json!({ "email": "do\u{202e}ra@acme.test" }), "email"),
        (json!({ "email": "x@acme.test", "tenant": "nowhere" }), "tenant"),
        (json!({ "email": "x@acme.test", "role": "admin" }), "role"),
        (json!({ "email": "x@acme.test", "tenant": "acme", "role": "boss" }), "role"),
        (json!({ "email": "x@acme.test", "password": "correct horse battery" }), "password"),
    ] {
        assert_eq!(field(&operator.post("/api/v1/users", bad.clone()).await), name, "{bad}");
    }
    assert_eq!(operator.get("/api/v1/users?q=x@acme").await.json()["total"], 0);
    let chief = operator.post("/api/v1/users", json!({ "email": "op@seam.test", "operator": true })).await.json();
    assert_eq!((&chief["user"]["operator"], &chief["user"]["memberships"]), (&json!(true), &json!(0)));
    // The platform's log knows a tenant's people by their id, and an operator by the address.
    let log = platform_log(&operator, "user.create").await;
    let targets: Vec<_> = log.iter().map(|entry| entry["target"].clone()).collect();
    assert_eq!(targets, [json!("op@seam.test"), made["user"]["id"].clone()]);
    let own = operator.get("/api/v1/audit?tenant=acme&q=member.add").await.json();
    assert_eq!((&own["data"][0]["target"], &own["data"][0]["name"]), (&json!("dora@acme.test"), &json!("billing")));
}

#[tokio::test]
async fn a_person_is_deleted_by_who_says_the_address_and_their_session_ends() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let (acme, user) = server.tenant("acme", "ada@acme.test").await;
    let (globex, eve) = server.tenant("globex", "eve@globex.test").await;
    for (tenant, admin) in [(acme, user), (globex, eve)] {
        server.platform.tenancy.member_add(tenant, admin, Role::Admin).await.unwrap();
    }
    let place = format!("/api/v1/users/{user}");
    let browser = server.browser();
    browser.sign_in("ada@acme.test", crate::browser::PASSWORD).await;
    assert_eq!(browser.get("/settings").await.status, StatusCode::OK);
    assert_eq!(field(&operator.delete(&place).await), "confirm");
    assert_eq!(field(&operator.delete(&format!("{place}?confirm=eve@acme.test")).await), "confirm");
    let confirmed = format!("{place}?confirm=ada@acme.test");
    let kept = operator.delete(&confirmed).await;
    assert_eq!(kept.status, StatusCode::CONFLICT);
    assert!(kept.json()["detail"].as_str().unwrap().contains("the last admin of acme"), "{}", kept.text());
    operator.post("/api/v1/users", json!({ "email": "dora@acme.test", "tenant": "acme", "role": "admin" })).await;
    assert_eq!(operator.delete(&confirmed).await.status, StatusCode::NO_CONTENT);
    assert_eq!(operator.delete(&confirmed).await.status, StatusCode::NOT_FOUND);
    assert_eq!(operator.get("/api/v1/users?q=ada@acme").await.json()["total"], 0);
    assert_ne!(browser.get("/settings").await.status, StatusCode::OK);
    let log = platform_log(&operator, "user.delete").await;
    assert_eq!((&log[0]["target"], log.len()), (&json!(user), 1));
    let own = operator.get("/api/v1/audit?tenant=acme&q=member.remove").await.json();
    assert_eq!((&own["data"][0]["target"], own["data"].as_array().unwrap().len()), (&json!("ada@acme.test"), 1));
    for (tenant, stays) in [("acme", "dora@acme.test"), ("globex", "eve@globex.test")] {
        let members = operator.get(&format!("/api/v1/members?tenant={tenant}")).await.json();
        assert_eq!((&members["total"], &members["data"][0]["email"]), (&json!(1), &json!(stays)));
    }
}

#[tokio::test]
async fn a_link_to_a_new_password_voids_the_one_before_and_stands_in_the_logs() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let user = server.tenant("acme", "ada@acme.test").await.1;
    let link = async || {
        let made = operator.call(Method::POST, &format!("/api/v1/users/{user}/password-reset"), None).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let made = made.json();
        assert_eq!((&made["email"], &made["works_for_seconds"]), (&json!("ada@acme.test"), &json!(3600)));
        made["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    };
    let (first, second) = (link().await, link().await);
    let tenancy = &server.platform.tenancy;
    assert!(tenancy.password_reset_check(&first).await.is_err());
    assert_eq!(tenancy.password_reset_check(&second).await.unwrap().as_str(), "ada@acme.test");
    for log in ["/api/v1/audit?q=user.reset_link", "/api/v1/audit?tenant=acme&q=user.reset_link"] {
        assert_eq!(operator.get(log).await.json()["data"].as_array().unwrap().len(), 2, "{log}");
    }
    for nobody in ["nonsense", crate::management::NOBODY] {
        let missing = operator.call(Method::POST, &format!("/api/v1/users/{nobody}/password-reset"), None).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        assert_eq!(operator.get(&format!("/api/v1/users/{nobody}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn another_reason_of_a_suspension_is_told_and_logged() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    Program::manager(&server, "acme").await;
    for reason in ["unpaid since May", "unpaid since May", "unpaid since June"] {
        let suspended = operator.post("/api/v1/tenants/acme/suspend", json!({ "reason": reason })).await;
        assert_eq!(suspended.json()["suspended_for"], reason);
    }
    let log = platform_log(&operator, "tenant.suspend").await;
    let changes: Vec<_> = log.iter().map(|entry| entry["change"].clone()).collect();
    let closed = |reason: &str| json!({ "suspended": true, "reason": reason });
    let expected = [
        json!({ "before": closed("unpaid since May"), "after": closed("unpaid since June") }),
        json!({ "before": { "suspended": false }, "after": closed("unpaid since May") }),
    ];
    assert_eq!(changes, expected);
    let refused = operator.post("/api/v1/tenants/acme/suspend", json!({ "reason": "un\u{200b}paid" })).await;
    assert_eq!(field(&refused), "reason");
}

#[tokio::test]
async fn who_runs_the_platform_is_made_nobodys_member_with_an_operators_key() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let own = Program::manager(&server, "acme").await;
    let password = Password::chosen("operate this seam".to_owned()).unwrap();
    server.platform.tenancy.operator_create("olga@seam.test".parse().unwrap(), password).await.unwrap();
    let olga = json!({ "email": "olga@seam.test", "role": "admin" });
    let refused = operator.post("/api/v1/invitations?tenant=acme", olga.clone()).await;
    assert_eq!(field(&refused), "email");
    assert!(refused.text().contains("enters a tenant for a while"), "{}", refused.text());
    let both = json!({ "email": "both@seam.test", "operator": true, "tenant": "acme" });
    assert_eq!(field(&operator.post("/api/v1/users", both).await), "operator");
    // The tenant's own admins may have whom they like.
    assert_eq!(own.post("/api/v1/invitations", olga).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn names_that_read_as_others_and_budgets_that_warn_of_nothing_are_refused() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let own = Program::manager(&server, "acme").await;
    for (bad, word) in [("Ac\u{202e}me", "U+202E"), ("Ac\u{200b}me", "U+200B"), ("Ac\u{7}me", "one line")] {
        for refused in [
            operator.post("/api/v1/tenants", json!({ "name": "globex", "display_name": bad })).await,
            operator.patch("/api/v1/tenants/acme", json!({ "display_name": bad })).await,
        ] {
            assert_eq!(field(&refused), "display_name", "{bad:?}");
            assert!(refused.text().contains(word), "{}", refused.text());
        }
        let refused = own.post("/api/v1/keys", json!({ "name": bad })).await;
        assert_eq!(field(&refused), "name", "{bad:?}");
        assert!(refused.text().contains(word), "{}", refused.text());
    }
    let refused =
        operator.patch("/api/v1/tenants/acme", json!({ "monthly_budget": "50", "soft_budget": "50.01" })).await;
    assert_eq!(field(&refused), "soft_budget");
    let taken = operator.patch("/api/v1/tenants/acme", json!({ "monthly_budget": "50", "soft_budget": "50" })).await;
    assert_eq!(taken.status, StatusCode::OK);
}

#[tokio::test]
async fn of_the_keys_that_work_each_has_a_name_of_its_own() {
    let server = Server::start().await;
    let (own, other) = (Program::manager(&server, "acme").await, Program::manager(&server, "globex").await);
    let made = own.post("/api/v1/keys", json!({ "name": "app" })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let again = own.post("/api/v1/keys", json!({ "name": " app " })).await;
    assert_eq!((again.status, &again.json()["errors"][0]["field"]), (StatusCode::CONFLICT, &json!("name")));
    assert_eq!(other.post("/api/v1/keys", json!({ "name": "app" })).await.status, StatusCode::CREATED);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(own.delete(&format!("/api/v1/keys/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.post("/api/v1/keys", json!({ "name": "app" })).await.status, StatusCode::CREATED);
    // So it is in the console.
    let admin = server.member("acme", "ada@acme.test").await;
    let acme = server.platform.tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
    let ada = server.platform.tenancy.user_by_email(&"ada@acme.test".parse().unwrap()).await.unwrap().unwrap().id;
    server.platform.tenancy.member_add(acme, ada, contract::Role::Admin).await.unwrap();
    let form = [("name", "app"), ("may", KeyScope::Inference.as_str()), ("models", "")];
    let refused = admin.script_form("/api/ui/key-create", &form).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
}

#[tokio::test]
async fn a_field_that_stands_twice_is_refused_by_its_name() {
    let server = Server::start().await;
    let own = Program::manager(&server, "acme").await;
    let twice = own.send(Method::POST, "/api/v1/keys", r#"{"name":"one","name":"other"}"#.into()).await;
    assert_eq!(field(&twice), "name");
    assert!(twice.text().contains("more than once"), "{}", twice.text());
    assert_eq!(own.get("/api/v1/keys").await.json()["total"], 1);
}
