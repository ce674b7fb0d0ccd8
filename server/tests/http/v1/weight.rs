//! Large requests under way: a workspace has its bound, all of them together have theirs, and small ones pass.

use super::{Program, hello, refused};
use crate::browser::Server;
use axum::body::Body;
use futures::stream;
use http::{Method, StatusCode};
use serde_json::json;
use std::{convert::Infallible, time::Duration};
use tokio::time::timeout;

const CHAT: &str = "/v1/chat/completions";

/// A body of which nobody knows how long it will be.
fn endless() -> Body {
    Body::from_stream(stream::pending::<Result<&str, Infallible>>())
}

/// The same, with an end.
fn short() -> Body {
    Body::from_stream(stream::iter([Ok::<_, Infallible>(hello("sim").to_string())]))
}

#[tokio::test]
async fn a_workspace_waits_for_its_own_large_requests_and_small_ones_pass() {
    let server = Server::start().await;
    let (acme, globex) = (Program::new(&server, "acme").await, Program::new(&server, "globex").await);
    let initech = Program::new(&server, "initech").await;
    // Each counts as the largest that there can be: 32 MB.
    let mut held = Vec::new();
    for program in [&acme, &acme] {
        let mut call = Box::pin(program.call(Method::POST, CHAT, endless()));
        assert!(timeout(Duration::from_secs(1), &mut call).await.is_err());
        held.push(call);
    }
    let third = acme.call(Method::POST, CHAT, short()).await;
    assert_eq!((refused(&third).0, third.header("retry-after")), (429, "2"), "{}", third.text());
    assert_eq!(acme.complete(&hello("sim")).await.status, StatusCode::OK, "a small one weighs nothing");
    assert_eq!(globex.call(Method::POST, CHAT, short()).await.status, StatusCode::OK, "another's are its own");
    for program in [&globex, &globex] {
        let mut call = Box::pin(program.call(Method::POST, CHAT, endless()));
        assert!(timeout(Duration::from_secs(1), &mut call).await.is_err());
        held.push(call);
    }
    let full = initech.call(Method::POST, CHAT, short()).await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE, "{}", full.text());
    held.clear();
    for program in [&acme, &globex, &initech] {
        assert_eq!(
            program.call(Method::POST, CHAT, short()).await.status,
            StatusCode::OK,
            "what has gone weighs nothing"
        );
    }
}

#[tokio::test]
async fn what_a_small_request_follows_on_weighs_as_well() {
    const RESPONSES: &str = "/v1/responses";
    let server = Server::start().await;
    let acme = Program::new(&server, "acme").await;
    let long = json!({ "model": "sim", "input": "word ".repeat(100_000) });
    let kept = acme.call(Method::POST, RESPONSES, long.to_string()).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text());
    let follow = json!({ "model": "sim", "input": "and?", "previous_response_id": kept.json()["id"] }).to_string();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut call = Box::pin(acme.call(Method::POST, CHAT, endless()));
        assert!(timeout(Duration::from_secs(1), &mut call).await.is_err());
        held.push(call);
    }
    assert_eq!(refused(&acme.call(Method::POST, RESPONSES, follow.clone()).await).0, 429);
    held.clear();
    assert_eq!(acme.call(Method::POST, RESPONSES, follow).await.status, StatusCode::OK);
}
