//! A run's events over SSE: whole, resumed, and only for whom they are.

use crate::browser::{Browser, Server, get};
use contract::{RunEvent, RunEventRecord, RunId};
use http::{StatusCode, header};

fn address(run: RunId) -> String {
    format!("/api/v1/runs/{run}/events")
}

/// The events in a body, each with SSE's own id and name checked against it.
fn parsed(body: &str) -> Vec<RunEventRecord> {
    let blocks = body.split("\n\n").filter(|block| block.contains("data:"));
    blocks
        .map(|block| {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.map(|value| value.trim_start().to_owned()).unwrap_or_else(|| panic!("{name} in {block}"))
            };
            let record: RunEventRecord = serde_json::from_str(&field("data:")).unwrap();
            assert_eq!(field("id:"), record.seq.to_string());
            assert_eq!(field("event:"), record.event.name());
            record
        })
        .collect()
}

async fn events(browser: &Browser, run: RunId) -> Vec<RunEventRecord> {
    let answer = browser.get(&address(run)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    parsed(&answer.text())
}

fn text(events: &[RunEventRecord]) -> String {
    let deltas = events.iter().filter_map(|record| match &record.event {
        RunEvent::Delta { text } => Some(text.as_str()),
        RunEvent::Started { .. } => None,
        RunEvent::Finished { .. } | RunEvent::Stopped { .. } | RunEvent::Failed { .. } => None,
    });
    deltas.collect()
}

#[tokio::test]
async fn a_run_is_told_from_its_start_to_its_one_end() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let run = member.message("hello").await.run;
    let answer = member.get(&address(run)).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    assert_eq!(answer.header(header::CONTENT_ENCODING), "", "a stream is never gathered to be compressed");
    let events = parsed(&answer.text());
    let numbers: Vec<_> = events.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>());
    assert!(matches!(events[0].event, RunEvent::Started { .. }));
    assert!(events.len() > 3 && !text(&events).is_empty());
    let terminal: Vec<_> = events.iter().filter(|record| record.event.is_terminal()).map(|r| r.seq).collect();
    assert_eq!(terminal, [events.len() as i64]);
}

#[tokio::test]
async fn who_comes_back_at_any_point_misses_and_repeats_nothing() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let run = member.message("hello").await.run;
    let whole = events(&member, run).await;
    for seen in 0..=whole.len() {
        let mut by_header = get(&format!("{}?after=0", address(run)));
        by_header.headers_mut().insert("last-event-id", seen.into());
        let rest = parsed(&member.send(by_header).await.text());
        assert_eq!(rest, whole[seen..], "after {seen}");
        let rest = parsed(&member.get(&format!("{}?after={seen}", address(run))).await.text());
        assert_eq!(rest, whole[seen..], "after {seen}");
    }
}

#[tokio::test]
async fn two_readers_at_once_read_the_same() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let run = member.message("hello").await.run;
    let (one, two) = tokio::join!(events(&member, run), events(&member, run));
    assert_eq!(one, two);
}

#[tokio::test]
async fn another_tenants_run_and_another_members_run_do_not_exist() {
    let server = Server::start().await;
    let ada = server.member("acme", "ada@acme.test").await;
    let run = ada.message("a secret").await.run;
    let missing = ada.get(&address(RunId::new())).await;
    for (slug, email) in [("globex", "grace@globex.test"), ("acme", "alan@acme.test")] {
        let other = server.member(slug, email).await;
        let answer = other.get(&address(run)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.json(), missing.json(), "the same as what was never there");
        let stop = other.post("/api/ui/run-stop", &serde_json::json!({ "run": run })).await;
        assert_eq!(stop.status, StatusCode::NOT_FOUND, "{}", stop.text());
    }
}

#[tokio::test]
async fn strangers_and_nonsense_get_their_own_status() {
    let server = Server::start().await;
    let run = RunId::new();
    assert_eq!(server.browser().get(&address(run)).await.status, StatusCode::UNAUTHORIZED);
    let member = server.member("acme", "ada@acme.test").await;
    assert_eq!(member.get("/api/v1/runs/nonsense/events").await.status, StatusCode::NOT_FOUND);
    let after = member.get(&format!("{}?after=-1", address(run))).await;
    assert_eq!(after.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_reader_that_leaves_stops_nothing() {
    let server = Server::start().await;
    let member = server.member("acme", "ada@acme.test").await;
    let run = member.message("hello").await.run;
    drop(member.start(get(&address(run))).await);
    let events = events(&member, run).await;
    assert!(matches!(events.last().unwrap().event, RunEvent::Finished { .. }));
}

#[tokio::test]
async fn a_reader_is_told_why_there_is_no_more() {
    let server = Server::start().await;
    server.slow_model().await;
    let bob = server.member("acme", "bob@acme.test").await;
    let run = bob.message_to("slow", "hello").await.run;
    let tenancy = &server.platform.tenancy;
    let acme = tenancy.tenant_by_slug(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let reading = tokio::spawn(async move { bob.get(&address(run)).await.text() });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    tenancy.tenant_suspend(&tenancy::OperatorScope::command_line(), acme.id, "unpaid since May").await.unwrap();
    let read = reading.await.unwrap();
    assert!(read.contains("unpaid since May") || read.contains("event: failed"), "{read}");
    assert!(!read.contains("Your session has ended"), "{read}");
}
