//! Keys of programs, whose models must be there: a key that is bound to a slip of the pen calls nothing, and says so late.

use crate::{IntoProblem, Platform};
use contract::{KeyId, Problem};
use registry::{Registry, RegistryError};
use tenancy::{Manages, NewKey, Secret};

impl Platform {
    /// Makes a key of the tenant. The secret is returned this once.
    ///
    /// # Errors
    /// With the field that is to be mended, `models` when one of them is not there.
    pub async fn key_create(&self, manager: &impl Manages, new: &NewKey) -> Result<(KeyId, Secret), Problem> {
        models_are_there(&self.registry, new).await?;
        self.tenancy.key_create(manager, new).await.map_err(IntoProblem::into_problem)
    }
}

/// Whether each model that a key is bound to can be asked for.
///
/// # Errors
/// Names the first that cannot, and those that can.
pub async fn models_are_there(registry: &Registry, key: &NewKey) -> Result<(), Problem> {
    for model in key.models.iter().flatten() {
        match registry.model(model).await {
            Ok(_) => {}
            Err(RegistryError::UnknownModel { name, known }) => {
                let known =
                    if known.is_empty() { "There are none yet".to_owned() } else { format!("There are: {known}") };
                return Err(Problem::field("models", format!("There is no model “{name}”. {known}.")));
            }
            Err(error) => return Err(error.into_problem()),
        }
    }
    Ok(())
}
