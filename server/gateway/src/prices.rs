//! What a request would come to at each place, for models whose cheapest place is asked first.

use crate::{ChatRequest, GatewayError, estimates, recent::Recent, route::Leg};
use contract::{NanoUsd, Timestamp, TokenUsage};
use metering::{AttemptPrice, Metering};

/// How long an answer is taken to be where no limit is asked for.
const USUAL_ANSWER: i64 = 500;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Amount<'a> {
    Chat(&'a ChatRequest),
    Texts(&'a [String]),
}

/// The provider and its model, as the price book names them.
type Place = (String, String);

/// The price book as routing needs it, at most a second old.
pub(crate) struct Prices {
    metering: Metering,
    known: Recent<Place, Option<AttemptPrice>>,
}

impl Prices {
    pub fn new(metering: Metering) -> Self {
        Self { metering, known: Recent::default() }
    }

    /// What each place would charge; none where nobody knows.
    pub async fn of(
        &self,
        legs: &[Leg],
        amount: Amount<'_>,
        now: Timestamp,
    ) -> Result<Vec<Option<NanoUsd>>, GatewayError> {
        let mut costs = Vec::with_capacity(legs.len());
        for leg in legs {
            let usage = match amount {
                Amount::Chat(request) => TokenUsage {
                    output: Some(request.max_output_tokens().unwrap_or(USUAL_ANSWER)),
                    ..estimates::chat(leg, request, "").await
                },
                Amount::Texts(texts) => {
                    TokenUsage { input: estimates::texts(leg, texts).await, cached_input: None, output: Some(0) }
                }
            };
            costs.push(self.at(leg, now).await?.and_then(|price| price.cost_of(&usage)));
        }
        Ok(costs)
    }

    async fn at(&self, leg: &Leg, now: Timestamp) -> Result<Option<AttemptPrice>, GatewayError> {
        let place = (leg.provider.name.clone(), leg.model.clone());
        let read = async || Ok(self.metering.price_in_force(&place.0, &place.1, now).await?);
        self.known.get(place.clone(), read).await
    }
}
