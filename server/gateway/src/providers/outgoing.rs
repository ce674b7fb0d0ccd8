//! A request that goes out as it came in, but for a few of its fields.
//!
//! Nothing of it is copied: a conversation may be megabytes, and each attempt sends it.

use crate::provider::Native;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The fields of a request, and those that are otherwise.
pub(super) struct Outgoing<'n> {
    body: &'n Map<String, Value>,
    /// None: it is left out.
    otherwise: Vec<(&'static str, Option<Value>)>,
}

impl<'n> Outgoing<'n> {
    /// With the provider's name of the model, streamed as the caller wants it.
    pub fn of(native: &'n Native, model: &str) -> Self {
        let otherwise = vec![("model", Some(model.into())), ("stream", Some(native.streamed.into()))];
        Self { body: &native.body, otherwise }
    }

    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.set(name, Some(value));
        self
    }

    pub fn without(mut self, name: &'static str) -> Self {
        self.set(name, None);
        self
    }

    fn set(&mut self, name: &'static str, value: Option<Value>) {
        self.otherwise.retain(|(other, _)| *other != name);
        self.otherwise.push((name, value));
    }
}

impl Serialize for Outgoing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_kept = |name: &str| !self.otherwise.iter().any(|(other, _)| *other == name);
        let kept = self.body.iter().filter(|(name, _)| is_kept(name)).map(|(name, value)| (name.as_str(), value));
        let set = self.otherwise.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?)));
        serializer.collect_map(kept.chain(set))
    }
}
