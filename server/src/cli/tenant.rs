//! `seam tenant create|list`, and `seam tenant domain …`; the commands that change a tenant stand in `tenant_change.rs`,
//! those on a tenant as a whole in `tenant_lifecycle.rs`.

use super::{
    Failure,
    columns::{self, Column},
    domain::Domains,
    print_json,
    tenant_change::{Change, Resume, Suspend},
    tenant_lifecycle::{Delete, Export, Import},
    workbench,
};
use crate::config::Config;
use contract::{ListQuery, NanoUsd, Slug, TenantSummary};
use serde_json::{Value, json};
use tenancy::{NewTenant, OperatorScope, Tenancy, TenancyError};

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
    /// Changes a tenant's plan, budgets, region or what people call it
    Change(Change),
    /// Closes a tenant to its people and keys, and tells them why
    Suspend(Suspend),
    /// Opens a tenant that was suspended
    Resume(Resume),
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
                let opened = tenancy.tenant_open(&OperatorScope::command_line(), &new, None).await;
                let (created, _) = opened.map_err(of_plan)?;
                if json {
                    print_json(&record(&found(&tenancy, &created.slug).await?));
                } else {
                    println!("The tenant {} was created.", created.slug);
                }
            }
            Self::List { json } => {
                // One page of all: lists of tenants end in scripts.
                let query = ListQuery { page: 1, ..ListQuery::default() };
                let tenants = tenancy.tenant_page_sized(&OperatorScope::command_line(), &query, i64::MAX).await?.items;
                if json {
                    print_json(&json!({ "tenants": tenants.iter().map(record).collect::<Vec<_>>() }));
                } else if tenants.is_empty() {
                    println!("There are no tenants yet. Create one: seam tenant create NAME");
                } else {
                    let rows: Vec<_> = tenants.iter().map(row).collect();
                    print!("{}", columns::table(HEADS, &rows));
                }
            }
            Self::Change(change) => change.run(&tenancy).await?,
            Self::Suspend(suspend) => suspend.run(&tenancy).await?,
            Self::Resume(resume) => resume.run(&tenancy).await?,
            Self::Export(export) => export.run(&config, &tenancy).await?,
            Self::Import(import) => import.run(&config, &tenancy).await?,
            Self::Delete(delete) => delete.run(&config, &tenancy).await?,
        }
        tenancy.control().close().await;
        Ok(())
    }
}

/// The tenant of this name, or what to do where there is none.
pub(super) async fn found(tenancy: &Tenancy, name: &Slug) -> Result<TenantSummary, Failure> {
    let found = tenancy.tenant_summary(&OperatorScope::command_line(), name).await;
    found.map_err(|error| not_found(error, "list them: seam tenant list"))
}

/// Of a tenant that is there, all that can be missing is its plan.
pub(super) fn of_plan(error: TenancyError) -> Failure {
    not_found(error, "list plans: seam plan list")
}

fn not_found(error: TenancyError, remedy: &str) -> Failure {
    if matches!(error, TenancyError::NotFound { .. }) {
        return Failure::of(&error).remedy(remedy);
    }
    error.into()
}

pub(super) fn record(tenant: &TenantSummary) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.slug,
        "display_name": tenant.display_name,
        "plan": tenant.plan,
        "monthly_budget": tenant.monthly_budget.map(|budget| budget.to_string()),
        "soft_budget": tenant.soft_budget.map(|budget| budget.to_string()),
        "region": tenant.region,
        "zero_retention": tenant.zero_retention,
        "members": tenant.members,
        "suspended_for": tenant.suspended_for,
        "being_deleted": tenant.being_deleted,
        "created_at": tenant.created_at,
    })
}

const HEADS: [Column; 6] = [
    Column::Left("NAME"),
    Column::Left("PLAN"),
    Column::Right("BUDGET"),
    Column::Right("MEMBERS"),
    Column::Left("STATE"),
    Column::Left("DISPLAY NAME"),
];

fn state(tenant: &TenantSummary) -> &'static str {
    match tenant.suspended_for {
        _ if tenant.being_deleted => "being deleted",
        Some(_) => "suspended",
        None => "open",
    }
}

fn row(tenant: &TenantSummary) -> [String; 6] {
    let none = || "–".to_owned();
    [
        tenant.slug.to_string(),
        tenant.plan.clone().unwrap_or_else(none),
        tenant.monthly_budget.map_or_else(none, |budget| format!("${budget}")),
        tenant.members.to_string(),
        state(tenant).to_owned(),
        tenant.display_name.clone(),
    ]
}
