//! `seam vault rotate`: secrets are sealed under new keys, while the server runs.

use super::{Failure, print_json, workbench};
use crate::config::Config;
use gateway::{Gateway, GatewayError};
use serde_json::{Value, json};
use tenancy::{OperatorScope, Tenancy};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Vaults {
    /// Seals all secrets under the present master key; or a tenant's own under a new data key
    Rotate {
        /// The tenant's short name or id
        #[arg(long)]
        tenant: Option<String>,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Vaults {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let Self::Rotate { tenant, json } = self;
        let tenancy = workbench::open(&config).await?;
        let sealed = match &tenant {
            Some(tenant) => rotate_data_key(&tenancy, tenant).await?,
            None => rotate_master_key(&tenancy).await?,
        };
        let under = tenant.as_deref().map_or("master key", |_| "data key");
        if json {
            print_json(&json!({ "tenant": tenant, "resealed": sealed }));
        } else if let Some(tenant) = tenant {
            println!(
                "{sealed} secrets of {tenant} are sealed under a new {under}; the old one opens nothing any more."
            );
        } else {
            println!(
                "{sealed} secrets are sealed under the present {under}. No node needs SEAM_MASTER_KEY_ALSO any more."
            );
        }
        tenancy.control().close().await;
        Ok(())
    }
}

async fn rotate_master_key(tenancy: &Tenancy) -> Result<usize, Failure> {
    let (vault, now) = (tenancy.vault(), tenancy.clock().now());
    let mut tx = tenancy.control().begin().await?;
    let sealed = vault.reseal_tenancy(&mut tx).await? + Gateway::reseal(&mut tx, vault).await.map_err(failure)?;
    let operator = OperatorScope::command_line();
    operator.record(&mut tx, now, "vault.rotate", "master key", sealed_anew(sealed)).await?;
    tx.commit().await?;
    Ok(sealed)
}

async fn rotate_data_key(tenancy: &Tenancy, tenant: &str) -> Result<usize, Failure> {
    let operator = OperatorScope::command_line();
    let found = tenancy.tenant_find(&operator, tenant).await?;
    let (vault, now) = (tenancy.vault(), tenancy.clock().now());
    let mut tx = tenancy.control().begin().await?;
    let sealed = Gateway::renew_data_key(&mut tx, now, vault, found.id).await.map_err(failure)?;
    operator.record(&mut tx, now, "vault.rotate", found.slug.as_str(), sealed_anew(sealed)).await?;
    tx.commit().await?;
    Ok(sealed)
}

fn sealed_anew(secrets: usize) -> Value {
    json!({ "secrets_sealed_anew": secrets })
}

fn failure(error: GatewayError) -> Failure {
    if let GatewayError::Store(error) = error {
        return error.into();
    }
    Failure::of(&error)
}
