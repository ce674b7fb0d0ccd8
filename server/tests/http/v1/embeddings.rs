//! Vectors of texts.

use super::{Program, refused};
use crate::browser::Server;
use http::{HeaderName, Method, StatusCode};
use serde_json::{Value, json};

async fn embed(caller: &Program<'_>, body: &Value) -> crate::browser::Answer {
    caller.call(Method::POST, "/v1/embeddings", body.to_string()).await
}

#[tokio::test]
async fn texts_become_vectors_in_their_order() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let answer = embed(&caller, &json!({ "model": "sim", "input": ["one", "two"] })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header(HeaderName::from_static("x-seam-route")), "sim/sim");
    let several = answer.json();
    let two = embed(&caller, &json!({ "model": "sim", "input": "two", "dimensions": 384 })).await.json();
    assert_eq!(several["data"][1]["embedding"], two["data"][0]["embedding"]);
    assert_eq!((&several["data"][1]["index"], two["data"][0]["embedding"].as_array().unwrap().len()), (&json!(1), 384));
    assert_eq!(several["usage"], json!({ "prompt_tokens": 2, "total_tokens": 2 }));
}

#[tokio::test]
async fn what_cannot_be_embedded_is_told_by_field() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    for (body, field) in [
        (json!({ "model": "sim" }), "input"),
        (json!({ "model": "sim", "input": [1, 2] }), "input"),
        (json!({ "model": "sim", "input": ["a", ""] }), "input[1]"),
        (json!({ "model": "sim", "input": "a", "encoding_format": "hex" }), "encoding_format"),
    ] {
        assert_eq!(
            refused(&embed(&caller, &body).await),
            (400, "invalid_value".to_owned(), field.to_owned()),
            "{body}"
        );
    }
    let short = embed(&caller, &json!({ "model": "sim", "input": "a", "dimensions": 5 })).await;
    assert_eq!(short.status, StatusCode::BAD_REQUEST);
    assert!(short.text().contains("384 dimensions"), "{}", short.text());
    let bound = Program::with(&server, "acme", &[contract::KeyScope::Inference], Some(&["other"])).await;
    assert_eq!(refused(&embed(&bound, &json!({ "model": "sim", "input": "a" })).await).0, 404);
}
