//! `seam tenant create|list`, and `seam tenant domain …`; the commands on a tenant as a whole stand in
//! `tenant_lifecycle.rs`.

use super::{
    Failure,
    domain::Domains,
    print_json,
    tenant_lifecycle::{Delete, Export, Import},
    workbench,
};
use crate::config::Config;
use contract::{NanoUsd, Slug};
use serde_json::{Value, json};
use tenancy::{NewTenant, OperatorScope, TenantRecord};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Tenants {
    /// Creates a tenant
    Create {
        /// Its short name, such as acme-labs
        name: Slug,
        /// How people call it; its short name unless given
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// The name of a plan
        #[arg(long)]
        plan: Option<String>,
        /// Dollars that a month may cost at most
        #[arg(long, value_name = "DOLLARS")]
        monthly_budget: Option<NanoUsd>,
        /// Dollars from which somebody is told
        #[arg(long, value_name = "DOLLARS")]
        soft_budget: Option<NanoUsd>,
        /// Only providers in this region may see its data
        #[arg(long)]
        region: Option<String>,
        /// Only providers that keep nothing may see its data
        #[arg(long)]
        zero_retention: bool,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// The e-mail domains that a tenant's identity provider speaks for
    #[command(subcommand)]
    Domain(Domains),
    /// Lists all tenants
    List {
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Writes everything of a tenant to one file
    Export(Export),
    /// Restores a tenant from such a file, on either engine
    Import(Import),
    /// Deletes a tenant and every trace of it, and prints a certificate
    Delete(Delete),
}

impl Tenants {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        if let Self::Domain(domains) = self {
            return domains.run(&config).await;
        }
        let tenancy = workbench::open(&config).await?;
        match self {
            // Above.
            Self::Domain(_) => {}
            Self::Create { name, display_name, plan, monthly_budget, soft_budget, region, zero_retention, json } => {
                let display_name = display_name.unwrap_or_else(|| name.to_string());
                let new =
                    NewTenant { slug: name, display_name, plan, monthly_budget, soft_budget, region, zero_retention };
                let (created, _) = tenancy.tenant_open(&OperatorScope::command_line(), &new, None).await?;
                if json {
                    print_json(&record(&created));
                } else {
                    println!("The tenant {} was created.", created.slug);
                }
            }
            Self::List { json } => {
                let tenants = tenancy.tenant_list().await?;
                if json {
                    print_json(&json!({ "tenants": tenants.iter().map(record).collect::<Vec<_>>() }));
                } else if tenants.is_empty() {
                    println!("There are no tenants yet. Create one: seam tenant create NAME");
                } else {
                    table(&tenants);
                }
            }
            Self::Export(export) => export.run(&config, &tenancy).await?,
            Self::Import(import) => import.run(&config, &tenancy).await?,
            Self::Delete(delete) => delete.run(&config, &tenancy).await?,
        }
        tenancy.control().close().await;
        Ok(())
    }
}

fn record(tenant: &TenantRecord) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.slug,
        "display_name": tenant.display_name,
        "plan": tenant.plan,
        "monthly_budget": tenant.monthly_budget.map(|budget| budget.to_string()),
        "soft_budget": tenant.soft_budget.map(|budget| budget.to_string()),
        "region": tenant.region,
        "zero_retention": tenant.zero_retention,
        "created_at": tenant.created_at,
    })
}

fn table(tenants: &[TenantRecord]) {
    let width = |of: fn(&TenantRecord) -> usize, head: &str| tenants.iter().map(of).max().unwrap_or(0).max(head.len());
    let name = width(|tenant| tenant.slug.as_str().len(), "NAME");
    let plan = width(|tenant| tenant.plan.as_ref().map_or(0, String::len), "PLAN");
    println!("{:<name$}  {:<plan$}  {:>10}  DISPLAY NAME", "NAME", "PLAN", "BUDGET");
    for tenant in tenants {
        let budget = tenant.monthly_budget.map_or_else(|| "–".to_owned(), |budget| format!("${budget}"));
        let its_plan = tenant.plan.as_deref().unwrap_or("–");
        println!("{:<name$}  {its_plan:<plan$}  {budget:>10}  {}", tenant.slug, tenant.display_name);
    }
}
