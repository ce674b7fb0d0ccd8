//! Servers that nobody here wrote, behind the binary: llama.cpp's own with the weights that Seam runs itself, and
//! LiteLLM's proxy for the formats of Anthropic and Google.

use crate::support::{Serving, free_address, run, seam, stderr, stdout, succeed};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long LiteLLM may take: it imports half of Python's index.
const PATIENCE: Duration = Duration::from_secs(180);

const MODELS: &str = r#"
[[tenant]]
name = "acme"
[[api_key]]
tenant = "acme"
name = "sdk"
secret_env = "SDK_KEY"
[[provider]]
name = "sim"
kind = "simulated"
options = { tokens = 12 }
[[provider]]
name = "llama"
kind = "openai"
base_url = "LLAMA/v1"
[[provider]]
name = "llama-vectors"
kind = "openai"
base_url = "VECTORS/v1"
[[provider]]
name = "dead"
kind = "openai"
base_url = "http://DEAD/v1"
max_retries = 0
[[provider]]
name = "claude"
kind = "anthropic"
base_url = "http://LITELLM"
api_key_env = "SDK_KEY"
[[provider]]
name = "gemini"
kind = "gemini"
base_url = "http://LITELLM/v1beta"
api_key_env = "SDK_KEY"
[[model]]
name = "sim"
targets = [{ provider = "sim", model = "sim" }]
[[model]]
name = "local"
targets = [{ provider = "local", model = "smollm2-135m-instruct" }]
[[model]]
name = "local-vectors"
targets = [{ provider = "local", model = "all-minilm-l6-v2" }]
[[model]]
name = "llama"
targets = [{ provider = "llama", model = "smollm2" }]
[[model]]
name = "llama-vectors"
targets = [{ provider = "llama-vectors", model = "minilm" }]
[[model]]
name = "beside-a-dead-one"
targets = [{ provider = "dead", model = "m" }, { provider = "llama", model = "smollm2" }]
[[model]]
name = "claude"
targets = [{ provider = "claude", model = "behind" }]
[[model]]
name = "gemini"
targets = [{ provider = "gemini", model = "behind" }]
[[price]]
provider = "llama"
model = "smollm2"
input = "1"
output = "1"
effective_from = "2026-01-01T00:00:00Z"
"#;

/// What LiteLLM asks in turn: Seam's model that answers the same every time.
const BEHIND: &str = r#"
model_list:
  - model_name: behind
    litellm_params: {model: hosted_vllm/sim, api_base: "http://SEAM/v1", api_key: "KEY"}
general_settings: {master_key: "KEY"}
litellm_settings: {num_retries: 0, request_timeout: 60}
"#;

/// Ends with the test.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn from_environment(name: &str, script: &str) -> PathBuf {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run: export {name}=$({script})")).into()
}

/// llama.cpp's server with a file of weights, and its address.
fn llama(programs: &Path, dir: &Path, weights: &str, more: &[&str]) -> (Other, String) {
    let models = from_environment("SEAM_TEST_MODELS_DIR", "scripts/models.sh");
    let mut command = Command::new(programs.join("python"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upstreams/llama_server.py"));
    command.arg(models.join(weights)).args(more);
    let log = fs::File::create(dir.join(format!("{weights}.log"))).unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let address = BufReader::new(child.stdout.take().unwrap()).lines().next().expect("it says where it is").unwrap();
    (Other(child), address)
}

fn litellm(programs: &Path, dir: &Path, address: SocketAddr, seam: SocketAddr, key: &str) -> Other {
    let config = dir.join("litellm.yaml");
    fs::write(&config, BEHIND.replace("SEAM", &seam.to_string()).replace("KEY", key)).unwrap();
    let mut command = Command::new(programs.join("litellm"));
    command.current_dir(dir).arg("--config").arg(&config).args(["--host", "127.0.0.1", "--telemetry", "False"]);
    command.arg("--port").arg(address.port().to_string()).env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    let log = fs::File::create(dir.join("litellm.log")).unwrap();
    let other = Other(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        let said = || fs::read_to_string(dir.join("litellm.log")).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "LiteLLM did not start: {}", said());
        std::thread::sleep(Duration::from_millis(200));
    }
    other
}

#[test]
fn servers_that_nobody_here_wrote_are_spoken_to_in_their_own_words() {
    let programs = from_environment("SEAM_TEST_UPSTREAMS", "scripts/upstreams.sh");
    let models = from_environment("SEAM_TEST_MODELS_DIR", "scripts/models.sh");
    let dir = tempfile::tempdir().unwrap();
    let (at, other, dead) = (free_address(), free_address(), free_address());
    let key = format!("sk-seam-{}{}", Uuid::now_v7().simple(), Uuid::now_v7().simple());
    let (_llama, llama_at) = llama(&programs, dir.path(), "smollm2-135m-instruct.gguf", &[]);
    let (_vectors, vectors_at) = llama(&programs, dir.path(), "all-minilm-l6-v2.gguf", &["embedding"]);
    let written = MODELS.replace("VECTORS", &vectors_at).replace("LLAMA", &llama_at);
    let written = written.replace("LITELLM", &other.to_string()).replace("DEAD", &dead.to_string());
    fs::write(dir.path().join("models.toml"), written).unwrap();
    succeed(seam(dir.path()).args(["apply", "-f", "models.toml"]).env("SDK_KEY", &key));
    symlink(models, dir.path().join("data/models")).unwrap();
    let serving = Serving::start(dir.path(), &[("SEAM_LISTEN", &at.to_string())]);
    let _litellm = litellm(&programs, dir.path(), other, serving.address, &key);

    let mut command = Command::new(from_environment("SEAM_TEST_SDKS", "scripts/sdks.sh"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/other_servers.py"));
    command.env("SEAM_URL", format!("http://{}", serving.address)).env("SEAM_KEY", &key);
    let done = run(&mut command);
    let log = fs::read_to_string(dir.path().join("litellm.log")).unwrap_or_default();
    let log: String = log.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    assert!(done.status.success(), "{}{}\nLiteLLM said:\n{log}", stdout(&done), stderr(&done));
}
