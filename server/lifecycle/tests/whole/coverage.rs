//! Nothing is forgotten: neither a table nor a column that points at what importing gives other numbers.

use crate::world::{World, operator};
use lifecycle::{COVERAGE, Plane, Rows};
use std::collections::BTreeSet;
use store::Table;
use testbase::Engine;

async fn tables(engine: Engine) -> Vec<(Plane, Table)> {
    let world = World::on(engine).await;
    let tenant = world.furnish("acme").await;
    let plane = operator().tenant_plane(&world.stores, tenant.id).await.unwrap();
    let control = world.control.snapshot().await.unwrap().tables().await.unwrap();
    let own = plane.snapshot().await.unwrap().tables().await.unwrap();
    let all = control.into_iter().map(|table| (Plane::Control, table));
    let all = all.chain(own.into_iter().map(|table| (Plane::Tenant, table))).collect();
    drop(plane);
    world.close().await;
    all
}

/// A new table fails this until `coverage.rs` says what becomes of it.
#[tokio::test]
async fn every_table_of_the_schema_is_covered_once_and_none_that_is_not() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let found: BTreeSet<_> =
            tables(engine).await.into_iter().map(|(plane, table)| (plane, table.name().to_owned())).collect();
        let covered: BTreeSet<_> = COVERAGE.iter().map(|line| (line.plane, line.table.to_owned())).collect();
        assert_eq!(covered.len(), COVERAGE.len(), "a table stands there twice");
        assert_eq!(covered, found, "{engine:?}");
    }
}

#[tokio::test]
async fn both_engines_have_the_same_columns_keys_and_references() {
    let told = |tables: Vec<(Plane, Table)>| -> Vec<String> {
        let lines = tables.into_iter().map(|(plane, table)| {
            let columns: Vec<_> =
                table.columns().iter().map(|column| format!("{}:{}", column.name(), column.kind().as_str())).collect();
            let references: Vec<_> = table.references().map(|(column, to)| format!("{column}→{to}")).collect();
            format!("{plane:?} {} {columns:?} {:?} {references:?}", table.name(), table.key())
        });
        lines.collect()
    };
    assert_eq!(told(tables(Engine::Sqlite).await), told(tables(Engine::Postgres).await));
}

/// What gets another number elsewhere is recognised by the name of its column.
#[tokio::test]
async fn whatever_points_at_a_tenant_an_account_or_a_price_has_the_name_that_says_so() {
    for (plane, table) in tables(Engine::Sqlite).await {
        for (column, to) in table.references() {
            let expected = match to {
                "tenant" => "tenant_id",
                "account" => "account_id",
                "price_version" => "price_version",
                _ => continue,
            };
            assert_eq!(column, expected, "{plane:?} {}; teach coverage::meaning", table.name());
        }
    }
}

/// What names a tenant or an account is the operator's only where somebody thought about it.
#[tokio::test]
async fn no_table_with_a_tenant_or_an_account_in_it_is_left_alone() {
    for (plane, table) in tables(Engine::Sqlite).await {
        let line = COVERAGE.iter().find(|line| line.plane == plane && line.table == table.name()).unwrap();
        let names_somebody =
            table.columns().iter().any(|column| ["tenant_id", "account_id", "chain"].contains(&column.name()));
        // A row that goes with its operation; hashes, by which it is noticed that a log was cut off.
        let considered = ["tenant_operation", "audit_seal"].contains(&table.name());
        let is_left = matches!(line.rows, Rows::Operators(_)) && !considered;
        assert!(!(names_somebody && is_left), "{plane:?} {}", table.name());
        if plane == Plane::Tenant {
            assert!(!matches!(line.rows, Rows::Operators(_)), "{}", table.name());
        }
    }
}

#[tokio::test]
async fn the_furnished_tenant_has_something_in_every_table_that_is_carried() {
    let world = World::on(Engine::Sqlite).await;
    world.furnish("acme").await;
    let manifest = world.export("acme", &world.file("acme.seam")).await;
    for table in &manifest.tables {
        assert!(
            table.rows > 0,
            "{}.{}: furnish it in world.rs, or the other tests say nothing of it",
            table.plane,
            table.name
        );
    }
    world.close().await;
}
