//! What a declarative write would find wrong, and what it did: for `seam apply` and its `--dry-run`.

use crate::TenancyError;
use serde_json::Value;
use std::fmt::Display;

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
    /// Each entry reads “field: old → new”.
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
