//! What opening does to a PostgreSQL database, and what it says when it cannot.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the capability itself must make one

use contract::TenantId;
use std::path::Path;
use store::{ControlStore, Location, StoreError, TenantAccess, TenantStores, inspect, inspect_server};
use testbase::{Engine, Scratch, on_each_engine};
use tokio::task::JoinSet;

const PLAN_NAMES: &str = "SELECT name AS value FROM plan ORDER BY name";

#[tokio::test]
async fn an_empty_database_is_set_up_once_however_many_start_at_once() {
    let scratch = Scratch::bare_postgres().await.unwrap();
    assert_eq!(inspect(scratch.location()).await.unwrap(), []);
    let mut starts = JoinSet::new();
    for _ in 0..6 {
        let location = scratch.location().clone();
        starts.spawn(async move {
            let control = ControlStore::open(&location).await?;
            TenantStores::new(&location).open(TenantAccess::grant(TenantId::new())).await?;
            control.read(PLAN_NAMES).fetch_all::<String>().await
        });
    }
    while let Some(started) = starts.join_next().await {
        assert!(started.unwrap().unwrap().is_empty());
    }
    let found = inspect(scratch.location()).await.unwrap();
    assert_eq!(found.iter().map(|plane| plane.name.as_str()).collect::<Vec<_>>(), ["schema control", "schema tenant"]);
    for plane in found {
        assert!(plane.pending.is_empty() && plane.unknown.is_empty() && plane.damage.is_empty(), "{plane:?}");
    }
}

#[tokio::test]
async fn the_server_is_described() {
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let facts = inspect_server(scratch.location()).await.unwrap().unwrap();
    assert!(facts.version.split('.').next().unwrap().parse::<u32>().unwrap() >= 15, "{facts:?}");
    assert!(facts.missing_roles.is_empty() && facts.unprotected.is_empty(), "{facts:?}");
    let files = Scratch::on(Engine::Sqlite).await.unwrap();
    assert_eq!(inspect_server(files.location()).await.unwrap(), None);
}

#[tokio::test]
async fn every_text_of_both_planes_is_compared_byte_by_byte() {
    const OTHERWISE: &str = "
        SELECT pg_class.relname || '.' || attname AS value
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'
        JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname IN ('control', 'tenant')
        JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE collname <> 'C' AND NOT attisdropped";
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    assert!(control.read(OTHERWISE).fetch_all::<String>().await.unwrap().is_empty());
}

/// So that the tables can be distributed by tenant as they are.
#[tokio::test]
async fn every_key_of_the_tenant_plane_is_led_by_the_tenant() {
    const OTHERWISE: &str = "
        SELECT pg_class.relname || '.' || attname AS value
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indrelid AND relname <> '_sqlx_migrations'
        JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = 'tenant'
        JOIN pg_attribute ON attrelid = pg_class.oid AND attnum = indkey[0]
        WHERE attname <> 'tenant_id'";
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let control = ControlStore::open(scratch.location()).await.unwrap();
    assert!(control.read(OTHERWISE).fetch_all::<String>().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_without_the_password() {
    for url in ["postgres://seam:hunter2@127.0.0.1:1/seam", "postgres://seam:hunter2@nowhere.invalid/seam"] {
        let location = Location::parse(Some(url), Path::new("unused")).unwrap();
        let refused = ControlStore::open(&location).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unreachable(_)), "{refused:?}");
        let told = format!("{refused} {refused:?}");
        assert!(told.contains("SEAM_DATABASE_URL") && !told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let missing = format!("{}_gone", scratch.url().unwrap().split('?').next().unwrap());
    let location = Location::parse(Some(&missing), Path::new("unused")).unwrap();
    let refused = ControlStore::open(&location).await.unwrap_err().to_string();
    assert!(refused.contains("_gone") && refused.contains("SEAM_DATABASE_URL"), "{refused}");
}

on_each_engine! {
    async fn what_a_newer_version_wrote_is_refused(scratch: Scratch) {
        const LATER: &str = "
            INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            SELECT 9999, 'later', TRUE, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        ControlStore::open(scratch.location()).await.unwrap().close().await;
        scratch.administrate(LATER).await.unwrap();
        let refused = ControlStore::open(scratch.location()).await.unwrap_err().to_string();
        assert!(refused.contains("newer Seam") && refused.contains("use that version"), "{refused}");
    }
}
