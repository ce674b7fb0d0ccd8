//! The server as a process: what keeps it from starting, and how it ends.

use crate::support::{Serving, run, seam, stderr, succeed};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    time::Duration,
};

const SLOW: &str = r#"
[[provider]]
name = "slow"
kind = "simulated"
options = { tokens = 4000, tokens_per_second = 50 }
[[model]]
name = "slow"
targets = [{ provider = "slow", model = "slow" }]
[[tenant]]
name = "acme"
[[user]]
tenant = "acme"
email = "ada@acme.test"
role = "member"
password_env = "ADA"
"#;

#[test]
fn a_first_start_prints_a_link_that_opens_and_the_second_start_another() {
    let dir = tempfile::tempdir().unwrap();
    let link = |serving: &Serving| {
        let line = serving.said.iter().find(|line| line.contains("/setup/")).unwrap();
        line.split("/setup/").nth(1).unwrap().to_owned()
    };
    let mut serving = Serving::start(dir.path(), &[]);
    let first = link(&serving);
    assert!(serving.ask("GET /healthz HTTP/1.1", "").starts_with("HTTP/1.1 200"));
    assert!(serving.ask(&format!("GET /setup/{first} HTTP/1.1\r\nAccept: text/html"), "").starts_with("HTTP/1.1 200"));
    serving.signal("TERM");
    assert_eq!(serving.ended().0, Some(0));
    assert_ne!(link(&Serving::start(dir.path(), &[])), first);
}

#[test]
fn an_operator_from_the_settings_needs_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let operator = [("SEAM_OPERATOR_EMAIL", "op@seam.test"), ("SEAM_OPERATOR_PASSWORD", "correct horse battery")];
    let serving = Serving::start(dir.path(), &operator);
    assert!(!serving.said.iter().any(|line| line.contains("/setup/")), "{:?}", serving.said);
    let answer = serving.ask(
        "POST /api/ui/sign-in HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
        "email=op@seam.test&password=correct+horse+battery",
    );
    assert!(answer.to_lowercase().contains("set-cookie: seam_session="), "{answer}");
}

#[test]
fn an_occupied_port_is_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(seam(dir.path()).env("SEAM_LISTEN", &address));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("another program listens") && told.contains(&address), "{told}");
    assert!(told.contains("SEAM_LISTEN="), "{told}");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let output = run(seam(dir.path()).env("SEAM_DATA_DIR", dir.path().join("file/data")));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("file/data") && told.contains("SEAM_DATA_DIR"), "{told}");
}

#[test]
fn two_servers_do_not_share_a_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Serving::start(dir.path(), &[]);
    let second = run(seam(dir.path()).env("SEAM_LISTEN", "127.0.0.1:0"));
    assert_eq!(second.status.code(), Some(1));
    let told = stderr(&second);
    assert!(told.contains("another Seam serves from this data directory"), "{told}");
    assert!(told.contains("one PostgreSQL database") && told.contains("SEAM_DATABASE_URL"), "{told}");
    // Commands beside it work all the same.
    succeed(seam(dir.path()).args(["tenant", "create", "acme"]));
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    succeed(seam(dir.path()).arg("migrate"));
    let key = dir.path().join("data/master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(seam(dir.path()).env("SEAM_LISTEN", "127.0.0.1:0"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
}

/// Signs in, asks the slow model, and begins to read the answer's events.
struct Reading {
    lines: std::io::Lines<BufReader<std::net::TcpStream>>,
}

impl Reading {
    fn begin(serving: &Serving) -> Self {
        let signed_in = serving.ask(
            "POST /api/ui/sign-in HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
            "email=ada@acme.test&password=correct+horse+battery",
        );
        let cookie = signed_in.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap().to_owned();
        let message = r#"{"message":{"conversation":null,"text":"hello","model":"slow"}}"#;
        let head = format!("POST /api/ui/message-send HTTP/1.1\r\nCookie: {cookie}\r\nContent-Type: application/json");
        let started = serving.ask(&head, message);
        let run = started.split("\"run\":\"").nth(1).unwrap_or_else(|| panic!("{started}")).split('"').next().unwrap();
        let head = format!("GET /api/v1/runs/{run}/events HTTP/1.1\r\nCookie: {cookie}");
        let mut reading = Self { lines: BufReader::new(serving.connect(&head, "")).lines() };
        reading.until("event: delta");
        reading
    }

    /// Reads on to a line; all lines up to it.
    fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut read = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            read.push(line.clone());
            if line == wanted {
                return read;
            }
        }
        panic!("no {wanted} in {read:?}");
    }

    /// Reads to the end of the stream.
    fn rest(self) -> Vec<String> {
        self.lines.map_while(Result::ok).collect()
    }
}

fn with_slow_model(dir: &Path) {
    fs::write(dir.join("slow.toml"), SLOW).unwrap();
    succeed(seam(dir).args(["apply", "-f", "slow.toml"]).env("ADA", "correct horse battery"));
}

#[test]
fn a_stop_in_the_middle_of_an_answer_ends_it_with_a_typed_event() {
    let dir = tempfile::tempdir().unwrap();
    with_slow_model(dir.path());
    let mut serving = Serving::start(dir.path(), &[("SEAM_SHUTDOWN_SECONDS", "1")]);
    let mut reading = Reading::begin(&serving);
    serving.signal("TERM");
    reading.until("event: failed");
    let rest = reading.rest().join("\n");
    assert!(rest.contains("shutting_down"), "{rest}");
    let (status, took) = serving.ended();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_second_signal_does_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    with_slow_model(dir.path());
    let mut serving = Serving::start(dir.path(), &[("SEAM_SHUTDOWN_SECONDS", "600")]);
    let mut reading = Reading::begin(&serving);
    serving.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    serving.signal("INT");
    reading.until("event: failed");
    let (status, took) = serving.ended();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn after_a_kill_the_next_start_ends_what_was_under_way() {
    let dir = tempfile::tempdir().unwrap();
    with_slow_model(dir.path());
    let mut serving = Serving::start(dir.path(), &[]);
    let _reading = Reading::begin(&serving);
    serving.signal("KILL");
    serving.ended();
    let serving = Serving::start(dir.path(), &[]);
    assert!(serving.ask("GET /readyz HTTP/1.1", "").starts_with("HTTP/1.1 200"));
    // Another message in the same conversation would be refused while a run counted as running.
    Reading::begin(&serving);
}
