//! Running the binary in a directory of its own, and talking plain HTTP to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The binary with nothing of this process' settings.
pub fn seam(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seam"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SEAM_") || name.ends_with("_API_KEY")) {
        command.env_remove(name);
    }
    command.current_dir(dir).env("SEAM_DATA_DIR", dir.join("data")).env("SEAM_TEST_ALLOW_MISSING_ASSETS", "1");
    command.stdin(Stdio::null());
    command
}

pub fn run(command: &mut Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs and demands success.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A serving Seam; ended with the value.
pub struct Serving {
    pub address: SocketAddr,
    /// What it said until it was ready.
    pub said: Vec<String>,
    child: Child,
}

impl Serving {
    pub fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = seam(dir);
        command.env("SEAM_LISTEN", "127.0.0.1:0").env("SEAM_LOG", "warn").envs(settings.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            let Some(Ok(line)) = lines.next() else {
                let mut error = String::new();
                child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
                panic!("it did not start: {error}");
            };
            said.push(line.clone());
            if line.starts_with("Stop it") {
                break;
            }
        }
        let ready = said.iter().find_map(|line| line.strip_prefix("Seam is ready at http://")).unwrap();
        Self { address: ready.parse().unwrap(), said, child }
    }

    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// Waits for its end; the exit status, and how long it took.
    pub fn ended(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), started.elapsed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }

    /// Sends a request and returns the connection.
    pub fn connect(&self, head: &str, body: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nHost: {}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        );
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    /// Sends a request and returns the whole answer, head and body.
    pub fn ask(&self, head: &str, body: &str) -> String {
        let mut answer = Vec::new();
        // A connection that is cut at the end has still said what it said.
        let _ = self.connect(head, body).read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
