//! The ledger's journal: what is in it outlives the process, and comes into the table once. On SQLite whatever the engine of
//! the run: where several processes write there is none.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use contract::{AttemptNo, NanoUsd, RequestId, TenantId, Timestamp, TokenUsage};
use fixture::{FIRST, NOW, hit, intent, journaled, metering_on, price_from, settle_tenants, succeeded, tokens, usd};
use metering::{AttemptStatus, Intent, LedgerRow, Metering, MeteringError};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use store::ControlStore;
use testbase::{Engine, Scratch, location_from};

const TENANT: &str = "
INSERT INTO tenant (id, slug, display_name, plan, created_at, updated_at) VALUES ($1, $2, $2, NULL, 0, 0)";
const NOBODY_IS_HERE: &str = "DELETE FROM node";
const DIES_IN: &str = "SEAM_TEST_DIES_IN";
const DIRECTORY: &str = "SEAM_TEST_JOURNAL";
const ATTEMPTS: i64 = 2_500;
const OPEN: i64 = 7;

fn whose(end: &str) -> TenantId {
    format!("01890a5d-ac96-774b-bcce-b302099a80{end}").parse().unwrap()
}

fn found_again() -> RequestId {
    "01890a5d-ac96-774b-bcce-b302099a9000".parse().unwrap()
}

fn numbered(tenant: TenantId, number: i64) -> Intent {
    Intent { tenant, dispatched_at: NOW.plus_millis(number), ..intent() }
}

fn of_all_kinds() -> TokenUsage {
    TokenUsage { cache_write: Some(2), cache_write_1h: Some(1), reasoning: Some(9), ..tokens(3, 0, 1_000_000) }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect()
}

/// So many rows, whatever the journal says.
async fn in_table(control: &ControlStore, tenant: TenantId) -> Vec<LedgerRow> {
    metering_on(control).await.ledger_rows(tenant, None, 1_000).await.unwrap()
}

/// Runs itself as a second process, which writes as fast as it can and dies without any farewell.
#[tokio::test]
async fn what_a_killed_process_had_written_is_in_the_table_after_the_next_start() {
    if let Ok(address) = std::env::var(DIES_IN) {
        die_in(&address, Path::new(&std::env::var(DIRECTORY).unwrap())).await;
    }
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let journal = tempfile::tempdir().unwrap();
    let died = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_killed_process_had_written_is_in_the_table_after_the_next_start"])
        .env(DIES_IN, scratch.address())
        .env(DIRECTORY, journal.path())
        .output()
        .unwrap();
    assert!(!died.status.success());
    let [file] = &files(journal.path())[..] else { panic!("{:?}", files(journal.path())) };
    assert!(fs::metadata(file).unwrap().len() > 0, "what it wrote last is not in the table yet");
    // It was writing one more line.
    let written = fs::read(file).unwrap();
    fs::OpenOptions::new().append(true).open(file).unwrap().write_all(&written[..40]).unwrap();

    let control = ControlStore::open(scratch.location()).await.unwrap();
    control.write(NOBODY_IS_HERE).execute().await.unwrap();
    let metering = journaled(&control, journal.path()).await.unwrap();
    assert_eq!(metering.resolve_abandoned().await.unwrap(), u64::try_from(OPEN).unwrap());
    let usage = metering.usage_by_tenant(NOW, NOW.plus_millis(i64::from(u16::MAX))).await.unwrap();
    let acme = usage.iter().find(|usage| usage.tenant == whose("01")).unwrap();
    // A million tokens out at $2 and three in at $1 a million, but for those that were open.
    assert_eq!(acme.cost, NanoUsd::from_nanos(2_000_003_000 * (ATTEMPTS - OPEN)), "{acme:?}");
    let rows = metering.ledger_rows(whose("01"), None, 1_000).await.unwrap();
    let mut answered = rows.iter().filter(|row| row.status == AttemptStatus::Succeeded && row.cache.is_none());
    assert!(answered.all(|row| row.usage == of_all_kinds()), "{rows:?}");
    let open = rows.iter().filter(|row| row.status == AttemptStatus::Interrupted).count();
    assert_eq!(open, usize::try_from(OPEN).unwrap());
    let found = &metering.ledger_rows(whose("01"), Some(found_again()), 10).await.unwrap()[0];
    assert_eq!((found.cost, found.saved), (Some(usd("0")), Some(usd("0.25"))));
    assert!(in_table(&control, whose("02")).await.is_empty(), "a tenant that is no more leaves no trace");
    assert_eq!(fs::read(&files(journal.path())[0]).unwrap(), b"", "there is nothing left to take over");

    // The same file once more, as after a crash in the middle of taking it over.
    drop(metering);
    fs::write(journal.path().join("ledger-000009.jsonl"), written).unwrap();
    Metering::recover(&control, journal.path()).await.unwrap();
    let again = metering_on(&control).await.ledger_rows(whose("01"), None, 1_000).await.unwrap();
    assert_eq!(again, rows);
    assert!(files(journal.path()).is_empty(), "{:?}", files(journal.path()));
}

async fn die_in(address: &str, journal: &Path) {
    let control = ControlStore::open(&location_from(address).unwrap()).await.unwrap();
    control.write(TENANT).bind(whose("01")).bind("acme").execute().await.unwrap();
    let mut tx = control.begin().await.unwrap();
    Metering::apply_price(&mut tx, NOW, &price_from(Timestamp::from_millis(0))).await.unwrap();
    tx.commit().await.unwrap();
    let metering = journaled(&control, journal).await.unwrap();
    for number in 0..ATTEMPTS {
        let intent = numbered(whose("01"), number);
        metering.intent(&intent).await.unwrap();
        if number >= ATTEMPTS - OPEN {
            continue;
        }
        metering.settle(intent.tenant, intent.request, FIRST, &succeeded(of_all_kinds())).await.unwrap();
        if number % 100 == 0 {
            // Some of it is in the table already, in part or as a whole.
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    }
    metering.hit(&hit(whose("01"), found_again())).await.unwrap();
    metering.intent(&numbered(whose("02"), 0)).await.unwrap();
    std::process::abort();
}

#[tokio::test]
async fn a_table_that_is_held_up_holds_up_nobody() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let metering = journaled(&control, scratch.dir()).await.unwrap();
    let tenant = TenantId::new();
    let held = control.begin().await.unwrap();
    let began = Instant::now();
    for number in 0..50 {
        let intent = numbered(tenant, number);
        metering.intent(&intent).await.unwrap();
        // Without a price nothing needs to be read either.
        let own = Intent { own_key: true, ..numbered(tenant, number) };
        metering.intent(&own).await.unwrap();
        metering.settle(own.tenant, own.request, FIRST, &succeeded(tokens(1, 0, 1))).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(fs::metadata(&files(scratch.dir())[0]).unwrap().len() > 0);
    drop(held);
    assert_eq!(metering.ledger_rows(tenant, None, 1_000).await.unwrap().len(), 100);
    let settled = metering.ledger_rows(tenant, None, 1_000).await.unwrap();
    assert_eq!(settled.iter().filter(|row| row.settled_at == Some(NOW)).count(), 50);
}

#[tokio::test]
async fn an_attempt_is_recorded_once_and_settled_once_before_and_after_it_is_in_the_table() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    settle_tenants(&control).await;
    let metering = journaled(&control, scratch.dir()).await.unwrap();
    let intent = intent();
    let end = succeeded(tokens(1, 0, 1));
    let settle = || metering.settle(intent.tenant, intent.request, FIRST, &end);
    assert!(matches!(settle().await, Err(MeteringError::NotRecorded { .. })));
    metering.intent(&intent).await.unwrap();
    for round in 0..2 {
        assert!(matches!(metering.intent(&intent).await, Err(MeteringError::AlreadyRecorded { .. })), "{round}");
        let hit = hit(intent.tenant, intent.request);
        assert!(matches!(metering.hit(&hit).await, Err(MeteringError::AlreadyRecorded { .. })), "{round}");
        if round == 0 {
            settle().await.unwrap();
        }
        assert!(matches!(settle().await, Err(MeteringError::AlreadySettled { .. })), "{round}");
        metering.caught_up().await.unwrap();
    }
    // One that another process left open here: settled as well, once.
    let other = Intent { attempt: AttemptNo(2), ..intent.clone() };
    metering_on(&control).await.intent(&other).await.unwrap();
    let settle = || metering.settle(other.tenant, other.request, other.attempt, &end);
    settle().await.unwrap();
    assert!(matches!(settle().await, Err(MeteringError::AlreadySettled { .. })));
}

#[tokio::test]
async fn when_it_is_closed_what_waits_is_written() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let metering = journaled(&control, scratch.dir()).await.unwrap();
    let intent = intent();
    metering.intent(&intent).await.unwrap();
    drop(metering);
    for _ in 0..200 {
        if in_table(&control, intent.tenant).await.len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not written within 2 s");
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_kept_and_the_others_count() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    control.write(TENANT).bind(whose("01")).bind("acme").execute().await.unwrap();
    let journal = tempfile::tempdir().unwrap();
    let metering = journaled(&control, journal.path()).await.unwrap();
    let held = control.begin().await.unwrap();
    metering.intent(&numbered(whose("01"), 1)).await.unwrap();
    let line = fs::read_to_string(&files(journal.path())[0]).unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("ledger-000003.jsonl"), format!("{{\"later\":1}}\n{line}")).unwrap();
    drop(held);
    let reopened = Metering::recover(&control, other.path()).await;
    reopened.unwrap();
    assert_eq!(in_table(&control, whose("01")).await.len(), 1);
    assert!(fs::read_to_string(other.path().join("ledger-000003.1.unread")).unwrap().contains("later"));
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_is_said_so() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let taken = scratch.dir().join("taken");
    fs::write(&taken, "").unwrap();
    let refused = journaled(&control, &taken.join("journal")).await.err().unwrap();
    assert!(refused.to_string().contains("data directory"), "{refused}");
}

#[tokio::test]
async fn a_tenant_that_is_being_deleted_leaves_no_trace_until_it_comes_back() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let metering = journaled(&control, scratch.dir()).await.unwrap();
    let (going, withheld, other) = (numbered(whose("01"), 1), numbered(whose("01"), 2), numbered(whose("02"), 3));
    for intent in [&going, &withheld, &other] {
        metering.intent(intent).await.unwrap();
    }
    let end = succeeded(tokens(1, 0, 1));
    metering.settle(going.tenant, going.request, FIRST, &end).await.unwrap();
    // Others go on writing meanwhile.
    let busy = async {
        for number in 0..200 {
            metering.intent(&numbered(whose("02"), number)).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (closed, ()) = tokio::join!(metering.close_tenant(whose("01")), busy);
    closed.unwrap();
    // As the deletion does.
    control.write("DELETE FROM ledger_attempt WHERE tenant_id = $1").bind(whose("01")).execute().await.unwrap();
    for file in files(scratch.dir()) {
        let written = fs::read_to_string(file).unwrap();
        assert!(!written.contains(&whose("01").to_string()), "{written}");
    }
    let late = metering.settle(withheld.tenant, withheld.request, FIRST, &end).await;
    assert!(matches!(late, Err(MeteringError::NotRecorded { .. })), "{late:?}");
    let again = metering.intent(&numbered(whose("01"), 4)).await;
    assert!(matches!(again, Err(MeteringError::Closed { .. })), "{again:?}");
    let again = metering.hit(&hit(whose("01"), RequestId::new())).await;
    assert!(matches!(again, Err(MeteringError::Closed { .. })), "{again:?}");
    assert!(metering.ledger_rows(whose("01"), None, 10).await.unwrap().is_empty());
    metering.settle(other.tenant, other.request, FIRST, &end).await.unwrap();
    assert_eq!(metering.ledger_rows(whose("02"), None, 1_000).await.unwrap().len(), 201, "another's are as they were");

    control.write(TENANT).bind(whose("01")).bind("acme").execute().await.unwrap();
    metering.intent(&numbered(whose("01"), 5)).await.unwrap();
    assert_eq!(metering.ledger_rows(whose("01"), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_end_of_an_attempt_that_the_table_has_as_begun_is_not_lost() {
    let scratch = Scratch::on(Engine::Sqlite).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    control.write(TENANT).bind(whose("01")).bind("acme").execute().await.unwrap();
    let (live, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let metering = journaled(&control, live.path()).await.unwrap();
    let intent = Intent { own_key: true, ..numbered(whose("01"), 1) };
    let lines = || fs::read(&files(live.path())[0]).unwrap();
    // Two deaths: one right after it began, and one right after it ended, before its file could be emptied.
    let held = control.begin().await.unwrap();
    metering.intent(&intent).await.unwrap();
    let begun = lines();
    metering.settle(intent.tenant, intent.request, FIRST, &succeeded(tokens(3, 0, 4))).await.unwrap();
    let ended = lines();
    held.commit().await.unwrap();
    metering.close_tenant(whose("01")).await.unwrap();
    control.write("DELETE FROM ledger_attempt WHERE tenant_id = $1").bind(whose("01")).execute().await.unwrap();
    let mut told = Vec::new();
    for text in [begun, ended.clone(), ended] {
        fs::write(left.path().join("ledger-000001.jsonl"), text).unwrap();
        Metering::recover(&control, left.path()).await.unwrap();
        let row = in_table(&control, whose("01")).await.remove(0);
        told.push((row.status, row.cost, row.usage.output));
    }
    let whole = (AttemptStatus::Succeeded, Some(usd("0")), Some(4));
    assert_eq!(told, [(AttemptStatus::Dispatched, None, None), whole, whole]);
}
