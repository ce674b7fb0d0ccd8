//! What machines that watch are told.

use crate::browser::{Server, get};
use http::{StatusCode, header};

#[tokio::test]
async fn an_open_server_is_alive_and_ready() {
    let server = Server::start().await;
    let browser = server.browser();
    let alive = browser.get("/healthz").await;
    assert_eq!((alive.status, alive.text().as_str()), (StatusCode::OK, "ok\n"));
    let ready = browser.get("/readyz").await;
    assert_eq!((ready.status, ready.text().as_str()), (StatusCode::OK, "ready\n"));
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_is_alive_but_not_ready() {
    let server = Server::start().await;
    server.platform.close_to_new();
    let browser = server.browser();
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
    let ready = browser.get("/readyz").await;
    assert_eq!(ready.problem(), (503, "application/problem+json".to_owned(), "shutting_down".to_owned()));
}

#[tokio::test]
async fn a_server_without_its_database_is_alive_but_not_ready() {
    let server = Server::start().await;
    server.platform.control.close().await;
    let browser = server.browser();
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
    assert!(browser.get("/readyz").await.status.is_server_error());
}

#[tokio::test]
async fn a_database_that_lacks_a_migration_is_not_ready() {
    let server = Server::start().await;
    server.scratch.administrate("DELETE FROM _sqlx_migrations WHERE version = 2").await.unwrap();
    let ready = server.browser().get("/readyz").await;
    assert_eq!(ready.problem().0, 503);
    assert!(ready.text().contains("seam migrate"), "{}", ready.text());
}

#[tokio::test]
async fn metrics_are_in_prometheus_form() {
    let answer = Server::start().await.browser().get("/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header(header::CONTENT_TYPE).starts_with("text/plain; version=0.0.4"));
}

#[tokio::test]
async fn metrics_are_for_this_machine_alone_unless_a_token_says_otherwise() {
    let server = Server::start().await;
    let mut from_elsewhere = get("/metrics");
    from_elsewhere.headers_mut().insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
    assert_eq!(server.browser().send(from_elsewhere).await.status, StatusCode::FORBIDDEN);

    let server = Server::start_with("http://seam.test", Some("a token of its own")).await;
    assert_eq!(server.browser().get("/metrics").await.status, StatusCode::FORBIDDEN);
    for (token, status) in [("a token of its own", StatusCode::OK), ("a token of its owN", StatusCode::FORBIDDEN)] {
        let mut asked = get("/metrics");
        asked.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        assert_eq!(server.browser().send(asked).await.status, status, "{token}");
    }
}
