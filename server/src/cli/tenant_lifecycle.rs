//! `seam tenant export|import|delete`: a tenant as a whole.
//!
//! On SQLite a deletion takes the server's place: while a server runs it holds the tenant's file open. On PostgreSQL
//! both may work side by side.

use super::{Failure, confirm, lock::DataLock, print_json};
use crate::config::Config;
use contract::Slug;
use lifecycle::{Certificate, Doomed, ImportOptions, Lifecycle, Manifest, MissingPlan, Place, UnderWay};
use metering::Metering;
use platform::JOURNAL;
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use store::TenantStores;
use tenancy::{OperatorScope, Tenancy};

/// How long answers that a server is writing are waited for.
const ANSWERS_END: Duration = Duration::from_secs(60);

/// Everything of the tenant goes into the file: its people with the hashes of their passwords, keys, conversations,
/// ledger and log. Keep it as you keep the database. It moves between SQLite and PostgreSQL.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The tenant's short name
    name: Slug,
    /// The file to write; it must not exist yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Prints what is in it as JSON
    #[arg(long)]
    json: bool,
}

/// Restores the tenant whole or not at all. When it is interrupted, the same command completes it. People who have an
/// account here keep it, with their password; nobody becomes an operator by an import.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// What `seam tenant export` wrote
    file: PathBuf,
    /// Another short name than the one in the file
    #[arg(long = "as", value_name = "NAME")]
    name: Option<Slug>,
    /// Creates the tenant's plan from the file where it is missing here
    #[arg(long, conflicts_with = "without_plan")]
    with_plan: bool,
    /// Leaves the tenant without a plan where its plan is missing here
    #[arg(long)]
    without_plan: bool,
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

/// Deletes the tenant with its people (who belong to no other tenant), keys, conversations, ledger and log, for good.
/// When it is interrupted, the same command completes it. On SQLite the server must not run meanwhile.
#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    /// The tenant's short name
    name: Slug,
    /// Does not ask; must be the same name
    #[arg(long, value_name = "NAME")]
    yes: Option<String>,
    /// Also writes the certificate to this file, as JSON; it must not exist yet
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Does not wait for answers that seem to be being written; only when no server runs on this database
    #[arg(long)]
    abandon_answers: bool,
    /// Prints the certificate as JSON
    #[arg(long)]
    json: bool,
}

struct Bench {
    lifecycle: Lifecycle,
    stores: TenantStores,
}

impl Bench {
    fn new(config: &Config, tenancy: &Tenancy) -> Self {
        let stores = TenantStores::new(&config.database);
        let (location, control) = (config.database.clone(), tenancy.control().clone());
        Self { lifecycle: Lifecycle::new(location, control, stores.clone(), tenancy.clone()), stores }
    }
}

fn number(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn summary(manifest: &Manifest) -> String {
    let tables = manifest.tables.iter().filter(|table| table.rows > 0).count() as u64;
    format!("{} from {}", number(manifest.rows(), "row", "rows"), number(tables, "table", "tables"))
}

impl Export {
    pub async fn run(self, config: &Config, tenancy: &Tenancy) -> Result<(), Failure> {
        // A server that runs has its journal in hand, and the table a moment later.
        if !config.database.is_shared()
            && let Ok(_alone) = DataLock::acquire(&config.data_dir)
        {
            recover(config, tenancy).await?;
        }
        let bench = Bench::new(config, tenancy);
        let exported = bench.lifecycle.tenant_export(&OperatorScope::command_line(), &self.name, &self.to).await;
        bench.stores.close().await;
        let manifest = exported?;
        if self.json {
            print_json(&json!({ "file": self.to, "manifest": manifest }));
        } else {
            println!("{} was written to {}: {}.", self.name, self.to.display(), summary(&manifest));
            println!("Its content has the hash {}.", manifest.content_sha256);
        }
        Ok(())
    }
}

impl Import {
    pub async fn run(self, config: &Config, tenancy: &Tenancy) -> Result<(), Failure> {
        let bench = Bench::new(config, tenancy);
        let missing_plan = match (self.with_plan, self.without_plan) {
            (true, _) => MissingPlan::Create,
            (_, true) => MissingPlan::LeaveOut,
            (false, false) => MissingPlan::Refuse,
        };
        let options = ImportOptions { name: self.name, missing_plan };
        let operator = OperatorScope::command_line();
        let imported = bench.lifecycle.tenant_import(&operator, &self.file, options).await;
        bench.stores.close().await;
        let imported = imported?;
        if self.json {
            print_json(&json!({
                "id": imported.tenant,
                "name": imported.slug,
                "content_sha256": imported.manifest.content_sha256,
                "rows": imported.manifest.rows(),
                "accounts_created": imported.accounts_created,
                "accounts_linked": imported.accounts_linked,
                "notes": imported.notes,
            }));
            return Ok(());
        }
        println!("The tenant {} was imported: {}.", imported.slug, summary(&imported.manifest));
        println!(
            "{} created, {} linked to those that were here.",
            number(imported.accounts_created, "account was", "accounts were"),
            number(imported.accounts_linked, "account was", "accounts were")
        );
        for note in &imported.notes {
            println!("Note: {note}.");
        }
        Ok(())
    }
}

impl Delete {
    pub async fn run(self, config: &Config, tenancy: &Tenancy) -> Result<(), Failure> {
        if let Some(file) = self.certificate.as_ref().filter(|file| file.exists()) {
            return Err(Failure::new("the file for the certificate exists already; choose another name")
                .at(file.display().to_string()));
        }
        let bench = Bench::new(config, tenancy);
        let done = self.delete(config, tenancy, &bench.lifecycle).await;
        bench.stores.close().await;
        let certificate = done?;
        if let Some(file) = &self.certificate {
            keep(file, &certificate)?;
        }
        if self.json {
            print_json(&json!(certificate));
        } else {
            print!("{certificate}");
        }
        Ok(())
    }

    async fn delete(&self, config: &Config, tenancy: &Tenancy, lifecycle: &Lifecycle) -> Result<Certificate, Failure> {
        let operator = OperatorScope::command_line();
        // Taken before anything is looked at, so that no server starts in between.
        let lock = if config.database.is_shared() { None } else { Some(alone(&config.data_dir)?) };
        if lock.is_some() {
            recover(config, tenancy).await?;
        }
        let doomed = lifecycle.tenant_doomed(&operator, &self.name).await?;
        let tenant = match &doomed {
            Doomed::Present { tenant, .. } => *tenant,
            Doomed::Gone(certificate) => {
                eprintln!("{} was deleted already; this is the certificate of then.", self.name);
                return Ok(*certificate.clone());
            }
        };
        let confirmed = match &self.yes {
            Some(name) => name.clone(),
            None => self.ask(&doomed)?,
        };
        if lock.is_some() {
            lifecycle.tenant_delete_begin(&operator, tenant, &confirmed).await?;
            Metering::forget_unread(&config.data_dir.join(JOURNAL), tenant)?;
        }
        let under_way = match &lock {
            Some(_) => UnderWay::NoServer,
            None if self.abandon_answers => UnderWay::NoServer,
            None => UnderWay::WaitFor(ANSWERS_END),
        };
        Ok(lifecycle.tenant_delete(&operator, tenant, &confirmed, under_way).await?)
    }

    /// Says what will be done, and asks for the name.
    fn ask(&self, doomed: &Doomed) -> Result<String, Failure> {
        confirm::somebody_is_there(self.name.as_str())?;
        if let Doomed::Present { interrupted, places, accounts, .. } = doomed {
            eprintln!("This deletes the tenant {} for good. Nothing of it can be brought back:", self.name);
            for Place { place, rows, bytes } in places {
                match (rows, bytes) {
                    (Some(0), _) => {}
                    (Some(rows), _) => eprintln!("  {}: {}", place, number(*rows, "row", "rows")),
                    (None, bytes) => eprintln!("  {}: {} bytes", place, bytes.unwrap_or_default()),
                }
            }
            eprintln!("  {} that belong to no other tenant", number(*accounts, "account", "accounts"));
            if *interrupted {
                eprintln!("It was begun already and interrupted; part of this is gone.");
            }
            eprintln!("To keep a copy, stop here and run: seam tenant export {} --to FILE", self.name);
        }
        confirm::typed(self.name.as_str())
    }
}

/// What a server that was killed had noted and not yet written to the ledger is part of what there is.
async fn recover(config: &Config, tenancy: &Tenancy) -> Result<(), Failure> {
    Ok(Metering::recover(tenancy.control(), &config.data_dir.join(JOURNAL)).await?)
}

/// The server's own lock: a server would keep the tenant's file open, and go on writing where nobody looks.
fn alone(data_dir: &Path) -> Result<DataLock, Failure> {
    if DataLock::is_held(data_dir) {
        return Err(Failure::new("a server runs on this data directory and holds the tenant's file open")
            .at(data_dir.display().to_string())
            .remedy("delete the tenant in the operator's console, or stop the server and run this again"));
    }
    DataLock::acquire(data_dir)
}

fn keep(file: &Path, certificate: &Certificate) -> Result<(), Failure> {
    let written = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file).and_then(|mut open| {
        writeln!(open, "{:#}", json!(certificate))?;
        open.sync_all()
    });
    written.map_err(|error| {
        Failure::new(format!("the tenant was deleted, but its certificate could not be written: {error}"))
            .at(file.display().to_string())
            .remedy("run the same command again with another file; the certificate is kept in the platform's log")
    })
}
