//! What a tenant's data must not do, whoever could answer: leave its region, or stay with a provider.
//!
//! What runs in this process keeps nothing, and is where the tenant's data lies anyway.

use crate::{GatewayError, directory::Configured, left_out::LeftOut, recent::Recent};
use contract::{ProviderKind, TenantId};
use store::{ControlStore, FromRow, Row, StoreError};

const RULES: &str = "SELECT region, zero_retention FROM tenant WHERE id = $1";

/// What holds for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rules {
    pub region: Option<String>,
    pub zero_retention: bool,
}

impl FromRow for Rules {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { region: row.get("region")?, zero_retention: row.get("zero_retention")? })
    }
}

impl Rules {
    /// Why a provider must not be asked; none when it may.
    pub fn forbid(&self, provider: &Configured) -> Option<LeftOut> {
        match provider.instance.kind() {
            ProviderKind::Local | ProviderKind::Simulated => return None,
            ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Gemini => {}
        }
        if let Some(region) = &self.region
            && provider.region.as_ref().is_none_or(|where_it_is| !where_it_is.eq_ignore_ascii_case(region))
        {
            return Some(LeftOut::OutsideRegion(region.clone()));
        }
        (self.zero_retention && !provider.zero_retention).then_some(LeftOut::KeepsData)
    }
}

/// The rules of tenants, at most a second old.
pub(crate) struct Residency {
    control: ControlStore,
    known: Recent<TenantId, Rules>,
}

impl Residency {
    pub fn new(control: ControlStore) -> Self {
        Self { control, known: Recent::default() }
    }

    /// Errors: rules that cannot be read are not taken for none.
    pub async fn of(&self, tenant: TenantId) -> Result<Rules, GatewayError> {
        let read = async || {
            let rules: Option<Rules> = self.control.read(RULES).bind(tenant).fetch_optional().await?;
            // A tenant that is gone has no data to protect, and nobody asks for it.
            Ok(rules.unwrap_or_default())
        };
        self.known.get(tenant, read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{OpenAi, Simulated, SimulatedOptions};
    use std::{sync::Arc, time::Duration};

    #[test]
    fn what_leaves_the_region_or_is_kept_is_forbidden() {
        let second = Duration::from_secs(1);
        let remote = || Arc::new(OpenAi::new(Some("http://a.test"), None, second).unwrap());
        let mut provider = Configured::of_test("p", remote());
        let eu = Rules { region: Some("eu".to_owned()), zero_retention: false };
        let nothing_kept = Rules { region: None, zero_retention: true };
        assert!(Rules::default().forbid(&provider).is_none());
        assert!(eu.forbid(&provider).unwrap().to_string().contains("eu"), "nobody knows where it is");
        provider.region = Some("us".to_owned());
        assert!(eu.forbid(&provider).is_some());
        provider.region = Some("EU".to_owned());
        assert!(eu.forbid(&provider).is_none());
        assert!(nothing_kept.forbid(&provider).is_some());
        provider.zero_retention = true;
        assert!(nothing_kept.forbid(&provider).is_none());
        let here = Configured::of_test("sim", Arc::new(Simulated::new(SimulatedOptions::default(), second)));
        assert!(eu.forbid(&here).is_none() && nothing_kept.forbid(&here).is_none());
    }
}
