//! OpenAI's Responses: kept so that another request can follow on one, each tenant's for itself.

use super::{Program, refused};
use crate::browser::{Answer, Server};
use contract::KeyScope;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tenancy::OperatorScope;

fn asked(input: &str, previous: Option<&str>) -> Value {
    json!({ "model": "sim", "input": input, "previous_response_id": previous })
}

async fn respond(caller: &Program<'_>, body: &Value) -> Answer {
    caller.call(Method::POST, "/v1/responses", body.to_string()).await
}

async fn made(caller: &Program<'_>, body: &Value) -> Value {
    let answer = respond(caller, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

fn id(response: &Value) -> &str {
    response["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_response_is_the_tenants_own_and_like_none_to_others() {
    let server = Server::start().await;
    let (ada, eve) = (Program::new(&server, "acme").await, Program::new(&server, "globex").await);
    let kept = made(&ada, &asked("a canary of acme", None)).await;
    let path = format!("/v1/responses/{}", id(&kept));
    let never = "/v1/responses/resp_never";
    let pairs = [(Method::GET, ""), (Method::GET, "/input_items"), (Method::DELETE, "")];
    for (method, rest) in pairs {
        let foreign = eve.call(method.clone(), &format!("{path}{rest}"), "").await;
        let nobodys = eve.call(method.clone(), &format!("{never}{rest}"), "").await;
        assert_eq!(refused(&foreign), (404, "response_not_found".to_owned(), String::new()), "{method} {rest}");
        assert_eq!(foreign.text().replace(id(&kept), "resp_never"), nobodys.text());
    }
    let followed = [asked("and?", Some(id(&kept))), asked("and?", Some("resp_never"))];
    let (foreign, nobodys) = (respond(&eve, &followed[0]).await, respond(&eve, &followed[1]).await);
    let expected = (400, "previous_response_not_found".to_owned(), "previous_response_id".to_owned());
    assert_eq!(refused(&foreign), expected);
    assert_eq!(foreign.text().replace(id(&kept), "resp_never"), nobodys.text());
    assert!(!foreign.text().contains("canary"));
    // It is all still there for whose it is, and another key of the same tenant may follow on it.
    assert_eq!(ada.call(Method::GET, &path, "").await.json(), kept);
    let colleague = Program::with(&server, "acme", &[KeyScope::Inference], Some(&["sim"])).await;
    assert_eq!(made(&colleague, &followed[0]).await["previous_response_id"], id(&kept));
}

#[tokio::test]
async fn what_came_before_is_read_again_and_is_whole_or_not_there() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let first = made(&caller, &asked("one two three", None)).await;
    let second = made(&caller, &asked("four", Some(id(&first)))).await;
    // Three words, the twelve that were answered, and one more.
    assert_eq!(second["usage"]["input_tokens"], 16);
    let third = made(&caller, &asked("five", Some(id(&second)))).await;
    assert_eq!(third["usage"]["input_tokens"], 29);
    // Two may follow on the same one.
    assert_eq!(made(&caller, &asked("other", Some(id(&first)))).await["usage"]["input_tokens"], 16);
    let gone = caller.call(Method::DELETE, &format!("/v1/responses/{}", id(&first)), "").await;
    assert_eq!(gone.json(), json!({ "id": id(&first), "object": "response", "deleted": true }));
    let broken = respond(&caller, &asked("six", Some(id(&third)))).await;
    assert_eq!(refused(&broken).1, "previous_response_not_found", "its beginning is gone");
    // What is not to be kept is not.
    let mut fleeting = asked("seven", None);
    fleeting["store"] = json!(false);
    let fleeting = made(&caller, &fleeting).await;
    let shown = caller.call(Method::GET, &format!("/v1/responses/{}", id(&fleeting)), "").await;
    assert_eq!(refused(&shown).0, 404);
}

#[tokio::test]
async fn a_streamed_response_is_kept_before_its_last_event() {
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let mut body = asked("one two three", None);
    body["stream"] = json!(true);
    let answer = respond(&caller, &body).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    let text = answer.text();
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    let kept = caller.call(Method::GET, &format!("/v1/responses/{}", id(&last["response"])), "").await.json();
    assert_eq!(kept, last["response"]);
}

#[tokio::test]
async fn a_cut_stream_ends_with_an_error_and_keeps_nothing() {
    let server = Server::start().await;
    server.platform.gateway.invalidate();
    let caller = Program::new(&server, "acme").await;
    let flaky = "[[model]]\nname = \"flaky\"\ntargets = [{ provider = \"sim\", model = \"sim-cut\" }]\n";
    seam::apply::apply(&server.platform.tenancy, flaky, &|_| None, false).await.unwrap();
    server.platform.registry.invalidate().await;
    let body = json!({ "model": "flaky", "input": "hi", "stream": true });
    let text = respond(&caller, &body).await.text();
    let (_, last) = text.trim().rsplit_once("\n\n").unwrap();
    assert!(last.contains("event: error"), "{last}");
    let data: Value = serde_json::from_str(last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap();
    assert_eq!(
        (&data["type"], &data["code"], &data["error"]["code"]),
        (&json!("error"), &json!("provider_failed"), &json!("provider_failed"))
    );
    assert!(!text.contains("response.completed"));
    let begun: Value =
        serde_json::from_str(text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap();
    let shown = caller.call(Method::GET, &format!("/v1/responses/{}", id(&begun["response"])), "").await;
    assert_eq!(refused(&shown).0, 404);
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_given_and_says_so() {
    const LOSE: &str = "ALTER TABLE response RENAME TO lost";
    let server = Server::start().await;
    let caller = Program::new(&server, "acme").await;
    let tenant = server.platform.tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap().id;
    match server.scratch.url() {
        Some(_) => server.scratch.administrate("ALTER TABLE tenant.response RENAME TO lost").await.unwrap(),
        None => {
            let plane = OperatorScope::command_line().tenant_plane(&server.platform.stores, tenant).await.unwrap();
            plane.write(LOSE).execute().await.unwrap();
        }
    }
    let whole = made(&caller, &asked("one two three", None)).await;
    assert_eq!((&whole["status"], &whole["store"]), (&json!("completed"), &json!(false)));
    let mut body = asked("one two three", None);
    body["stream"] = json!(true);
    let text = respond(&caller, &body).await.text();
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!((&last["type"], &last["response"]["store"]), (&json!("response.completed"), &json!(false)));
    assert_eq!(last["response"]["usage"]["output_tokens"], 12);
}
