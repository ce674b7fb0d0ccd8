//! Two tenants in which the same person has the same things under the same ids: only the tenant tells them apart.
//!
//! Ids never meet like this by themselves, and that is why they hide it when a statement forgets to ask whose a row
//! is. Here each such statement finds two rows, or changes two. Part of the isolation suite (docs/isolation.md): what is
//! seen of a tenant is the same with its twin beside it as without, and whatever is done in one changes nothing in the
//! other.
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests too

use contract::{
    ConversationId, MessageId, MessageStatus, NewMessage, NodeId, Role, RunEvent, RunEventRecord, RunId, RunStarted,
    Timestamp,
};
use orchestration::{KeptResponse, Responses, SaidBefore};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::{Matching, Table, Value};
use tenancy::{Scope, SystemClock};
use testkit::{Fixture, Scratch, text_of};
use tokio::time::sleep;

const CHILD: &str = "
INSERT INTO message (tenant_id, id, conversation_id, parent_id, role, status, content, run_id, created_at)
VALUES ($1, $2, $3, $4, 'user', 'complete', 'globex alone', $5, 1)";
const EVENT: &str = "
INSERT INTO run_event (tenant_id, run_id, seq, event, created_at)
SELECT $1, $2, MAX(run_event.seq) + 1, $3, 1 FROM run_event WHERE tenant_id = $1 AND run_id = $2";
const RUNNING: &str = "UPDATE run SET status = 'running', node_id = $3 WHERE tenant_id = $1 AND id = $2";
const PLACE: &str = "INSERT INTO run_place (tenant_id, mark, node_id) VALUES ($1, 1, $2)";

struct Twins {
    one: Fixture,
    /// Another node.
    two: Fixture,
    /// Ada here, and Ada there.
    acme: Scope,
    globex: Scope,
}

type Rows = BTreeMap<String, Vec<Vec<Value>>>;

impl Twins {
    async fn new() -> Self {
        let scratch = Arc::new(Scratch::new().await.unwrap());
        let one = Fixture::open_beside(&scratch, Arc::new(SystemClock)).await.unwrap();
        let two = Fixture::open_beside(&scratch, Arc::new(SystemClock)).await.unwrap();
        for node in [&one, &two] {
            node.nodes.turn().await.unwrap();
        }
        let globex = one.tenant("globex").await.unwrap();
        let globex = one.scope(globex, "ada@acme.test", Role::Member).await.unwrap();
        assert_eq!(globex.user(), one.member.user());
        Self { acme: one.member.clone(), globex, one, two }
    }

    async fn say(&self, conversation: Option<ConversationId>, text: &str) -> RunStarted {
        let message = NewMessage { conversation, text: text.to_owned(), model: Some("assistant".to_owned()) };
        let started = self.one.chats.send(&self.acme, message).await.unwrap();
        self.one.events(started.run, 0).await.unwrap();
        started
    }

    /// Everything that Acme has, once more in Globex, with other texts; and more of everything.
    async fn plant(&self) {
        let from = self.acme.store(&self.one.stores).await.unwrap();
        let to = self.globex.store(&self.one.stores).await.unwrap();
        let (mut read, mut write) = (from.snapshot().await.unwrap(), to.begin().await.unwrap());
        let (mut messages, mut runs) = (Vec::new(), Vec::new());
        for table in read.tables().await.unwrap() {
            let columns: Vec<&str> = table.columns().iter().map(|column| column.name()).collect();
            let into = table.insertion(&columns, true).unwrap();
            for row in read.rows_after(&table, &own(&self.acme), None, 10_000).await.unwrap() {
                match table.name() {
                    "message" => messages.push((text(&table, &row, "id"), text(&table, &row, "conversation_id"))),
                    "run" => runs.push((text(&table, &row, "id"), text(&table, &row, "conversation_id"))),
                    _ => {}
                }
                write.row_insert(&into, self.twin_of(&table, row)).await.unwrap();
            }
        }
        let globex = self.globex.tenant();
        for (message, conversation) in &messages {
            // A child of each, and beside the first ones; one is the answer of a run in another conversation.
            let elsewhere = runs.iter().find(|(_, of)| of != conversation).map(|(run, _)| run.as_str());
            for (parent, run) in [(Some(message.as_str()), None), (None, elsewhere)] {
                let row = write.query(CHILD).bind(globex).bind(MessageId::new()).bind(conversation.as_str());
                row.bind(parent).bind(run).execute().await.unwrap();
            }
        }
        for (run, _) in &runs {
            for _ in 0..3 {
                let more = json!({ "type": "delta", "text": "globex more" }).to_string();
                assert_eq!(write.query(EVENT).bind(globex).bind(run.as_str()).bind(more).execute().await.unwrap(), 1);
            }
        }
        write.commit().await.unwrap();
        // Another node drives the newest answer of each conversation: whoever saw that would wait for it.
        let newest: BTreeMap<&str, &str> = runs.iter().map(|(run, of)| (of.as_str(), run.as_str())).collect();
        for run in newest.values() {
            self.globex_runs(run, self.two.nodes.id()).await;
        }
    }

    async fn globex_runs(&self, run: &str, node: NodeId) {
        let store = self.globex.store(&self.one.stores).await.unwrap();
        let changed = store.write(RUNNING).bind(store.tenant()).bind(run).bind(node).execute().await.unwrap();
        assert_eq!(changed, 1);
    }

    fn twin_of(&self, table: &Table, row: Vec<Value>) -> Vec<Value> {
        let marked = |text: String| Some(format!("globex {text}"));
        let columns = table.columns().iter().map(|column| column.name());
        let twin = columns.zip(row).map(|(column, value)| match (column, value) {
            ("tenant_id", _) => Value::Text(Some(self.globex.tenant().to_string())),
            ("title" | "content", Value::Text(Some(text))) => Value::Text(marked(text)),
            ("event", Value::Text(Some(json))) => Value::Text(Some(json.replace("\"text\":\"", "\"text\":\"globex "))),
            (_, value) => value,
        });
        twin.collect()
    }

    /// Every row of the tenant.
    async fn rows_of(&self, scope: &Scope) -> Rows {
        let mut read = scope.store(&self.one.stores).await.unwrap().snapshot().await.unwrap();
        let mut found = Rows::new();
        for table in read.tables().await.unwrap() {
            let rows = read.rows_after(&table, &own(scope), None, 10_000).await.unwrap();
            found.insert(table.name().to_owned(), rows);
        }
        found
    }

    /// Everything that Ada can read in Acme, by either node.
    async fn seen(&self, conversations: &[ConversationId], runs: &[(RunId, i64)]) -> Vec<String> {
        let mut seen = Vec::new();
        for node in [&self.one, &self.two] {
            let chats = &node.chats;
            for search in [None, Some("acme"), Some("globex")] {
                let found = chats.conversations(&self.acme, search, None, 100).await.unwrap();
                seen.push(format!("{search:?} {found:?}"));
            }
            for id in conversations {
                let view = chats.conversation(&self.acme, *id, None, 100).await.unwrap();
                for message in &view.messages {
                    let older = chats.conversation(&self.acme, *id, Some(message.id), 2).await.unwrap();
                    seen.push(format!("before {}: {older:?}", message.id));
                }
                seen.push(format!("{view:?}"));
            }
            for (run, last) in runs {
                for after in [0, 1, *last] {
                    let events = node.events(*run, after).await.unwrap();
                    seen.push(format!("{run} after {after}: {events:?}"));
                }
            }
        }
        seen
    }
}

fn own(scope: &Scope) -> Matching {
    Matching::new("tenant_id = $1", Value::Text(Some(scope.tenant().to_string())))
}

fn text(table: &Table, row: &[Value], column: &str) -> String {
    let place = table.columns().iter().position(|found| found.name() == column).unwrap();
    let Value::Text(Some(text)) = &row[place] else { panic!("{column} is no text") };
    text.clone()
}

fn numbered_without_gaps(events: &[RunEventRecord]) -> bool {
    events.iter().map(|event| event.seq).eq(1..=i64::try_from(events.len()).unwrap())
}

#[tokio::test]
async fn what_is_read_is_the_tenants_own() {
    let twins = Twins::new().await;
    let first = twins.say(None, "acme one").await;
    let second = twins.say(Some(first.conversation), "acme two").await;
    let again = twins.one.chats.regenerate(&twins.acme, first.answer, None).await.unwrap();
    twins.one.events(again.run, 0).await.unwrap();
    let other = twins.say(None, "acme, of something else").await;
    let mut runs = Vec::new();
    for run in [first.run, second.run, again.run, other.run] {
        runs.push((run, twins.one.events(run, 0).await.unwrap().last().unwrap().seq));
    }
    let conversations = [first.conversation, other.conversation];
    let before = twins.seen(&conversations, &runs).await;
    assert!(before[0].contains("acme one") && before[2].ends_with("[]"), "{before:?}");
    twins.plant().await;
    assert_eq!(twins.seen(&conversations, &runs).await, before);
    // The twin is there, and is seen where it belongs.
    let there = twins.one.chats.conversations(&twins.globex, Some("globex"), None, 100).await.unwrap();
    assert_eq!(there.len(), 2);
}

#[tokio::test]
async fn what_is_done_touches_the_tenants_own_alone() {
    let twins = Twins::new().await;
    let chats = &twins.one.chats;
    let first = twins.say(None, "acme one").await;
    twins.say(Some(first.conversation), "acme two").await;
    let whole = chats.conversation(&twins.acme, first.conversation, None, 100).await.unwrap().messages;
    let again = chats.regenerate(&twins.acme, first.answer, None).await.unwrap();
    twins.one.events(again.run, 0).await.unwrap();
    let other = twins.say(None, "acme, of something else").await;
    twins.plant().await;
    let there = twins.rows_of(&twins.globex).await;
    let shown = async || {
        let view = chats.conversation(&twins.acme, first.conversation, None, 100).await.unwrap();
        view.messages.iter().map(|message| message.id).collect::<Vec<_>>()
    };

    chats.show_branch(&twins.acme, again.answer, 2).await.unwrap();
    assert_eq!(shown().await, [first.message, again.answer]);
    chats.show_branch(&twins.acme, again.answer, 1).await.unwrap();
    assert_eq!(shown().await, whole.iter().map(|message| message.id).collect::<Vec<_>>());
    assert_eq!(twins.rows_of(&twins.globex).await, there, "showing a branch");

    chats.rename(&twins.acme, first.conversation, "acme renamed").await.unwrap();
    assert_eq!(twins.rows_of(&twins.globex).await, there, "renaming");

    // The model reads the branch, and each turn of it once.
    twins.say(Some(first.conversation), "acme three").await;
    let read: Vec<_> = twins.one.local.read().into_iter().map(|turn| turn.text().into_owned()).collect();
    assert_eq!(read.len(), 5);
    assert_eq!((&*read[0], &*read[2], &*read[4]), ("acme one", "acme two", "acme three"));
    let answer = chats.conversation(&twins.acme, first.conversation, None, 100).await.unwrap();
    assert_eq!(answer.messages.last().unwrap().status, MessageStatus::Complete);
    let once_more = chats.regenerate(&twins.acme, whole[3].id, None).await.unwrap();
    twins.one.events(once_more.run, 0).await.unwrap();
    let read: Vec<_> = twins.one.local.read().into_iter().map(|turn| turn.text().into_owned()).collect();
    assert_eq!((&*read[0], &*read[2], read.len()), ("acme one", "acme two", 3));
    let edited = chats.edit(&twins.acme, whole[2].id, "acme two, but better".to_owned()).await.unwrap();
    twins.one.events(edited.run, 0).await.unwrap();
    assert_eq!(twins.rows_of(&twins.globex).await, there, "asking and answering");

    let kept = twins.one.events(other.run, 0).await.unwrap();
    chats.delete(&twins.acme, first.conversation).await.unwrap();
    assert_eq!(twins.rows_of(&twins.globex).await, there, "deleting");
    assert_eq!(twins.one.events(other.run, 0).await.unwrap(), kept, "another conversation lost its events");
    chats.delete(&twins.acme, other.conversation).await.unwrap();
    assert_eq!(twins.rows_of(&twins.globex).await, there, "deleting");
    let left = twins.rows_of(&twins.acme).await;
    assert!(left.values().all(Vec::is_empty), "{left:?}");
}

#[tokio::test]
async fn an_answer_under_way_is_written_and_followed_in_its_tenant_alone() {
    let twins = Twins::new().await;
    let first = twins.say(None, &"acme speaks at length ".repeat(40)).await;
    // The next call is asked again with less, which gives the run another request.
    twins.one.local.reads_at_most(100);
    twins.one.local.silent(true);
    let message = NewMessage {
        conversation: Some(first.conversation),
        text: "acme goes on".to_owned(),
        model: Some("assistant".to_owned()),
    };
    let started = twins.one.chats.send(&twins.acme, message).await.unwrap();
    twins.plant().await;
    twins.globex_runs(&started.run.to_string(), twins.one.nodes.id()).await;
    let there = twins.rows_of(&twins.globex).await;

    let (here, elsewhere) = (twins.one.events(started.run, 0), twins.two.events(started.run, 0));
    let speak = async {
        sleep(Duration::from_millis(300)).await;
        twins.one.local.silent(false);
    };
    let (here, elsewhere, ()) = tokio::join!(here, elsewhere, speak);
    let here = here.unwrap();
    assert!(matches!(here.last().unwrap().event, RunEvent::Finished { .. }), "{here:?}");
    assert!(numbered_without_gaps(&here) && !text_of(&here).contains("globex"), "{here:?}");
    assert_eq!(elsewhere.unwrap(), here);
    let view = twins.one.chats.conversation(&twins.acme, first.conversation, None, 100).await.unwrap();
    assert_eq!(view.messages.last().unwrap().text, text_of(&here));
    assert_eq!(twins.rows_of(&twins.globex).await, there);
}

#[tokio::test]
async fn a_stop_ends_the_answer_of_its_tenant_alone() {
    let twins = Twins::new().await;
    twins.one.simulate("sim", json!({ "tokens": 4000, "tokens_per_second": 50.0 })).await.unwrap();
    let message = NewMessage { conversation: None, text: "acme".to_owned(), model: Some("sim".to_owned()) };
    let started = twins.one.chats.send(&twins.acme, message).await.unwrap();
    twins.plant().await;
    twins.globex_runs(&started.run.to_string(), twins.one.nodes.id()).await;
    let there = twins.rows_of(&twins.globex).await;
    // Through another node, for both; the node that drives Acme's has nothing to end for Globex.
    twins.two.chats.stop(&twins.globex, started.run).await.unwrap();
    twins.one.chats.tend().await;
    assert!(!twins.one.chats.wait(&twins.acme, started.run, Duration::from_millis(300)).await.unwrap());
    twins.two.chats.stop(&twins.acme, started.run).await.unwrap();
    twins.one.chats.tend().await;
    let events = twins.one.events(started.run, 0).await.unwrap();
    assert!(matches!(events.last().unwrap().event, RunEvent::Stopped { .. }), "{events:?}");
    assert_eq!(twins.rows_of(&twins.globex).await, there);
}

/// The node that drove Globex's is no more, and is said to have been in Acme too.
#[tokio::test]
async fn what_a_dead_node_left_in_one_tenant_is_ended_there_alone() {
    let twins = Twins::new().await;
    twins.one.simulate("sim", json!({ "tokens": 400, "tokens_per_second": 100.0 })).await.unwrap();
    let message = NewMessage { conversation: None, text: "acme".to_owned(), model: Some("sim".to_owned()) };
    let started = twins.one.chats.send(&twins.acme, message).await.unwrap();
    twins.plant().await;
    let dead = NodeId::new();
    twins.globex_runs(&started.run.to_string(), dead).await;
    let place = twins.one.control.write(PLACE).bind(twins.acme.tenant()).bind(dead).execute().await;
    assert_eq!(place.unwrap(), 1);
    assert_eq!(twins.two.recover().await.unwrap(), 0, "Acme's is driven by a node that lives");
    let events = twins.one.events(started.run, 0).await.unwrap();
    assert!(matches!(events.last().unwrap().event, RunEvent::Finished { .. }), "{events:?}");
    // In Globex it is ended, as soon as its place is found.
    let place = twins.one.control.write(PLACE).bind(twins.globex.tenant()).bind(dead).execute().await;
    assert_eq!((place.unwrap(), twins.two.recover().await.unwrap()), (1, 1));
}

/// When nobody looks at the clock: a moment of one tenant is no moment of the other.
#[tokio::test]
async fn a_page_of_the_list_goes_on_from_the_tenants_own_moments() {
    let twins = Twins::new().await;
    for number in 0..5 {
        twins.say(None, &format!("acme {number}")).await;
        sleep(Duration::from_millis(2)).await;
    }
    let page =
        async |before: Option<Timestamp>| twins.one.chats.conversations(&twins.acme, None, before, 2).await.unwrap();
    let first = page(None).await;
    let second = page(Some(first[1].updated_at)).await;
    twins.plant().await;
    assert_eq!(page(None).await, first);
    assert_eq!(page(Some(first[1].updated_at)).await, second);
}

#[tokio::test]
async fn a_response_is_followed_and_forgotten_in_its_own_tenant() {
    const OLD: &str = "
        INSERT INTO response (tenant_id, id, input, response, created_at) VALUES ($1, 'resp_old', '[]', '{}', 1)";
    const COUNT: &str = "SELECT COUNT(*) AS value FROM response WHERE tenant_id = $1";
    let twins = Twins::new().await;
    let responses = Responses::new(twins.one.stores.clone(), Arc::new(SystemClock));
    let kept = |whose: &str, id: &str, previous: Option<&str>| KeptResponse {
        id: id.to_owned(),
        previous: previous.map(str::to_owned),
        input: vec![json!(format!("{whose} asked for {id}"))],
        response: json!({ "output": [format!("{whose} was told {id}")] }),
    };
    let store = twins.globex.store(&twins.one.stores).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.query(OLD).bind(store.tenant()).execute().await.unwrap();
    tx.commit().await.unwrap();
    let count = async || store.read(COUNT).bind(store.tenant()).fetch_one::<i64>().await.unwrap();
    responses.keep(&twins.acme, &kept("acme", "resp_1", None)).await.unwrap();
    responses.keep(&twins.acme, &kept("acme", "resp_2", Some("resp_1"))).await.unwrap();
    assert_eq!(count().await, 1, "what is too old is its own tenant's to throw away");
    responses.keep(&twins.globex, &kept("globex", "resp_1", None)).await.unwrap();
    responses.keep(&twins.globex, &kept("globex", "resp_2", Some("resp_1"))).await.unwrap();
    assert_eq!(count().await, 2);
    let said = async |scope: &Scope| match responses.said_until(scope, "resp_2").await.unwrap() {
        SaidBefore::Whole { said, .. } => Some(said),
        SaidBefore::Missing | SaidBefore::TooLong => None,
    };
    for (scope, whose) in [(&twins.acme, "acme"), (&twins.globex, "globex")] {
        let expected = ["asked for resp_1", "was told resp_1", "asked for resp_2", "was told resp_2"];
        let expected: Vec<_> = expected.iter().map(|words| json!(format!("{whose} {words}"))).collect();
        assert_eq!(said(scope).await, Some(expected));
        let found = responses.find(scope, "resp_1").await.unwrap();
        assert_eq!(found, Some(kept(whose, "resp_1", None)));
    }
    assert!(responses.forget(&twins.acme, "resp_1").await.unwrap());
    assert!(!responses.forget(&twins.acme, "resp_1").await.unwrap());
    assert_eq!(said(&twins.acme).await, None, "a chain is whole or not there");
    assert_eq!(said(&twins.globex).await.map(|said| said.len()), Some(4));
}

#[tokio::test]
async fn a_chain_that_says_more_than_a_request_may_is_told_from_one_that_is_gone() {
    let twins = Twins::new().await;
    let responses = Responses::new(twins.one.stores.clone(), Arc::new(SystemClock));
    let keep = async |id: &str, previous: Option<&str>, bytes: usize| {
        let (input, response) = (vec![json!("x".repeat(bytes))], json!({ "output": [] }));
        let kept = KeptResponse { id: id.to_owned(), previous: previous.map(str::to_owned), input, response };
        responses.keep(&twins.acme, &kept).await.unwrap();
    };
    let said = async |id: &str| responses.said_until(&twins.acme, id).await.unwrap();
    keep("resp_1", None, 20 << 20).await;
    keep("resp_2", Some("resp_1"), 1).await;
    keep("resp_3", Some("resp_2"), 13 << 20).await;
    keep("resp_4", Some("resp_3"), 1).await;
    assert!(matches!(said("resp_2").await, SaidBefore::Whole { said, bytes } if said.len() == 2 && bytes > 20 << 20));
    assert_eq!((said("resp_3").await, said("resp_4").await), (SaidBefore::TooLong, SaidBefore::TooLong));
    keep("resp_5", Some("resp_0"), 1).await;
    for number in 6..510 {
        keep(&format!("resp_{number}"), Some(&format!("resp_{}", number - 1)), 1).await;
    }
    assert_eq!((said("resp_503").await, said("resp_509").await), (SaidBefore::Missing, SaidBefore::TooLong));
}
