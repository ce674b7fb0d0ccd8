//! A tenant's own keys at providers, for its admins.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
use contract::OwnKeyView;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What the page of own keys shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnKeysView {
    /// The providers at which the tenant may use a key of its own.
    pub keys: Vec<OwnKeyView>,
    /// What came of the act before this page, shown this once.
    pub trial: Option<String>,
}

#[server(prefix = "/api/ui", endpoint = "own-keys", input = Json)]
pub async fn own_keys() -> Result<OwnKeysView, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let keys = platform.gateway.own_key_list(&scope).await?;
    Ok(OwnKeysView { keys, trial: once::take(&platform, TRIAL) })
}

#[server(prefix = "/api/ui", endpoint = "own-key-set")]
pub async fn own_key_set(provider: String, api_key: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let key = tenancy::Secret::new(api_key.trim().to_owned());
    let kept = |problem: ServerProblem| problem.keep("provider", &provider);
    platform.gateway.own_key_set(&scope, &provider, &key).await.map_err(|error| kept(error.into()))?;
    once::show(&platform, TRIAL, &format!("The key at {provider} is kept. Your next request there uses it."))?;
    context::go("/admin/provider-keys");
    Ok(())
}

/// Asks the provider which models it has, with the key that is stored.
#[server(prefix = "/api/ui", endpoint = "own-key-test")]
pub async fn own_key_test(provider: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let said = match platform.gateway.own_key_test(&scope, &provider, None).await? {
        Ok(()) => format!("{provider} takes your key."),
        Err(cause) => format!("Your key at {provider} does not work: {}.", cause.told_to_tenants()),
    };
    once::show(&platform, TRIAL, &said)?;
    context::go("/admin/provider-keys");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "own-key-remove")]
pub async fn own_key_remove(provider: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    once::require_same(&provider, &typed)?;
    if !platform.gateway.own_key_remove(&scope, &provider).await? {
        return Err(contract::Problem::field("typed", "there is no key of yours at this provider").into());
    }
    once::say(&platform, &format!("Your key at {provider} is removed."))?;
    context::go("/admin/provider-keys");
    Ok(())
}

#[cfg(feature = "ssr")]
const TRIAL: &str = "own-key";
