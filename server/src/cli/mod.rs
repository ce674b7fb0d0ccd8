//! The command line: one file a command. Without a command Seam serves.
//!
//! Exit status: 0 done, 1 failed, 2 used wrongly. Results go to standard output, logs and failures to
//! standard error. Secrets are never arguments: other users of a machine can read those.

mod apply;
mod audit;
mod columns;
mod confirm;
mod doctor;
mod domain;
mod failure;
mod key;
mod lock;
mod migrate;
mod models;
mod plan;
mod provider;
mod serve;
mod tenant;
mod tenant_change;
mod tenant_lifecycle;
mod user;
mod vault;
mod workbench;

use crate::{
    config::{Config, LogFormat},
    logging,
};
use clap::{Parser, Subcommand};
pub use failure::Failure;
use std::{path::PathBuf, process::ExitCode};

/// Seam: an AI product that many customers share, in one process.
///
/// Without a command it serves on http://127.0.0.1:3000.
#[derive(Debug, Parser)]
#[command(name = "seam", version, max_term_width = 100)]
#[command(after_help = "Settings come from the environment (SEAM_LISTEN, SEAM_DATA_DIR, …) and from seam.toml; \
                        docs/configuration.md has them all.")]
struct Cli {
    /// Reads settings from this file instead of ./seam.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the interface and the API (what `seam` alone does)
    Serve,
    /// Brings all databases to this version
    Migrate(migrate::Migrate),
    /// Checks settings, data, keys, models and the port, one line each
    Doctor(doctor::Doctor),
    /// The weights of the models that run in this process
    #[command(subcommand)]
    Models(models::Models),
    /// The places that answer
    #[command(subcommand)]
    Provider(provider::Providers),
    /// Makes the database what a file of resources declares
    Apply(apply::Apply),
    /// The operator's customers
    #[command(subcommand)]
    Tenant(tenant::Tenants),
    /// What tenants pay, and what bounds them
    #[command(subcommand)]
    Plan(plan::Plans),
    /// People who can sign in
    #[command(subcommand)]
    User(user::Users),
    /// How programs reach a tenant, or the operator's own
    #[command(subcommand)]
    Key(key::Keys),
    /// The logs of who changed what
    #[command(subcommand)]
    Audit(audit::Audits),
    /// The keys under which secrets are sealed
    #[command(subcommand)]
    Vault(vault::Vaults),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // Databases, logs and keys are this user's alone, whatever the shell's own mask is.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve);
    if !matches!(command, Command::Serve) {
        end_where_nobody_reads();
    }
    // The doctor tells about settings in its own form.
    let config = Config::load(cli.config.as_deref(), std::env::vars());
    let done = match (command, config) {
        (Command::Doctor(doctor), config) => {
            if let Ok(config) = &config {
                // Findings are the output; logs would only repeat them.
                let _ = logging::start("off", config.log_format);
            }
            run(doctor.run(config))
        }
        (_, Err(error)) => Err(Failure::usage(error.to_string())),
        (command, Ok(config)) => start_logging(&config, &command).and_then(|()| match command {
            Command::Serve => run(serve::run(config)),
            Command::Migrate(migrate) => run(migrate.run(config)),
            Command::Models(models) => models.run(&config),
            Command::Provider(providers) => run(providers.run(config)),
            Command::Apply(apply) => run(apply.run(config)),
            Command::Tenant(tenants) => run(tenants.run(config)),
            Command::Plan(plans) => run(plans.run(config)),
            Command::User(users) => run(users.run(config)),
            Command::Key(keys) => run(keys.run(config)),
            Command::Audit(audits) => run(audits.run(config)),
            Command::Vault(vaults) => run(vaults.run(config)),
            Command::Doctor(doctor) => run(doctor.run(Ok(config))),
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{failure}");
            failure.exit_code()
        }
    }
}

/// The server logs what it does; of a command only its warnings are of interest, unless somebody asks.
fn start_logging(config: &Config, command: &Command) -> Result<(), Failure> {
    let quiet = !matches!(command, Command::Serve) && config.log == "info" && config.log_format == LogFormat::Text;
    let filter = if quiet { "warn" } else { &config.log };
    logging::start(filter, config.log_format)
        .map_err(|reason| Failure::usage(format!("SEAM_LOG: {reason}; use a level such as info, or debug")))
}

/// `seam key list | head -3` ends like every other command there, and not with a panic's report.
fn end_where_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            // As a shell tells a program that the system ended for it.
            std::process::exit(128 + 13);
        }
        usual(panic);
    }));
}

fn run(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the async runtime does not start: {error}")))?;
    runtime.block_on(command)
}

/// A result as JSON on standard output.
fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_argument_takes_a_secret() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let named = id.contains("password") || id.contains("secret") || id.contains("key");
                assert!(!named || id.ends_with("_env"), "{} {id}", command.get_name());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
