//! Three real processes on one PostgreSQL database, none special: what one says holds on the others, and when one dies
//! the others take over.

use crate::{
    cluster::{
        Cluster, Follower, KEY, PASSWORD, REVOKED, TAKEN_OVER, begin, end, followed, is_signed_in, post, sign_in,
        start, within,
    },
    support::{Serving, run, seam, stderr},
};
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};
use testbase::{Engine, Scratch};

#[tokio::test]
async fn nodes_that_start_at_once_on_an_empty_database_share_it() {
    let cluster = Cluster::on(Scratch::bare_postgres().await.unwrap());
    let links: Vec<String> = cluster.nodes.iter().map(token).collect();
    let check = |node: usize, link: usize| {
        let head = format!("GET /setup/{} HTTP/1.1\r\nAccept: text/html", links[link]);
        cluster.node(node).ask(&head, "").starts_with("HTTP/1.1 200")
    };
    assert!(check(0, 1) && check(1, 2) && check(2, 0), "a link works on one node alone");
    let create = |node: usize, link: usize, email: &str| {
        let body = format!("token={}&email={email}&password={}", links[link], PASSWORD.replace(' ', "+"));
        post(cluster.node(node), "", "operator-create", &body)
    };
    create(0, 2, "op@seam.test");
    let operator = sign_in(cluster.node(1), "op@seam.test");
    assert!(is_signed_in(cluster.node(2), &operator));
    create(1, 0, "other@seam.test");
    let head = "POST /api/ui/sign-in HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let second = cluster.node(0).ask(head, &format!("email=other@seam.test&password={}", PASSWORD.replace(' ', "+")));
    assert!(!second.contains("set-cookie: seam_session"), "two links made two operators: {second}");
    for node in &cluster.nodes {
        assert!(node.ask("GET /readyz HTTP/1.1", "").contains("ready"));
        assert!(cluster.doctor("nodes").contains(&node.address.to_string()), "{}", cluster.doctor("nodes"));
    }
}

fn token(node: &Serving) -> String {
    let line = node.said.iter().find(|line| line.contains("/setup/")).unwrap();
    line.split("/setup/").nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn sessions_streams_and_stops_hold_whichever_node_answers() {
    let cluster = Cluster::prepared().await;
    let [a, b, c] = [0, 1, 2].map(|number| cluster.node(number));
    let cookie = sign_in(a, "ada@acme.test");
    let (run, conversation) = begin(b, &cookie, "short", None).unwrap();
    let busy = begin(c, &cookie, "short", Some(&conversation)).unwrap_err();
    assert!(busy.starts_with("HTTP/1.1 409"), "{busy}");
    let told: Vec<_> = thread::scope(|scope| {
        let followers = [a, b, c].map(|node| scope.spawn(|| followed(node, &cookie, &run)));
        followers.into_iter().map(|follower| follower.join().unwrap()).collect()
    });
    assert_eq!(end(&told[0]), "finished");
    assert!(told[0].len() > 30, "{} events", told[0].len());
    assert_eq!((&told[0], &told[0]), (&told[1], &told[2]));

    let (run, _) = begin(a, &cookie, "slow", Some(&conversation)).unwrap();
    let follower = Follower::new(c, &cookie, &run).until_it_speaks();
    let began = Instant::now();
    let stopped = post(b, &cookie, "run-stop", &format!(r#"{{"run":"{run}"}}"#));
    assert!(stopped.starts_with("HTTP/1.1 200"), "{stopped}");
    let events = follower.all();
    assert_eq!(end(&events), "stopped");
    assert!(began.elapsed() < REVOKED, "{:?}", began.elapsed());
    assert_eq!(followed(a, &cookie, &run), events);
}

#[tokio::test]
async fn what_is_revoked_on_one_node_is_refused_on_all_within_a_second() {
    let cluster = Cluster::prepared().await;
    let [a, b, c] = [0, 1, 2].map(|number| cluster.node(number));
    let (here, there) = (sign_in(a, "ada@acme.test"), sign_in(b, "ada@acme.test"));
    let (run, _) = begin(b, &there, "slow", None).unwrap();
    let follower = Follower::new(c, &there, &run).until_it_speaks();
    let began = Instant::now();
    post(a, &here, "sign-out-everywhere", "");
    for (node, cookie) in [(a, &here), (b, &there), (c, &there), (c, &here)] {
        within(REVOKED, "signed out everywhere", || !is_signed_in(node, cookie));
    }
    assert_eq!(end(&follower.all()), "problem");
    assert!(began.elapsed() < REVOKED, "{:?}", began.elapsed());

    let again = sign_in(a, "ada@acme.test");
    let admin = sign_in(c, "bob@acme.test");
    let follower = Follower::new(b, &again, &run).until_it_speaks();
    let listed = post(c, &admin, "members", r#"{"query":{"words":"ada@","page":1}}"#);
    let user = listed.split("\"user\":\"").nth(1).unwrap_or_else(|| panic!("{listed}")).split('"').next().unwrap();
    let began = Instant::now();
    post(c, &admin, "member-remove", &format!("user={user}&email=ada@acme.test&typed=ada@acme.test"));
    assert_eq!(end(&follower.all()), "problem");
    assert!(began.elapsed() < REVOKED, "{:?}", began.elapsed());
    assert!(begin(a, &again, "short", None).is_err() && begin(b, &again, "short", None).is_err());
}

#[tokio::test]
async fn the_runs_of_a_killed_node_end_on_the_others_with_a_typed_event() {
    let mut cluster = Cluster::prepared().await;
    let cookie = sign_in(cluster.node(0), "ada@acme.test");
    let (run, conversation) = begin(cluster.node(0), &cookie, "slow", None).unwrap();
    let follower = Follower::new(cluster.node(1), &cookie, &run).until_it_speaks();
    cluster.node(0).signal("KILL");
    cluster.nodes[0].ended();
    let killed = Instant::now();
    let events = follower.all();
    assert_eq!(end(&events), "failed");
    assert_eq!(events.last().unwrap().1["event"]["problem"]["code"], "interrupted");
    assert!(killed.elapsed() < TAKEN_OVER, "{:?}", killed.elapsed());
    println!("taken over after {:?}", killed.elapsed());
    assert_eq!(followed(cluster.node(2), &cookie, &run), events);
    let (next, _) = begin(cluster.node(2), &cookie, "short", Some(&conversation)).unwrap();
    assert_eq!(end(&followed(cluster.node(1), &cookie, &next)), "finished");
    let said = cluster.doctor("nodes");
    assert!(!said.contains(&cluster.node(0).address.to_string()), "{said}");
    // In its own directory again, it is one of them.
    let again = start(&cluster.directories[0], cluster.scratch.url().unwrap());
    assert_eq!(end(&followed(&again, &cookie, &run)), "failed");
}

#[tokio::test]
async fn a_node_that_is_asked_to_end_disturbs_no_other() {
    let mut cluster = Cluster::prepared().await;
    let cookie = sign_in(cluster.node(0), "ada@acme.test");
    let (ours, _) = begin(cluster.node(0), &cookie, "slow", None).unwrap();
    let (theirs, _) = begin(cluster.node(1), &cookie, "short", None).unwrap();
    let on_ours = Follower::new(cluster.node(2), &cookie, &ours).until_it_speaks();
    let on_theirs = Follower::new(cluster.node(2), &cookie, &theirs).until_it_speaks();
    cluster.node(0).signal("TERM");
    assert_eq!(cluster.nodes[0].ended().0, Some(0));
    let events = on_ours.all();
    assert_eq!(events.last().unwrap().1["event"]["problem"]["code"], "shutting_down");
    assert_eq!(end(&on_theirs.all()), "finished");
    let said = cluster.doctor("nodes");
    assert!(!said.contains(&cluster.node(0).address.to_string()), "{said}");
    assert!(said.contains(&cluster.node(1).address.to_string()), "{said}");
}

#[tokio::test]
async fn a_node_that_stood_still_writes_nothing_more_to_what_was_taken_from_it() {
    let cluster = Cluster::prepared().await;
    let [a, b, c] = [0, 1, 2].map(|number| cluster.node(number));
    let cookie = sign_in(a, "ada@acme.test");
    let (run, conversation) = begin(a, &cookie, "slow", None).unwrap();
    let follower = Follower::new(b, &cookie, &run).until_it_speaks();
    a.signal("STOP");
    let events = follower.all();
    assert_eq!(end(&events), "failed");
    a.signal("CONT");
    // It serves again, and is one of them again.
    let (next, _) = begin(a, &cookie, "short", Some(&conversation)).unwrap();
    assert_eq!(end(&followed(c, &cookie, &next)), "finished");
    assert_eq!(followed(a, &cookie, &run), events);
    assert_eq!(followed(c, &cookie, &run), events);
    within(Duration::from_secs(5), "back among the nodes", || cluster.doctor("nodes").contains(&a.address.to_string()));
    assert!(cluster.doctor("nodes").starts_with("3 "), "{}", cluster.doctor("nodes"));
}

#[tokio::test]
async fn a_node_with_another_master_key_or_another_s_directory_is_refused_with_the_way_out() {
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let url = scratch.url().unwrap();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let _serving = Serving::start(first.path(), &[("SEAM_DATABASE_URL", url)]);
    let refused = |command: &mut Command| {
        let output = run(command.env("SEAM_DATABASE_URL", url).env("SEAM_LISTEN", "127.0.0.1:0"));
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let told = refused(&mut seam(second.path()));
    assert!(told.contains("SEAM_MASTER_KEY") && told.contains("first node"), "{told}");
    assert!(!second.path().join("data/master.key").exists());
    let told = refused(seam(second.path()).env("SEAM_MASTER_KEY", KEY));
    assert!(told.contains("SEAM_MASTER_KEY is not the master key") && !told.contains(KEY), "{told}");
    // Nor may a command seal what no node can open.
    let told = refused(seam(second.path()).args(["tenant", "list"]).env("SEAM_MASTER_KEY", KEY));
    assert!(told.contains("is not the master key"), "{told}");
    let told = refused(&mut seam(first.path()));
    assert!(told.contains("another Seam serves from this data directory") && told.contains("SEAM_DATA_DIR"), "{told}");
    let key = std::fs::read_to_string(first.path().join("data/master.key")).unwrap();
    let beside = [("SEAM_DATABASE_URL", url), ("SEAM_MASTER_KEY", key.trim())];
    assert!(Serving::start(second.path(), &beside).ask("GET /readyz HTTP/1.1", "").contains("ready"));
}
