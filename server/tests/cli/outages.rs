//! The database goes away under three real processes, and what one of them decides is kept by all.

use crate::{
    cluster::{Cluster, Follower, REVOKED, TAKEN_OVER, begin, end, followed, is_signed_in, post, sign_in, within},
    support::Serving,
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long the database is away: longer than a node may be silent before it is taken for dead.
const AWAY: Duration = Duration::from_secs(8);
/// Until everything is as before: connections are made anew, and nodes tell each other again that they live.
const BACK: Duration = Duration::from_secs(10);

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

fn ready(node: &Serving) -> String {
    status(&node.ask("GET /readyz HTTP/1.1", "")).to_owned()
}

fn with_key(node: &Serving, key: &str) -> String {
    let answer = node.ask(&format!("GET /api/v1/keys HTTP/1.1\r\nAuthorization: Bearer {key}"), "");
    status(&answer).to_owned()
}

#[tokio::test]
async fn a_database_that_restarts_is_waited_for_and_nothing_is_lost() {
    let cluster = Cluster::prepared().await;
    let [a, b, c] = [0, 1, 2].map(|number| cluster.node(number));
    let cookie = sign_in(a, "ada@acme.test");
    let (before, conversation) = begin(a, &cookie, "short", None).unwrap();
    let said = followed(b, &cookie, &before);
    let (cut, _) = begin(a, &cookie, "slow", None).unwrap();
    drop(Follower::new(b, &cookie, &cut).until_it_speaks());

    cluster.scratch.answers(false).await.unwrap();
    within(Duration::from_secs(3), "noticed", || [a, b, c].iter().all(|node| ready(node) == "503"));
    let refused = post(a, &cookie, "frame", "{}");
    assert!(refused.contains("storage_unavailable") && !refused.contains("postgres"), "{refused}");
    assert_eq!(status(&a.ask("GET /healthz HTTP/1.1", "")), "200");
    sleep(AWAY);
    cluster.scratch.answers(true).await.unwrap();

    let back = within(BACK, "back", || [a, b, c].iter().all(|node| ready(node) == "200"));
    println!("all nodes serve again after {back:?}");
    for node in [a, b, c] {
        assert!(is_signed_in(node, &cookie), "the session was lost");
        assert_eq!(followed(node, &cookie, &before), said);
    }
    // What was being written has an end that says why, on every node the same.
    let events = followed(c, &cookie, &cut);
    assert_eq!(end(&events), "failed", "{:?}", events.last());
    assert_eq!(followed(a, &cookie, &cut), events);
    let mut next = Err(String::new());
    within(BACK, "asked again", || {
        next = begin(b, &cookie, "short", Some(&conversation));
        next.is_ok()
    });
    assert_eq!(end(&followed(c, &cookie, &next.unwrap().0)), "finished");
    within(TAKEN_OVER, "three nodes again", || cluster.doctor("nodes").starts_with("3 "));
}

#[tokio::test]
async fn keys_suspensions_and_flips_hold_on_every_node_within_a_second() {
    let cluster = Cluster::prepared().await;
    let [a, b, c] = [0, 1, 2].map(|number| cluster.node(number));
    let key = cluster.seam(&["key", "create", "billing", "--tenant", "acme", "--manage"]);
    let key = key.trim();
    assert!([a, b, c].iter().all(|node| with_key(node, key) == "200"), "{}", with_key(a, key));
    let (ada, bob, olga) = (sign_in(a, "ada@acme.test"), sign_in(b, "bob@acme.test"), sign_in(c, "olga@seam.test"));

    // A key.
    let listed = post(b, &bob, "keys", r#"{"query":{"words":"","page":1}}"#);
    let id = listed.split("\"id\":\"").nth(1).unwrap_or_else(|| panic!("{listed}")).split('"').next().unwrap();
    let revoked = post(b, &bob, "key-revoke", &format!("key={id}&name=billing&typed=billing"));
    assert_eq!(status(&revoked), "200", "{revoked}");
    let took = within(REVOKED, "the key", || [a, c].iter().all(|node| with_key(node, key) == "401"));
    println!("a revoked key is refused everywhere after {took:?}");

    // A tenant.
    let tenant = post(c, &olga, "tenant", r#"{"slug":"acme"}"#);
    let id = tenant.split("\"id\":\"").nth(1).unwrap_or_else(|| panic!("{tenant}")).split('"').next().unwrap();
    let (run, _) = begin(a, &ada, "slow", None).unwrap();
    let follower = Follower::new(b, &ada, &run).until_it_speaks();
    let began = Instant::now();
    let suspended = post(c, &olga, "tenant-suspend", &format!("tenant={id}&slug=acme&typed=acme&reason=unpaid"));
    assert_eq!(status(&suspended), "200", "{suspended}");
    for node in [a, b] {
        within(REVOKED, "the suspension", || begin(node, &ada, "short", None).is_err());
    }
    assert_eq!(end(&follower.all()), "problem");
    assert!(began.elapsed() < REVOKED, "{:?}", began.elapsed());
    post(c, &olga, "tenant-resume", &format!("tenant={id}&slug=acme"));
    within(REVOKED, "the resumption", || begin(a, &ada, "short", None).is_ok());

    // What a model is: from the next request on, elsewhere within a second.
    let flip = "[[model]]\nname = \"short\"\ntargets = [{ provider = \"slow\", model = \"flipped\" }]\n";
    std::fs::write(cluster.directories[0].path().join("flip.toml"), flip).unwrap();
    cluster.seam(&["apply", "-f", "flip.toml"]);
    for node in [a, b, c] {
        within(REVOKED, "the flip", || {
            let (run, _) = begin(node, &ada, "short", None).unwrap();
            // The slow one has not said much after a moment; the short one would have ended.
            sleep(Duration::from_millis(100));
            let stopped = post(node, &ada, "run-stop", &format!(r#"{{"run":"{run}"}}"#));
            assert_eq!(status(&stopped), "200", "{stopped}");
            let events = followed(node, &ada, &run);
            format!("{:?}", events.last()).contains("flipped")
        });
    }

    // A provider.
    cluster.seam(&["provider", "disable", "slow"]);
    for node in [a, b, c] {
        within(REVOKED, "the switch", || {
            let Ok((run, _)) = begin(node, &ada, "short", None) else { return true };
            sleep(Duration::from_millis(100));
            post(node, &ada, "run-stop", &format!(r#"{{"run":"{run}"}}"#));
            end(&followed(node, &ada, &run)) == "failed"
        });
    }
}
