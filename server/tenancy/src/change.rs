//! What a declarative write would find wrong, and what it did: for `seam apply`, its `--dry-run`, and the audit log.

use crate::{
    Author, Chain, Tenancy, TenancyError,
    audit::{self, Deed},
};
use contract::{TenantId, Timestamp};
use serde_json::{Map, Value};
use std::fmt::Display;
use store::{StoreError, Transaction};

/// A field of what is to be, and why it cannot be so.
pub type Fault = (&'static str, String);

/// The first fault, where one is all that can be told.
pub(crate) fn none_of(faults: Vec<Fault>) -> Result<(), TenancyError> {
    match faults.into_iter().next() {
        None => Ok(()),
        Some((field, reason)) => Err(TenancyError::Invalid { field, reason }),
    }
}

/// The difference between what was declared and what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Each entry reads “field: value”.
    Created(Vec<String>),
    /// Each entry reads “field: old → new”; of a secret “field: replaced”.
    Updated(Vec<String>),
    Unchanged,
}

/// What a resource says of itself: its fields and their values, where they have one; no secrets.
pub type Told = Vec<(&'static str, Option<String>)>;

impl Change {
    /// `Created` with what the resource is from now on.
    pub fn created(told: Told) -> Self {
        let fields = told.into_iter().filter_map(|(field, value)| value.map(|value| format!("{field}: {value}")));
        Self::Created(fields.collect())
    }

    /// `Updated` when there is a difference, `Unchanged` when there is none.
    pub fn from_differences(differences: Vec<String>) -> Self {
        if differences.is_empty() { Self::Unchanged } else { Self::Updated(differences) }
    }

    /// How it was before, and how it is after, as the audit log tells it: of what was there the fields that changed, of what
    /// was made all of them. Both are what the resource says of itself, as an object.
    pub fn values(&self, before: Option<Value>, after: Option<Value>) -> (Value, Value) {
        let (Some(Value::Object(old)), Some(Value::Object(new))) = (&before, &after) else {
            return (before.unwrap_or_default(), after.unwrap_or_default());
        };
        let differing = |these: &Map<String, Value>, those: &Map<String, Value>| -> Map<String, Value> {
            let fields = these.iter().filter(|(field, value)| those.get(field.as_str()) != Some(value));
            fields.map(|(field, value)| (field.clone(), value.clone())).collect()
        };
        let (mut before, mut after) = (differing(old, new), differing(new, old));
        // A secret says no more of itself than that it is set, whichever it is.
        for (field, was) in self.replaced().filter_map(|field| old.get_key_value(field)) {
            before.insert(field.clone(), was.clone());
            after.insert(field.clone(), Value::from("replaced"));
        }
        (Value::Object(before), Value::Object(after))
    }

    fn replaced(&self) -> impl Iterator<Item = &str> {
        let fields = match self {
            Self::Updated(fields) => fields.as_slice(),
            Self::Created(_) | Self::Unchanged => &[],
        };
        fields.iter().filter_map(|field| field.strip_suffix(": replaced"))
    }
}

impl Tenancy {
    /// Records what `seam apply` did to one resource, in its transaction: in the platform's log, and in the tenant's
    /// where it is a tenant's. `before` and `after` hold no secrets; see [`Change::values`].
    pub async fn apply_record(
        tx: &mut Transaction,
        now: Timestamp,
        action: &'static str,
        target: &str,
        (before, after): (Value, Value),
        tenant: Option<TenantId>,
    ) -> Result<(), StoreError> {
        // What is a tenant's stands in its own log: the platform's outlives it, and knows it by its short name alone.
        let of_platform = action == "tenant.apply" || tenant.is_none();
        let chains = [of_platform.then_some(Chain::Platform), tenant.map(Chain::Tenant)];
        for chain in chains.into_iter().flatten() {
            let (mut before, mut after) = (before.clone(), after.clone());
            if chain == Chain::Platform {
                for told in [&mut before, &mut after].into_iter().filter_map(Value::as_object_mut) {
                    told.remove("display_name");
                }
            }
            audit::record(tx, now, chain, &Author::command_line(), Deed { action, target, before, after }).await?;
        }
        Ok(())
    }
}

/// The same as one object, as the audit log has it.
pub fn as_values(told: Told) -> Value {
    Value::Object(
        told.into_iter().map(|(field, value)| (field.to_owned(), value.map_or(Value::Null, Value::String))).collect(),
    )
}

/// “field: old → new” for each field in which the two differ; both tell the same fields in the same order.
pub fn differences(old: Told, new: Told) -> Vec<String> {
    let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    old.into_iter()
        .zip(new)
        .filter(|((_, old), (_, new))| old != new)
        .map(|((field, old), (_, new))| format!("{field}: {} → {}", shown(old), shown(new)))
        .collect()
}

/// Notes “field: old → new” when the two differ.
pub(crate) fn note_difference<T: PartialEq + Display>(differences: &mut Vec<String>, field: &str, old: &T, new: &T) {
    if old != new {
        differences.push(format!("{field}: {old} → {new}"));
    }
}

/// The same for values that may be absent, shown as “none”.
pub(crate) fn note_optional_difference<T: PartialEq + Display>(
    differences: &mut Vec<String>,
    field: &str,
    old: Option<&T>,
    new: Option<&T>,
) {
    if old != new {
        let shown = |value: Option<&T>| value.map_or_else(|| "none".to_owned(), ToString::to_string);
        differences.push(format!("{field}: {} → {}", shown(old), shown(new)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changed_is_told_before_and_after_and_what_did_not_is_left_out() {
        let change = Change::Updated(vec!["region: none → eu".to_owned()]);
        let (old, new) = (json!({ "plan": "pro", "region": null }), json!({ "plan": "pro", "region": "eu" }));
        let told = change.values(Some(old), Some(new));
        assert_eq!(told, (json!({ "region": null }), json!({ "region": "eu" })));
    }

    #[test]
    fn what_was_made_has_nothing_before_and_everything_after() {
        let new = json!({ "plan": "pro", "region": null });
        assert_eq!(Change::Created(Vec::new()).values(None, Some(new.clone())), (Value::Null, new));
    }

    #[test]
    fn a_secret_that_was_replaced_is_told_by_words() {
        let change = Change::Updated(vec!["api_key: replaced".to_owned()]);
        let same = json!({ "api_key": "set", "region": "eu" });
        let told = change.values(Some(same.clone()), Some(same));
        assert_eq!(told, (json!({ "api_key": "set" }), json!({ "api_key": "replaced" })));
    }

    #[test]
    fn a_name_that_reads_like_a_replaced_secret_is_a_name() {
        let change = Change::Updated(vec!["display_name: a → api_key: replaced".to_owned()]);
        let (old, new) = (json!({ "display_name": "a" }), json!({ "display_name": "api_key: replaced" }));
        assert_eq!(change.values(Some(old.clone()), Some(new.clone())), (old, new));
    }
}
