//! The gateway in the consoles: models and providers as operators run them, models as a tenant can ask for them.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
use contract::{MoveDirection, ProviderView, RoutedModelView, TenantModelView, TrialView};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What the operator's page of models shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelsView {
    pub models: Vec<RoutedModelView>,
    /// What came of the test request before this page, shown this once.
    pub trial: Option<TrialView>,
}

/// `again`: asked by a page that is there already and wants to know how things are now.
#[server(prefix = "/api/ui", endpoint = "models", input = Json)]
pub async fn models(again: bool) -> Result<ModelsView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    let trial = if again { None } else { once::take(&platform, TRIAL) };
    let trial = trial.and_then(|text| serde_json::from_str(&text).ok());
    Ok(ModelsView { models: platform.gateway.model_overview(&operator).await?, trial })
}

#[server(prefix = "/api/ui", endpoint = "providers", input = Json)]
pub async fn providers() -> Result<Vec<ProviderView>, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    Ok(platform.gateway.provider_overview(&principal.operator_scope()?).await?)
}

/// Asks a model something short; the page that follows tells what came of it.
#[server(prefix = "/api/ui", endpoint = "model-try")]
pub async fn model_try(model: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let trial = platform.gateway.model_try(&principal.operator_scope()?, &model).await?;
    once::show(&platform, TRIAL, &serde_json::to_string(&trial).unwrap_or_default())?;
    context::go("/operator/models");
    Ok(())
}

/// Moves a target by one place, if it still stands where the page says.
#[server(prefix = "/api/ui", endpoint = "target-move")]
pub async fn target_move(model: String, at: usize, route: String, to: MoveDirection) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    platform.gateway.target_move(&principal.operator_scope()?, &model, at, &route, to).await?;
    context::go(&format!("/operator/models#{}", crate::wording::anchor("model", &model)));
    Ok(())
}

/// Switches a provider off, or on again.
#[server(prefix = "/api/ui", endpoint = "provider-switch")]
pub async fn provider_switch(provider: String, on: bool) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    platform.provider_switch(&principal.operator_scope()?, &provider, on).await?;
    context::go(&format!("/operator/providers#{}", crate::wording::anchor("provider", &provider)));
    Ok(())
}

/// What the tenant's people and programs can ask for, for its admins.
#[server(prefix = "/api/ui", endpoint = "tenant-models", input = Json)]
pub async fn tenant_models() -> Result<Vec<TenantModelView>, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    scope.require(contract::Role::Admin)?;
    Ok(platform.gateway.tenant_models(&scope).await?)
}

/// What a test request's end is carried under to the page that follows.
#[cfg(feature = "ssr")]
const TRIAL: &str = "trial";
