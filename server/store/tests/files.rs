//! What is true of SQLite's files alone.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the capability itself must make one

use contract::{TenantId, Timestamp};
use std::os::unix::fs::PermissionsExt;
use store::{ControlStore, Location, TenantAccess, TenantStores};

const CONVERSATION_INSERT: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at)
VALUES ($1, 'c1', 'somebody', $2, $3, $3)";
const TITLES: &str = "SELECT title AS value FROM conversation WHERE tenant_id = $1 ORDER BY id";

#[tokio::test]
async fn many_tenants_keep_few_files_open_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stores = TenantStores::new(&Location::files(dir.path()));
    let tenants: Vec<TenantId> = (0..120).map(|_| TenantId::new()).collect();
    for tenant in &tenants {
        let store = stores.open(TenantAccess::grant(*tenant)).await.unwrap();
        let insert = store.write(CONVERSATION_INSERT).bind(*tenant).bind(tenant.to_string());
        insert.bind(Timestamp::from_millis(1)).execute().await.unwrap();
    }
    assert!(stores.open_count() <= 96, "{} handles are open", stores.open_count());
    for tenant in &tenants {
        assert!(dir.path().join(format!("tenants/{tenant}.db")).exists());
        let store = stores.open(TenantAccess::grant(*tenant)).await.unwrap();
        let titles = store.read(TITLES).bind(*tenant).fetch_all::<String>().await.unwrap();
        assert_eq!(titles, [tenant.to_string()]);
    }
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("a-file");
    std::fs::write(&blocked, "not a directory").unwrap();
    let error = ControlStore::open(&Location::files(blocked.join("data"))).await.unwrap_err();
    assert!(error.to_string().contains("a-file"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    std::fs::write(&path, "this is a letter, not a database; ".repeat(100)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(ControlStore::open(&Location::files(dir.path())).await.is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"));
}
