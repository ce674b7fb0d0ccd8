//! What commands beside a running server work with: the control plane and tenancy, and nothing that would
//! take the server's runs for left over from a crash.

use super::{Failure, lock};
use crate::config::Config;
use std::sync::Arc;
use store::ControlStore;
use tenancy::{SystemClock, Tenancy, Vault};

pub(super) async fn open(config: &Config) -> Result<Tenancy, Failure> {
    lock::prepare(&config.data_dir)?;
    let control = ControlStore::open(&config.database).await?;
    let (key, key_file) = (config.master_key.as_deref(), config.master_key_file.as_deref());
    let also = config.master_key_also.as_deref();
    let vault = Vault::open_with(&control, &config.data_dir, key, key_file, also).await?;
    Ok(Tenancy::new(control, Arc::new(SystemClock), vault))
}
