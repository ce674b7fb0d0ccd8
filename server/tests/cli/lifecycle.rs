//! `seam tenant export|import|delete`, and what is left of them when they are killed.

use crate::support::{Serving, run, seam, stderr, stdout, succeed};
use lifecycle::Certificate;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use store::{Location, TenantStores};
use tenancy::OperatorScope;
use testbase::Scratch;

const MARKER: &str = "marker-of-acme-91c2";
const MESSAGES: usize = 2_500;
const CONVERSATION: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, created_at, updated_at) VALUES ($1, 'c', 'a', $2, 1, 2)";
const MESSAGE: &str = "
INSERT INTO message (tenant_id, id, conversation_id, role, status, content, created_at)
VALUES ($1, $2, 'c', 'user', 'complete', $3, 3)";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The tenant acme with a member, a key and a long conversation; and a neighbour.
async fn furnish(seam: &dyn Fn() -> Command, location: &Location) {
    let acme = json(&succeed(seam().args(["tenant", "create", "acme", "--display-name", MARKER, "--json"])));
    let mut user = seam();
    user.args(["user", "create", &format!("ada-{MARKER}@seam.test"), "--tenant", "acme", "--role", "admin"]);
    succeed(user.args(["--password-env", "ADA"]).env("ADA", "correct horse battery"));
    succeed(seam().args(["key", "create", MARKER, "--tenant", "acme"]));
    succeed(seam().args(["tenant", "create", "umbrella"]));
    let stores = TenantStores::new(location);
    let id = acme["id"].as_str().unwrap().parse().unwrap();
    let store = OperatorScope::command_line().tenant_plane(&stores, id).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.query(CONVERSATION).bind(id).bind(MARKER).execute().await.unwrap();
    for number in 0..MESSAGES {
        let message = tx.query(MESSAGE).bind(id).bind(format!("m{number}"));
        message.bind(format!("{MARKER} {number} {}", "so it goes on ".repeat(20))).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
    drop(store);
    stores.close().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Files below a directory that hold this text.
fn mentions(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(mentions(&path, text));
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Runs it and kills it after so long; whether it had ended by itself.
fn killed_after(mut command: Command, time: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(time);
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

fn took(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// The content of the tenant, by way of an archive that is thrown away; but for its log, which tells of each export.
fn content(seam: &dyn Fn() -> Command, directory: &Path) -> String {
    let file = directory.join("content.seam");
    let exported = json(&succeed(seam().args(["tenant", "export", "acme", "--json", "--to"]).arg(&file)));
    std::fs::remove_file(file).unwrap();
    let tables = exported["manifest"]["tables"].as_array().unwrap();
    let own = tables.iter().filter(|table| table["own"] == true && table["name"] != "audit_entry");
    own.map(|table| format!("{} {}\n", table["name"], table["sha256"])).collect()
}

fn certificate(text: &str) -> Certificate {
    let certificate: Certificate = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(certificate.is_genuine());
    assert!(certificate.places.iter().any(|place| place.rows == Some(MESSAGES as u64)), "{certificate}");
    certificate
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_exported_copied_and_deleted_by_command() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let command = || seam(dir);
    furnish(&command, &Location::files(dir.join("data"))).await;
    assert!(succeed(command().args(["tenant", "export", "acme", "--to", "acme.seam"])).contains("acme was written to"));
    let twice = run(command().args(["tenant", "export", "acme", "--to", "acme.seam"]));
    assert!(stderr(&twice).contains("“acme.seam” exists already"), "{}", stderr(&twice));
    let again = run(command().args(["tenant", "import", "acme.seam"]));
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("to do: import it under another name: --as NAME"), "{}", stderr(&again));
    let copied = json(&succeed(command().args(["tenant", "import", "acme.seam", "--as", "acme-two", "--json"])));
    assert_eq!((copied["name"].as_str(), copied["accounts_linked"].as_i64()), (Some("acme-two"), Some(1)));

    let unasked = run(command().args(["tenant", "delete", "acme"]));
    assert_eq!(unasked.status.code(), Some(2));
    assert!(stderr(&unasked).contains("--yes acme"), "{}", stderr(&unasked));
    let wrong = run(command().args(["tenant", "delete", "acme", "--yes", "acme-two"]));
    assert_eq!(wrong.status.code(), Some(1));
    {
        let _serving = Serving::start(dir, &[]);
        let served = run(command().args(["tenant", "delete", "acme", "--yes", "acme"]));
        assert_eq!(served.status.code(), Some(1));
        assert!(stderr(&served).contains("a server runs on this data directory"), "{}", stderr(&served));
    }
    let deleted = succeed(command().args(["tenant", "delete", "acme-two", "--yes", "acme-two", "--json"]));
    // Ada belongs to the first tenant too.
    assert_eq!(certificate(&deleted).accounts, 0);
    let told = succeed(command().args(["tenant", "delete", "acme", "--yes", "acme", "--certificate", "acme.json"]));
    let kept = certificate(&std::fs::read_to_string(dir.join("acme.json")).unwrap());
    assert!(told.contains("Certificate of deletion") && told.contains(&kept.sha256), "{told}");
    assert!(kept.places.iter().any(|place| place.place.starts_with("file tenants/") && place.bytes > Some(0)));
    assert!(mentions(&dir.join("data"), MARKER).is_empty(), "{:?}", mentions(&dir.join("data"), MARKER));
    // Asked again, it says the same.
    let again = run(command().args(["tenant", "delete", "acme", "--yes", "acme", "--json"]));
    assert_eq!(certificate(&stdout(&again)), kept);
    let unknown = run(command().args(["tenant", "delete", "nobody", "--yes", "nobody"]));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stdout(&run(command().arg("doctor"))).contains("all unbroken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_deletion_and_an_import_are_completed_by_the_same_command_on_sqlite() {
    let home = tempfile::tempdir().unwrap();
    let template = home.path().join("template");
    std::fs::create_dir_all(&template).unwrap();
    let command = || seam(&template);
    furnish(&command, &Location::files(template.join("data"))).await;
    let expected = content(&command, &template);
    let archive = home.path().join("acme.seam");
    succeed(command().args(["tenant", "export", "acme", "--to"]).arg(&archive));
    let rounds = 14;

    let fresh = |name: String, from: &Path| {
        let to = home.path().join(name);
        copy(from, &to);
        to
    };
    let delete = |dir: &Path| {
        let mut command = seam(dir);
        command.args(["tenant", "delete", "acme", "--yes", "acme", "--json"]);
        command
    };
    let whole = fresh("whole".to_owned(), &template);
    let time = took(|| drop(succeed(&mut delete(&whole))));
    let mut interrupted = 0;
    for round in 0..rounds {
        let dir = fresh(format!("delete-{round}"), &template);
        interrupted += u32::from(!killed_after(delete(&dir), time * round / (rounds - 1)));
        certificate(&succeed(&mut delete(&dir)));
        let found = mentions(&dir.join("data"), MARKER);
        assert!(found.is_empty(), "round {round}: {found:?}");
        let left = json(&succeed(seam(&dir).args(["tenant", "list", "--json"])));
        assert_eq!(left["tenants"].as_array().unwrap().len(), 1, "the neighbour alone");
    }
    assert!(interrupted >= rounds / 3, "{interrupted} of {rounds} were interrupted");

    let empty = home.path().join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    succeed(seam(&empty).arg("migrate"));
    let import = |dir: &Path| {
        let mut command = seam(dir);
        command.args(["tenant", "import"]).arg(&archive);
        command
    };
    let whole = fresh("imported".to_owned(), &empty);
    let time = took(|| drop(succeed(&mut import(&whole))));
    let mut interrupted = 0;
    for round in 0..rounds {
        let dir = fresh(format!("import-{round}"), &empty);
        interrupted += u32::from(!killed_after(import(&dir), time * round / (rounds - 1)));
        let again = run(&mut import(&dir));
        // Killed after its last word to the database it had happened.
        assert!(again.status.success() || stderr(&again).contains("exists already"), "{}", stderr(&again));
        assert_eq!(content(&|| seam(&dir), &dir), expected, "round {round}");
    }
    assert!(interrupted >= rounds / 3, "{interrupted} of {rounds} were interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_they_are_completed_on_postgres_too() {
    let scratch = Scratch::on(testbase::Engine::Postgres).await.unwrap();
    let command = || {
        let mut command = seam(scratch.dir());
        command.env("SEAM_DATABASE_URL", scratch.url().unwrap());
        command
    };
    furnish(&command, scratch.location()).await;
    let expected = content(&command, scratch.dir());
    let archive = scratch.dir().join("acme.seam");
    succeed(command().args(["tenant", "export", "acme", "--to"]).arg(&archive));
    let delete = || {
        let mut command = command();
        command.args(["tenant", "delete", "acme", "--yes", "acme", "--abandon-answers", "--json"]);
        command
    };
    let import = || {
        let mut command = command();
        command.args(["tenant", "import"]).arg(&archive);
        command
    };
    let delete_time = took(|| drop(succeed(&mut delete())));
    let import_time = took(|| drop(succeed(&mut import())));
    let rounds = 8;
    for round in 0..rounds {
        killed_after(delete(), delete_time * round / (rounds - 1));
        certificate(&succeed(&mut delete()));
        std::fs::rename(&archive, scratch.dir().join("elsewhere")).unwrap();
        let tables = scratch.mentions(MARKER).await.unwrap();
        std::fs::rename(scratch.dir().join("elsewhere"), &archive).unwrap();
        assert!(tables.iter().all(|place| place.contains("elsewhere")), "round {round}: {tables:?}");
        killed_after(import(), import_time * round / (rounds - 1));
        let again = run(&mut import());
        assert!(again.status.success() || stderr(&again).contains("exists already"), "{}", stderr(&again));
        assert_eq!(content(&command, scratch.dir()), expected, "round {round}");
    }
}
