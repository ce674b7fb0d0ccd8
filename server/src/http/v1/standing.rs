//! Whether who asked may still ask: an answer lasts no longer than the key that asked for it.

use super::refusal::Refusal;
use contract::{KeyScope, Problem, ProblemCode, TenantId};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tenancy::{KeyHolder, Secret, Tenancy, TenancyError};

/// With the half second that a key is remembered for, within the second that is promised.
const ASKED_AGAIN: Duration = Duration::from_millis(300);

/// A key that opened a tenant's models when it was shown.
#[derive(Clone)]
pub(super) struct Standing {
    key: Arc<Key>,
}

struct Key {
    tenancy: Tenancy,
    secret: Secret,
    address: IpAddr,
    tenant: TenantId,
}

impl Standing {
    pub fn of(tenancy: &Tenancy, secret: &str, address: IpAddr, tenant: TenantId) -> Self {
        let secret = Secret::new(secret.to_owned());
        Self { key: Arc::new(Key { tenancy: tenancy.clone(), secret, address, tenant }) }
    }

    /// Returns when the key opens them no more, with the reason.
    pub async fn lost(&self) -> Refusal {
        let Key { tenancy, secret, address, tenant } = &*self.key;
        loop {
            tokio::time::sleep(ASKED_AGAIN).await;
            // On the heap, so that those who are answered at once are small.
            match Box::pin(tenancy.authenticate_call(secret.expose(), *address)).await {
                Ok(Some(KeyHolder::Tenant { scope, may, .. }))
                    if scope.tenant() == *tenant && may.contains(&KeyScope::Inference) => {}
                Ok(None | Some(KeyHolder::Tenant { .. } | KeyHolder::Operator(_))) => {
                    let detail = "This key was revoked, or has expired, before the answer was complete.";
                    return Problem::new(ProblemCode::NotSignedIn, detail).into();
                }
                Err(error @ TenancyError::Suspended { .. }) => return error.into(),
                // A database that is away for a moment ends no answers.
                Err(error) => tracing::debug!(%error, "whether a key still opens something cannot be looked up"),
            }
        }
    }
}
