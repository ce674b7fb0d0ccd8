//! References: what a file names must be in it or in the database.

use super::{Located, Mistake, Resources};
use crate::nearest::hint;
use std::collections::BTreeSet;
use store::{ControlStore, StoreError};

const PROVIDERS: &str = "SELECT name AS value FROM provider ORDER BY name";
const PLANS: &str = "SELECT name AS value FROM plan ORDER BY name";
const MODELS: &str = "SELECT name AS value FROM model ORDER BY name";
const TENANTS: &str = "SELECT slug AS value FROM tenant ORDER BY slug";

/// The names of one kind that may be referred to.
struct Known {
    kind: &'static str,
    names: BTreeSet<String>,
}

impl Known {
    async fn of(
        control: &ControlStore,
        resources: &Resources,
        kind: &'static str,
        stored: &'static str,
    ) -> Result<Self, StoreError> {
        let mut names: BTreeSet<String> = control.read(stored).fetch_all().await?.into_iter().collect();
        let declared = resources.declared.iter().filter(|(its_kind, _)| *its_kind == kind);
        names.extend(declared.map(|(_, name)| name.value.clone()));
        Ok(Self { kind, names })
    }

    fn require(&self, line: usize, name: &str, mistakes: &mut Vec<Mistake>) {
        if !self.names.contains(name) {
            let near = hint(name, self.names.iter().map(String::as_str));
            let message = format!("there is no {} “{name}”, neither in this file nor in the database{near}", self.kind);
            mistakes.push(Mistake { line, message });
        }
    }
}

pub(super) async fn references(
    control: &ControlStore,
    resources: &Resources,
    mistakes: &mut Vec<Mistake>,
) -> Result<(), StoreError> {
    let providers = Known::of(control, resources, "provider", PROVIDERS).await?;
    let plans = Known::of(control, resources, "plan", PLANS).await?;
    let models = Known::of(control, resources, "model", MODELS).await?;
    let tenants = Known::of(control, resources, "tenant", TENANTS).await?;
    for Located { value: model, .. } in &resources.models {
        for (target, line) in model.config.targets.iter().zip(&model.target_lines) {
            providers.require(*line, &target.provider, mistakes);
        }
    }
    for Located { line, value: price } in &resources.prices {
        providers.require(*line, &price.provider, mistakes);
    }
    for Located { line, value: tenant } in &resources.tenants {
        if let Some(plan) = &tenant.plan {
            plans.require(*line, plan, mistakes);
        }
    }
    for slug in resources.users.iter().filter_map(|user| user.value.tenant.as_ref()) {
        tenants.require(slug.line, slug.value.as_str(), mistakes);
    }
    for Located { value: key, .. } in &resources.keys {
        tenants.require(key.tenant_line, key.declared.tenant.as_str(), mistakes);
        for (model, line) in key.declared.key.models.iter().flatten().zip(&key.model_lines) {
            models.require(*line, model, mistakes);
        }
    }
    for usage in &resources.usage {
        tenants.require(usage.value.tenant.line, usage.value.tenant.value.as_str(), mistakes);
        models.require(usage.value.model.line, &usage.value.model.value, mistakes);
    }
    Ok(())
}
