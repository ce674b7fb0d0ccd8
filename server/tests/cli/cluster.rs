//! Three real processes on one PostgreSQL database, and how to talk to them.

use crate::support::{Serving, run, seam, stdout, succeed};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Lines},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testbase::{Engine, Scratch};

pub const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
pub const PASSWORD: &str = "correct horse battery";
const RESOURCES: &str = r#"
[[provider]]
name = "slow"
kind = "simulated"
options = { tokens = 4000, tokens_per_second = 50 }
[[provider]]
name = "short"
kind = "simulated"
options = { tokens = 120, tokens_per_second = 60 }
[[model]]
name = "slow"
targets = [{ provider = "slow", model = "slow" }]
[[model]]
name = "short"
targets = [{ provider = "short", model = "short" }]
[[tenant]]
name = "acme"
[[user]]
tenant = "acme"
email = "ada@acme.test"
role = "member"
password_env = "PASSWORD"
[[user]]
tenant = "acme"
email = "bob@acme.test"
role = "admin"
password_env = "PASSWORD"
[[user]]
email = "olga@seam.test"
password_env = "PASSWORD"
"#;

/// A node taken for dead is so after at most this: twelve looks half a second apart, and the ending itself.
pub const TAKEN_OVER: Duration = Duration::from_secs(15);
/// What the contract promises of revocations, and what a busy machine may take for a request besides.
pub const REVOKED: Duration = Duration::from_millis(1_000 + 1_000);

/// Nodes on one database, each in a directory of its own.
pub struct Cluster {
    pub nodes: Vec<Serving>,
    pub directories: Vec<TempDir>,
    pub scratch: Scratch,
}

impl Cluster {
    /// Three that start at once.
    pub fn on(scratch: Scratch) -> Self {
        let directories: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let url = scratch.url().unwrap();
        let nodes = thread::scope(|scope| {
            let starts: Vec<_> = directories.iter().map(|dir| scope.spawn(|| start(dir, url))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        Self { nodes, directories, scratch }
    }

    /// The same with people, models and an operator.
    pub async fn prepared() -> Self {
        let scratch = Scratch::on(Engine::Postgres).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("resources.toml"), RESOURCES).unwrap();
        let mut apply = command(&dir, scratch.url().unwrap());
        succeed(apply.args(["apply", "-f", "resources.toml"]).env("PASSWORD", PASSWORD));
        Self::on(scratch)
    }

    pub fn node(&self, number: usize) -> &Serving {
        &self.nodes[number]
    }

    /// `seam` with these arguments, beside the nodes.
    pub fn seam(&self, arguments: &[&str]) -> String {
        let mut command = command(&self.directories[0], self.scratch.url().unwrap());
        succeed(command.args(arguments).env("PASSWORD", PASSWORD))
    }

    /// What `seam doctor` says of a thing.
    pub fn doctor(&self, name: &str) -> String {
        let examined = run(command(&self.directories[0], self.scratch.url().unwrap()).args(["doctor", "--json"]));
        let examined: Value = serde_json::from_str(&stdout(&examined)).unwrap();
        let check = examined["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
        check["detail"].as_str().unwrap().to_owned()
    }
}

pub fn command(dir: &TempDir, url: &str) -> Command {
    let mut command = seam(dir.path());
    command.env("SEAM_DATABASE_URL", url).env("SEAM_MASTER_KEY", KEY);
    command
}

pub fn start(dir: &TempDir, url: &str) -> Serving {
    let settings =
        [("SEAM_DATABASE_URL", url), ("SEAM_MASTER_KEY", KEY), ("SEAM_SHUTDOWN_SECONDS", "1"), ("SEAM_LOG", "error")];
    Serving::start(dir.path(), &settings)
}

pub fn sign_in(node: &Serving, email: &str) -> String {
    let head = "POST /api/ui/sign-in HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let answer = node.ask(head, &format!("email={email}&password={}", PASSWORD.replace(' ', "+")));
    let cookie = answer.split("set-cookie: ").nth(1).unwrap_or_else(|| panic!("{answer}"));
    cookie.split(';').next().unwrap().to_owned()
}

pub fn post(node: &Serving, cookie: &str, endpoint: &str, body: &str) -> String {
    let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    node.ask(&format!("POST /api/ui/{endpoint} HTTP/1.1\r\nCookie: {cookie}\r\nContent-Type: {kind}"), body)
}

/// Asks a model; the ids of the run and the conversation.
pub fn begin(
    node: &Serving,
    cookie: &str,
    model: &str,
    conversation: Option<&str>,
) -> Result<(String, String), String> {
    let conversation = conversation.map_or("null".to_owned(), |id| format!("\"{id}\""));
    let body = format!(r#"{{"message":{{"conversation":{conversation},"text":"hello","model":"{model}"}}}}"#);
    let answer = post(node, cookie, "message-send", &body);
    let id = |name: &str| {
        let after = answer.split(&format!("\"{name}\":\"")).nth(1)?;
        after.split('"').next().map(str::to_owned)
    };
    id("run").zip(id("conversation")).ok_or(answer)
}

pub fn is_signed_in(node: &Serving, cookie: &str) -> bool {
    post(node, cookie, "frame", "{}").starts_with("HTTP/1.1 200")
}

/// A run's events as a node tells them.
pub struct Follower {
    lines: Lines<BufReader<TcpStream>>,
    /// Name and data of each.
    pub seen: Vec<(String, Value)>,
}

impl Follower {
    pub fn new(node: &Serving, cookie: &str, run: &str) -> Self {
        let head = format!("GET /api/v1/runs/{run}/events HTTP/1.1\r\nCookie: {cookie}");
        Self { lines: BufReader::new(node.connect(&head, "")).lines(), seen: Vec::new() }
    }

    /// The next event; none at the end of the stream, which a killed node cuts.
    pub fn next(&mut self) -> Option<&(String, Value)> {
        let mut name = None;
        for line in self.lines.by_ref() {
            let Ok(line) = line else { return None };
            if let Some(event) = line.strip_prefix("event: ") {
                name = Some(event.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
                self.seen.push((name.take().unwrap(), data));
                return self.seen.last();
            }
        }
        None
    }

    pub fn until_it_speaks(mut self) -> Self {
        while self.next().unwrap().0 != "delta" {}
        self
    }

    /// All events, to the end of the stream.
    pub fn all(mut self) -> Vec<(String, Value)> {
        while self.next().is_some() {}
        self.seen
    }
}

pub fn followed(node: &Serving, cookie: &str, run: &str) -> Vec<(String, Value)> {
    Follower::new(node, cookie, run).all()
}

pub fn end(events: &[(String, Value)]) -> &str {
    events.last().map_or("", |event| event.0.as_str())
}

/// Waits until something holds; how long it took.
pub fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}
