//! `seam doctor`: looks at everything a server needs, changes nothing, and says what to do.

use super::{
    Failure,
    lock::{self, DataLock},
    print_json, workbench,
};
use crate::{
    config::{Config, ConfigError},
    isolation::check::{self, ThrowAway, Verdict},
};
use platform::models;
use serde::Serialize;
use std::{net::TcpListener, os::unix::fs::PermissionsExt, path::Path};
use store::{ControlStore, ServerFacts};
use tenancy::{Clock, Seal, SystemClock, Vault};

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
    /// Also tries, with two throw-away tenants, to get at one as the other through the server that serves. It asks the
    /// usual model one short question, and deletes both tenants afterwards
    #[arg(long)]
    isolation: bool,
    /// Where that server is; by default where the settings say
    #[arg(long, requires = "isolation", value_name = "URL")]
    url: Option<String>,
    /// A seal of the audit log that this command printed before: says whether anything that came before it was changed
    #[arg(long, value_name = "NUMBER:HASH")]
    audit_seal: Option<Seal>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

impl Check {
    fn new(name: &'static str, found: Result<String, String>) -> Self {
        let (ok, detail) = match found {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Self { name, ok, detail }
    }
}

impl Doctor {
    pub async fn run(self, config: Result<Config, ConfigError>) -> Result<(), Failure> {
        let checks = match &config {
            Err(error) => vec![Check::new("settings", Err(error.to_string()))],
            Ok(config) => {
                let mut checks = examine(config, self.audit_seal.as_ref()).await;
                if self.isolation {
                    let url = self.url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
                    checks.push(Check::new("isolation", isolation(config, &url).await));
                }
                checks
            }
        };
        let well = checks.iter().all(|check| check.ok);
        if self.json {
            print_json(&serde_json::json!({ "ok": well, "checks": checks }));
        } else {
            for check in &checks {
                println!("{} {:<12} {}", if check.ok { "✓" } else { "✗" }, check.name, check.detail);
            }
        }
        if well { Ok(()) } else { Err(Failure::told()) }
    }
}

async fn examine(config: &Config, kept: Option<&Seal>) -> Vec<Check> {
    let serving = DataLock::is_held(&config.data_dir);
    vec![
        Check::new("settings", Ok(format!("read; listening on {}", config.listen))),
        Check::new("data", data(config)),
        Check::new("database", database(config).await),
        Check::new("tenants", unfinished(config).await),
        Check::new("audit log", audit(config, kept).await),
        Check::new("master key", master_key(config).await),
        Check::new("nodes", nodes_of(config).await),
        Check::new("models", local_models(config).await),
        Check::new("port", port(config, serving)),
    ]
}

/// Whether somebody of one tenant gets at anything of another, on the installation as it serves.
async fn isolation(config: &Config, url: &str) -> Result<String, String> {
    let tenancy = workbench::open(config).await.map_err(|failure| failure.to_string())?;
    if let Err(error) = check::reach(&tenancy, url).await {
        tenancy.control().close().await;
        return Err(error.to_string());
    }
    let mut made = ThrowAway::default();
    let checked = match check::prepare(&tenancy, &mut made).await {
        Ok(()) => check::check(&tenancy, url, &made).await,
        Err(error) => Err(error),
    };
    let removed = check::remove(&tenancy, url, &made).await;
    tenancy.control().close().await;
    let verdict = checked.map_err(|error| match &removed {
        Ok(()) => error.to_string(),
        Err(_) => format!("{error}; delete what is left: {}", names(&made)),
    })?;
    removed.map_err(|error| format!("{error}; delete what is left: {}", names(&made)))?;
    if let Some(first) = verdict.leaks.first() {
        return Err(format!("{} leaks; the first: {first}", verdict.leaks.len()));
    }
    let Verdict { calls, bytes, markers, .. } = verdict;
    Ok(format!(
        "{calls} calls as a stranger to the tenant, {bytes} bytes read, none of {markers} markers found; both tenants \
         were deleted"
    ))
}

fn names(made: &ThrowAway) -> String {
    made.tenants.iter().map(|(_, slug)| format!("seam tenant delete {slug}")).collect::<Vec<_>>().join(", ")
}

fn data(config: &Config) -> Result<String, String> {
    let dir = config.data_dir.display();
    if !config.data_dir.exists() {
        let parent = config.data_dir.ancestors().skip(1).find(|path| path.is_dir());
        return Ok(format!(
            "{dir} does not exist yet and is made at the first start{}",
            parent.map(|parent| format!(", under {}", parent.display())).unwrap_or_default()
        ));
    }
    match lock::prepare(&config.data_dir) {
        Ok(()) if others_may_enter(&config.data_dir) => {
            Err(format!("{dir} can be entered by other users of this machine; close it: chmod 700 {dir}"))
        }
        Ok(()) => Ok(format!("{dir} can be written to, and is closed to others")),
        Err(_) => Err(format!(
            "{dir} cannot be written to; give this user the right to, or choose another one with SEAM_DATA_DIR"
        )),
    }
}

fn others_may_enter(directory: &Path) -> bool {
    directory.metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

async fn database(config: &Config) -> Result<String, String> {
    let found = store::inspect(&config.database).await.map_err(|error| error.to_string())?;
    for database in &found {
        let name = &database.name;
        if let Some(damage) = database.damage.first() {
            return Err(format!("{name} is damaged ({damage}); restore it from a backup"));
        }
        if !database.unknown.is_empty() {
            return Err(format!("{name} was written by a newer Seam; use that version"));
        }
    }
    let behind = found.iter().filter(|database| !database.pending.is_empty()).count();
    if let Some(server) = store::inspect_server(&config.database).await.map_err(|error| error.to_string())? {
        return shared(&config.database.to_string(), &server, found.len(), behind);
    }
    Ok(match (found.len(), behind) {
        (0, _) => "SQLite; none yet, it is made at the first start".to_owned(),
        (1, 0) => "SQLite; 1 file is sound and at this version".to_owned(),
        (1, _) => "SQLite; 1 file is sound; it is brought to this version at the next start".to_owned(),
        (files, 0) => format!("SQLite; {files} files are sound and at this version"),
        (files, behind) => {
            format!("SQLite; {files} files are sound; {behind} are brought to this version at the next start")
        }
    })
}

const NOT_LOOKED_AT: &str = "not looked at: it needs a sound database at this version";

/// The control plane where it can be opened without changing anything.
async fn control(config: &Config) -> Result<Option<ControlStore>, String> {
    let found = store::inspect(&config.database).await.map_err(|error| error.to_string())?;
    let usable = |one: &store::Inspection| one.damage.is_empty() && one.pending.is_empty() && one.unknown.is_empty();
    if found.is_empty() || !found.iter().all(usable) {
        return Ok(None);
    }
    ControlStore::open(&config.database).await.map(Some).map_err(|error| error.to_string())
}

/// Who serves from the database. Ages are by this machine's clock; the nodes judge each other without one.
async fn nodes_of(config: &Config) -> Result<String, String> {
    let Some(control) = control(config).await? else { return Ok(NOT_LOOKED_AT.to_owned()) };
    let found = nodes::list(&control).await.map_err(|error| error.to_string());
    control.close().await;
    let (found, now) = (found?, SystemClock.now());
    let told = found.iter().map(|node| {
        let age = now.millis_since(node.seen_at).max(0) as f64 / 1000.0;
        format!("{} (version {}, last beat {age:.1} s ago)", node.name, node.version)
    });
    Ok(match found.len() {
        0 => "none serves from this database now".to_owned(),
        1 => format!("1 serves: {}", told.collect::<String>()),
        many => format!("{many} serve together: {}", told.collect::<Vec<_>>().join(", ")),
    })
}

/// Whether a tenant stands half-way in or out.
async fn unfinished(config: &Config) -> Result<String, String> {
    let Some(control) = control(config).await? else { return Ok(NOT_LOOKED_AT.to_owned()) };
    let found = lifecycle::unfinished(&control).await.map_err(|error| error.to_string());
    control.close().await;
    match found?.as_slice() {
        [] => Ok("no import and no deletion is unfinished".to_owned()),
        unfinished => Err(unfinished.join(". ")),
    }
}

/// Whether anybody has touched the log of changes.
async fn audit(config: &Config, kept: Option<&Seal>) -> Result<String, String> {
    let Some(control) = control(config).await? else { return Ok(NOT_LOOKED_AT.to_owned()) };
    let report = tenancy::audit_verify(&control, kept).await.map_err(|error| error.to_string());
    control.close().await;
    let report = report?;
    if let Some(fault) = report.fault() {
        return Err(format!("{fault}; compare with a backup or an exported log to see what changed"));
    }
    let entries: i64 = report.chains.iter().map(|chain| chain.entries).sum();
    let sound = format!("{entries} entries in {} chains, all unbroken", report.chains.len());
    Ok(match (kept, report.seal) {
        (Some(kept), Some(seal)) => {
            format!("{sound}, and nothing before seal {} was changed; now: {seal}", kept.number)
        }
        (None, Some(seal)) => format!("{sound}; keep their seal elsewhere: {seal}"),
        (_, None) => sound,
    })
}

/// PostgreSQL: who is who there, and whether tenants are kept apart.
fn shared(place: &str, server: &ServerFacts, planes: usize, behind: usize) -> Result<String, String> {
    let head = format!("PostgreSQL {} at {place}", server.version);
    if !server.unprotected.is_empty() {
        return Err(format!(
            "{head}: row level security is not forced on {}, so that tenants would see each other's data; restore it \
             from the migrations that made these tables",
            server.unprotected.join(", ")
        ));
    }
    let mut said = vec![match (planes, behind) {
        (0, _) => "no schema yet, the first start makes both".to_owned(),
        (_, 0) if planes == 2 => "both planes are at this version".to_owned(),
        _ => "the next start brings it to this version".to_owned(),
    }];
    if planes > 0 {
        said.push("row level security is forced on every table of the tenant plane".to_owned());
    }
    said.push(match server.missing_roles.as_slice() {
        [] => "works as the roles seam_control and seam_tenant".to_owned(),
        missing => format!("the first start makes the roles {}", missing.join(" and ")),
    });
    let superuser = if server.login_is_superuser { " (a superuser, which is more than Seam needs)" } else { "" };
    said.push(format!("connects as {}{superuser}", server.login));
    Ok(format!("{head}: {}", said.join("; ")))
}

async fn master_key(config: &Config) -> Result<String, String> {
    let generated = config.data_dir.join("master.key");
    let missing = config.master_key.is_none() && config.master_key_file.is_none() && !generated.exists();
    let control = control(config).await?;
    let checked = match &control {
        Some(control) => master_key_of(config, control, missing).await,
        None if missing => Ok(format!("none yet; it is made at the first start as {}", generated.display())),
        None => vault(config).map(|_| "can be used".to_owned()),
    };
    if let Some(control) = control {
        control.close().await;
    }
    checked
}

/// Whether the key is that of the database.
async fn master_key_of(config: &Config, control: &ControlStore, missing: bool) -> Result<String, String> {
    if missing {
        return match Vault::is_needed(control).await {
            Ok(false) => Ok("none yet; it is made at the first start".to_owned()),
            Ok(true) => {
                Err("there is none here, and secrets in the database are sealed under one; set SEAM_MASTER_KEY to \
                             it, or bring the master.key of the first node here"
                    .to_owned())
            }
            Err(error) => Err(error.to_string()),
        };
    }
    match vault(config)?.is_of(control).await {
        Ok(None) => Ok("can be used".to_owned()),
        Ok(Some(true)) => Ok("can be used, and is that of the database".to_owned()),
        Ok(Some(false)) => {
            Err("is not the one under which the secrets in the database are sealed; give every node the \
                                same one with SEAM_MASTER_KEY"
                .to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn vault(config: &Config) -> Result<Vault, String> {
    Vault::open(&config.data_dir, config.master_key.as_deref(), config.master_key_file.as_deref())
        .map_err(|error| error.to_string())
}

async fn local_models(config: &Config) -> Result<String, String> {
    let dir = config.models_dir();
    let verified = tokio::task::spawn_blocking(move || models::verify(&dir)).await;
    match verified {
        Ok(Ok(installed)) => {
            let names: Vec<_> = installed.iter().map(|file| file.weights.name).collect();
            Ok(format!("{} verified", names.join(" and ")))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("could not be verified: {error}")),
    }
}

fn port(config: &Config, serving: bool) -> Result<String, String> {
    match TcpListener::bind(config.listen) {
        Ok(_) => Ok(format!("{} is free", config.listen)),
        Err(_) if serving => {
            Ok(format!("{} is in use by the Seam that serves from this data directory", config.listen))
        }
        Err(error) => {
            Err(format!("{} cannot be used ({error}); choose another address with SEAM_LISTEN", config.listen))
        }
    }
}
