//! From a model's config to the places that are asked, in order.

use crate::{
    ChatRequest, GatewayError,
    directory::{Configured, Directory},
    provider::ChatCall,
};
use contract::TenantId;
use registry::{ModelConfig, Strategy, Target};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A place that can be asked.
#[derive(Clone)]
pub(crate) struct Leg {
    pub provider: Arc<Configured>,
    /// The provider's own name of the model.
    pub model: String,
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

/// Looks up each target's provider and leaves out what cannot answer now. `draw` gives numbers in 0..1.
pub(crate) async fn plan(
    config: &ModelConfig,
    directory: &Directory,
    draw: impl FnMut() -> f64 + Send,
) -> Result<Route, GatewayError> {
    let mut route = Route { legs: Vec::new(), left_out: Vec::new() };
    for target in ordered(config.strategy, &config.targets, draw) {
        match directory.get(&target.provider).await? {
            None => route.left_out.push(format!("there is no provider “{}”", target.provider)),
            Some(provider) => match provider.instance.unavailable_reason(&target.model) {
                Some(reason) => route.left_out.push(format!("{}: {reason}", target.route())),
                None => route.legs.push(Leg { provider, model: target.model.clone() }),
            },
        }
    }
    Ok(route)
}

/// `weighted` draws without putting back, so that the others follow as fallbacks. `cheapest` and `fastest`
/// keep the order of the config until prices and measured times are looked at.
fn ordered(strategy: Strategy, targets: &[Target], mut draw: impl FnMut() -> f64) -> Vec<Target> {
    match strategy {
        Strategy::Fallback | Strategy::Cheapest | Strategy::Fastest => targets.to_vec(),
        Strategy::Weighted => {
            let mut left = targets.to_vec();
            let mut drawn = Vec::with_capacity(left.len());
            while !left.is_empty() {
                let total: f64 = left.iter().map(|target| f64::from(target.weight)).sum();
                let mut at = draw() * total;
                let hit = left.iter().position(|target| {
                    at -= f64::from(target.weight);
                    at < 0.0
                });
                drawn.push(left.remove(hit.unwrap_or(left.len() - 1)));
            }
            drawn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Vec<Target> {
        let target = |provider: &str, weight| Target { provider: provider.to_owned(), model: "m".to_owned(), weight };
        vec![target("a", 1), target("b", 3)]
    }

    fn names(targets: &[Target]) -> String {
        targets.iter().map(|target| target.provider.as_str()).collect()
    }

    #[test]
    fn fallback_keeps_the_order() {
        assert_eq!(names(&ordered(Strategy::Fallback, &targets(), || 0.9)), "ab");
    }

    #[test]
    fn weights_decide_who_is_first_and_nobody_is_lost() {
        assert_eq!(names(&ordered(Strategy::Weighted, &targets(), || 0.24)), "ab");
        assert_eq!(names(&ordered(Strategy::Weighted, &targets(), || 0.26)), "ba");
        assert_eq!(names(&ordered(Strategy::Weighted, &targets(), || 1.0)), "ba");
    }
}
