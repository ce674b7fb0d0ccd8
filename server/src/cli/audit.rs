//! `seam audit export|verify`: a log of changes as a file, and whether such a file, or what is here, is as it was written.

use super::{Failure, print_json, workbench};
use crate::config::Config;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};
use tenancy::{ChainCheck, ChainReport, OperatorScope, SealedEntry, audit_owner};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Audits {
    /// Writes a whole log of changes to standard output, an entry a line, with the hashes it is verified by
    Export {
        /// The tenant whose log it is; the platform's unless given
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Checks a log that was exported, entry by entry; needs no database
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The file; - reads standard input
    file: PathBuf,
    /// Also says whether the log of this installation still begins with these entries
    #[arg(long)]
    live: bool,
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

impl Audits {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        match self {
            Self::Export { tenant } => export(&config, tenant.as_deref()).await,
            Self::Verify(verify) => verify.run(&config).await,
        }
    }
}

async fn export(config: &Config, tenant: Option<&str>) -> Result<(), Failure> {
    let tenancy = workbench::open(config).await?;
    let operator = OperatorScope::command_line();
    let management = match tenant {
        Some(tenant) => Some(tenancy.management(&operator, tenant).await?),
        None => None,
    };
    let mut after = 0;
    loop {
        let page = match &management {
            Some(management) => tenancy.audit_export(management, after).await?,
            None => tenancy.audit_export_of_platform(&operator, after).await?,
        };
        let Some(last) = page.last() else { break };
        after = last.entry.seq;
        let mut lines = String::new();
        for entry in &page {
            lines.push_str(&serde_json::to_string(entry).map_err(|error| Failure::new(error.to_string()))?);
            lines.push('\n');
        }
        match io::stdout().write_all(lines.as_bytes()) {
            // Whoever read it has enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written.map_err(|error| Failure::new(format!("the log cannot be written: {error}")))?,
        }
    }
    tenancy.control().close().await;
    Ok(())
}

impl Verify {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        let file = self.file.clone();
        let report = tokio::task::spawn_blocking(move || check(&file)).await;
        let report = report.map_err(|error| Failure::new(error.to_string()))??;
        let (shown, whose) = (self.file.display(), audit_owner(&report.chain));
        let mut fault = report.broken_at.map(|at| {
            format!(
                "{shown}: entry {at} of {whose} was altered, or one before it is missing; the {} before it are sound",
                at - 1
            )
        });
        if self.live && fault.is_none() {
            fault = differs(config, &report).await?;
        }
        if self.json {
            print_json(&json!({
                "ok": fault.is_none(), "chain": report.chain, "entries": report.entries, "last_hash": report.last_hash,
                "broken_at": report.broken_at, "fault": fault,
            }));
        }
        match fault {
            Some(_) if self.json => Err(Failure::told()),
            Some(fault) => Err(Failure::new(fault)
                .remedy("compare with a backup, or with another export, to see what changed".to_owned())),
            None if self.json => Ok(()),
            None => {
                let live = if self.live { "; the log here begins with them" } else { "" };
                println!(
                    "{} entries of {whose}, all unbroken{live}. The last has the hash {}",
                    report.entries, report.last_hash
                );
                Ok(())
            }
        }
    }
}

/// An entry, and nothing beside it: no hash covers a field that was put in.
fn entry(line: &str) -> Result<SealedEntry, String> {
    let told: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let entry: SealedEntry = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&entry).map_err(|error| error.to_string())?;
    let unknown = told.as_object().into_iter().flatten().find(|(name, _)| known.get(name.as_str()).is_none());
    match unknown {
        Some((name, _)) => Err(format!("it has a field “{name}”, which no log has")),
        None => Ok(entry),
    }
}

/// Every line in its order. What is no entry is named with its line.
fn check(path: &Path) -> Result<ChainReport, Failure> {
    let cannot = |error: io::Error| Failure::new(format!("{} cannot be read: {error}", path.display()));
    let source: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(path).map_err(cannot)?))
    };
    let mut check: Option<ChainCheck> = None;
    for (number, line) in source.lines().enumerate() {
        let at = || format!("{}, line {}", path.display(), number + 1);
        let entry = entry(&line.map_err(cannot)?).map_err(|what| {
            Failure::new(format!("{}: no entry of a log ({what})", at())).remedy(MAKE_ONE.to_owned())
        })?;
        let check = check.get_or_insert_with(|| ChainCheck::new(entry.chain.clone()));
        if entry.chain != check.report().chain {
            return Err(Failure::new(format!(
                "{}: an entry of {} in a log of {}",
                at(),
                audit_owner(&entry.chain),
                audit_owner(&check.report().chain)
            )));
        }
        if !check.take(&entry) {
            break;
        }
    }
    let empty = || Failure::new(format!("{} has no entry", path.display())).remedy(MAKE_ONE.to_owned());
    Ok(check.ok_or_else(empty)?.into_report())
}

const MAKE_ONE: &str = "a log is exported by: seam audit export, or by Download in the console";

/// How the log of this installation differs from a sound one that was exported from it.
async fn differs(config: &Config, exported: &ChainReport) -> Result<Option<String>, Failure> {
    let tenancy = workbench::open(config).await?;
    let operator = OperatorScope::command_line();
    let before = exported.entries - 1;
    let found = if exported.chain.is_empty() {
        tenancy.audit_export_of_platform(&operator, before).await?
    } else {
        let management = tenancy.management(&operator, &exported.chain).await?;
        tenancy.audit_export(&management, before).await?
    };
    tenancy.control().close().await;
    let same = found.first().is_some_and(|entry| entry.hash == exported.last_hash);
    Ok((!same).then(|| {
        let whose = audit_owner(&exported.chain);
        format!("the log of {whose} here does not have entry {} as it was exported", exported.entries)
    }))
}
