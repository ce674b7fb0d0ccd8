//! Tenants in one PostgreSQL database, as an attacker would try it: statements without any `tenant_id`, of one tenant,
//! against another's rows.
//!
//! `Statement` takes one statement at a time, fixed when Seam is compiled. What these tests write by hand is what a
//! forgotten predicate, or an injection into one statement, could do at most.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the capability itself must make one

use contract::{TenantId, Timestamp};
use store::{ControlStore, StoreError, TenantAccess, TenantStore, TenantStores};
use testbase::{Engine, Scratch};

const INSERT: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at)
VALUES ($1, $2, 'somebody', $3, $4, $4)";
const ALL_TITLES: &str = "SELECT title AS value FROM conversation ORDER BY title";
const COUNT: &str = "SELECT COUNT(*) AS value FROM conversation";
const NOW: Timestamp = Timestamp::from_millis(1);

struct Two {
    scratch: Scratch,
    stores: TenantStores,
    acme: TenantStore,
    globex: TenantStore,
}

/// Two tenants with a conversation each.
async fn two() -> Two {
    let scratch = Scratch::on(Engine::Postgres).await.unwrap();
    let stores = TenantStores::new(scratch.location());
    let acme = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
    let globex = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
    for (store, title) in [(&acme, "of acme"), (&globex, "of globex")] {
        insert(store, store.tenant(), "c1", title).await.unwrap();
    }
    Two { scratch, stores, acme, globex }
}

async fn insert(store: &TenantStore, tenant: TenantId, id: &str, title: &str) -> Result<u64, StoreError> {
    store.write(INSERT).bind(tenant).bind(id).bind(title).bind(NOW).execute().await
}

async fn seen(store: &TenantStore) -> Vec<String> {
    store.read(ALL_TITLES).fetch_all().await.unwrap()
}

/// What each tenant sees is what it had from the beginning, on every connection there is.
async fn assert_apart(two: &Two) {
    for _ in 0..6 {
        let (acme, globex) = tokio::join!(seen(&two.acme), seen(&two.globex));
        assert_eq!((acme, globex), (vec!["of acme".to_owned()], vec!["of globex".to_owned()]));
    }
}

#[tokio::test]
async fn a_statement_without_a_predicate_sees_its_own_tenant_alone() {
    let two = two().await;
    assert_apart(&two).await;
    const NAMED: &str = "SELECT title AS value FROM tenant.conversation WHERE tenant_id = $1";
    let named = two.acme.read(NAMED).bind(two.globex.tenant()).fetch_all::<String>().await.unwrap();
    assert!(named.is_empty());
}

#[tokio::test]
async fn another_tenants_rows_can_be_neither_added_nor_changed_nor_removed() {
    let two = two().await;
    assert!(insert(&two.acme, two.globex.tenant(), "c2", "smuggled").await.is_err());
    assert!(
        two.acme.write("UPDATE conversation SET tenant_id = $1").bind(two.globex.tenant()).execute().await.is_err()
    );
    const RENAME: &str = "UPDATE conversation SET title = 'taken' WHERE tenant_id = $1";
    assert_eq!(two.acme.write(RENAME).bind(two.globex.tenant()).execute().await.unwrap(), 0);
    const REMOVE: &str = "DELETE FROM conversation WHERE tenant_id = $1";
    assert_eq!(two.acme.write(REMOVE).bind(two.globex.tenant()).execute().await.unwrap(), 0);
    assert_apart(&two).await;
    assert_eq!(two.acme.write("DELETE FROM conversation").execute().await.unwrap(), 1);
    assert_eq!(seen(&two.globex).await, ["of globex"]);
}

#[tokio::test]
async fn keys_of_another_tenant_cannot_be_probed() {
    let two = two().await;
    // The same key in another tenant is free to be used, and a reference across tenants finds nothing.
    insert(&two.globex, two.globex.tenant(), "secret-id", "of globex too").await.unwrap();
    insert(&two.acme, two.acme.tenant(), "secret-id", "of acme too").await.unwrap();
    const MESSAGE: &str = "
        INSERT INTO message (tenant_id, id, conversation_id, role, status, content, created_at)
        VALUES ($1, 'm1', $2, 'user', 'complete', '', 1)";
    insert(&two.globex, two.globex.tenant(), "only-there", "x").await.unwrap();
    let across = two.acme.write(MESSAGE).bind(two.acme.tenant()).bind("only-there").execute().await;
    assert!(matches!(across, Err(StoreError::Constraint(_))), "{across:?}");
    // Refused for the tenant before any key is looked at: taken or free, the answer is the same.
    let taken = insert(&two.acme, two.globex.tenant(), "only-there", "x").await.unwrap_err().to_string();
    let free = insert(&two.acme, two.globex.tenant(), "not-there", "x").await.unwrap_err().to_string();
    assert_eq!(taken, free);
    assert!(taken.contains("row-level security"), "{taken}");
}

#[tokio::test]
async fn the_setting_ends_with_its_transaction() {
    let two = two().await;
    const SETTING: &str = "SELECT COALESCE(current_setting('seam.tenant_id', TRUE), '') AS value";
    // A session-wide setting, as an injection would leave it; then a failure; then a transaction dropped mid-way.
    const LEAVE: &str = "SELECT set_config('seam.tenant_id', $1, FALSE) AS value";
    two.acme.read(LEAVE).bind(two.globex.tenant()).fetch_one::<String>().await.unwrap();
    two.acme.write(LEAVE).bind(two.globex.tenant()).fetch_one::<String>().await.unwrap();
    assert_apart(&two).await;
    assert!(two.acme.write("SELECT 1 / 0").execute().await.is_err());
    assert_apart(&two).await;
    let mut dropped = two.acme.begin().await.unwrap();
    dropped.query("DELETE FROM conversation").execute().await.unwrap();
    drop(dropped);
    assert_apart(&two).await;
    let mut failed = two.acme.begin().await.unwrap();
    assert!(failed.query("SELECT 1 / 0").execute().await.is_err());
    drop(failed);
    assert_apart(&two).await;
    for store in [&two.acme, &two.globex] {
        let setting = store.read(SETTING).fetch_one::<String>().await.unwrap();
        assert_eq!(setting, store.tenant().to_string());
    }
    // The control plane has connections of its own, which never had one.
    let control = ControlStore::open(two.scratch.location()).await.unwrap();
    assert_eq!(control.read(SETTING).fetch_one::<String>().await.unwrap(), "");
}

#[tokio::test]
async fn a_request_given_up_half_way_leaves_nothing_to_the_next() {
    let two = two().await;
    const SLOW: &str = "SELECT COUNT(*) AS value FROM conversation, pg_sleep(0.05)";
    for n in 0..30_u64 {
        let patience = std::time::Duration::from_millis(n % 6);
        let mut tx = two.acme.begin().await.unwrap();
        let _ = tokio::time::timeout(patience, tx.query(SLOW).fetch_one::<i64>()).await;
        drop(tx);
        let _ = tokio::time::timeout(patience, two.acme.read(SLOW).fetch_one::<i64>()).await;
        let _ = tokio::time::timeout(patience, two.acme.begin()).await;
        assert_eq!(seen(&two.globex).await, ["of globex"]);
    }
    insert(&two.acme, two.acme.tenant(), "c2", "of acme").await.unwrap();
}

#[tokio::test]
async fn without_a_tenant_no_row_is_there() {
    let two = two().await;
    let mut tx = two.acme.begin().await.unwrap();
    tx.query("SELECT set_config('seam.tenant_id', '', TRUE) AS value").fetch_one::<String>().await.unwrap();
    assert_eq!(tx.query(COUNT).fetch_one::<i64>().await.unwrap(), 0);
    const NOBODYS: &str = "
        INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at)
        VALUES ('', 'c1', 'somebody', 'of nobody', 1, 1)";
    assert!(tx.query(NOBODYS).execute().await.is_err());
}

#[tokio::test]
async fn the_role_that_works_may_do_no_more_than_change_rows() {
    let two = two().await;
    for forbidden in [
        "ALTER TABLE conversation DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE conversation NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY one_tenant ON conversation",
        "CREATE POLICY everybody ON conversation USING (TRUE)",
        "DROP TABLE run_event",
        "TRUNCATE run_event",
        "CREATE TABLE mine (id INTEGER)",
        "CREATE FUNCTION mine() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW everything AS SELECT * FROM conversation",
        "SET SESSION AUTHORIZATION postgres",
        "UPDATE _sqlx_migrations SET version = 9999",
        "SELECT 1 FROM control.account",
        "COPY conversation TO PROGRAM 'cat'",
        "SELECT pg_read_file('PG_VERSION')",
    ] {
        assert!(two.acme.write(forbidden).execute().await.is_err(), "{forbidden}");
    }
    assert_apart(&two).await;
}

/// To work as the login is the most that a second statement of one transaction could get: row level security binds
/// it as well, and the connection goes back as it came.
#[tokio::test]
async fn working_as_the_login_neither_shows_more_nor_lasts() {
    let two = two().await;
    for widen in ["RESET ROLE", "SET ROLE NONE", "SELECT set_config('role', 'none', FALSE)", "SET row_security = off"] {
        let mut tx = two.acme.begin().await.unwrap();
        tx.query(widen).execute().await.unwrap();
        // With row_security off PostgreSQL refuses what it would have to filter.
        let found = tx.query(COUNT).fetch_one::<i64>().await;
        assert!(matches!(found, Ok(1) | Err(_)), "{widen}: {found:?}");
        if found.is_ok() {
            tx.commit().await.unwrap();
        }
        assert_apart(&two).await;
        const WHO: &str = "SELECT current_user::text AS value";
        for _ in 0..6 {
            assert_eq!(two.globex.read(WHO).fetch_one::<String>().await.unwrap(), "seam_tenant", "{widen}");
        }
    }
}

/// The known limit (docs/adr/0007): a setting is a setting, and whoever can write a whole statement can name another
/// tenant in it. No statement of Seam's is put together at run time; this says how far one that were would reach: as
/// far as itself. Should PostgreSQL ever refuse it, so much the better: then the limit goes from the record.
#[tokio::test]
async fn a_statement_that_names_another_tenant_reaches_no_further_than_itself() {
    let two = two().await;
    const SWITCH: &str = "
        WITH switched AS MATERIALIZED (SELECT set_config('seam.tenant_id', $1, TRUE) AS tenant)
        SELECT title AS value FROM switched, conversation WHERE conversation.tenant_id = switched.tenant";
    let reached = two.acme.read(SWITCH).bind(two.globex.tenant()).fetch_all::<String>().await.unwrap();
    assert_eq!(reached, ["of globex"]);
    assert_apart(&two).await;
}

#[tokio::test]
async fn accounts_cannot_be_reached_from_the_tenant_plane_nor_conversations_from_the_control_plane() {
    let two = two().await;
    for table in ["account", "provider", "ledger_attempt", "browser_session"] {
        let sql: &'static str = Box::leak(format!("SELECT COUNT(*) AS value FROM control.{table}").into_boxed_str());
        assert!(two.acme.read(sql).fetch_one::<i64>().await.is_err(), "{table}");
    }
    let control = ControlStore::open(two.scratch.location()).await.unwrap();
    assert!(control.read("SELECT COUNT(*) AS value FROM tenant.conversation").fetch_one::<i64>().await.is_err());
}

#[tokio::test]
async fn a_table_that_lost_its_protection_keeps_the_store_shut() {
    let two = two().await;
    let mut owner = two.acme.begin().await.unwrap();
    owner.query("RESET ROLE").execute().await.unwrap();
    owner.query("ALTER TABLE tenant.message NO FORCE ROW LEVEL SECURITY").execute().await.unwrap();
    owner.commit().await.unwrap();
    two.stores.close().await;
    let error = TenantStores::new(two.scratch.location()).prepare().await.unwrap_err().to_string();
    assert!(error.contains("tenant.message") && error.contains("row level security"), "{error}");
    let facts = store::inspect_server(two.scratch.location()).await.unwrap().unwrap();
    assert_eq!(facts.unprotected, ["message"]);
}
