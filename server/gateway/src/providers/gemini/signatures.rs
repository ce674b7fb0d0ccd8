//! The signatures under which models called tools lately.
//!
//! A model signs its calls and reads them back better with the signature. Other dialects have no place for one, so that it
//! is found again by the call's id. One that is not (another node, a restart, long ago) is no error: the model is told then.
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>

use contract::TenantId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What the younger half may weigh; then it is the older one, and that is forgotten.
const HALF: usize = 4 << 20;
/// A signature's place beside its text.
const PLACE: usize = 128;

/// A tenant's call by the model that made it, which alone knows its signature again, and by its id.
type Call = (TenantId, String, String);

#[derive(Default)]
pub(super) struct Signatures(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<Call, Arc<str>>,
    old: HashMap<Call, Arc<str>>,
    /// Of `young`.
    bytes: usize,
}

impl Signatures {
    pub fn keep(&self, tenant: TenantId, model: &str, call: &str, signature: &str) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.bytes = halves.bytes.saturating_add(model.len() + call.len() + signature.len() + PLACE);
        if halves.bytes > HALF {
            halves.old = std::mem::take(&mut halves.young);
            halves.bytes = 0;
        }
        halves.young.insert((tenant, model.to_owned(), call.to_owned()), signature.into());
    }

    pub fn of(&self, tenant: TenantId, model: &str, call: &str) -> Option<Arc<str>> {
        let call = (tenant, model.to_owned(), call.to_owned());
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.get(&call).or_else(|| halves.old.get(&call)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_its_tenants_and_the_oldest_are_forgotten() {
        let (signatures, acme) = (Signatures::default(), TenantId::new());
        signatures.keep(acme, "m", "call_1", "s");
        assert_eq!(signatures.of(acme, "m", "call_1").as_deref(), Some("s"));
        assert_eq!(signatures.of(TenantId::new(), "m", "call_1"), None);
        assert_eq!(signatures.of(acme, "another", "call_1"), None);
        let large = "s".repeat(1 << 20);
        for number in 2..8 {
            signatures.keep(acme, "m", &format!("call_{number}"), &large);
        }
        assert!(signatures.of(acme, "m", "call_7").is_some() && signatures.of(acme, "m", "call_2").is_some());
        for number in 8..12 {
            signatures.keep(acme, "m", &format!("call_{number}"), &large);
        }
        assert_eq!(signatures.of(acme, "m", "call_1"), None);
    }
}
