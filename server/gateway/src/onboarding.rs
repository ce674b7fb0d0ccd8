//! From a pasted key to models that answer: the key is tried, then provider, models and prices are written
//! in one transaction.

use crate::{
    GatewayError, NewProvider,
    catalogue::{KnownModel, known_models},
    configure,
    provider::ProviderError,
    providers::{Anthropic, Gemini, OpenAi},
};
use contract::{ProviderKind, Timestamp};
use metering::{Metering, MeteringError, NewPrice};
use registry::{ModelConfig, Registry, Target};
use std::time::Duration;
use store::Transaction;
use tenancy::Vault;

/// Somebody waits in front of a form.
const TEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A local server may have hundreds of models; the picker should not.
const MOST_LISTED: usize = 20;

/// The models that a server offers for this key. Costs nothing.
pub(crate) async fn offered_models(
    kind: ProviderKind,
    base_url: Option<&str>,
    api_key: Option<&str>,
) -> Result<Vec<String>, ProviderError> {
    match kind {
        ProviderKind::Openai => OpenAi::new(base_url, api_key, TEST_TIMEOUT)?.models().await,
        ProviderKind::Anthropic => Anthropic::new(base_url, api_key, TEST_TIMEOUT)?.models().await,
        ProviderKind::Gemini => Gemini::new(base_url, api_key, TEST_TIMEOUT)?.models().await,
        // Nothing to ask: both are in this process.
        ProviderKind::Local | ProviderKind::Simulated => Ok(Vec::new()),
    }
}

/// A model to be registered, with its price where that is known.
pub(crate) struct Offer {
    model: String,
    price: Option<NewPrice>,
}

/// What to register: the catalogue's models at a provider's own address, elsewhere what the server lists.
/// Prices of other servers are not known, and are left unknown.
pub(crate) async fn offers(provider: &NewProvider) -> Result<Vec<Offer>, GatewayError> {
    let Some(base_url) = provider.base_url.as_deref() else {
        let priced = |known: KnownModel| Offer { price: Some(known.price_at(&provider.name)), model: known.name };
        return Ok(known_models(provider.kind)?.into_iter().map(priced).collect());
    };
    let listed = offered_models(provider.kind, Some(base_url), provider.api_key.as_deref()).await;
    let listed = listed.map_err(|error| GatewayError::InvalidProvider {
        name: provider.name.clone(),
        reason: format!("its models cannot be listed: {error}"),
    })?;
    // The list does not say what a model is for; only names tell.
    let chats = listed.into_iter().filter(|model| !model.contains("embed"));
    Ok(chats.take(MOST_LISTED).map(|model| Offer { model, price: None }).collect())
}

/// Writes the provider and its models; returns the names under which the models can be asked for.
///
/// A name that another model has taken gets the provider's in front. Models of this provider that are
/// there already stay as the operator has them.
pub(crate) async fn register(
    tx: &mut Transaction,
    now: Timestamp,
    vault: &Vault,
    provider: &NewProvider,
    offers: Vec<Offer>,
    present: &[ModelConfig],
) -> Result<Vec<String>, GatewayError> {
    configure::apply(tx, now, vault, provider).await?;
    let mut names = Vec::with_capacity(offers.len());
    for Offer { model, price } in offers {
        let target = Target { provider: provider.name.clone(), model: model.clone(), weight: Target::default_weight() };
        let is_there = |name: &str| present.iter().find(|config| config.name == name);
        let ours = |config: &ModelConfig| config.targets.iter().any(|t| t.provider == target.provider);
        let name = match is_there(&model) {
            Some(config) if ours(config) => {
                names.push(model);
                continue;
            }
            Some(_) => target.route(),
            None => model,
        };
        if is_there(&name).is_none() {
            let config = ModelConfig::new(&name, vec![target]);
            Registry::apply_model(tx, now, &config).await?;
            let priced = match price {
                Some(price) => Metering::apply_price(tx, now, &price).await.map(drop),
                None => Ok(()),
            };
            match priced {
                // The operator priced it before and knows better.
                Ok(()) | Err(MeteringError::PriceConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        names.push(name);
    }
    Ok(names)
}
