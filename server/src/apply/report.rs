//! What an application did, for people and for scripts.

use serde_json::{Value, json};
use std::fmt;
use tenancy::{Change, Secret};

/// One resource and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub kind: &'static str,
    pub name: String,
    pub change: Change,
}

/// A key whose secret was made: whoever applies sees it this once.
#[derive(Debug, Clone)]
pub struct GeneratedKey {
    pub tenant: String,
    pub name: String,
    pub secret: Secret,
}

#[derive(Debug, Clone, Default)]
pub struct Report {
    pub dry_run: bool,
    /// In the order in which they were written.
    pub resources: Vec<Applied>,
    /// What the file did not name and went: kinds and names.
    pub removed: Vec<(&'static str, String)>,
    /// Not in what `Display` tells: that may end in a log.
    pub generated: Vec<GeneratedKey>,
}

impl Report {
    fn count(&self, wanted: fn(&Change) -> bool) -> usize {
        self.resources.iter().filter(|resource| wanted(&resource.change)).count()
    }

    pub fn created(&self) -> usize {
        self.count(|change| matches!(change, Change::Created(_)))
    }

    pub fn updated(&self) -> usize {
        self.count(|change| matches!(change, Change::Updated(_)))
    }

    pub fn unchanged(&self) -> usize {
        self.count(|change| matches!(change, Change::Unchanged))
    }

    pub fn to_json(&self) -> Value {
        let resources: Vec<_> = self
            .resources
            .iter()
            .map(|resource| {
                let (change, fields) = match &resource.change {
                    Change::Created(fields) => ("created", fields.clone()),
                    Change::Updated(fields) => ("updated", fields.clone()),
                    Change::Unchanged => ("unchanged", Vec::new()),
                };
                json!({ "kind": resource.kind, "name": resource.name, "change": change, "fields": fields })
            })
            .chain(
                self.removed
                    .iter()
                    .map(|(kind, name)| json!({ "kind": kind, "name": name, "change": "removed", "fields": [] })),
            )
            .collect();
        let mut report = json!({
            "dry_run": self.dry_run,
            "created": self.created(),
            "updated": self.updated(),
            "unchanged": self.unchanged(),
            "removed": self.removed.len(),
            "resources": resources,
        });
        if let (false, Some(fields)) = (self.generated.is_empty(), report.as_object_mut()) {
            let keys = self
                .generated
                .iter()
                .map(|key| json!({ "tenant": key.tenant, "name": key.name, "secret": key.secret.expose() }));
            fields.insert("generated_keys".to_owned(), keys.collect());
        }
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            self.resources.iter().map(|resource| &resource.name).chain(self.removed.iter().map(|(_, name)| name));
        let widest = names.map(|name| name.chars().count()).max().unwrap_or_default();
        for Applied { kind, name, change } in &self.resources {
            write!(f, "{kind:<8}  {name:<widest$}  ")?;
            match change {
                Change::Created(_) => writeln!(f, "created")?,
                Change::Updated(fields) => writeln!(f, "updated ({})", fields.join(", "))?,
                Change::Unchanged => writeln!(f, "unchanged")?,
            }
        }
        for (kind, name) in &self.removed {
            writeln!(f, "{kind:<8}  {name:<widest$}  removed")?;
        }
        let (created, updated, unchanged) = (self.created(), self.updated(), self.unchanged());
        write!(f, "{created} created, {updated} updated, {unchanged} unchanged")?;
        if !self.removed.is_empty() {
            write!(f, ", {} removed", self.removed.len())?;
        }
        if self.dry_run { write!(f, " (dry run: nothing was written)") } else { Ok(()) }
    }
}
