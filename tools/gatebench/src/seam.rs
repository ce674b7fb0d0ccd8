//! Seam itself: the binary, in a directory of its own, without local models.

use crate::upstream::Upstream;
use anyhow::{Context, Result, bail};
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const KEY: &str = "sk-seam-bench0123456789abcdefghijklmnopqrstuvwx";

pub struct Seam {
    /// With `/v1`.
    pub url: String,
    pub key: String,
    process: Child,
    _dir: TempDir,
}

impl Seam {
    pub async fn start(binary: &str, upstream: &Upstream) -> Result<Self> {
        let binary = fs::canonicalize(binary).context(format!("there is no {binary}; build it first: make build"))?;
        let dir = tempfile::tempdir()?;
        let resources = format!(
            "[[tenant]]\nname = \"acme\"\n\
             [[api_key]]\ntenant = \"acme\"\nname = \"bench\"\nsecret_env = \"BENCH_KEY\"\n\
             [[provider]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"{}\"\napi_key = \"sk-upstream\"\n\
             [[model]]\nname = \"m\"\ntargets = [{{ provider = \"up\", model = \"m\" }}]\n\
             [[model]]\nname = \"paced\"\ntargets = [{{ provider = \"up\", model = \"paced\" }}]\n\
             [[price]]\nprovider = \"up\"\nmodel = \"m\"\ninput = \"1\"\noutput = \"1\"\neffective_from = \"2026-01-01T00:00:00Z\"\n",
            upstream.url
        );
        fs::write(dir.path().join("bench.toml"), resources)?;
        let address = {
            let free = std::net::TcpListener::bind("127.0.0.1:0")?;
            free.local_addr()?
        };
        let command = || {
            let mut command = Command::new(&binary);
            command.current_dir(dir.path()).env_clear().env("BENCH_KEY", KEY).env("SEAM_LOG", "warn");
            command.env("SEAM_LISTEN", address.to_string()).stdout(Stdio::null());
            command
        };
        let applied = command().args(["apply", "-f", "bench.toml"]).status()?;
        if !applied.success() {
            bail!("the resources of the benchmark were not applied");
        }
        let process = command().arg("serve").spawn()?;
        let seam = Self { url: format!("http://{address}/v1"), key: KEY.to_owned(), process, _dir: dir };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                bail!("Seam did not start within 30 s");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(seam)
    }

    /// As the kernel counts it.
    pub fn resident_mb(&self) -> Result<u16> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(u16::try_from(kilobytes / 1024)?)
    }
}

impl Drop for Seam {
    fn drop(&mut self) {
        // It is gone either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
