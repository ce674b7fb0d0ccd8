//! Runs hold whichever node is asked: followed, stopped and, when their node dies, ended by another.
#![allow(clippy::unwrap_used, clippy::panic)]

use contract::{MessageStatus, NewMessage, ProblemCode, RunEvent, RunEventRecord, RunStarted};
use futures::{StreamExt, TryStreamExt};
use metering::AttemptStatus;
use orchestration::ChatError;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use store::TenantStore;
use tenancy::SystemClock;
use testbase::on_each_engine;
use testkit::{Fixture, Scratch, text_of};
use tokio::time::{Instant, sleep, timeout};

const RUNNING: &str = "SELECT COUNT(*) AS value FROM run WHERE tenant_id = $1 AND status = 'running'";
const PLACES: &str = "SELECT COUNT(*) AS value FROM run_place";
const STOPS: &str = "SELECT COUNT(*) AS value FROM run_stop";

/// Three nodes on one place for data.
async fn three(scratch: Scratch) -> [Fixture; 3] {
    let scratch = Arc::new(scratch);
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(Fixture::open_beside(&scratch, Arc::new(SystemClock)).await.unwrap());
    }
    let nodes: [Fixture; 3] = opened.try_into().map_err(|_| "three").unwrap();
    for node in &nodes {
        node.nodes.turn().await.unwrap();
    }
    nodes
}

fn talk(conversation: Option<contract::ConversationId>) -> NewMessage {
    NewMessage { conversation, text: "talk".to_owned(), model: Some("sim".to_owned()) }
}

async fn begin(node: &Fixture, tokens: u64, tokens_per_second: f64) -> RunStarted {
    node.simulate("sim", json!({ "tokens": tokens, "tokens_per_second": tokens_per_second })).await.unwrap();
    node.chats.send(&node.member, talk(None)).await.unwrap()
}

/// Follows until some text has come.
async fn until_it_speaks(node: &Fixture, run: &RunStarted) {
    let events = node.chats.subscribe(&node.member, run.run, 0).await.unwrap();
    let mut events = events.skip_while(|event| std::future::ready(matches!(event, Ok(one) if one.seq < 3)));
    assert!(matches!(events.next().await, Some(Ok(_))));
}

fn last(events: &[RunEventRecord]) -> &RunEvent {
    let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    &events.last().unwrap().event
}

async fn count(control: &store::ControlStore, sql: &'static str) -> i64 {
    control.read(sql).fetch_one().await.unwrap()
}

async fn running(store: &TenantStore) -> i64 {
    store.read(RUNNING).bind(store.tenant()).fetch_one().await.unwrap()
}

on_each_engine! {
    async fn a_run_is_followed_from_any_node_with_equal_words(scratch: Scratch) {
        let [one, two, three] = three(scratch).await;
        let started = begin(&one, 120, 100.0).await;
        // Nobody else may end it, or begin another beside it.
        assert_eq!(two.recover().await.unwrap(), 0);
        let beside = two.chats.send(&two.member, talk(Some(started.conversation))).await;
        assert!(matches!(beside, Err(ChatError::Busy)), "{beside:?}");
        let (here, there, late, ended) = tokio::join!(
            one.events(started.run, 0),
            two.events(started.run, 0),
            async {
                sleep(Duration::from_millis(500)).await;
                three.events(started.run, 2).await
            },
            three.chats.wait(&three.member, started.run, Duration::from_secs(30)),
        );
        let here = here.unwrap();
        assert!(ended.unwrap());
        assert!(matches!(last(&here), RunEvent::Finished { .. }));
        assert!(here.len() > 20 && text_of(&here).contains("simulated"), "{}", here.len());
        assert_eq!(there.unwrap(), here);
        assert_eq!(late.unwrap(), here[2..]);
        // After its end as well.
        assert_eq!(three.events(started.run, 0).await.unwrap(), here);
    }

    async fn without_any_hint_the_words_come_all_the_same(scratch: Scratch) {
        let [one, two, _] = three(scratch).await;
        one.nodes.hints().close().await;
        two.nodes.hints().close().await;
        let started = begin(&one, 60, 50.0).await;
        let there = two.events(started.run, 0).await.unwrap();
        assert!(matches!(last(&there), RunEvent::Finished { .. }));
        assert_eq!(one.events(started.run, 0).await.unwrap(), there);
    }

    async fn a_stop_reaches_the_node_that_drives_the_run(scratch: Scratch) {
        let [one, two, three] = three(scratch).await;
        let started = begin(&one, 4000, 50.0).await;
        until_it_speaks(&two, &started).await;
        two.chats.stop(&two.member, started.run).await.unwrap();
        three.chats.stop(&three.member, started.run).await.unwrap();
        one.chats.tend().await;
        let events = timeout(Duration::from_secs(3), two.events(started.run, 0)).await.unwrap().unwrap();
        assert!(matches!(last(&events), RunEvent::Stopped { .. }), "{:?}", last(&events));
        assert!(!text_of(&events).is_empty());
        assert_eq!(count(&one.control, STOPS).await, 0);
        let rows = two.metering.ledger_rows(two.tenant, None, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [AttemptStatus::Stopped]);
    }

    async fn a_stop_of_somebody_else_s_run_is_not_found_on_any_node(scratch: Scratch) {
        let [one, two, _] = three(scratch).await;
        let started = begin(&one, 400, 50.0).await;
        let other = two.scope(two.tenant, "bob@acme.test", contract::Role::Member).await.unwrap();
        let refused = two.chats.stop(&other, started.run).await;
        assert!(matches!(refused, Err(ChatError::NotFound { .. })), "{refused:?}");
        assert!(matches!(two.chats.subscribe(&other, started.run, 0).await, Err(ChatError::NotFound { .. })));
        assert_eq!(count(&one.control, STOPS).await, 0);
        one.chats.stop(&one.member, started.run).await.unwrap();
    }

    async fn what_a_dead_node_drove_is_ended_once_by_the_others_and_never_written_again(scratch: Scratch) {
        let [one, two, three] = three(scratch).await;
        let started = begin(&one, 4000, 50.0).await;
        until_it_speaks(&two, &started).await;
        let follower = two.chats.subscribe(&two.member, started.run, 0).await.unwrap();
        // It stands still, say; the others find it silent.
        let removed = loop {
            let removed = two.nodes.turn().await.unwrap().removed;
            three.nodes.turn().await.unwrap();
            if !removed.is_empty() {
                break removed;
            }
        };
        assert_eq!(removed, [one.nodes.id()]);
        let (first, second) = tokio::join!(two.recover(), three.recover());
        assert_eq!(first.unwrap() + second.unwrap(), 1);
        assert_eq!(count(&two.control, PLACES).await, 0);
        let told: Vec<_> = timeout(Duration::from_secs(3), follower.try_collect()).await.unwrap().unwrap();
        let RunEvent::Failed { problem, .. } = last(&told) else { panic!("{:?}", last(&told)) };
        assert_eq!(problem.code, ProblemCode::Interrupted);
        let rows = two.metering.ledger_rows(two.tenant, None, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [AttemptStatus::Interrupted]);

        // It goes on, joins anew, and may drive runs again; those that were taken from it stay as they are.
        assert!(one.nodes.turn().await.unwrap().rejoined);
        one.chats.tend().await;
        let next = one.chats.send(&one.member, talk(Some(started.conversation))).await.unwrap();
        assert!(three.nodes.is_here(one.nodes.id()).await.unwrap());
        until_it_speaks(&three, &next).await;
        assert_eq!(two.recover().await.unwrap(), 0);
        sleep(Duration::from_millis(500)).await;
        assert_eq!(two.events(started.run, 0).await.unwrap(), told);
        assert_eq!(two.metering.ledger_rows(two.tenant, None, 10).await.unwrap().last(), rows.last());
        three.chats.stop(&three.member, next.run).await.unwrap();
        one.chats.take_stops().await;
        assert!(three.chats.wait(&three.member, next.run, Duration::from_secs(3)).await.unwrap());
    }

    async fn a_run_whose_node_is_gone_is_ended_by_whoever_comes_upon_it(scratch: Scratch) {
        let [one, two, three] = three(scratch).await;
        let started = begin(&one, 4000, 50.0).await;
        until_it_speaks(&one, &started).await;
        one.nodes.leave().await.unwrap();
        let next = two.chats.send(&two.member, talk(Some(started.conversation))).await.unwrap();
        let events = three.events(started.run, 0).await.unwrap();
        assert!(matches!(last(&events), RunEvent::Failed { .. }));
        two.chats.stop(&two.member, next.run).await.unwrap();
        two.events(next.run, 0).await.unwrap();
    }

    async fn an_orderly_leave_disturbs_no_other_node_and_leaves_nothing_behind(scratch: Scratch) {
        let [one, two, three] = three(scratch).await;
        let ours = begin(&one, 4000, 50.0).await;
        let theirs = two.chats.send(&two.member, NewMessage { text: "mine".to_owned(), ..talk(None) }).await.unwrap();
        until_it_speaks(&three, &theirs).await;
        one.chats.shutdown(Duration::ZERO).await;
        one.gateway.shutdown().await;
        one.nodes.leave().await.unwrap();
        let events = three.events(ours.run, 0).await.unwrap();
        let RunEvent::Failed { problem, .. } = last(&events) else { panic!("{:?}", last(&events)) };
        assert_eq!(problem.code, ProblemCode::ShuttingDown);
        assert_eq!(three.recover().await.unwrap(), 0);
        let store = three.member.store(&three.stores).await.unwrap();
        assert_eq!((running(&store).await, count(&three.control, PLACES).await), (1, 1));
        two.chats.stop(&two.member, theirs.run).await.unwrap();
        assert!(matches!(last(&three.events(theirs.run, 0).await.unwrap()), RunEvent::Stopped { .. }));
        let view = three.chats.conversation(&three.member, theirs.conversation, None, 10).await.unwrap();
        assert_eq!(view.messages.last().unwrap().status, MessageStatus::Stopped);
    }

    async fn of_many_runs_in_a_tenant_one_place_is_written_down(scratch: Scratch) {
        let [one, two, _] = three(scratch).await;
        one.simulate("sim", json!({ "tokens": 40, "tokens_per_second": 100.0 })).await.unwrap();
        let begun = Instant::now();
        let runs: Vec<_> = (0..8).map(|_| one.chats.send(&one.member, talk(None))).collect();
        let runs = futures::future::try_join_all(runs).await.unwrap();
        assert_eq!(count(&two.control, PLACES).await, 1);
        for run in runs {
            assert!(two.chats.wait(&two.member, run.run, Duration::from_secs(30)).await.unwrap());
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        one.chats.tend().await;
        assert_eq!(count(&two.control, PLACES).await, 1, "a place stays for a while");
    }
}
