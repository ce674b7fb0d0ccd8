//! Each tenant's secrets are sealed under a data key of its own, and that under the master key.
//!
//! So a tenant's key can be changed without touching another tenant's secrets, the master key without touching any
//! secret at all, and what is left of a tenant's secrets in old backups opens no more once its data keys are gone.

use crate::{Secret, Vault, VaultError};
use contract::{TenantId, Timestamp};
use store::{FromRow, Row, StoreError, Transaction};

const NEWEST: &str = "
SELECT version, sealed FROM tenant_data_key WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1";
const INSERT: &str = "
INSERT INTO tenant_data_key (tenant_id, version, sealed, created_at) VALUES ($1, $2, $3, $4)";
const FORGET: &str = "DELETE FROM tenant_data_key WHERE tenant_id = $1 AND version < $2";

/// A data key, open.
#[derive(Debug, Clone)]
pub struct DataKey {
    version: i64,
    vault: Vault,
}

struct Stored {
    version: i64,
    sealed: Vec<u8>,
}

impl FromRow for Stored {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { version: row.get("version")?, sealed: row.get("sealed")? })
    }
}

/// What a data key is sealed for.
pub(crate) fn context(tenant: &str, version: i64) -> String {
    format!("data key {version} of tenant {tenant}")
}

impl DataKey {
    /// Opens one as it is stored.
    pub fn open(vault: &Vault, tenant: TenantId, version: i64, sealed: &[u8]) -> Result<Self, VaultError> {
        let key = vault.unseal(&context(&tenant.to_string(), version), sealed)?;
        Ok(Self { version, vault: Vault::of_made_up(&key)? })
    }

    /// The one under which a tenant's secrets are sealed now; made when there is none.
    pub async fn of(tx: &mut Transaction, now: Timestamp, vault: &Vault, tenant: TenantId) -> Result<Self, VaultError> {
        match tx.query(NEWEST).bind(tenant).fetch_optional::<Stored>().await? {
            Some(stored) => Self::open(vault, tenant, stored.version, &stored.sealed),
            None => Self::make(tx, now, vault, tenant, 1).await,
        }
    }

    /// A new one, for secrets that are sealed anew in the same transaction.
    pub async fn renew(
        &self,
        tx: &mut Transaction,
        now: Timestamp,
        vault: &Vault,
        tenant: TenantId,
    ) -> Result<Self, VaultError> {
        Self::make(tx, now, vault, tenant, self.version + 1).await
    }

    /// Those before this one are gone; whatever they sealed opens no more.
    pub async fn forget_older(&self, tx: &mut Transaction, tenant: TenantId) -> Result<(), VaultError> {
        tx.query(FORGET).bind(tenant).bind(self.version).execute().await?;
        Ok(())
    }

    async fn make(
        tx: &mut Transaction,
        now: Timestamp,
        vault: &Vault,
        tenant: TenantId,
        version: i64,
    ) -> Result<Self, VaultError> {
        let key = Secret::new(Vault::made_up()?);
        let sealed = vault.seal(&context(&tenant.to_string(), version), key.expose())?;
        tx.query(INSERT).bind(tenant).bind(version).bind(sealed).bind(now).execute().await?;
        Ok(Self { version, vault: Vault::of_made_up(&key)? })
    }

    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Seals a secret for `context`; only the same context opens it.
    pub fn seal(&self, context: &str, secret: &str) -> Result<Vec<u8>, VaultError> {
        self.vault.seal(context, secret)
    }

    pub fn unseal(&self, context: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
        self.vault.unseal(context, sealed)
    }
}
