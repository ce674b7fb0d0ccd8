//! `seam tenant suspend|resume|change`: what the operator's console does to one tenant.

use super::{
    Failure, print_json,
    tenant::{found, of_plan, record},
};
use contract::{NanoUsd, Slug};
use tenancy::{OperatorScope, Tenancy, TenantPatch};

/// From the next request on nobody enters the tenant, by session or by key. Nothing is lost. Of one that is suspended
/// already the reason is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Suspend {
    /// The tenant's short name
    name: Slug,
    /// Why; the tenant's people read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Prints the tenant as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// The tenant's short name
    name: Slug,
    /// Prints the tenant as JSON
    #[arg(long)]
    json: bool,
}

/// What is left out stays as it is.
#[derive(Debug, clap::Args)]
pub(super) struct Change {
    /// The tenant's short name
    name: Slug,
    #[command(flatten)]
    what: What,
    /// Prints the tenant as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct What {
    /// How people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// The name of a plan
    #[arg(long)]
    plan: Option<String>,
    /// Nothing is charged from now on
    #[arg(long, conflicts_with = "plan")]
    no_plan: bool,
    /// Dollars that a month may cost at most
    #[arg(long, value_name = "DOLLARS")]
    monthly_budget: Option<NanoUsd>,
    /// No bound on a month
    #[arg(long, conflicts_with = "monthly_budget")]
    no_monthly_budget: bool,
    /// Dollars from which somebody is told
    #[arg(long, value_name = "DOLLARS")]
    soft_budget: Option<NanoUsd>,
    /// Nobody is told
    #[arg(long, conflicts_with = "soft_budget")]
    no_soft_budget: bool,
    /// Only providers in this region may see its data
    #[arg(long)]
    region: Option<String>,
    /// Providers in any region may see its data
    #[arg(long, conflicts_with = "region")]
    no_region: bool,
    /// Whether only providers that keep nothing may see its data
    #[arg(long, value_name = "true|false")]
    zero_retention: Option<bool>,
}

impl What {
    fn patch(self) -> TenantPatch {
        /// A value, none at all, or as it is.
        fn field<T>(value: Option<T>, none: bool) -> Option<Option<T>> {
            if none { Some(None) } else { value.map(Some) }
        }
        TenantPatch {
            display_name: self.display_name,
            plan: field(self.plan, self.no_plan),
            monthly_budget: field(self.monthly_budget, self.no_monthly_budget),
            soft_budget: field(self.soft_budget, self.no_soft_budget),
            region: field(self.region, self.no_region),
            zero_retention: self.zero_retention,
        }
    }
}

impl Suspend {
    pub async fn run(self, tenancy: &Tenancy) -> Result<(), Failure> {
        let tenant = found(tenancy, &self.name).await?;
        tenancy.tenant_suspend(&OperatorScope::command_line(), tenant.id, &self.reason).await?;
        told(tenancy, &self.name, self.json, "is suspended: nobody enters it from now on").await
    }
}

impl Resume {
    pub async fn run(self, tenancy: &Tenancy) -> Result<(), Failure> {
        let tenant = found(tenancy, &self.name).await?;
        tenancy.tenant_resume(&OperatorScope::command_line(), tenant.id).await?;
        told(tenancy, &self.name, self.json, "is open: its people and keys may enter").await
    }
}

impl Change {
    pub async fn run(self, tenancy: &Tenancy) -> Result<(), Failure> {
        let tenant = found(tenancy, &self.name).await?;
        let changed = tenancy.tenant_change(&OperatorScope::command_line(), tenant.id, self.what.patch()).await;
        changed.map_err(of_plan)?;
        told(tenancy, &self.name, self.json, "is as you said").await
    }
}

async fn told(tenancy: &Tenancy, name: &Slug, json: bool, what: &str) -> Result<(), Failure> {
    if json {
        print_json(&record(&found(tenancy, name).await?));
    } else {
        println!("{name} {what}.");
    }
    Ok(())
}
