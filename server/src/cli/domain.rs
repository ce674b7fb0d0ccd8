//! `seam tenant domain add|remove|list`: the e-mail domains that a tenant's identity provider speaks for.

use super::{Failure, print_json, workbench};
use crate::config::Config;
use contract::{DomainView, EmailDomain, Slug};
use serde_json::{Value, json};
use tenancy::{OperatorScope, Tenancy, TenantRecord};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Domains {
    /// Confirms that a domain is the tenant's; ask for a proof first, such as a DNS record
    Add {
        /// The tenant's short name
        name: Slug,
        /// What its people's addresses end with, such as acme.com
        domain: EmailDomain,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes a domain from the tenant
    Remove {
        /// The tenant's short name
        name: Slug,
        /// The domain
        domain: EmailDomain,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists the domains that the tenant claims
    List {
        /// The tenant's short name
        name: Slug,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Domains {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let tenancy = workbench::open(config).await?;
        let operator = OperatorScope::command_line();
        match self {
            Self::Add { name, domain, json } => {
                let tenant = tenant(&tenancy, &name).await?;
                tenancy.domain_confirm(&operator, tenant.id, &domain).await?;
                told(json, &name, &domain, "confirmed for");
            }
            Self::Remove { name, domain, json } => {
                let tenant = tenant(&tenancy, &name).await?;
                tenancy.domain_withdraw(&operator, tenant.id, &domain).await?;
                told(json, &name, &domain, "taken from");
            }
            Self::List { name, json } => {
                let tenant = tenant(&tenancy, &name).await?;
                list(json, &name, &tenancy.domain_list(&operator, tenant.id).await?);
            }
        }
        tenancy.control().close().await;
        Ok(())
    }
}

async fn tenant(tenancy: &Tenancy, name: &Slug) -> Result<TenantRecord, Failure> {
    tenancy.tenant_by_slug(name).await?.ok_or_else(|| {
        Failure::new(format!("there is no tenant “{name}”"))
            .remedy(format!("create it first: seam tenant create {name}"))
    })
}

fn told(json: bool, tenant: &Slug, domain: &EmailDomain, done: &str) {
    if json {
        print_json(&json!({ "tenant": tenant, "domain": domain, "done": done }));
    } else {
        println!("{domain} is {done} {tenant}.");
    }
}

fn list(json: bool, tenant: &Slug, domains: &[DomainView]) {
    if json {
        let domain = |one: &DomainView| -> Value {
            json!({ "domain": one.domain, "claimed_at": one.claimed_at, "confirmed_at": one.confirmed_at })
        };
        print_json(&json!({ "tenant": tenant, "domains": domains.iter().map(domain).collect::<Vec<_>>() }));
    } else if domains.is_empty() {
        println!("{tenant} claims no domain. Confirm one: seam tenant domain add {tenant} DOMAIN");
    } else {
        for one in domains {
            println!(
                "{}  {}",
                one.domain,
                if one.confirmed_at.is_some() { "confirmed" } else { "claimed, not confirmed" }
            );
        }
    }
}
