//! The management API: usage and ledger add up, and the document describes what there is.

use crate::{
    browser::Server,
    management::{NOBODY, Program},
};
use http::{StatusCode, header};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::time::{Duration, sleep};

/// Two tenants; three questions in one and one in the other, all answered.
async fn asked() -> Server {
    let server = Server::start().await;
    let (ada, eve) = (server.member("acme", "ada@acme.test").await, server.member("globex", "eve@globex.test").await);
    for text in ["one", "two", "three"] {
        ada.message(text).await;
    }
    eve.message("four").await;
    for slug in ["acme", "globex"] {
        let own = Program::manager(&server, slug).await;
        for attempt in 0.. {
            let rows = own.get("/api/v1/ledger").await.json();
            let rows = rows["data"].as_array().unwrap().clone();
            if rows.len() == if slug == "acme" { 3 } else { 1 } && rows.iter().all(|row| row["status"] == "succeeded") {
                break;
            }
            assert!(attempt < 200, "{rows:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    server
}

fn sum(rows: &Value, field: &str) -> i64 {
    rows["data"].as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn usage_adds_up_to_the_ledger_however_it_is_told_apart() {
    let server = asked().await;
    let own = Program::manager(&server, "acme").await;
    let ledger = own.get("/api/v1/ledger").await.json();
    let cost = sum(&ledger, "cost_nanousd");
    assert!(cost > 0, "{ledger}");
    for (by, groups) in [("model", 1), ("requested_model", 1), ("user", 1), ("prompt", 1), ("day", 1), ("feature", 1)] {
        let usage = own.get(&format!("/api/v1/usage?group_by={by}")).await.json();
        // A run over midnight has two days.
        assert!(usage["total"] == groups || (by == "day" && usage["total"] == 2), "{by}: {usage}");
        assert_eq!((sum(&usage, "cost_nanousd"), sum(&usage, "requests")), (cost, 3), "{by}: {usage}");
        assert_eq!(sum(&usage, "output_tokens"), sum(&ledger, "output_tokens"), "{by}");
        assert_eq!(sum(&usage, "unpriced_requests"), 0, "{by}");
    }
    let one = |by: &str| {
        let (own, path) = (&own, format!("/api/v1/usage?group_by={by}"));
        async move { own.get(&path).await.json()["data"][0]["group"].as_str().unwrap().to_owned() }
    };
    assert_eq!((one("model").await, one("requested_model").await), ("sim/sim".to_owned(), "sim".to_owned()));
    assert_eq!((one("feature").await, one("prompt").await), ("chat".to_owned(), "chat@1".to_owned()));
    assert!(one("day").await.starts_with("20"), "{}", one("day").await);
    let past = own.get("/api/v1/usage?from=2020-01-01&to=2020-02-01").await.json();
    assert_eq!((past["data"].as_array().unwrap().len(), &past["total"]), (0, &serde_json::json!(0)));
    for (query, word) in [
        ("group_by=key", "does not record"),
        ("group_by=modle", "did you mean “model”"),
        ("from=2020-02-01&to=2020-01-01", "later"),
        ("from=yesterday", "2026-01-01"),
    ] {
        let refused = own.get(&format!("/api/v1/usage?{query}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text().contains(word), "{query}: {}", refused.text());
    }
}

#[tokio::test]
async fn the_ledger_is_read_in_parts_and_by_request_by_its_tenant_alone() {
    let server = asked().await;
    let (ada, eve) = (Program::manager(&server, "acme").await, Program::manager(&server, "globex").await);
    let operator = Program::operator(&server).await;
    let (mut seen, mut next) = (BTreeSet::new(), String::new());
    for _ in 0..4 {
        let part = ada.get(&format!("/api/v1/ledger?per_page=1{next}")).await.json();
        seen.extend(part["data"].as_array().unwrap().iter().map(|row| row["request_id"].as_str().unwrap().to_owned()));
        match part["next"].as_str() {
            Some(place) => next = format!("&before={place}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    let request = seen.first().unwrap();
    let row = ada.get(&format!("/api/v1/ledger?request_id={request}")).await.json();
    assert_eq!(row["data"].as_array().unwrap().len(), 1);
    let row = &row["data"][0];
    for (field, value) in [("provider", "sim"), ("model", "sim"), ("prompt", "chat"), ("status", "succeeded")] {
        assert_eq!(row[field], value, "{row}");
    }
    assert!(row["price_version"].is_i64() && row["prompt_version"] == 1 && row["measured"].is_boolean(), "{row}");
    let by_operator = operator.get(&format!("/api/v1/ledger?tenant=acme&request_id={request}")).await.json();
    assert_eq!(by_operator["data"][0], *row);
    let (hers, nobodys) = (
        eve.get(&format!("/api/v1/ledger?request_id={request}")).await,
        eve.get(&format!("/api/v1/ledger?request_id={NOBODY}")).await,
    );
    assert_eq!((hers.status, hers.text()), (StatusCode::OK, nobodys.text()));
    assert!(hers.json()["data"].as_array().unwrap().is_empty());
    // A place of another tenant's ledger says nothing about that ledger.
    let theirs = eve.get(&format!("/api/v1/ledger?per_page=1{next}")).await.text();
    assert!(!seen.iter().any(|id| theirs.contains(id)), "{theirs}");
    for bad in ["before=x", "before=1.2.3", "request_id=x"] {
        assert_eq!(ada.get(&format!("/api/v1/ledger?{bad}")).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

#[tokio::test]
async fn the_document_is_whole_and_describes_every_route() {
    let server = Server::start().await;
    let answer = server.browser().get("/api/openapi.json").await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    assert!(answer.header(header::CACHE_CONTROL).starts_with("public"));
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect();
    let mut described = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].to_string()), "{place}: a name is taken twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{place}");
            assert!(tags.contains(&operation["tags"][0]), "{place}");
            for scheme in
                operation["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys())
            {
                assert!(document["components"]["securitySchemes"][scheme].is_object(), "{place}: {scheme}");
            }
            let named: BTreeSet<_> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let told: BTreeSet<_> =
                parameters.clone().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
            assert_eq!(named, told, "{place}");
            for parameter in parameters {
                assert!(!parameter["description"].as_str().unwrap_or_default().is_empty(), "{place}: {parameter}");
            }
            let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
            for schema in bodies.filter_map(|(_, content)| content["schema"]["$ref"].as_str()) {
                let closed = &document.pointer(schema.trim_start_matches('#')).unwrap()["additionalProperties"];
                assert_eq!(*closed, false, "{place}: {schema}");
            }
            assert!(
                operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2')),
                "{place}"
            );
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routes = seam::management_routes().into_iter().map(|(method, path)| (method.to_string(), path));
    let mut routes: BTreeSet<_> = routes.collect();
    routes.insert(("GET".to_owned(), "/api/v1/runs/{id}/events".to_owned()));
    assert_eq!(described, routes);
    references(&document, &document);
    // Nothing under /api/v1 is registered anywhere else.
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let router = std::fs::read_to_string(sources.join("router.rs")).unwrap();
    assert_eq!(router.matches("\"/api/v1/").count(), 1, "describe what is registered: see http/management");
}

/// Every reference leads somewhere.
fn references(document: &Value, within: &Value) {
    match within {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|value| references(document, value));
        }
        Value::Array(items) => items.iter().for_each(|value| references(document, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_readable_page_needs_neither_key_nor_script() {
    let server = Server::start().await;
    let page = server.browser().page("/api/docs").await;
    assert_eq!((page.status, page.header(header::CONTENT_TYPE)), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(page.header(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    let text = page.text();
    for (_, path) in seam::management_routes() {
        assert!(text.contains(&path.replace('/', "/<wbr>")), "{path}");
    }
    assert!(!text.contains("<script") && !text.contains("http://localhost"));
}
