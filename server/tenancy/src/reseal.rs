//! Changing the master key: all that this layer keeps sealed is sealed anew under the present one.

use crate::{Vault, VaultError, data_key, single_sign_on, vault};
use store::{FromRow, Row, StoreError, Transaction};

const MARK: &str = "UPDATE master_key_check SET sealed = $1 WHERE id = 1";
const SETTINGS: &str = "SELECT tenant_id, issuer, client_secret_sealed AS sealed FROM sign_in_setting";
const SETTING: &str = "UPDATE sign_in_setting SET client_secret_sealed = $3 WHERE tenant_id = $1 AND issuer = $2";
const DATA_KEYS: &str = "SELECT tenant_id, version, sealed FROM tenant_data_key";
const DATA_KEY: &str = "UPDATE tenant_data_key SET sealed = $3 WHERE tenant_id = $1 AND version = $2";

struct Setting {
    tenant: String,
    issuer: String,
    sealed: Vec<u8>,
}

impl FromRow for Setting {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { tenant: row.get("tenant_id")?, issuer: row.get("issuer")?, sealed: row.get("sealed")? })
    }
}

struct DataKeyRow {
    tenant: String,
    version: i64,
    sealed: Vec<u8>,
}

impl FromRow for DataKeyRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { tenant: row.get("tenant_id")?, version: row.get("version")?, sealed: row.get("sealed")? })
    }
}

impl Vault {
    /// Seals anew what tenancy keeps, inside a transaction that the caller commits; how many secrets that were.
    ///
    /// Errors: `Unseal` for the first that opens under neither key; then nothing is changed.
    pub async fn reseal_tenancy(&self, tx: &mut Transaction) -> Result<usize, VaultError> {
        let (context, mark) = vault::MARKED;
        tx.query(MARK).bind(self.seal(context, mark)?).execute().await?;
        let settings: Vec<Setting> = tx.query(SETTINGS).fetch_all().await?;
        for Setting { tenant, issuer, sealed } in &settings {
            let anew = self.reseal(&single_sign_on::secret_context(tenant, issuer), sealed)?;
            tx.query(SETTING).bind(tenant.as_str()).bind(issuer.as_str()).bind(anew).execute().await?;
        }
        let keys: Vec<DataKeyRow> = tx.query(DATA_KEYS).fetch_all().await?;
        for DataKeyRow { tenant, version, sealed } in &keys {
            let anew = self.reseal(&data_key::context(tenant, *version), sealed)?;
            tx.query(DATA_KEY).bind(tenant.as_str()).bind(*version).bind(anew).execute().await?;
        }
        Ok(1 + settings.len() + keys.len())
    }
}
