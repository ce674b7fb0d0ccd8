//! What a statement costs on each engine, for docs/adr/0007. Needs `SEAM_TEST_DATABASE_URL` (scripts/postgres.sh).
//!
//! cargo run --release -p store --example engine_cost
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a measurement, no part of the product

use contract::{TenantId, Timestamp};
use std::time::{Duration, Instant};
use store::{ControlStore, Database, TenantAccess, TenantStores};
use testbase::{Engine, Scratch};
use tokio::task::JoinSet;

const ROUNDS: u32 = 500;
const WRITERS: u32 = 16;
const READ: &str = "SELECT name AS value FROM plan WHERE name = $1";
const INSERT: &str = "
INSERT INTO plan (name, monthly_fee, included_credit, overage_markup, created_at, updated_at)
VALUES ($1, 0, 0, 1000000, $2, $2)";
const TENANT_READ: &str = "SELECT title AS value FROM conversation WHERE tenant_id = $1 AND id = 'none'";
const TENANT_INSERT: &str = "
INSERT INTO run_event (tenant_id, run_id, seq, event, created_at) VALUES ($1, 'r', $2, '{}', 1)";

#[tokio::main]
async fn main() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let scratch = Scratch::on(engine).await.unwrap();
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let stores = TenantStores::new(scratch.location());
        let tenant = TenantId::new();
        let store = stores.open(TenantAccess::grant(tenant)).await.unwrap();
        println!("{engine:?}");
        let mut n = 0;
        measure("control: read", async || {
            control.read(READ).bind("pro").fetch_optional::<String>().await.unwrap();
        })
        .await;
        measure("control: write", async || {
            n += 1;
            insert(&control, format!("w{n}")).await;
        })
        .await;
        measure("control: transaction of two statements", async || {
            n += 1;
            transaction(&control, format!("t{n}")).await;
        })
        .await;
        measure("tenant: read", async || {
            store.read(TENANT_READ).bind(tenant).fetch_optional::<String>().await.unwrap();
        })
        .await;
        let mut seq = 0i64;
        measure("tenant: write", async || {
            seq += 1;
            store.write(TENANT_INSERT).bind(tenant).bind(seq).execute().await.unwrap();
        })
        .await;
        side_by_side("control: writes, 16 at once", &control, false).await;
        side_by_side("control: transactions, 16 at once", &control, true).await;
    }
}

async fn insert(control: &Database, name: String) {
    control.write(INSERT).bind(name).bind(Timestamp::from_millis(1)).execute().await.unwrap();
}

async fn transaction(control: &Database, name: String) {
    let mut tx = control.begin().await.unwrap();
    tx.query(READ).bind(name.as_str()).fetch_optional::<String>().await.unwrap();
    tx.query(INSERT).bind(name).bind(Timestamp::from_millis(1)).execute().await.unwrap();
    tx.commit().await.unwrap();
}

async fn measure(name: &str, mut work: impl AsyncFnMut()) {
    let mut times = Vec::new();
    for round in 0..ROUNDS + 50 {
        let begun = Instant::now();
        work().await;
        // The first rounds connect and prepare.
        if round >= 50 {
            times.push(begun.elapsed());
        }
    }
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("  {name:<42} p50 {:>7.3} ms   p99 {:>7.3} ms", millis(at(50)), millis(at(99)));
}

async fn side_by_side(name: &str, control: &ControlStore, whole: bool) {
    let begun = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let control = control.clone();
        writers.spawn(async move {
            for n in 0..ROUNDS / WRITERS * 4 {
                let name = format!("{whole}-{writer}-{n}");
                if whole { transaction(&control, name).await } else { insert(&control, name).await }
            }
        });
    }
    while writers.join_next().await.is_some() {}
    let done = f64::from(ROUNDS / WRITERS * 4 * WRITERS);
    println!("  {name:<42} {:>7.0} a second", done / begun.elapsed().as_secs_f64());
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
