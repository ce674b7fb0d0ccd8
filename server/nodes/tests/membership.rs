//! Nodes see each other live, and die.
#![allow(clippy::unwrap_used, clippy::panic)]

use nodes::{DEAD_AFTER, NodeSettings, Nodes, Turn};
use std::sync::Arc;
use store::{ControlStore, Hints};
use tenancy::SystemClock;
use testbase::{Scratch, on_each_engine};

async fn join(scratch: &Scratch, settings: NodeSettings) -> Nodes {
    let control = ControlStore::open(scratch.location()).await.unwrap();
    Nodes::join(control, Arc::new(SystemClock), Hints::open(scratch.location()), settings).await.unwrap()
}

async fn beside(scratch: &Scratch, name: &str) -> Nodes {
    join(scratch, NodeSettings::beside_others(name)).await
}

async fn names(nodes: &Nodes) -> Vec<String> {
    nodes::list(nodes.control()).await.unwrap().into_iter().map(|node| node.name).collect()
}

on_each_engine! {
    async fn whoever_beats_stays_and_whoever_falls_silent_is_removed_once(scratch: Scratch) {
        let (one, two, three) = (beside(&scratch, "one").await, beside(&scratch, "two").await, beside(&scratch, "three").await);
        for _ in 0..3 * DEAD_AFTER {
            assert_eq!(one.turn().await.unwrap(), Turn { others: 2, ..Turn::default() });
            two.turn().await.unwrap();
            three.turn().await.unwrap();
        }
        assert_eq!(names(&one).await, ["one", "two", "three"]);
        // From here on two is silent.
        let mut removed = Vec::new();
        for look in 0..=DEAD_AFTER {
            let seen = [one.turn().await.unwrap(), three.turn().await.unwrap()];
            assert!(look >= DEAD_AFTER - 1 || seen.iter().all(|turn| turn.removed.is_empty()), "at look {look}");
            removed.extend(seen.into_iter().flat_map(|turn| turn.removed));
        }
        assert_eq!(removed, [two.id()]);
        assert!(!one.is_here(two.id()).await.unwrap() && three.is_here(one.id()).await.unwrap());
    }

    async fn a_node_that_was_taken_for_dead_joins_anew_under_another_id(scratch: Scratch) {
        let (one, two) = (beside(&scratch, "one").await, beside(&scratch, "two").await);
        let before = two.id();
        while one.turn().await.unwrap().removed.is_empty() {}
        assert!(two.stay().await.unwrap());
        assert!(!two.stay().await.unwrap() && !two.turn().await.unwrap().rejoined);
        assert_ne!(two.id(), before);
        assert!(one.is_here(two.id()).await.unwrap() && !one.is_here(before).await.unwrap());
    }

    async fn a_node_that_stood_still_makes_sure_before_it_begins_anything(scratch: Scratch) {
        let (one, two) = (beside(&scratch, "one").await, beside(&scratch, "two").await);
        let before = two.id();
        while one.turn().await.unwrap().removed.is_empty() {}
        tokio::time::sleep(two.pace() * 4).await;
        two.confirm().await.unwrap();
        assert_ne!(two.id(), before);
        let now = two.id();
        two.confirm().await.unwrap();
        assert_eq!(two.id(), now);
    }

    async fn whoever_serves_alone_takes_all_others_for_dead(scratch: Scratch) {
        let dead = beside(&scratch, "dead").await;
        let alone = join(&scratch, NodeSettings::alone("alone")).await;
        assert!(!alone.is_here(dead.id()).await.unwrap());
        alone.leave().await.unwrap();
        assert!(names(&alone).await.is_empty());
    }
}
