//! What a store promises whatever stands above it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the capability itself must make one

use contract::{TenantId, Timestamp};
use std::os::unix::fs::PermissionsExt;
use store::{ControlStore, StoreError, TenantAccess, TenantStore, TenantStores};

const CONVERSATION_INSERT: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $5)";
const TITLES: &str = "SELECT title AS value FROM conversation WHERE tenant_id = $1 ORDER BY id";
const PLAN_INSERT: &str = "
INSERT INTO plan (name, monthly_fee, included_credit, overage_markup, created_at, updated_at)
VALUES ($1, 0, 0, 1000000, $2, $2)";
const PLAN_NAMES: &str = "SELECT name AS value FROM plan ORDER BY name";

async fn write_conversation(store: &TenantStore, id: &str, title: &str) {
    let now = Timestamp::from_millis(1);
    store
        .write(CONVERSATION_INSERT)
        .bind(store.tenant())
        .bind(id)
        .bind("somebody")
        .bind(title)
        .bind(now)
        .execute()
        .await
        .unwrap();
}

async fn titles(store: &TenantStore) -> Vec<String> {
    store.read(TITLES).bind(store.tenant()).fetch_all().await.unwrap()
}

#[tokio::test]
async fn each_tenant_has_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let stores = TenantStores::new(dir.path());
    let (acme, globex) = (TenantId::new(), TenantId::new());
    let acme_store = stores.open(TenantAccess::grant(acme)).await.unwrap();
    let globex_store = stores.open(TenantAccess::grant(globex)).await.unwrap();
    write_conversation(&acme_store, "c1", "of acme").await;
    assert_eq!(titles(&acme_store).await, ["of acme"]);
    assert!(titles(&globex_store).await.is_empty());
    assert!(dir.path().join(format!("tenants/{acme}.db")).exists());
}

#[tokio::test]
async fn many_tenants_keep_few_files_open_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stores = TenantStores::new(dir.path());
    let tenants: Vec<TenantId> = (0..120).map(|_| TenantId::new()).collect();
    for tenant in &tenants {
        let store = stores.open(TenantAccess::grant(*tenant)).await.unwrap();
        write_conversation(&store, "c1", &tenant.to_string()).await;
    }
    assert!(stores.open_count() <= 96, "{} handles are open", stores.open_count());
    for tenant in &tenants {
        let store = stores.open(TenantAccess::grant(*tenant)).await.unwrap();
        assert_eq!(titles(&store).await, [tenant.to_string()]);
    }
}

#[tokio::test]
async fn a_transaction_dropped_without_commit_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let control = ControlStore::open(dir.path()).await.unwrap();
    let now = Timestamp::from_millis(1);
    let mut abandoned = control.begin().await.unwrap();
    abandoned.query(PLAN_INSERT).bind("abandoned").bind(now).execute().await.unwrap();
    drop(abandoned);
    let mut kept = control.begin().await.unwrap();
    kept.query(PLAN_INSERT).bind("kept").bind(now).execute().await.unwrap();
    kept.commit().await.unwrap();
    assert_eq!(control.read(PLAN_NAMES).fetch_all::<String>().await.unwrap(), ["kept"]);
}

#[tokio::test]
async fn readers_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let control = ControlStore::open(dir.path()).await.unwrap();
    let refused = control.read(PLAN_INSERT).bind("sneaky").bind(Timestamp::from_millis(1)).execute().await;
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
}

#[tokio::test]
async fn concurrent_writers_queue_instead_of_failing() {
    let dir = tempfile::tempdir().unwrap();
    // Two handles on one file, as `seam apply` beside `seam serve`.
    let stores = [ControlStore::open(dir.path()).await.unwrap(), ControlStore::open(dir.path()).await.unwrap()];
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..40 {
        let control = stores[n % 2].clone();
        writers.spawn(async move {
            let mut tx = control.begin().await?;
            tx.query(PLAN_INSERT).bind(format!("plan-{n:02}")).bind(Timestamp::from_millis(1)).execute().await?;
            tx.commit().await
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap().unwrap();
    }
    assert_eq!(stores[0].read(PLAN_NAMES).fetch_all::<String>().await.unwrap().len(), 40);
}

#[tokio::test]
async fn a_taken_key_is_a_constraint_error() {
    let dir = tempfile::tempdir().unwrap();
    let control = ControlStore::open(dir.path()).await.unwrap();
    let insert = || control.write(PLAN_INSERT).bind("pro").bind(Timestamp::from_millis(1)).execute();
    insert().await.unwrap();
    assert!(matches!(insert().await, Err(StoreError::Constraint(_))));
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("a-file");
    std::fs::write(&blocked, "not a directory").unwrap();
    let error = ControlStore::open(&blocked.join("data")).await.unwrap_err();
    assert!(error.to_string().contains("a-file"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    std::fs::write(&path, "this is a letter, not a database; ".repeat(100)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(ControlStore::open(dir.path()).await.is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"));
}
