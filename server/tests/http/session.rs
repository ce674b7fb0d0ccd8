//! Signing in and out, as browsers live it.

use crate::browser::{PASSWORD, Server, get};
use http::{StatusCode, header};
use serde_json::json;

#[tokio::test]
async fn signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use() {
    let server = Server::start().await;
    server.tenant("acme", "ada@acme.test").await;
    let answer = server.browser().sign_in("ada@acme.test", PASSWORD).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::FOUND, "/chat"));
    let cookie = answer.header(header::SET_COOKIE).to_owned();
    assert!(cookie.starts_with("seam_session="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
}

#[tokio::test]
async fn under_an_encrypted_address_the_cookie_is_secure() {
    let server = Server::start_at("https://seam.test").await;
    server.tenant("acme", "ada@acme.test").await;
    let answer = server.browser().sign_in("ada@acme.test", PASSWORD).await;
    assert!(answer.header(header::SET_COOKIE).contains("Secure"), "{:?}", answer.headers);
}

#[tokio::test]
async fn signing_in_again_gives_another_session() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let first = member.cookie().unwrap();
    member.sign_in("ada@acme.test", PASSWORD).await;
    assert_ne!(member.cookie().unwrap(), first);
    let stolen = server.browser();
    let mut request = get("/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057/events");
    request.headers_mut().insert(header::COOKIE, first.parse().unwrap());
    assert_eq!(stolen.send(request).await.status, StatusCode::UNAUTHORIZED, "the old one opens nothing");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_look_the_same() {
    let server = Server::start().await;
    server.tenant("acme", "ada@acme.test").await;
    let wrong = server.browser().sign_in_by_script("ada@acme.test", "not the password").await;
    let unknown = server.browser().sign_in_by_script("eve@acme.test", "not the password").await;
    assert_eq!((wrong.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    assert_eq!(wrong.json()["problem"], unknown.json()["problem"]);
    assert_eq!(wrong.header(header::SET_COOKIE), "");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_told_for_how_long() {
    let server = Server::start().await;
    server.tenant("acme", "ada@acme.test").await;
    let browser = server.browser();
    for _ in 0..tenancy::FAILURES_PER_ACCOUNT {
        let refused = browser.sign_in_by_script("ada@acme.test", "not the password").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text());
    }
    let throttled = browser.sign_in_by_script("ada@acme.test", PASSWORD).await;
    assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS, "{}", throttled.text());
    let seconds: u64 = throttled.header(header::RETRY_AFTER).parse().unwrap();
    assert!((1..=15 * 60).contains(&seconds), "{seconds}");
    server.tenant("acme", "alan@acme.test").await;
    let other = browser.sign_in("alan@acme.test", PASSWORD).await;
    assert_eq!(other.header(header::LOCATION), "/chat", "others are not held up");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_back() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let cookie = member.cookie().unwrap();
    let answer = member.form("/api/ui/sign-out", &[]).await;
    assert!(answer.header(header::SET_COOKIE).contains("Max-Age=0"), "{:?}", answer.headers);
    let mut request = get("/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057/events");
    request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    assert_eq!(server.browser().send(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_out_everywhere_ends_the_other_browser_too() {
    let server = Server::start().await;
    let here = server.member("acme", "ada@acme.test").await;
    let there = server.browser();
    there.sign_in("ada@acme.test", PASSWORD).await;
    assert_eq!(there.post("/api/ui/frame", &json!({})).await.status, StatusCode::OK);
    here.form("/api/ui/sign-out-everywhere", &[]).await;
    assert_eq!(there.post("/api/ui/frame", &json!({})).await.status, StatusCode::UNAUTHORIZED);
    let page = there.page("/chat").await;
    assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::FOUND, "/login"));
}

#[tokio::test]
async fn nobody_sees_a_member_page_without_signing_in() {
    let server = Server::start().await;
    for (path, to) in [("/chat", "/login"), ("/settings", "/login?next=/settings"), ("/", "/login")] {
        let page = server.browser().page(path).await;
        assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::FOUND, to), "{path}");
    }
}
