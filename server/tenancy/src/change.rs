//! What a declarative write would find wrong, and what it did: for `seam apply` and its `--dry-run`.

use crate::TenancyError;
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
    Created,
    /// Each entry reads “field: old → new”.
    Updated(Vec<String>),
    Unchanged,
}

impl Change {
    /// `Updated` when there is a difference, `Unchanged` when there is none.
    pub fn from_differences(differences: Vec<String>) -> Self {
        if differences.is_empty() { Self::Unchanged } else { Self::Updated(differences) }
    }
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
