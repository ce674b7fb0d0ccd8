//! What a store promises whatever stands above it and whichever engine lies below.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the capability itself must make one

use contract::{TenantId, Timestamp};
use std::time::Duration;
use store::{ControlStore, FromRow, Row, StoreError, TenantAccess, TenantStore, TenantStores, Transaction};
use testbase::on_each_engine;
use tokio::{task::JoinSet, time::timeout};

const CONVERSATION_INSERT: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $5)";
const TITLES: &str = "SELECT title AS value FROM conversation WHERE tenant_id = $1 ORDER BY title";
const PLAN_INSERT: &str = "
INSERT INTO plan (name, monthly_fee, included_credit, overage_markup, created_at, updated_at)
VALUES ($1, 0, 0, 1000000, $2, $2)";
const PLAN_NAMES: &str = "SELECT name AS value FROM plan ORDER BY name";
const PLAN_RAISE: &str = "UPDATE plan SET monthly_fee = $2 WHERE name = $1";
const PLAN_FEE: &str = "SELECT monthly_fee AS value FROM plan WHERE name = $1";
const NOW: Timestamp = Timestamp::from_millis(1);

async fn write_conversation(store: &TenantStore, id: &str, title: &str) {
    let insert = store.write(CONVERSATION_INSERT).bind(store.tenant()).bind(id).bind("somebody");
    insert.bind(title).bind(NOW).execute().await.unwrap();
}

async fn titles(store: &TenantStore) -> Vec<String> {
    store.read(TITLES).bind(store.tenant()).fetch_all().await.unwrap()
}

async fn plan_insert(tx: &mut Transaction, name: &str) -> Result<u64, StoreError> {
    tx.query(PLAN_INSERT).bind(name).bind(NOW).execute().await
}

async fn plan_names(control: &ControlStore) -> Vec<String> {
    control.read(PLAN_NAMES).fetch_all().await.unwrap()
}

on_each_engine! {
    async fn each_tenant_sees_its_own_rows(scratch: Scratch) {
        let stores = TenantStores::new(scratch.location());
        let (acme, globex) = (TenantId::new(), TenantId::new());
        let acme = stores.open(TenantAccess::grant(acme)).await.unwrap();
        let globex = stores.open(TenantAccess::grant(globex)).await.unwrap();
        write_conversation(&acme, "c1", "of acme").await;
        write_conversation(&globex, "c1", "of globex").await;
        assert_eq!((titles(&acme).await, titles(&globex).await), (vec!["of acme".into()], vec!["of globex".into()]));
    }

    async fn a_transaction_dropped_without_commit_leaves_nothing(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let mut abandoned = control.begin().await.unwrap();
        plan_insert(&mut abandoned, "abandoned").await.unwrap();
        drop(abandoned);
        let mut kept = control.begin().await.unwrap();
        plan_insert(&mut kept, "kept").await.unwrap();
        kept.commit().await.unwrap();
        assert_eq!(plan_names(&control).await, ["kept"]);
    }

    async fn a_transaction_is_unseen_until_its_commit_and_readers_do_not_wait_for_it(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let mut tx = control.begin().await.unwrap();
        plan_insert(&mut tx, "pro").await.unwrap();
        assert!(timeout(Duration::from_secs(5), plan_names(&control)).await.unwrap().is_empty());
        assert_eq!(tx.query(PLAN_NAMES).fetch_all::<String>().await.unwrap(), ["pro"]);
        tx.commit().await.unwrap();
        assert_eq!(plan_names(&control).await, ["pro"]);
    }

    async fn readers_cannot_write(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let refused = control.read(PLAN_INSERT).bind("sneaky").bind(NOW).execute().await;
        assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
        let stores = TenantStores::new(scratch.location());
        let store = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
        let insert = store.read(CONVERSATION_INSERT).bind(store.tenant()).bind("c1").bind("somebody");
        let refused = insert.bind("sneaky").bind(NOW).execute().await;
        assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    }

    async fn concurrent_writers_queue_instead_of_failing(scratch: Scratch) {
        // Two handles on one database, as `seam apply` beside `seam serve`.
        let open = || ControlStore::open(scratch.location());
        let stores = [open().await.unwrap(), open().await.unwrap()];
        let mut writers = JoinSet::new();
        for n in 0..40 {
            let control = stores[n % 2].clone();
            writers.spawn(async move {
                let mut tx = control.begin().await?;
                plan_insert(&mut tx, &format!("plan-{n:02}")).await?;
                tx.commit().await
            });
        }
        while let Some(written) = writers.join_next().await {
            written.unwrap().unwrap();
        }
        assert_eq!(plan_names(&stores[0]).await.len(), 40);
    }

    async fn what_a_transaction_has_read_still_holds_when_it_writes(scratch: Scratch) {
        let open = || ControlStore::open(scratch.location());
        let stores = [open().await.unwrap(), open().await.unwrap()];
        stores[0].write(PLAN_INSERT).bind("pro").bind(NOW).execute().await.unwrap();
        let mut writers = JoinSet::new();
        for n in 0..20 {
            let control = stores[n % 2].clone();
            writers.spawn(async move {
                let mut tx = control.begin().await?;
                let fee: i64 = tx.query(PLAN_FEE).bind("pro").fetch_one().await?;
                tokio::task::yield_now().await;
                tx.query(PLAN_RAISE).bind("pro").bind(fee + 1).execute().await?;
                tx.commit().await
            });
        }
        while let Some(written) = writers.join_next().await {
            written.unwrap().unwrap();
        }
        assert_eq!(stores[1].read(PLAN_FEE).bind("pro").fetch_one::<i64>().await.unwrap(), 20);
    }

    async fn a_single_write_waits_for_the_transaction_under_way(scratch: Scratch) {
        let open = || ControlStore::open(scratch.location());
        let (one, other) = (open().await.unwrap(), open().await.unwrap());
        one.write(PLAN_INSERT).bind("pro").bind(NOW).execute().await.unwrap();
        let mut tx = one.begin().await.unwrap();
        assert_eq!(tx.query(PLAN_FEE).bind("pro").fetch_one::<i64>().await.unwrap(), 0);
        let foreign = tokio::spawn(async move { other.write(PLAN_RAISE).bind("pro").bind(7).execute().await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(tx.query(PLAN_FEE).bind("pro").fetch_one::<i64>().await.unwrap(), 0);
        assert!(!foreign.is_finished());
        tx.commit().await.unwrap();
        foreign.await.unwrap().unwrap();
        assert_eq!(one.read(PLAN_FEE).bind("pro").fetch_one::<i64>().await.unwrap(), 7);
    }

    async fn one_tenant_does_not_wait_for_another(scratch: Scratch) {
        let stores = TenantStores::new(scratch.location());
        let acme = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
        let globex = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
        let held = acme.begin().await.unwrap();
        timeout(Duration::from_secs(5), write_conversation(&globex, "c1", "free")).await.unwrap();
        drop(held);
    }

    async fn a_writer_that_gives_up_waiting_holds_nobody_up(scratch: Scratch) {
        let open = || ControlStore::open(scratch.location());
        let (one, other) = (open().await.unwrap(), open().await.unwrap());
        let held = one.begin().await.unwrap();
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(50), other.begin()).await.is_err());
        }
        drop(held);
        for store in [&one, &other] {
            let mut tx = timeout(Duration::from_secs(8), store.begin()).await.unwrap().unwrap();
            plan_insert(&mut tx, "pro").await.unwrap();
        }
    }

    async fn a_taken_key_is_a_constraint_error(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let insert = || control.write(PLAN_INSERT).bind("pro").bind(NOW).execute();
        insert().await.unwrap();
        assert!(matches!(insert().await, Err(StoreError::Constraint(_))));
    }

    async fn a_reference_to_nothing_is_a_constraint_error(scratch: Scratch) {
        const MEMBERSHIP_INSERT: &str =
            "INSERT INTO membership (tenant_id, account_id, role, created_at) VALUES ('none', 'nobody', $1, 1)";
        let control = ControlStore::open(scratch.location()).await.unwrap();
        for role in ["admin", "emperor"] {
            let refused = control.write(MEMBERSHIP_INSERT).bind(role).execute().await;
            assert!(matches!(refused, Err(StoreError::Constraint(_))), "{refused:?}");
        }
    }

    async fn a_second_row_where_one_was_asked_for_is_refused_not_passed_over(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let mut tx = control.begin().await.unwrap();
        for name in ["pro", "free"] {
            plan_insert(&mut tx, name).await.unwrap();
        }
        tx.commit().await.unwrap();
        let several = control.read(PLAN_NAMES).fetch_optional::<String>().await;
        assert!(matches!(several, Err(StoreError::Ambiguous(2))), "{several:?}");
        // Nor can what was decided upon it be committed.
        let mut tx = control.begin().await.unwrap();
        assert!(tx.query(PLAN_NAMES).fetch_one::<String>().await.is_err());
        assert!(matches!(tx.commit().await, Err(StoreError::Aborted)));
    }

    async fn a_transaction_ends_as_a_whole_after_a_failure(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let mut tx = control.begin().await.unwrap();
        plan_insert(&mut tx, "pro").await.unwrap();
        assert!(matches!(plan_insert(&mut tx, "pro").await, Err(StoreError::Constraint(_))));
        assert!(matches!(tx.commit().await, Err(StoreError::Aborted)));
        assert!(plan_names(&control).await.is_empty());
        let mut next = control.begin().await.unwrap();
        plan_insert(&mut next, "pro").await.unwrap();
        next.commit().await.unwrap();
    }

    async fn text_is_ordered_by_its_bytes(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        for name in ["a", "B", "é", "z", "Z", "_", "1"] {
            control.write(PLAN_INSERT).bind(name).bind(NOW).execute().await.unwrap();
        }
        assert_eq!(plan_names(&control).await, ["1", "B", "Z", "_", "a", "z", "é"]);
    }

    async fn letters_beyond_ascii_are_neither_raised_nor_lowered(scratch: Scratch) {
        const LIKE: &str = "SELECT title AS value FROM conversation WHERE tenant_id = $1 AND LOWER(title) LIKE $2";
        let stores = TenantStores::new(scratch.location());
        let store = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
        write_conversation(&store, "c1", "ÉCOLE").await;
        let like = |pattern| store.read(LIKE).bind(store.tenant()).bind(pattern).fetch_all::<String>();
        assert_eq!(like("%Écol%").await.unwrap(), ["ÉCOLE"]);
        assert!(like("%école%").await.unwrap().is_empty());
    }

    async fn values_come_back_as_they_went_in(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        for (n, text) in ["", "plain", "ünïcödé 🦀", "quote ' and \\ and \n line"].into_iter().enumerate() {
            let bytes = vec![0, 255, u8::try_from(n).unwrap()];
            let given = Everything { text: text.to_owned(), number: i64::MIN + n as i64, truth: n % 2 == 0, bytes: Some(bytes) };
            assert_eq!(given.stored(&control, n).await, given);
        }
        let given = Everything { text: "no bytes".into(), number: i64::MAX, truth: false, bytes: None };
        assert_eq!(given.stored(&control, 9).await, given);
    }

    async fn numbers_with_fractions_are_exact_and_what_is_none_is_null(scratch: Scratch) {
        // No table has such a column yet; the test brings its own value and type.
        const ECHO: &str = "SELECT CAST($1 AS DOUBLE PRECISION) AS value";
        struct Number(Option<f64>);
        impl FromRow for Number {
            fn from_row(row: &Row) -> Result<Self, StoreError> {
                Ok(Self(row.get("value")?))
            }
        }
        let control = ControlStore::open(scratch.location()).await.unwrap();
        for number in [0.1, -1.5e300, f64::MIN_POSITIVE, f64::INFINITY] {
            assert_eq!(control.read(ECHO).bind(number).fetch_one::<Number>().await.unwrap().0, Some(number));
        }
        assert_eq!(control.read(ECHO).bind(f64::NAN).fetch_one::<Number>().await.unwrap().0, None);
        assert_eq!(control.read(ECHO).bind(None::<f64>).fetch_one::<Number>().await.unwrap().0, None);
    }

    async fn the_character_that_no_text_may_hold_is_replaced(scratch: Scratch) {
        let stores = TenantStores::new(scratch.location());
        let store = stores.open(TenantAccess::grant(TenantId::new())).await.unwrap();
        write_conversation(&store, "c1", "a\0b").await;
        assert_eq!(titles(&store).await, ["a\u{fffd}b"]);
    }

    async fn a_null_is_told_from_a_value(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        control.write(PLAN_INSERT).bind("pro").bind(NOW).execute().await.unwrap();
        const LIMIT: &str = "SELECT requests_per_minute AS value FROM plan";
        assert_eq!(control.read(LIMIT).fetch_one::<Option<i64>>().await.unwrap(), None);
        assert!(matches!(control.read(LIMIT).fetch_one::<i64>().await, Err(StoreError::Column { .. })));
        const MISSING: &str = "SELECT name AS other FROM plan";
        assert!(matches!(control.read(MISSING).fetch_one::<String>().await, Err(StoreError::Column { .. })));
    }

    async fn literals_and_counts_are_numbers_like_others(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        for sql in ["SELECT 7 AS value", "SELECT COUNT(*) + 5 AS value FROM provider JOIN prompt_label ON 1 = 1 JOIN price_version ON 1 = 1", "SELECT LENGTH('abcdefg') AS value"] {
            assert_eq!(control.read(sql).fetch_one::<i64>().await.unwrap(), 7, "{sql}");
        }
    }

    async fn a_new_database_holds_what_seam_comes_with(scratch: Scratch) {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        assert_eq!(control.pending_migrations().await.unwrap(), Vec::<i64>::new());
        const SEED: &str = "SELECT model || ' ' || id || ' ' || input AS value FROM price_version ORDER BY id";
        let prices = control.read(SEED).fetch_all::<String>().await.unwrap();
        assert_eq!(prices, ["smollm2-135m-instruct 1 20000000", "all-minilm-l6-v2 2 2000000"]);
    }
}

/// One value of each type that a table has.
#[derive(Debug, PartialEq)]
struct Everything {
    text: String,
    number: i64,
    truth: bool,
    bytes: Option<Vec<u8>>,
}

impl FromRow for Everything {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            text: row.get("options")?,
            number: row.get("timeout_ms")?,
            truth: row.get("zero_retention")?,
            bytes: row.get("api_key_sealed")?,
        })
    }
}

impl Everything {
    async fn stored(&self, control: &ControlStore, n: usize) -> Self {
        const INSERT: &str = "
            INSERT INTO provider
                (name, kind, api_key_sealed, zero_retention, timeout_ms, max_retries, options, created_at, updated_at)
            VALUES ($1, 'simulated', $2, $3, $4, 0, $5, 0, 0)";
        const READ: &str = "SELECT options, timeout_ms, zero_retention, api_key_sealed FROM provider WHERE name = $1";
        let name = format!("provider-{n}");
        let insert = control.write(INSERT).bind(name.as_str()).bind(self.bytes.clone()).bind(self.truth);
        insert.bind(self.number).bind(self.text.as_str()).execute().await.unwrap();
        control.read(READ).bind(name).fetch_one().await.unwrap()
    }
}
