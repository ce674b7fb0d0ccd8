//! Answers that are given again, as programs see them: in each dialect, streamed and whole, and by the headers.

use super::{Program, events, greeting, hello, refused, said};
use crate::browser::{Answer, Server};
use http::{HeaderName, Method};
use seam::apply::apply;
use serde_json::{Value, json};

const CACHE: HeaderName = HeaderName::from_static("x-seam-cache");
const COST: HeaderName = HeaderName::from_static("x-seam-cost-usd");
const SAVED: HeaderName = HeaderName::from_static("x-seam-saved-usd");

const RESOURCES: &str = r#"
[[model]]
name = "again"
targets = [{ provider = "sim", model = "sim" }]
cache = { ttl_s = 3600 }
"#;

async fn server() -> Server {
    let server = Server::start().await;
    apply(&server.platform.tenancy, RESOURCES, &|_| None, false).await.unwrap();
    server.platform.registry.invalidate().await;
    server
}

/// Asks twice; the second answer must be the first one's, from the cache.
async fn twice(program: &Program<'_>, path: &str, body: &Value) -> (Answer, Answer) {
    let first = program.call(Method::POST, path, body.to_string()).await;
    assert_eq!(first.header(CACHE), "miss", "{path} {}", first.text());
    let second = program.call(Method::POST, path, body.to_string()).await;
    assert_eq!(second.header(CACHE), "hit", "{path} {}", second.text());
    assert!(second.header("age").parse::<u64>().is_ok());
    assert!(second.header(SAVED).starts_with("0.0000"), "{}", second.header(SAVED));
    (first, second)
}

#[tokio::test]
async fn each_dialect_is_given_its_answers_again_whole_and_as_streams() {
    let server = server().await;
    let program = Program::new(&server, "acme").await;
    let stream = |mut body: Value| {
        body["stream"] = json!(true);
        body
    };
    let (first, second) = twice(&program, "/v1/chat/completions", &hello("again")).await;
    assert_eq!(first.json()["choices"], second.json()["choices"]);
    assert_eq!(first.json()["usage"], second.json()["usage"]);
    assert_eq!((second.header(COST), second.header("x-seam-route")), ("0", "sim/sim"));

    let (first, second) = twice(&program, "/v1/chat/completions", &stream(hello("again"))).await;
    let ((first, _), (second, done)) = (events(&first), events(&second));
    assert!(done && second.len() > 5, "a stream is a stream again: {second:?}");
    assert_eq!(said(&first), said(&second));

    let (first, second) = twice(&program, "/v1/messages", &greeting("again")).await;
    assert_eq!(first.json()["content"], second.json()["content"]);
    let (_, second) = twice(&program, "/v1/messages", &stream(greeting("again"))).await;
    assert!(second.text().contains("message_stop"), "{}", second.text());

    let asked = json!({ "model": "again", "input": "Hello" });
    let (first, second) = twice(&program, "/v1/responses", &asked).await;
    let text = |answer: &Answer| answer.json()["output"][0]["content"][0]["text"].clone();
    assert_eq!(text(&first), text(&second));
    assert_ne!(first.json()["id"], second.json()["id"], "each is kept, and can be followed on");
    let (_, second) = twice(&program, "/v1/responses", &stream(asked)).await;
    assert!(second.text().contains("response.completed"), "{}", second.text());

    let stranger = Program::new(&server, "globex").await;
    assert_eq!(stranger.complete(&hello("again")).await.header(CACHE), "miss", "nobody hears what another was told");
}

#[tokio::test]
async fn a_header_says_whether_an_old_answer_will_do() {
    let server = server().await;
    let program = Program::new(&server, "acme").await;
    assert_eq!(program.complete(&hello("sim")).await.header(CACHE), "bypass", "its config says nothing of a cache");
    let with = async |value: &str| program.complete_with("x-seam-cache", value, &hello("again")).await;
    assert_eq!(with("no-store").await.header(CACHE), "bypass");
    assert_eq!(with("no-cache").await.header(CACHE), "miss");
    assert_eq!(with("no-cache").await.header(CACHE), "miss");
    assert_eq!(program.complete(&hello("again")).await.header(CACHE), "hit");
    assert_eq!(with("no-store").await.header(CACHE), "bypass");
    let odd = with("please").await;
    assert_eq!(refused(&odd), (400, "invalid_value".to_owned(), "x-seam-cache".to_owned()));
}
