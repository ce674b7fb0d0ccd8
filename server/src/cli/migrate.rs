//! `seam migrate`: the control database and every tenant's.

use super::{Failure, print_json, workbench};
use crate::config::Config;
use serde_json::json;
use store::TenantStores;

#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let before = store::inspect(&config.database).await?;
        let pending: usize = before.iter().map(|database| database.pending.len()).sum();
        // Opening a database migrates it.
        let tenancy = workbench::open(&config).await?;
        let stores = TenantStores::new(&config.database);
        stores.prepare().await?;
        let tenants = tenancy.tenant_list().await?;
        for tenant in &tenants {
            tenancy.upkeep_scope(tenant.id).store(&stores).await?;
        }
        stores.close().await;
        tenancy.control().close().await;
        if self.json {
            print_json(&json!({ "applied": pending, "tenants": tenants.len(), "new": before.is_empty() }));
        } else if before.is_empty() {
            println!("A new database was made in {}.", config.database);
        } else if pending == 0 {
            println!("All databases are at this version: the control plane and {} tenants.", tenants.len());
        } else {
            println!("{pending} migrations applied: the control plane and {} tenants.", tenants.len());
        }
        Ok(())
    }
}
