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
        let declared = resources.names.declared.iter().filter(|(its_kind, _)| *its_kind == kind);
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
    let kinds = [("provider", PROVIDERS), ("plan", PLANS), ("model", MODELS), ("tenant", TENANTS)];
    for (kind, stored) in kinds {
        let known = Known::of(control, resources, kind, stored).await?;
        for (_, Located { line, value }) in resources.names.references.iter().filter(|(its_kind, _)| *its_kind == kind)
        {
            known.require(*line, value, mistakes);
        }
    }
    Ok(())
}
