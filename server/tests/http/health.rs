//! What machines that watch are told.

use crate::browser::Server;
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
    server.platform.control.write("DELETE FROM _sqlx_migrations WHERE version = 2").execute().await.unwrap();
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
