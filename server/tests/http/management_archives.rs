//! The management API: tenants as a whole, out and in, and logs as files.

use crate::{
    browser::{Answer, PASSWORD, Server},
    management::{Program, field},
};
use axum::body::Body;
use contract::AuditEntry;
use futures::stream;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tenancy::audit_link;

const ACME: &str = "/api/v1/tenants/acme/archive";

/// Acme with Ada and a conversation, as an archive.
async fn exported(server: &Server, operator: &Program<'_>) -> Answer {
    let ada = server.member("acme", "ada@acme.test").await;
    let asked = ada.message("a question of hers").await;
    // An answer that is being written would travel as one.
    let open = json!({ "id": asked.conversation, "older_than": null, "wait": true });
    ada.post("/api/ui/conversation-open", &open).await;
    let exported = operator.get(ACME).await;
    assert_eq!(exported.status, StatusCode::OK, "{}", exported.text());
    exported
}

/// What lies about of archives under way.
fn left(server: &Server) -> usize {
    std::fs::read_dir(server.scratch.dir().join("transit")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_tenant_is_exported_copied_deleted_and_restored() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let archive = exported(&server, &operator).await;
    assert_eq!(archive.header(header::CONTENT_LENGTH), archive.body.len().to_string());
    assert_eq!(archive.header(header::CONTENT_DISPOSITION), "attachment; filename=\"acme.seam\"");
    assert!(archive.body.starts_with(b"seam-tenant-archive 1 sha256:"));
    assert_eq!(left(&server), 0);
    let again = operator.send(Method::PUT, ACME, archive.body.clone().into()).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text());

    let copy = operator.send(Method::PUT, "/api/v1/tenants/acme-two/archive", archive.body.clone().into()).await;
    assert_eq!((copy.status, copy.header(header::LOCATION)), (StatusCode::CREATED, "/api/v1/tenants/acme-two"));
    let copy = copy.json();
    assert_eq!((&copy["tenant"]["name"], &copy["accounts_linked"]), (&json!("acme-two"), &json!(1)));
    assert!(copy["rows"].as_u64().unwrap() > 5 && copy["content_sha256"].as_str().unwrap().len() == 64, "{copy}");

    assert_eq!(operator.delete("/api/v1/tenants/acme-two?confirm=acme-two").await.status, StatusCode::OK);
    assert_eq!(operator.delete("/api/v1/tenants/acme?confirm=acme").await.status, StatusCode::OK);
    assert_eq!(server.browser().sign_in_by_script("ada@acme.test", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let restored = operator.send(Method::PUT, ACME, archive.body.clone().into()).await;
    assert_eq!(restored.status, StatusCode::CREATED, "{}", restored.text());
    assert_eq!(restored.json()["accounts_created"], 1);
    let ada = server.browser();
    assert_eq!(ada.sign_in("ada@acme.test", PASSWORD).await.status, StatusCode::FOUND);
    let list = ada.post("/api/ui/conversation-list", &json!({ "search": null })).await.text();
    assert!(list.contains("a question of hers"), "{list}");
    // What is asked from now on is answered and counted as before.
    ada.message("another").await;

    let log = operator.get("/api/v1/audit?q=port").await.json();
    let told: Vec<_> = log["data"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(told, ["tenant.import", "tenant.import", "tenant.export"]);
    assert_eq!(log["data"][0]["name"], "billing");
    assert_eq!(left(&server), 0);
}

#[tokio::test]
async fn what_is_no_whole_archive_is_refused_and_leaves_nothing() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    let archive = exported(&server, &operator).await.body.to_vec();
    let mut bent = archive.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    let place = "/api/v1/tenants/other/archive";
    for (what, body) in [
        ("bent", bent),
        ("cut off", archive[..archive.len() - 20].to_vec()),
        ("nothing", Vec::new()),
        ("something else, and longer than other bodies may be", vec![b'x'; 2 << 20]),
    ] {
        let refused = operator.send(Method::PUT, place, body.into()).await;
        assert_eq!(field(&refused), "archive", "{what}");
        assert!(!refused.text().contains("transit") && !refused.text().contains("seam tenant"), "{}", refused.text());
    }
    let half = archive[..archive.len() / 2].to_vec();
    let torn = Body::from_stream(stream::iter([Ok(half), Err(std::io::Error::other("the line is dead"))]));
    let refused = operator.send(Method::PUT, place, torn).await;
    assert_eq!(refused.problem().2, "invalid_input");
    assert!(refused.text().contains("did not arrive whole"), "{}", refused.text());
    for path in ["/api/v1/tenants/Not%20A%20Slug/archive", "/api/v1/tenants/other/archive?plan=gold"] {
        let refused = operator.send(Method::PUT, path, archive.clone().into()).await;
        assert!(["name", "plan"].contains(&field(&refused).as_str()));
    }
    assert_eq!(operator.get("/api/v1/tenants/other").await.status, StatusCode::NOT_FOUND);
    assert_eq!(operator.get("/api/v1/tenants/other/archive").await.status, StatusCode::NOT_FOUND);
    assert_eq!(left(&server), 0);
    // None of it stands in the way of a good one.
    assert_eq!(operator.send(Method::PUT, place, archive.into()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_plan_that_is_missing_is_asked_about() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    operator.put("/api/v1/plans/pro", json!({ "monthly_fee": "99", "overage_markup": "1.4" })).await;
    operator.post("/api/v1/tenants", json!({ "name": "acme", "plan": "pro" })).await;
    let archive = operator.get(ACME).await.body;
    operator.delete("/api/v1/tenants/acme?confirm=acme").await;
    assert_eq!(operator.delete("/api/v1/plans/pro").await.status, StatusCode::NO_CONTENT);
    let asked = operator.send(Method::PUT, ACME, archive.clone().into()).await;
    assert_eq!(field(&asked), "plan");
    assert!(asked.text().contains("plan=create") && asked.text().contains("plan=none"), "{}", asked.text());
    let without = operator.send(Method::PUT, &format!("{ACME}?plan=none"), archive.clone().into()).await;
    assert_eq!(without.json()["tenant"]["plan"], Value::Null, "{}", without.text());
    operator.delete("/api/v1/tenants/acme?confirm=acme").await;
    let with = operator.send(Method::PUT, &format!("{ACME}?plan=create"), archive.into()).await;
    assert_eq!(with.json()["tenant"]["plan"], "pro", "{}", with.text());
    assert_eq!(operator.get("/api/v1/plans/pro").await.json()["monthly_fee"], "99");
}

#[tokio::test]
async fn only_so_many_archives_are_under_way_at_once() {
    let server = Server::start().await;
    let operator = Program::operator(&server).await;
    operator.post("/api/v1/tenants", json!({ "name": "acme" })).await;
    let under_way =
        [server.platform.archive_receive().await.unwrap(), server.platform.archive_receive().await.unwrap()];
    for refused in
        [operator.get(ACME).await, operator.send(Method::PUT, "/api/v1/tenants/other/archive", Vec::new().into()).await]
    {
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.header(header::RETRY_AFTER), "30");
    }
    drop(under_way);
    assert_eq!(operator.get(ACME).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tenants_own_key_gets_no_archive_not_even_of_its_own() {
    let server = Server::start().await;
    let own = Program::manager(&server, "acme").await;
    assert_eq!(own.get(ACME).await.status, StatusCode::FORBIDDEN);
    let refused = own.send(Method::PUT, "/api/v1/tenants/other/archive", vec![b'x'; 2 << 20].into()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_log_is_downloaded_with_the_seals_that_prove_it() {
    let server = Server::start().await;
    let own = Program::manager(&server, "acme").await;
    let (operator, eve) = (Program::operator(&server).await, Program::manager(&server, "globex").await);
    let secret = own.post("/api/v1/keys", json!({ "name": "app" })).await.json()["secret"].clone();
    for number in 0..3 {
        let email = format!("c{number}@acme.test");
        own.post("/api/v1/invitations", json!({ "email": email, "role": "viewer" })).await;
    }
    let acme = server.platform.tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
    let log = own.get("/api/v1/audit/export").await;
    assert_eq!(log.header(header::CONTENT_TYPE), "application/jsonl");
    assert!(log.header(header::CONTENT_DISPOSITION).contains("audit.jsonl"));
    let mut before = String::new();
    let mut entries = 0;
    for line in log.text().lines() {
        let entry: AuditEntry = serde_json::from_str(line).unwrap();
        let sealed: Value = serde_json::from_str(line).unwrap();
        before = audit_link(acme, &before, &entry);
        assert_eq!(sealed["hash"], before, "{line}");
        entries += 1;
    }
    assert!(entries >= 5, "{}", log.text());
    assert!(!log.text().contains(secret.as_str().unwrap()));
    assert_eq!(operator.get("/api/v1/audit/export?tenant=acme").await.text(), log.text());
    let platform = operator.get("/api/v1/audit/export").await;
    assert!(platform.text().contains("key.create") && !platform.text().contains("c1@acme.test"));
    assert!(!eve.get("/api/v1/audit/export").await.text().contains("acme"));
    assert_eq!(eve.get("/api/v1/audit/export?tenant=acme").await.status, StatusCode::NOT_FOUND);
}
