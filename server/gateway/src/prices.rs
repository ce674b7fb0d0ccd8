//! What a request would come to at each place, for models whose cheapest place is asked first.

use crate::{ChatRequest, GatewayError, estimates, route::Leg};
use contract::{NanoUsd, Timestamp, TokenUsage};
use metering::Metering;

/// How long an answer is taken to be where no limit is asked for.
const USUAL_ANSWER: i64 = 500;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Amount<'a> {
    Chat(&'a ChatRequest),
    Texts(&'a [String]),
}

impl Amount<'_> {
    /// Whether the answer comes at once.
    pub fn is_whole(self) -> bool {
        match self {
            Self::Chat(request) => request.is_whole(),
            Self::Texts(_) => true,
        }
    }
}

/// The price book as routing needs it.
pub(crate) struct Prices(Metering);

impl Prices {
    pub const fn new(metering: Metering) -> Self {
        Self(metering)
    }

    /// Reads them anew at the next look.
    pub fn invalidate(&self) {
        self.0.invalidate();
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
            if leg.provider.own_key {
                // The tenant's own provider bills the tenant.
                costs.push(Some(NanoUsd::ZERO));
                continue;
            }
            let usage = match amount {
                Amount::Chat(request) => TokenUsage {
                    output: Some(request.max_output_tokens().unwrap_or(USUAL_ANSWER)),
                    ..estimates::chat(leg, request, "").await
                },
                Amount::Texts(texts) => TokenUsage {
                    input: estimates::texts(leg, texts).await,
                    cached_input: None,
                    output: Some(0),
                    ..TokenUsage::default()
                },
            };
            let price = self.0.price_in_force(&leg.provider.name, &leg.model, now).await?;
            costs.push(price.and_then(|price| price.cost_of(&usage)));
        }
        Ok(costs)
    }
}
