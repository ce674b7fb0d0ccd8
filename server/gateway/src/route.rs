//! The places that can be asked, and the order in which they are.

use crate::{ChatRequest, directory::Configured, provider::ChatCall};
use contract::{NanoUsd, TenantId};
use registry::Strategy;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A place that can be asked.
#[derive(Clone)]
pub(crate) struct Leg {
    pub provider: Arc<Configured>,
    /// The provider's own name of the model.
    pub model: String,
    /// Its share where the strategy is `weighted`.
    pub weight: u32,
}

impl Leg {
    /// `provider/model`.
    pub fn route(&self) -> String {
        format!("{}/{}", self.provider.name, self.model)
    }

    /// What is asked there: in the caller's own words where they are understood.
    pub fn call(&self, tenant: TenantId, request: &ChatRequest) -> ChatCall {
        let native = request.foreign.as_ref().map(|foreign| &foreign.native);
        ChatCall {
            tenant,
            model: self.model.clone(),
            conversation: Arc::clone(&request.conversation),
            native: native.filter(|native| self.provider.instance.speaks(native.dialect)).cloned(),
            cancel: CancellationToken::new(),
        }
    }
}

/// Where a model can be answered now.
pub(crate) struct Route {
    pub legs: Vec<Leg>,
    /// Why those that are not among the legs are not, in the order of the config.
    pub left_out: Vec<String>,
}

/// Puts places into the order in which they are asked. `costs`: what the request would come to at each, where prices
/// are known; `whole`: whether answers that come at once are compared; `draw` gives numbers in 0..1.
pub(crate) fn ordered(
    strategy: Strategy,
    mut legs: Vec<Leg>,
    costs: &[Option<NanoUsd>],
    whole: bool,
    draw: impl FnMut() -> f64,
) -> Vec<Leg> {
    match strategy {
        Strategy::Fallback => legs,
        Strategy::Weighted => drawn(legs, draw),
        Strategy::Cheapest => {
            let mut priced: Vec<(Option<NanoUsd>, Leg)> =
                costs.iter().copied().chain(std::iter::repeat(None)).zip(legs).collect();
            // What costs nobody knows how much comes last.
            priced.sort_by_key(|(cost, _)| (cost.is_none(), *cost));
            priced.into_iter().map(|(_, leg)| leg).collect()
        }
        Strategy::Fastest => {
            // One that nobody has measured lately is asked first, and is measured thereby; not when it has just failed.
            legs.sort_by_cached_key(|leg| {
                let health = &leg.provider.health;
                (health.failed_last(&leg.model), health.usual(&leg.model, whole).unwrap_or(Duration::ZERO))
            });
            legs
        }
    }
}

/// By chance in proportion to the weights, without putting back, so that the others follow as fallbacks.
fn drawn(mut left: Vec<Leg>, mut draw: impl FnMut() -> f64) -> Vec<Leg> {
    let mut drawn = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total: f64 = left.iter().map(|leg| f64::from(leg.weight)).sum();
        let mut at = draw() * total;
        let hit = left.iter().position(|leg| {
            at -= f64::from(leg.weight);
            at < 0.0
        });
        drawn.push(left.remove(hit.unwrap_or(left.len() - 1)));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        health::{Asker, Pace},
        providers::{Simulated, SimulatedOptions},
    };
    use contract::RequestId;

    fn legs() -> Vec<Leg> {
        let leg = |name: &str, weight| {
            let instance = Simulated::new(SimulatedOptions::default(), Duration::from_secs(1));
            let provider = Arc::new(Configured::of_test(name, Arc::new(instance)));
            Leg { provider, model: "m".to_owned(), weight }
        };
        vec![leg("a", 1), leg("b", 3), leg("c", 1)]
    }

    fn asker() -> Asker {
        Asker { tenant: TenantId::new(), request: RequestId::new() }
    }

    fn names(legs: &[Leg]) -> String {
        legs.iter().map(|leg| leg.provider.name.as_str()).collect()
    }

    #[test]
    fn fallback_keeps_the_order() {
        assert_eq!(names(&ordered(Strategy::Fallback, legs(), &[], false, || 0.9)), "abc");
    }

    #[test]
    fn weights_decide_who_is_first_and_nobody_is_lost() {
        assert_eq!(names(&ordered(Strategy::Weighted, legs(), &[], false, || 0.0)), "abc");
        assert_eq!(names(&ordered(Strategy::Weighted, legs(), &[], false, || 0.3)), "bac");
        assert_eq!(names(&ordered(Strategy::Weighted, legs(), &[], false, || 1.0)), "cba");
    }

    #[test]
    fn the_cheapest_is_first_and_the_unpriced_last() {
        let costs = [None, Some(NanoUsd::from_nanos(9)), Some(NanoUsd::from_nanos(7))];
        assert_eq!(names(&ordered(Strategy::Cheapest, legs(), &costs, false, || 0.0)), "cba");
        assert_eq!(names(&ordered(Strategy::Cheapest, legs(), &[], false, || 0.0)), "abc");
    }

    #[tokio::test]
    async fn the_fastest_is_first_once_all_are_measured() {
        let legs = legs();
        let answered = |leg: usize, milliseconds| {
            let admitted = legs[leg].provider.health.admit("m", asker()).unwrap();
            admitted.answered(Pace::FirstWords(Duration::from_millis(milliseconds)));
        };
        answered(0, 300);
        answered(1, 200);
        assert_eq!(names(&ordered(Strategy::Fastest, legs.clone(), &[], false, || 0.0)), "cba", "who is not known yet");
        answered(2, 400);
        assert_eq!(names(&ordered(Strategy::Fastest, legs.clone(), &[], false, || 0.0)), "bac");
        legs[1].provider.health.admit("m", asker()).unwrap().failed(&crate::provider::ProviderError::Cut);
        assert_eq!(names(&ordered(Strategy::Fastest, legs.clone(), &[], false, || 0.0)), "acb", "who has just failed");
        let whole = |leg: usize, milliseconds| {
            let admitted = legs[leg].provider.health.admit("m", asker()).unwrap();
            admitted.answered(Pace::Whole(Duration::from_millis(milliseconds)));
        };
        [(0, 900), (1, 800), (2, 700)].into_iter().for_each(|(leg, milliseconds)| whole(leg, milliseconds));
        assert_eq!(names(&ordered(Strategy::Fastest, legs.clone(), &[], true, || 0.0)), "cba", "of whole answers");
    }
}
