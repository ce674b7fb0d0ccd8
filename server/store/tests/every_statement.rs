//! Every statement in the sources of every layer can be prepared on both engines, against migrated databases.
//!
//! A statement is a string constant that begins like one. Which plane it is for is found out by trying both; it must
//! be the same on both engines.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the capability itself must make one

use contract::TenantId;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};
use store::{ControlStore, TenantAccess, TenantStores};
use testbase::{Engine, Scratch};

struct Found {
    file: PathBuf,
    name: String,
    sql: String,
}

/// The text behind `const NAME: &str =`, as the compiler reads it.
fn literal(source: &str) -> Option<String> {
    let source = source.trim_start();
    if let Some(raw) = source.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw.get(hashes..)?.strip_prefix('"')?;
        return body.split_once(&format!("\"{}", "#".repeat(hashes))).map(|(text, _)| text.to_owned());
    }
    let mut text = String::new();
    let mut rest = source.strip_prefix('"')?.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                '\n' => while rest.next_if(|char| char.is_whitespace()).is_some() {},
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

fn is_statement(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first)
}

fn statements_in(file: &Path, source: &str) -> Vec<Found> {
    let constants = source.split("const ").skip(1);
    constants
        .filter_map(|after| {
            let (name, value) = after.split_once(": &str =")?;
            let named = !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            let sql = named.then(|| literal(value)).flatten().filter(|text| is_statement(text))?;
            Some(Found { file: file.to_owned(), name: name.to_owned(), sql })
        })
        .collect()
}

/// What the store asks an engine about itself is of no layer.
const OF_THE_STORE_ITSELF: [&str; 3] = ["store/src/postgres", "store/src/exclusive.rs", "store/src/tables"];

/// In `server/src` and in `server/*/src`.
fn all_statements() -> Vec<Found> {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut open: Vec<PathBuf> = std::fs::read_dir(server)
        .unwrap()
        .flatten()
        .map(|entry| if entry.file_name() == "src" { entry.path() } else { entry.path().join("src") })
        .filter(|source| source.is_dir())
        .collect();
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if OF_THE_STORE_ITSELF.iter().any(|own| path.ends_with(own)) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                found.extend(statements_in(path.strip_prefix(server).unwrap(), &source));
            }
        }
    }
    found.sort_by(|one, other| (&one.file, &one.name).cmp(&(&other.file, &other.name)));
    found
}

async fn on_sqlite(connection: &mut SqliteConnection, sql: &str) -> Result<(), String> {
    let prepared = connection.prepare(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.to_owned()))).await;
    prepared.map(drop).map_err(|error| error.to_string())
}

async fn on_postgres(connection: &mut PgConnection, sql: &str) -> Result<(), String> {
    let prepared = connection.prepare(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.to_owned()))).await;
    prepared.map(drop).map_err(|error| error.to_string())
}

/// A connection to each plane: control, tenant.
async fn sqlite_planes(scratch: &Scratch) -> [SqliteConnection; 2] {
    let tenant = TenantId::new();
    ControlStore::open(scratch.location()).await.unwrap().close().await;
    let stores = TenantStores::new(scratch.location());
    stores.open(TenantAccess::grant(tenant)).await.unwrap();
    stores.close().await;
    let open = async |file: PathBuf| SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    [
        open(scratch.dir().join("control.db")).await,
        open(scratch.dir().join("tenants").join(format!("{tenant}.db"))).await,
    ]
}

/// The same, as the roles that work there.
async fn postgres_planes(scratch: &Scratch) -> [PgConnection; 2] {
    let open = async |plane: &str| {
        let options: sqlx::postgres::PgConnectOptions = scratch.url().unwrap().parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        let work = format!("SET ROLE seam_{plane}; SET search_path = {plane}");
        connection.execute(AssertSqlSafe(work)).await.unwrap();
        connection
    };
    [open("control").await, open("tenant").await]
}

#[tokio::test]
async fn every_statement_of_every_layer_is_understood_by_both_engines() {
    let (sqlite, postgres) = (Scratch::on(Engine::Sqlite).await.unwrap(), Scratch::on(Engine::Postgres).await.unwrap());
    let (mut sqlite, mut postgres) = (sqlite_planes(&sqlite).await, postgres_planes(&postgres).await);
    let statements = all_statements();
    assert!(statements.len() > 60, "only {} statements were found", statements.len());
    let mut failures = String::new();
    for Found { file, name, sql } in &statements {
        let [mut in_sqlite, mut in_postgres] = [[false; 2], [false; 2]];
        let mut reasons = Vec::new();
        for (plane, plane_name) in ["control", "tenant"].into_iter().enumerate() {
            let answers = [
                ("SQLite", on_sqlite(&mut sqlite[plane], sql).await, &mut in_sqlite[plane]),
                ("PostgreSQL", on_postgres(&mut postgres[plane], sql).await, &mut in_postgres[plane]),
            ];
            for (engine, answer, understood) in answers {
                *understood = answer.is_ok();
                reasons.extend(answer.err().map(|reason| format!("{engine}, {plane_name}: {reason}")));
            }
        }
        if in_sqlite == [false; 2] || in_sqlite != in_postgres {
            writeln!(failures, "{} {name}:\n    {}", file.display(), reasons.join("\n    ")).unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn statements_are_found_as_the_compiler_reads_them() {
    let source = r###"
        const ONE: &str = "SELECT 1";
        pub(crate) const TWO: &str = "
        UPDATE t SET a = '\\' \
            WHERE b = \"c\"";
        const RAW: &str = r#"DELETE FROM "t""#;
        const NAME: &str = "selected";
        const fn other(name: &str) {}
    "###;
    let found: Vec<_> =
        statements_in(Path::new("x.rs"), source).into_iter().map(|found| (found.name, found.sql)).collect();
    let expected =
        [("ONE", "SELECT 1"), ("TWO", "\n        UPDATE t SET a = '\\' WHERE b = \"c\""), ("RAW", "DELETE FROM \"t\"")];
    assert_eq!(found, expected.map(|(name, sql)| (name.to_owned(), sql.to_owned())));
}
