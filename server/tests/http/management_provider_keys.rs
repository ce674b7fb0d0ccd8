//! The management API: a tenant's own keys at providers.

use crate::{browser::Server, management::Program};
use http::{Method, StatusCode};
use seam::apply::apply;
use serde_json::json;

const RESOURCES: &str = r#"
[[provider]]
name = "claude"
kind = "anthropic"
[[provider]]
name = "inhouse"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
[[provider]]
name = "nearby"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
own_keys = true
"#;

const KEY: &str = "sk-ant-0123456789abcdefWXYZ";

#[tokio::test]
async fn a_key_is_set_listed_by_its_end_tried_and_removed_and_told_to_nobody() {
    let server = Server::start().await;
    apply(&server.platform.tenancy, RESOURCES, &|_| None, false).await.unwrap();
    server.platform.gateway.invalidate();
    let (own, other) = (Program::manager(&server, "acme").await, Program::manager(&server, "globex").await);
    let operator = Program::operator(&server).await;
    let listed = own.get("/api/v1/provider-keys").await.json();
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|row| row["provider"].as_str().unwrap()).collect();
    assert_eq!(names, ["claude", "nearby"], "one with an address of its own takes none, unless it says so");

    let set = own.call(Method::PUT, "/api/v1/provider-keys/claude", Some(json!({ "api_key": KEY }))).await;
    assert_eq!(set.status, StatusCode::NO_CONTENT, "{}", set.text());
    let listed = own.get("/api/v1/provider-keys").await;
    assert_eq!((&listed.json()["data"][0]["set"], &listed.json()["data"][0]["hint"]), (&json!(true), &json!("WXYZ")));
    assert!(!listed.text().contains("0123456789"), "{}", listed.text());
    assert_eq!(other.get("/api/v1/provider-keys").await.json()["data"][0]["set"], json!(false));
    let absent = other.delete("/api/v1/provider-keys/claude").await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    let for_acme = operator.get("/api/v1/provider-keys?tenant=acme").await.json();
    assert_eq!(for_acme["data"][0]["set"], json!(true));

    for (path, body, status) in [
        ("claude", json!({ "api_key": "two words" }), StatusCode::UNPROCESSABLE_ENTITY),
        ("inhouse", json!({ "api_key": KEY }), StatusCode::NOT_FOUND),
        ("nowhere", json!({ "api_key": KEY }), StatusCode::NOT_FOUND),
        ("claude", json!({ "key": KEY }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let refused = own.call(Method::PUT, &format!("/api/v1/provider-keys/{path}"), Some(body)).await;
        assert_eq!(refused.status, status, "{path}: {}", refused.text());
        assert!(!refused.text().contains(KEY), "{}", refused.text());
    }
    // Nobody listens there.
    let tried = own.post("/api/v1/provider-keys/nearby/test", json!({ "api_key": KEY })).await.json();
    assert_eq!(tried["works"], json!(false));
    assert_eq!(tried["reason"], "the provider could not be reached", "and not where it is");

    assert_eq!(own.delete("/api/v1/provider-keys/claude").await.status, StatusCode::NO_CONTENT);
    assert_eq!(own.delete("/api/v1/provider-keys/claude").await.status, StatusCode::NOT_FOUND);
    let log = own.get("/api/v1/audit?q=provider_key").await;
    let acts: Vec<String> =
        log.json()["data"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(acts, ["provider_key.remove", "provider_key.set"]);
    assert!(!log.text().contains(KEY) && !log.text().contains("WXYZ"), "{}", log.text());
}
