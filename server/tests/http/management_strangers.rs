//! The management API: each route there is, asked for things of others that are there.

use crate::{browser::Server, management::Program};
use contract::KeyScope;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// A body that each call which takes one would be served with.
fn body(method: &Method, template: &str) -> Option<Value> {
    if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        return None;
    }
    Some(match template.trim_start_matches("/api/v1/") {
        "members/{id}" => json!({ "role": "viewer" }),
        "invitations" => json!({ "email": "x@acme.test", "role": "viewer" }),
        "keys" => json!({ "name": "x" }),
        "provider-keys/{id}" => json!({ "api_key": "sk-0123456789abcdefWXYZ" }),
        "sign-in" => {
            json!({ "issuer": "https://x.test", "client_id": "x", "client_secret": "x", "enabled": false })
        }
        "domains" => json!({ "domain": "x.test" }),
        "provider-keys/{id}/test" => json!({}),
        // The operator's alone: refused before it is read.
        _ => json!({ "confirm": "acme", "name": "x", "reason": "x", "operator": true, "email": "x@acme.test" }),
    })
}

/// Each route there is, with the names of things that are there.
#[tokio::test]
async fn no_route_does_anything_to_another_tenants_things_or_to_the_platforms() {
    let server = Server::start().await;
    server.models_to_manage().await;
    let (ada, eve) = (Program::manager(&server, "acme").await, Program::manager(&server, "globex").await);
    let caller = Program::tenant(&server, "acme", &[KeyScope::Inference]).await;
    let operator = Program::operator(&server).await;
    operator.put("/api/v1/plans/pro", json!({ "monthly_fee": "1", "overage_markup": "1" })).await;
    ada.post("/api/v1/domains", json!({ "domain": "acme.test" })).await;
    ada.put("/api/v1/provider-keys/nearby", json!({ "api_key": "sk-0123456789abcdefABCD" })).await;
    ada.post("/api/v1/invitations", json!({ "email": "c@acme.test", "role": "viewer" })).await;
    let first = async |path: &str| operator.get(path).await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let (member, key) = (first("/api/v1/members?tenant=acme").await, first("/api/v1/keys?tenant=acme").await);
    let (invited, own_key) = (first("/api/v1/invitations?tenant=acme").await, first("/api/v1/operator-keys").await);
    let real = |template: &str| {
        let (name, id) = match template.trim_start_matches("/api/v1/").split('/').next().unwrap() {
            "plans" => ("pro", ""),
            "domains" => ("acme.test", ""),
            "tenants" => ("acme", ""),
            "users" | "members" => ("", member.as_str()),
            "keys" => ("", key.as_str()),
            "invitations" => ("", invited.as_str()),
            "operator-keys" => ("", own_key.as_str()),
            "provider-keys" => ("", "nearby"),
            _ => ("", ""),
        };
        assert!(!(template.contains("{name}") && name.is_empty() || template.contains("{id}") && id.is_empty()));
        template.replace("{name}", name).replace("{id}", id)
    };
    let state = async || {
        let mut told = Vec::new();
        for path in
            ["audit?tenant=acme", "audit", "members?tenant=acme", "keys?tenant=acme", "users", "plans", "tenants"]
        {
            let mut answer = operator.get(&format!("/api/v1/{path}")).await.json();
            for row in answer["data"].as_array_mut().unwrap() {
                row.as_object_mut().unwrap().remove("last_used_at");
            }
            told.push(answer);
        }
        told
    };
    let before = state().await;
    for (method, template) in seam::management_routes() {
        let (path, body) = (real(&template), body(&method, &template));
        let refused = caller.call(method.clone(), &path, body.clone()).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
        if !eve.for_tenants(&method, &template) {
            let refused = eve.call(method.clone(), &path, body).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {}", refused.text());
            continue;
        }
        if template == "/api/v1/tenants" {
            continue;
        }
        let named = if template.contains("/tenants/") { path.clone() } else { format!("{path}?tenant=acme") };
        let hers = eve.call(method.clone(), &named, body.clone()).await;
        let nobodys = eve.call(method.clone(), &named.replace("acme", "nowhere"), body).await;
        assert_eq!(hers.status, StatusCode::NOT_FOUND, "{method} {named}: {}", hers.text());
        assert_eq!(hers.text(), nobodys.text(), "{method} {named}");
    }
    assert_eq!(state().await, before);
}
