//! `seam provider list|disable|enable`. A provider is made and changed by `seam apply`.

use super::{Failure, print_json, workbench};
use crate::config::Config;
use gateway::{Gateway, GatewayError, ProviderRecord};
use serde_json::{Value, json};
use tenancy::{OperatorScope, Tenancy};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Providers {
    /// Lists providers, and whether they are asked
    List {
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Stops asking a provider, on every node within a second; answers under way go on
    Disable {
        /// Its name, as `seam provider list` shows it
        name: String,
    },
    /// Asks a provider again
    Enable {
        /// Its name, as `seam provider list` shows it
        name: String,
    },
}

impl Providers {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let tenancy = workbench::open(&config).await?;
        match self {
            Self::List { json } => {
                let providers = Gateway::provider_list(tenancy.control()).await.map_err(failure)?;
                if json {
                    print_json(&json!({ "providers": providers.iter().map(record).collect::<Vec<_>>() }));
                } else if providers.is_empty() {
                    println!("There are no providers yet. Declare one: seam apply -f FILE (docs/providers.md)");
                } else {
                    table(&providers);
                }
            }
            Self::Disable { name } => {
                if switch(&tenancy, &name, false).await? {
                    println!("{name} is switched off: within a second nobody asks it any more.");
                } else {
                    println!("{name} is switched off already.");
                }
            }
            Self::Enable { name } => {
                if switch(&tenancy, &name, true).await? {
                    println!("{name} is asked again.");
                } else {
                    println!("{name} is asked already.");
                }
            }
        }
        tenancy.control().close().await;
        Ok(())
    }
}

async fn switch(tenancy: &Tenancy, name: &str, enabled: bool) -> Result<bool, Failure> {
    let (control, now) = (tenancy.control(), tenancy.clock().now());
    Gateway::provider_switch(control, now, &OperatorScope::command_line(), name, enabled).await.map_err(failure)
}

fn failure(error: GatewayError) -> Failure {
    if let GatewayError::Store(error) = error {
        return error.into();
    }
    Failure::of(&error).remedy("list them: seam provider list".to_owned())
}

fn record(provider: &ProviderRecord) -> Value {
    json!({
        "name": provider.name,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "region": provider.region,
        "zero_retention": provider.zero_retention,
        "enabled": provider.enabled,
        "has_key": provider.has_key,
    })
}

fn table(providers: &[ProviderRecord]) {
    let width = providers.iter().map(|provider| provider.name.len()).max().unwrap_or(0).max(4);
    println!("{:width$}  {:9}  {:6}  REGION", "NAME", "KIND", "ASKED");
    for provider in providers {
        let asked = if provider.enabled { "yes" } else { "no" };
        let region = provider.region.as_deref().unwrap_or("-");
        println!("{:width$}  {:9}  {asked:6}  {region}", provider.name, provider.kind.as_str());
    }
}
