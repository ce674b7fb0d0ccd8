//! Where a tenant's requests may go, now: the providers as they are configured, with the tenant's own keys where it has
//! some, but for what its rules forbid.
//!
//! Looked up for a request, and again before each of its attempts: a provider that is switched off, or a rule that is
//! made, holds for what is under way as well.

use crate::{
    GatewayError,
    directory::{Configured, Directory},
    left_out::LeftOut,
    own_keys::OwnKeys,
    provider::Provider,
    residency::Residency,
    route::{Leg, Route},
};
use contract::TenantId;
use registry::ModelConfig;
use std::sync::Arc;
use store::ControlStore;
use tenancy::Vault;

pub(crate) struct Places {
    directory: Directory,
    residency: Residency,
    own_keys: OwnKeys,
}

impl Places {
    pub fn new(control: &ControlStore, vault: &Vault, local: Arc<dyn Provider>) -> Self {
        Self {
            directory: Directory::new(control.clone(), vault.clone(), local),
            residency: Residency::new(control.clone()),
            own_keys: OwnKeys::new(control.clone()),
        }
    }

    /// The places of a model in the order of its config, and why some are not among them. Nobody's rules forbid anything.
    pub async fn of(&self, config: &ModelConfig, tenant: Option<TenantId>) -> Result<Route, GatewayError> {
        let mut route = Route { legs: Vec::new(), left_out: Vec::new() };
        for target in &config.targets {
            match self.place(tenant, &target.provider, &target.model).await? {
                Ok(provider) => {
                    route.legs.push(Leg { provider, model: target.model.clone(), weight: target.weight });
                }
                Err(reason) => route.left_out.push(format!("{}: {reason}", target.route())),
            }
        }
        Ok(route)
    }

    /// A place as it stands now; or why it must not be asked any more.
    pub async fn still(&self, leg: &Leg, tenant: TenantId) -> Result<Result<Leg, String>, GatewayError> {
        Ok(match self.place(Some(tenant), &leg.provider.name, &leg.model).await? {
            // Another kind may not have the words for what is asked.
            Ok(provider) if provider.instance.kind() != leg.provider.instance.kind() => {
                Err("it was changed meanwhile".to_owned())
            }
            Ok(provider) => Ok(Leg { provider, ..leg.clone() }),
            Err(reason) => Err(reason.to_string()),
        })
    }

    pub const fn own_keys(&self) -> &OwnKeys {
        &self.own_keys
    }

    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A provider as it is configured, whether or not it may be asked.
    pub async fn configured(&self, provider: &str) -> Result<Option<Arc<Configured>>, GatewayError> {
        self.directory.get(provider).await
    }

    /// Reads the providers anew at the next look.
    pub fn invalidate(&self) {
        self.directory.invalidate();
    }

    /// A provider that may be asked for a model; or why not.
    pub async fn place(
        &self,
        tenant: Option<TenantId>,
        provider: &str,
        model: &str,
    ) -> Result<Result<Arc<Configured>, LeftOut>, GatewayError> {
        let Some(provider) = self.directory.get(provider).await? else {
            return Ok(Err(LeftOut::Unknown));
        };
        let Some(tenant) = tenant else {
            return Ok(provider.unavailable_reason(model).map_or(Ok(provider), Err));
        };
        let rules = self.residency.of(tenant).await?;
        let provider = match self.own_keys.of(tenant).await?.get(&provider.name) {
            // A key was entered for what the provider was then; the operator may have said since that it takes none.
            Some(key) if provider.takes_own_keys() => self.directory.with_key(&provider, tenant, key),
            Some(_) | None => provider,
        };
        Ok(match rules.forbid(&provider).or_else(|| provider.unavailable_reason(model)) {
            Some(reason) => Err(reason),
            None => Ok(provider),
        })
    }
}
