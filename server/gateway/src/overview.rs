//! What the consoles tell: of the operator's providers, models and places with their health, of a tenant's models.
//!
//! Health is this process's alone. What a provider said is not among it, and no key ever is.

use crate::{Gateway, GatewayError, configure, left_out::LeftOut};
use contract::{Obstacle, PlaceState, PlaceView, ProviderView, RoutedModelView, TargetView, TenantId, TenantModelView};
use registry::{ModelConfig, Target};
use std::collections::BTreeSet;
use tenancy::{OperatorScope, Scope};

impl Gateway {
    /// All models with their targets in order, and how each is doing.
    pub async fn model_overview(&self, _operator: &OperatorScope) -> Result<Vec<RoutedModelView>, GatewayError> {
        let mut views = Vec::new();
        for config in self.registry.models().await? {
            let mut targets = Vec::with_capacity(config.targets.len());
            for target in &config.targets {
                let place = self.place_view(&target.provider, &target.model).await?;
                targets.push(TargetView { place, weight: target.weight });
            }
            views.push(RoutedModelView { name: config.name, strategy: config.strategy.to_string(), targets });
        }
        Ok(views)
    }

    /// All providers, with the places that models have there.
    pub async fn provider_overview(&self, _operator: &OperatorScope) -> Result<Vec<ProviderView>, GatewayError> {
        let (models, providers) = (self.registry.models().await?, configure::list(&self.control).await?);
        let off: BTreeSet<&str> = providers.iter().filter(|one| !one.enabled).map(|one| one.name.as_str()).collect();
        let mut views = Vec::with_capacity(providers.len());
        for provider in &providers {
            let here = |target: &&Target| target.provider == provider.name;
            let names: BTreeSet<&str> = models
                .iter()
                .flat_map(|model| &model.targets)
                .filter(here)
                .map(|target| target.model.as_str())
                .collect();
            let mut places = Vec::with_capacity(names.len());
            for model in names {
                places.push(self.place_view(&provider.name, model).await?);
            }
            views.push(ProviderView {
                name: provider.name.clone(),
                kind: provider.kind,
                base_url: provider.base_url.clone(),
                region: provider.region.clone(),
                zero_retention: provider.zero_retention,
                enabled: provider.enabled,
                has_key: provider.has_key,
                places,
                only_hope_of: only_hope_of(&models, &provider.name, &off),
            });
        }
        Ok(views)
    }

    /// The models that the tenant's people and programs can ask for, and whether each can answer them now.
    pub async fn tenant_models(&self, scope: &Scope) -> Result<Vec<TenantModelView>, GatewayError> {
        let mut views = Vec::new();
        for config in self.registry.models().await? {
            let mut obstacles = BTreeSet::new();
            let mut available = false;
            for target in &config.targets {
                match self.obstacle(scope.tenant(), target).await? {
                    Some(obstacle) => drop(obstacles.insert(obstacle)),
                    None => available = true,
                }
            }
            let obstacles = if available { Vec::new() } else { obstacles.into_iter().collect() };
            views.push(TenantModelView { name: config.name, available, obstacles });
        }
        Ok(views)
    }

    async fn obstacle(&self, tenant: TenantId, target: &Target) -> Result<Option<Obstacle>, GatewayError> {
        let provider = match self.places.place(Some(tenant), &target.provider, &target.model).await? {
            Ok(provider) => provider,
            Err(reason) => return Ok(Some(reason.obstacle())),
        };
        Ok(match provider.health.seen(&target.model).state {
            PlaceState::Open | PlaceState::Trying => None,
            PlaceState::Resting { .. } | PlaceState::AskedToWait { .. } => Some(Obstacle::Resting),
        })
    }

    async fn place_view(&self, provider: &str, model: &str) -> Result<PlaceView, GatewayError> {
        let configured = self.places.configured(provider).await?;
        let unavailable = match &configured {
            Some(configured) => configured.unavailable_reason(model),
            None => Some(LeftOut::Unknown),
        };
        Ok(PlaceView {
            provider: provider.to_owned(),
            model: model.to_owned(),
            unavailable: unavailable.map(|reason| reason.to_string()),
            health: configured.map(|configured| configured.health.seen(model)),
        })
    }
}

/// The models whose other targets are all at providers that are off.
fn only_hope_of(models: &[ModelConfig], provider: &str, off: &BTreeSet<&str>) -> Vec<String> {
    let depends = |model: &&ModelConfig| {
        let here = model.targets.iter().any(|target| target.provider == provider);
        here && model.targets.iter().all(|target| target.provider == provider || off.contains(target.provider.as_str()))
    };
    models.iter().filter(depends).map(|model| model.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_is_the_only_hope_of_is_named() {
        let target = |provider: &str| Target { provider: provider.to_owned(), model: "m".to_owned(), weight: 1 };
        let models = [
            ModelConfig::new("alone", vec![target("a")]),
            ModelConfig::new("beside-one-that-is-off", vec![target("b"), target("a")]),
            ModelConfig::new("beside-another", vec![target("a"), target("c")]),
            ModelConfig::new("elsewhere", vec![target("b")]),
        ];
        assert_eq!(only_hope_of(&models, "a", &BTreeSet::from(["b"])), ["alone", "beside-one-that-is-off"]);
    }
}
