//! Everything that somebody may read, read whole: no marker of another tenant is in it.

use super::world::{Planted, World, log, send};
use crate::browser::{Answer, Browser, get};
use contract::{KeyOrder, ListOrder};
use http::StatusCode;
use seam::isolation::{Needs, Things, table};
use serde_json::json;
use std::time::{Duration, Instant};

/// Which of the markers somebody was told without having said them.
fn told(answer: &Answer, sent: &str, markers: &[String]) -> Vec<String> {
    let headers = format!("{:?}", answer.headers);
    let text = answer.text();
    let told = |marker: &&String| (text.contains(*marker) || headers.contains(*marker)) && !sent.contains(*marker);
    markers.iter().filter(told).cloned().collect()
}

/// Lists as they are without any words to search for, in every order.
async fn whole_lists(admin: &Browser) -> Vec<Answer> {
    let mut lists = vec![admin.post("/api/ui/audit", &json!({ "before": null, "words": "" })).await];
    for order in ListOrder::ALL {
        let query = json!({ "query": { "words": "", "page": 1, "order": order } });
        lists.push(admin.post("/api/ui/members", &query).await);
    }
    for order in KeyOrder::ALL {
        let query = json!({ "query": { "words": "", "page": 1, "order": order } });
        lists.push(admin.post("/api/ui/keys", &query).await);
    }
    for answer in &lists {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    lists
}

#[tokio::test]
async fn nothing_that_a_tenants_people_can_reach_holds_a_marker_of_another() {
    let world = World::new().await;
    let (acme, globex) = (&world.acme, &world.globex);
    for answer in whole_lists(&globex.admin).await {
        assert_eq!(told(&answer, "", &acme.markers), Vec::<String>::new(), "{}", answer.text());
    }
    let stranger = world.server.browser();
    let people = [&globex.admin, &globex.member, &globex.viewer, &world.removed, &world.signed_out, &stranger];
    let mut read = 0;
    for entry in table() {
        for things in [&acme.things, &globex.things, &Things::nowhere()] {
            // What destroys Globex's own things would only make the rest of the walk empty.
            if things == &globex.things && entry.destroys() {
                continue;
            }
            for browser in people {
                let call = (entry.call)(things);
                let answer = send(&call, browser).await;
                let leaked = told(&answer, &call.text(), &acme.markers);
                assert!(leaked.is_empty(), "{} tells {leaked:?}: {}", entry.route, answer.text());
                assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", entry.route);
                read += answer.body.len();
            }
        }
    }
    assert!(read > 500_000, "so little was read that nothing was proved: {read} bytes");
}

/// The walk sees: what belongs to Globex is found by its own people in the same answers.
#[tokio::test]
async fn the_same_walk_finds_a_tenants_own_markers() {
    let world = World::new().await;
    let globex = &world.globex;
    let mut seen: Vec<String> = Vec::new();
    for entry in table().iter().filter(|entry| entry.needs < Needs::Operator && !entry.destroys()) {
        for browser in [&globex.admin, &globex.member] {
            let call = (entry.call)(&globex.things);
            let answer = send(&call, browser).await;
            // Here it counts what was said as well: it came back with the rest.
            seen.extend(told(&answer, "", &globex.markers));
        }
        for answer in whole_lists(&globex.admin).await {
            seen.extend(told(&answer, "", &globex.markers));
        }
    }
    let secrets = 2; // the key's and the link's were shown once, when they were made
    let missed: Vec<_> = globex.markers.iter().filter(|marker| !seen.contains(marker)).collect();
    assert!(missed.len() <= secrets, "the walk is blind to {missed:?}");
}

/// A stream that is taken up again by somebody else, from every number that it may have stopped at.
#[tokio::test]
async fn a_resumed_stream_is_its_owners_alone() {
    let world = World::new().await;
    let path = format!("/api/v1/runs/{}/events", world.acme.things.run);
    for browser in [&world.globex.admin, &world.acme.colleague, &world.removed] {
        for seen in [0, 1, 2, 1_000_000] {
            let mut request = get(&path);
            request.headers_mut().insert("last-event-id", seen.into());
            let answer = browser.send(request).await;
            assert!(!answer.status.is_success(), "{}", answer.text());
            assert!(told(&answer, &path, &world.acme.markers).is_empty());
        }
    }
}

/// Errors repeat what was sent, at most.
#[tokio::test]
async fn refusals_of_bad_input_tell_nothing_of_others() {
    let world = World::new().await;
    let acme = &world.acme;
    let bad =
        ["'", "%", "\\", "' OR '1'='1", "{{7*7}}", "%' UNION SELECT * FROM message --", "\u{0}", "../../etc/passwd"];
    for text in bad {
        let crooked = Things {
            conversation: text.into(),
            run: "x".into(),
            words: text.into(),
            slug: text.into(),
            ..Things::nowhere()
        };
        for function in ["conversation-list", "members", "audit"] {
            let body = match function {
                "conversation-list" => json!({ "search": crooked.words }),
                "audit" => json!({ "before": null, "words": crooked.words }),
                _ => json!({ "query": { "words": crooked.words, "page": -5 } }),
            };
            let answer = world.globex.admin.post(&format!("/api/ui/{function}"), &body).await;
            assert!(told(&answer, text, &acme.markers).is_empty(), "{function}: {}", answer.text());
            assert!(answer.status.as_u16() < 500, "{function} {text}: {}", answer.text());
        }
    }
}

/// Logs name things by id; what people write, their secrets and their links are never in them. Metrics name neither.
#[tokio::test]
async fn logs_hold_no_text_and_metrics_no_tenant() {
    let log = log();
    let world = World::new().await;
    for entry in table().iter().filter(|entry| !entry.destroys()) {
        for browser in [&world.acme.admin, &world.acme.member, &world.globex.admin] {
            send(&(entry.call)(&world.acme.things), browser).await;
        }
    }
    let written = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    assert!(written.len() > 1_000, "the log was not looked at");
    let Planted { things, markers, .. } = &world.acme;
    // The last of them are texts: title, name of a key, secrets, an address, a reason.
    let texts = markers.iter().skip(things.each().len()).chain([&things.words]);
    let leaked: Vec<_> = texts.filter(|text| written.contains(text.as_str())).collect();
    assert!(leaked.is_empty(), "the log holds {leaked:?}");
    let metrics = world.server.metrics().await;
    assert!(metrics.contains("seam_"), "metrics were not looked at: {metrics}");
    for marker in markers {
        assert!(!metrics.contains(marker.as_str()), "a label holds {marker}");
    }
}

/// Whether something exists cannot be told from how long it takes to say that it does not.
#[tokio::test]
async fn not_found_takes_as_long_for_what_exists_elsewhere() {
    let world = World::new().await;
    let by = &world.globex.member;
    let mut differences = Vec::new();
    for _ in 0..3 {
        let (theirs, nothing) = (Things::clone(&world.acme.things), Things::nowhere());
        let (mut exists, mut never) = (Vec::new(), Vec::new());
        for _ in 0..80 {
            exists.push(time_of(by, &theirs.conversation).await);
            never.push(time_of(by, &nothing.conversation).await);
        }
        let (exists, never) = (median(exists), median(never));
        let difference = exists.abs_diff(never);
        if difference < never.mul_f64(0.25) {
            return;
        }
        differences.push((exists, never));
    }
    panic!("what exists takes another time than what does not: {differences:?}");
}

async fn time_of(by: &Browser, conversation: &str) -> Duration {
    let body = json!({ "id": conversation, "older_than": null, "wait": false });
    let start = Instant::now();
    let answer = by.post("/api/ui/conversation-open", &body).await;
    let taken = start.elapsed();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    taken
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
