//! The management API: a tenant's identity provider and its domains.

use crate::{
    browser::Server,
    management::{Program, field},
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

const SECRET: &str = "hunter2-of-the-client";

fn provider() -> Value {
    json!({ "issuer": "https://login.acme.test", "client_id": "seam", "client_secret": SECRET, "enabled": false })
}

#[tokio::test]
async fn a_provider_is_set_and_shown_and_its_secret_is_told_to_nobody() {
    let server = Server::start().await;
    let (own, operator) = (Program::manager(&server, "acme").await, Program::operator(&server).await);
    let none = own.get("/api/v1/sign-in").await.json();
    assert_eq!(none, json!({ "provider": null, "redirect_uri": "http://seam.test/oidc/callback" }));
    let set = own.put("/api/v1/sign-in", provider()).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text());
    let expected = json!({
        "issuer": "https://login.acme.test", "client_id": "seam", "default_role": "member",
        "enabled": false, "required": false,
    });
    assert_eq!(set.json()["provider"], expected);
    // The secret that is kept stays, for the same issuer alone.
    let body = json!({
        "issuer": "https://login.acme.test", "client_id": "other", "default_role": "viewer", "enabled": false,
    });
    let changed = operator.put("/api/v1/sign-in?tenant=acme", body).await;
    assert_eq!(changed.json()["provider"]["client_id"], "other", "{}", changed.text());
    let moved = json!({ "issuer": "https://login.evil.test", "client_id": "other", "enabled": false });
    assert_eq!(field(&own.put("/api/v1/sign-in", moved).await), "client_secret");
    for (change, name) in [
        (json!({ "issuer": "" }), "issuer"),
        (json!({ "client_id": "" }), "client_id"),
        (json!({ "default_role": "admin" }), "default_role"),
        (json!({ "default_role": "boss" }), "default_role"),
        (json!({ "required": true }), "required"),
        (json!({ "enabled": true, "issuer": "http://127.0.0.1:9" }), "issuer"),
        (json!({ "enabled": "yes" }), "enabled"),
        (json!({ "client_sceret": "x" }), "client_sceret"),
    ] {
        let mut body = provider();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(field(&own.put("/api/v1/sign-in", body).await), name, "{change}");
    }
    let told = [own.get("/api/v1/sign-in").await.text(), own.get("/api/v1/audit").await.text()].concat();
    assert!(!told.contains(SECRET), "{told}");
    let log = own.get("/api/v1/audit?q=sign_in.configure").await.json();
    let names: Vec<_> = log["data"].as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["billing", "ci"]);
    let eve = Program::manager(&server, "globex").await;
    assert_eq!(eve.get("/api/v1/sign-in").await.json()["provider"], Value::Null);

    // It is removed by whose it is.
    eve.put("/api/v1/sign-in", provider()).await;
    assert_eq!(own.delete("/api/v1/sign-in").await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.get("/api/v1/sign-in").await.json()["provider"], Value::Null);
    assert_eq!(eve.get("/api/v1/sign-in").await.json()["provider"]["client_id"], "seam");
    assert_eq!(own.delete("/api/v1/sign-in").await.status, StatusCode::NOT_FOUND);
    let log = own.get("/api/v1/audit?q=sign_in.remove").await.json();
    assert_eq!(log["data"][0]["change"]["before"]["issuer"], "https://login.acme.test", "{log}");
}

#[tokio::test]
async fn a_domain_is_claimed_by_the_tenant_and_confirmed_by_the_operator() {
    let server = Server::start().await;
    let (own, operator) = (Program::manager(&server, "acme").await, Program::operator(&server).await);
    let other = Program::manager(&server, "globex").await;
    let claimed = own.post("/api/v1/domains", json!({ "domain": "Acme.test" })).await;
    assert_eq!((claimed.status, claimed.header(header::LOCATION)), (StatusCode::CREATED, "/api/v1/domains/acme.test"));
    assert_eq!((&claimed.json()["domain"], &claimed.json()["confirmed_at"]), (&json!("acme.test"), &Value::Null));
    assert_eq!(own.post("/api/v1/domains", json!({ "domain": "acme.test" })).await.status, StatusCode::CREATED);
    assert_eq!(field(&own.post("/api/v1/domains", json!({ "domain": "acme" })).await), "domain");

    let confirm = "/api/v1/domains/acme.test/confirm";
    assert_eq!(own.call(Method::POST, confirm, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(field(&operator.call(Method::POST, confirm, None).await), "tenant");
    let done = operator.call(Method::POST, &format!("{confirm}?tenant=acme"), None).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.text());
    let domains = operator.get("/api/v1/domains?tenant=acme").await.json();
    assert!(domains["data"][0]["confirmed_at"].is_i64(), "{domains}");
    // It is one tenant's, and nothing of another's.
    assert_eq!(field(&operator.call(Method::POST, &format!("{confirm}?tenant=globex"), None).await), "domain");
    assert_eq!(other.get("/api/v1/domains").await.json()["data"], json!([]));
    for missing in ["acme.test", "nowhere.test", "nonsense"] {
        let gone = other.delete(&format!("/api/v1/domains/{missing}")).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND, "{missing}");
    }
    assert_eq!(operator.delete("/api/v1/domains/acme.test?tenant=acme").await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.get("/api/v1/domains").await.json()["data"], json!([]));
    own.post("/api/v1/domains", json!({ "domain": "acme.test" })).await;
    assert_eq!(own.delete("/api/v1/domains/acme.test").await.status, StatusCode::NO_CONTENT);
    let log = own.get("/api/v1/audit?q=domain.").await.json();
    let told: Vec<_> = log["data"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    let expected = ["domain.release", "domain.claim", "domain.release", "domain.confirm", "domain.claim"];
    assert_eq!(told, expected);
    // What the operator does stands in both logs.
    let platform = operator.get("/api/v1/audit?q=domain.").await.json();
    assert_eq!(platform["data"].as_array().unwrap().len(), 2);
}
