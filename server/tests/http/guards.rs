//! What stands around every page: where requests may come from, how large they may be, what answers carry.

use crate::browser::{Browser, Server, get, post};
use axum::body::{Body, Bytes};
use futures::stream;
use http::{HeaderName, Request, StatusCode, header};
use std::convert::Infallible;

const PROBLEM: &str = "application/problem+json";

#[tokio::test]
async fn a_request_from_elsewhere_changes_nothing() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let attempts: [&[(&'static str, &'static str)]; 4] = [
        &[],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.test")],
    ];
    for headers in attempts {
        let mut request = post("/api/ui/sign-out-everywhere", "application/x-www-form-urlencoded", "");
        request.headers_mut().remove("sec-fetch-site");
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let answer = member.send(request).await;
        assert_eq!(answer.problem(), (403, PROBLEM.to_owned(), "permission_denied".to_owned()), "{headers:?}");
    }
    assert_eq!(member.post("/api/ui/frame", &serde_json::json!({})).await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn an_older_browser_of_ours_is_known_by_its_origin() {
    let server = Server::start().await;
    let mut request = post("/api/ui/home", "application/json", "{}");
    request.headers_mut().remove("sec-fetch-site");
    request.headers_mut().insert(header::ORIGIN, "http://seam.test".parse().unwrap());
    assert_ne!(server.browser().send(request).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_megabyte_is_too_much_whether_announced_or_not() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let large = "x".repeat((1 << 20) + 1);
    let announced = {
        let mut request = post("/api/ui/message-send", "application/json", large.clone());
        request.headers_mut().insert(header::CONTENT_LENGTH, large.len().into());
        request
    };
    assert_eq!(member.send(announced).await.problem(), (413, PROBLEM.to_owned(), "payload_too_large".to_owned()));
    let chunks = stream::iter(large.into_bytes().chunks(64 * 1024).map(Bytes::copy_from_slice).collect::<Vec<_>>());
    let streamed = Body::from_stream(futures::StreamExt::map(chunks, Ok::<_, Infallible>));
    let answer = member.send(post("/api/ui/message-send", "application/json", streamed)).await;
    assert_eq!(answer.problem(), (413, PROBLEM.to_owned(), "payload_too_large".to_owned()));
}

#[tokio::test]
async fn what_is_no_text_no_json_or_no_message_is_refused_with_the_reason() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let send = async |body: Vec<u8>| {
        let answer = member.send(post("/api/ui/message-send", "application/json", body)).await;
        (answer.status.as_u16(), answer.text())
    };
    let (status, text) = send(b"{\"message\": {\"text\": \"\xff\"}}".to_vec()).await;
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("byte 22"), "{text}");
    for body in [
        &b"{"[..],
        b"[]",
        b"{}",
        // An unknown field is a misunderstanding, not a detail.
        br#"{"message":{"conversation":null,"text":"x","model":null,"colour":"red"}}"#,
    ] {
        let (status, text) = send(body.to_vec()).await;
        assert_eq!(status, 422, "{} → {text}", String::from_utf8_lossy(body));
    }
    let long = serde_json::json!({ "message": { "conversation": null, "text": "x".repeat(100_001), "model": null } });
    let answer = member.post("/api/ui/message-send", &long).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().contains("100"), "{}", answer.text());
}

/// What every answer must carry, page or not.
fn assert_guarded(browser: &str, headers: &http::HeaderMap) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(headers.get(name).map(|v| v.to_str().unwrap()), Some(value), "{name} of {browser}");
    }
    let policy = headers.get("content-security-policy").map(|v| v.to_str().unwrap()).unwrap_or_default();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{browser}: {policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{browser}: {policy}");
    assert!(headers.contains_key("x-request-id"), "{browser}");
    assert!(headers.contains_key("cache-control"), "{browser}");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start().await;
    let browser = server.browser();
    for path in ["/healthz", "/readyz", "/login", "/no-such-page", "/api/v1/nothing", "/assets/none.js"] {
        assert_guarded(path, &browser.page(path).await.headers);
    }
    let mut foreign = post("/api/ui/sign-in", "application/json", "{}");
    foreign.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_guarded("a refused post", &browser.send(foreign).await.headers);
}

#[tokio::test]
async fn scripts_of_a_page_carry_the_nonce_of_its_policy_and_no_page_shares_it() {
    let server = Server::start().await;
    let browser = server.browser();
    let nonce = async |browser: &Browser| {
        let page = browser.page("/login").await;
        assert_eq!(page.status, StatusCode::OK);
        let policy = page.header("content-security-policy").to_owned();
        let nonce =
            policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default().to_owned();
        let html = page.text();
        let scripts = html.matches("<script").count();
        assert!(scripts > 0 && html.matches(&format!("nonce=\"{nonce}\"")).count() >= scripts, "{html}");
        nonce
    };
    assert_ne!(nonce(&browser).await, nonce(&browser).await);
}

#[tokio::test]
async fn encryption_is_demanded_where_the_public_address_has_it() {
    let secure = Server::start_at("https://seam.test").await.browser().get("/healthz").await;
    assert!(secure.header("strict-transport-security").starts_with("max-age="));
    let plain = Server::start().await.browser().get("/healthz").await;
    assert_eq!(plain.header("strict-transport-security"), "");
}

#[tokio::test]
async fn pages_stay_with_their_reader() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let page = member.page("/settings").await;
    assert_eq!((page.status, page.header(header::CACHE_CONTROL)), (StatusCode::OK, "private, no-store"));
}

#[tokio::test]
async fn an_unknown_address_is_a_page_for_people_and_a_problem_for_programs() {
    let server = Server::start().await;
    let browser = server.browser();
    let page = browser.page("/no-such-page").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.header(header::CONTENT_TYPE).starts_with("text/html"), "{:?}", page.headers);
    let problem = browser.get("/api/v1/nothing").await;
    assert_eq!(problem.problem(), (404, PROBLEM.to_owned(), "not_found".to_owned()));
}

#[tokio::test]
async fn a_requests_id_is_kept_or_made_and_comes_back() {
    let server = Server::start().await;
    let browser = server.browser();
    let mut named = get("/healthz");
    named.headers_mut().insert("x-request-id", "client-1".parse().unwrap());
    assert_eq!(browser.send(named).await.header("x-request-id"), "client-1");
    let mut strange = get("/healthz");
    strange.headers_mut().insert("x-request-id", "a b\"c".parse().unwrap());
    assert_eq!(browser.send(strange).await.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn a_failure_of_ours_names_the_request_and_nothing_inside() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    server.platform.control.close().await;
    let mut request: Request<Body> = get("/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057/events");
    request.headers_mut().insert("x-request-id", "find-me".parse().unwrap());
    let answer = member.send(request).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let text = answer.text().to_lowercase();
    for inside in ["sql", "browser_session", "pool", "/tmp"] {
        assert!(!text.contains(inside), "{text}");
    }
    assert_eq!(answer.header("x-request-id"), "find-me");
}
