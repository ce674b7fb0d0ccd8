//! The same commands on PostgreSQL: one database, no files but the master key.

use crate::support::{run, seam, stderr, stdout, succeed};
use serde_json::Value;
use std::process::Command;
use testbase::Scratch;

fn on(scratch: &Scratch) -> Command {
    let mut command = seam(scratch.dir());
    command.env("SEAM_DATABASE_URL", scratch.url().unwrap());
    command
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn database_check(scratch: &Scratch) -> Value {
    let found = json(&stdout(&run(on(scratch).args(["doctor", "--json"]))));
    let checks = found["checks"].as_array().unwrap().clone();
    checks.into_iter().find(|check| check["name"] == "database").unwrap()
}

#[tokio::test]
async fn an_empty_database_is_migrated_filled_and_examined() {
    let scratch = Scratch::bare_postgres().await.unwrap();
    let before = database_check(&scratch);
    assert!(before["detail"].as_str().unwrap().contains("no schema yet"), "{before}");
    assert!(succeed(on(&scratch).arg("migrate")).contains("A new database was made in postgres://"));
    let again = json(&succeed(on(&scratch).args(["migrate", "--json"])));
    assert_eq!((again["applied"].as_i64(), again["new"].as_bool()), (Some(0), Some(false)));

    succeed(on(&scratch).args(["tenant", "create", "acme"]));
    assert!(succeed(on(&scratch).args(["tenant", "list"])).contains("acme"));
    let mut user = on(&scratch);
    user.args(["user", "create", "ada@acme.test", "--tenant", "acme", "--password-env", "ADA"]);
    succeed(user.env("ADA", "correct horse battery"));
    std::fs::write(
        scratch.dir().join("resources.toml"),
        "[[plan]]\nname = \"pro\"\nmonthly_fee = \"9\"\noverage_markup = \"1\"\n",
    )
    .unwrap();
    assert!(succeed(on(&scratch).args(["apply", "-f", "resources.toml"])).contains("1 created"));

    let after = database_check(&scratch);
    let detail = after["detail"].as_str().unwrap();
    for said in ["PostgreSQL ", "both planes are at this version", "row level security is forced", "seam_tenant"] {
        assert!(detail.contains(said), "{detail}");
    }
    assert!(!scratch.dir().join("data/control.db").exists());
}

#[test]
fn a_database_that_cannot_be_reached_is_told_without_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        run(seam(dir.path()).arg("migrate").env("SEAM_DATABASE_URL", "postgres://seam:hunter2@127.0.0.1:1/seam"));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(
        told.contains("does not answer") && told.contains("SEAM_DATABASE_URL") && !told.contains("hunter2"),
        "{told}"
    );
}
