//! The order of a model's targets, as an operator changes it by hand.
//!
//! What always holds: a target is moved only if it stands where it stood when the operator saw it, and the change and
//! its entry in the platform's log are made together.

use crate::{Gateway, GatewayError};
use contract::MoveDirection;
use registry::{ModelConfig, Registry};
use tenancy::{Change, OperatorScope};

impl Gateway {
    /// Moves a model's target by one place. `at` is where it stands, from 0, and `route` what stands there.
    ///
    /// # Errors
    /// `UnknownModel`; `TargetMoved` when something else stands there by now, or there is nowhere to move it to.
    pub async fn target_move(
        &self,
        operator: &OperatorScope,
        model: &str,
        at: usize,
        route: &str,
        to: MoveDirection,
    ) -> Result<(), GatewayError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let mut config = Registry::model_in(&mut tx, model).await?;
        moved(&mut config, at, route, to)?;
        let before = Registry::model_told(&mut tx, model).await?;
        let change = Registry::apply_model(&mut tx, now, &config).await?;
        if change != Change::Unchanged {
            let values = change.values(before, Registry::model_told(&mut tx, model).await?);
            operator.record_change(&mut tx, now, "model.reorder", &config.name, values).await?;
        }
        tx.commit().await?;
        self.registry.invalidate().await;
        Ok(())
    }
}

fn moved(config: &mut ModelConfig, at: usize, route: &str, to: MoveDirection) -> Result<(), GatewayError> {
    let other = match to {
        MoveDirection::Up => at.checked_sub(1),
        MoveDirection::Down => at.checked_add(1),
    };
    let stands_there = config.targets.get(at).is_some_and(|target| target.route() == route);
    match other {
        Some(other) if stands_there && other < config.targets.len() => config.targets.swap(at, other),
        Some(_) | None => return Err(GatewayError::TargetMoved { model: config.name.clone() }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Target;

    fn order(config: &ModelConfig) -> String {
        config.targets.iter().map(|target| target.provider.as_str()).collect()
    }

    #[test]
    fn a_target_moves_by_one_unless_it_stands_elsewhere_or_at_the_end() {
        let target = |provider: &str| Target { provider: provider.to_owned(), model: "m".to_owned(), weight: 1 };
        let mut config = ModelConfig::new("assistant", vec![target("a"), target("b"), target("c")]);
        moved(&mut config, 2, "c/m", MoveDirection::Up).unwrap();
        assert_eq!(order(&config), "acb");
        moved(&mut config, 0, "a/m", MoveDirection::Down).unwrap();
        assert_eq!(order(&config), "cab");
        for (at, route, to) in [
            (0, "c/m", MoveDirection::Up),
            (2, "b/m", MoveDirection::Down),
            (1, "b/m", MoveDirection::Up),
            (9, "c/m", MoveDirection::Up),
        ] {
            assert!(matches!(moved(&mut config, at, route, to), Err(GatewayError::TargetMoved { .. })));
        }
        assert_eq!(order(&config), "cab");
    }
}
