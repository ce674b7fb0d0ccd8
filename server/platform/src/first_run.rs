//! The first minutes: the first tenant, the first provider, and the providers found in the environment.

use crate::{ConnectError, Platform, ProviderKeys};
use contract::{ProviderKind, Slug, TenantId};
use gateway::{GatewayError, provider::ProviderError};
use tenancy::{NewTenant, Principal, TenancyError};

const PROVIDER_KNOWN: &str = "SELECT COUNT(*) AS value FROM provider WHERE name = $1";

impl Platform {
    /// Founds a tenant, with the operator who asks as its first admin.
    pub async fn tenant_found(
        &self,
        principal: &Principal,
        display_name: String,
        slug: Slug,
    ) -> Result<TenantId, TenancyError> {
        principal.require_operator()?;
        let tenant = NewTenant {
            slug,
            display_name,
            plan: None,
            monthly_budget: None,
            soft_budget: None,
            region: None,
            zero_retention: false,
        };
        Ok(self.tenancy.tenant_found(tenant, principal.user()).await?.id)
    }

    /// Tries a provider's key and, when it is taken, keeps it sealed and offers the provider's models.
    pub async fn provider_connect(
        &self,
        principal: &Principal,
        kind: ProviderKind,
        api_key: String,
    ) -> Result<(), ConnectError> {
        principal.require_operator()?;
        self.gateway.provider_test(kind, None, &api_key).await.map_err(ConnectError::Refused)?;
        self.gateway.provider_register_known(kind, kind.as_str(), Some(&api_key), None).await?;
        self.registry.invalidate().await;
        Ok(())
    }

    async fn provider_known(&self, name: &str) -> Result<bool, GatewayError> {
        Ok(self.control.read(PROVIDER_KNOWN).bind(name).fetch_one::<i64>().await? > 0)
    }

    /// Registers a provider unless there is one of its name. None: it is known already.
    async fn register(
        &self,
        kind: ProviderKind,
        name: &str,
        api_key: Option<&str>,
        base_url: Option<&str>,
    ) -> Result<Option<Vec<String>>, GatewayError> {
        if self.provider_known(name).await? {
            return Ok(None);
        }
        let models = self.gateway.provider_register_known(kind, name, api_key, base_url).await?;
        self.registry.invalidate().await;
        Ok(Some(models))
    }
}

/// Registers what the environment offers. A provider that cannot be registered keeps nobody from starting.
pub(crate) async fn register_found(platform: &Platform, keys: &ProviderKeys) {
    for (kind, key) in [(ProviderKind::Openai, &keys.openai), (ProviderKind::Anthropic, &keys.anthropic)] {
        if let Some(key) = key {
            report(kind.as_str(), platform.register(kind, kind.as_str(), Some(key), None).await);
        }
    }
    if let Some(url) = &keys.ollama_url
        && matches!(platform.provider_known(OLLAMA).await, Ok(false))
        && answers(platform, url).await
    {
        report(OLLAMA, platform.register(ProviderKind::Openai, OLLAMA, None, Some(url)).await);
    }
}

const OLLAMA: &str = "ollama";

/// Whether an Ollama listens there. It takes any key, or none.
async fn answers(platform: &Platform, url: &str) -> bool {
    let tried: Result<(), ProviderError> =
        platform.gateway.provider_test(ProviderKind::Openai, Some(url), OLLAMA).await;
    tried.is_ok()
}

fn report(name: &str, registered: Result<Option<Vec<String>>, GatewayError>) {
    match registered {
        Ok(None) => {}
        Ok(Some(models)) => {
            tracing::info!(provider = name, models = models.join(", "), "a provider was found in the environment");
        }
        Err(error) => {
            tracing::warn!(provider = name, %error, "a provider found in the environment was not registered");
        }
    }
}
