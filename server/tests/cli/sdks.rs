//! Official SDKs against the binary, as a developer uses them.

use crate::{
    skilled,
    support::{Serving, free_address, run, seam, stderr, stdout, succeed},
};
use std::{fs, process::Command};
use uuid::Uuid;

/// Models of a provider that speaks no dialect, and the same ones once more through Seam's own `/v1`, in either dialect.
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
options = { tokens = 12, tokens_per_second = 400 }
# A place each, so that none has seen so many failures that it is left alone.
[[provider]]
name = "sim-2"
kind = "simulated"
[[provider]]
name = "sim-3"
kind = "simulated"
[[model]]
name = "flaky-2"
targets = [{ provider = "sim-2", model = "sim-cut" }]
[[model]]
name = "flaky-3"
targets = [{ provider = "sim-3", model = "sim-cut" }]
[[provider]]
name = "chain"
kind = "openai"
base_url = "http://ADDRESS/v1"
api_key_env = "SDK_KEY"
max_retries = 0
[[provider]]
name = "claude-chain"
kind = "anthropic"
base_url = "http://ADDRESS"
api_key_env = "SDK_KEY"
max_retries = 0
[[model]]
name = "sim"
targets = [{ provider = "sim", model = "sim" }]
[[model]]
name = "flaky"
targets = [{ provider = "sim", model = "sim-cut" }]
[[model]]
name = "chained"
targets = [{ provider = "chain", model = "sim" }]
[[model]]
name = "chained-flaky"
targets = [{ provider = "chain", model = "flaky-2" }]
[[model]]
name = "claude-chained"
targets = [{ provider = "claude-chain", model = "sim" }]
[[model]]
name = "claude-chained-flaky"
targets = [{ provider = "claude-chain", model = "flaky-3" }]
"#;

/// The same provider in three dialects, which can do all that they have words for.
const SKILLED: &str = r#"
[[tenant]]
name = "acme"
[[api_key]]
tenant = "acme"
name = "sdk"
secret_env = "SDK_KEY"
[[provider]]
name = "gpt"
kind = "openai"
base_url = "http://SKILLED/v1"
api_key = "sk-of-the-test"
[[provider]]
name = "claude"
kind = "anthropic"
base_url = "http://SKILLED"
api_key = "sk-of-the-test"
[[provider]]
name = "gemini"
kind = "gemini"
base_url = "http://SKILLED/v1beta"
api_key = "sk-of-the-test"
[[model]]
name = "gpt"
targets = [{ provider = "gpt", model = "gpt-of-the-test" }]
[[model]]
name = "claude"
targets = [{ provider = "claude", model = "claude-of-the-test" }]
[[model]]
name = "gemini"
targets = [{ provider = "gemini", model = "gemini-of-the-test" }]
"#;

/// Runs a script of checks, by the program that reads it, against a server with these models.
fn holds(program: &str, checks: &str) {
    let address = free_address().to_string();
    hold(program, checks, &MODELS.replace("ADDRESS", &address), &address);
}

/// The same where the providers can do all that is asked for.
fn holds_with_skills(program: &str, checks: &str) {
    let models = SKILLED.replace("SKILLED", &skilled::start().to_string());
    hold(program, checks, &models, &free_address().to_string());
}

fn hold(program: &str, checks: &str, models: &str, address: &str) {
    let dir = tempfile::tempdir().unwrap();
    let key = format!("sk-seam-{}{}", Uuid::now_v7().simple(), Uuid::now_v7().simple());
    fs::write(dir.path().join("models.toml"), models).unwrap();
    succeed(seam(dir.path()).args(["apply", "-f", "models.toml"]).env("SDK_KEY", &key));
    let serving = Serving::start(dir.path(), &[("SEAM_LISTEN", address)]);
    let mut command = Command::new(program);
    command.arg(format!("{}/{checks}", env!("CARGO_MANIFEST_DIR")));
    command.env("SEAM_URL", format!("http://{}", serving.address)).env("SEAM_KEY", &key);
    let done = run(&mut command);
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
}

fn python() -> String {
    std::env::var("SEAM_TEST_SDKS").expect("SEAM_TEST_SDKS names a Python with the SDKs: scripts/sdks.sh")
}

#[test]
fn the_official_openai_package_finds_what_it_expects() {
    holds(&python(), "tests/sdk/openai_package.py");
}

#[test]
fn the_official_anthropic_package_finds_what_it_expects() {
    holds(&python(), "tests/sdk/anthropic_package.py");
}

#[test]
fn the_official_openai_package_for_javascript_finds_what_it_expects() {
    // Beside the packages that it needs.
    holds("node", "../end2end/sdk/openai_package.mjs");
}

#[test]
fn the_official_openai_package_gets_all_that_providers_can_do() {
    holds_with_skills(&python(), "tests/sdk/openai_skills.py");
}

#[test]
fn the_official_anthropic_package_gets_all_that_providers_can_do() {
    holds_with_skills(&python(), "tests/sdk/anthropic_skills.py");
}

#[test]
fn the_official_openai_package_for_javascript_gets_all_that_providers_can_do() {
    holds_with_skills("node", "../end2end/sdk/openai_skills.mjs");
}
