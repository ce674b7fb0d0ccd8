//! The file that a tenant travels in.
//!
//! Its first line is `seam-tenant-archive 1 sha256:<hex>`: the format, and the hash of all that follows, which is gzip.
//! Inside are lines of JSON: an object that opens the archive; for each table an object with its columns, then its rows
//! as lists in the order of their key, then an object with their number and hash; at the end the manifest.
//! `tail -n +2 FILE | zcat` shows it.
//!
//! A table's hash covers its line of columns and its rows as they stand there. They are written in one way only:
//! columns in the order of their names, booleans as such, bytes in base64, and what is numbered by each installation for
//! itself (price versions) by what it stands for.

mod read;
mod write;

pub(crate) use read::{read, verify};
pub(crate) use write::write_in_background;

use crate::coverage::Plane;
use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{Slug, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::{ColumnKind, Value};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
pub(crate) const MAGIC: &str = "seam-tenant-archive";
/// What this many rows take is held in memory at once.
pub(crate) const PAGE: usize = 500;

/// Whose archive it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) format: u32,
    /// The version that wrote it.
    pub(crate) seam: String,
    pub(crate) engine: String,
    pub(crate) exported_at: Timestamp,
    pub(crate) tenant: TenantId,
    pub(crate) slug: Slug,
    pub(crate) display_name: String,
}

/// A table as an archive opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableHead {
    pub(crate) plane: String,
    pub(crate) name: String,
    /// Name and kind, in the order of their names.
    pub(crate) columns: Vec<(String, String)>,
}

/// How an archive says what a price is: `[provider, model, effective_from]` as text.
pub(crate) const PRICE: &str = "price";

/// A table as the manifest sums it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    pub plane: String,
    pub name: String,
    pub rows: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Whether it is the tenant's own; otherwise the operator's, and only pointed at.
    pub own: bool,
}

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version that wrote it.
    pub seam: String,
    /// The engine that it comes from.
    pub engine: String,
    pub exported_at: Timestamp,
    pub tenant: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub tables: Vec<TableSum>,
    /// Over the tables that are the tenant's own: equal content, equal hash, on either engine.
    pub content_sha256: String,
    /// Entries of the tenant's audit log, and the hash of the last.
    pub audit_entries: i64,
    pub audit_last_hash: String,
    /// The first entry that did not fit when it was exported.
    pub audit_broken_at: Option<i64>,
}

impl Manifest {
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// The lines that are no rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    Archive(Opening),
    Table(TableHead),
    End { rows: u64, sha256: String },
    Manifest(Box<Manifest>),
}

/// What goes to a writer and comes from a reader.
pub(crate) enum Piece {
    Table { head: TableHead, own: bool },
    Rows(Vec<Vec<Json>>),
}

/// Over the names and hashes of the tenant's own tables that hold anything, in the order of their names: a table that
/// a later version adds, and that is empty, changes nothing.
pub(crate) fn content_sha256(tables: &[TableSum]) -> String {
    let mut own: Vec<&TableSum> = tables.iter().filter(|table| table.own && table.rows > 0).collect();
    own.sort_by(|one, other| (&one.plane, &one.name).cmp(&(&other.plane, &other.name)));
    let mut hasher = Sha256::new();
    for table in own {
        hasher.update(format!("{}.{} {} {}\n", table.plane, table.name, table.rows, table.sha256));
    }
    hex(&hasher.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as an archive writes it.
pub(crate) fn cell(value: Value) -> Json {
    match value {
        Value::Text(text) => text.map_or(Json::Null, Json::String),
        Value::Integer(number) => number.map_or(Json::Null, Json::from),
        // What JSON has no number for is written as its name.
        Value::Real(number) => number.map_or(Json::Null, |number| {
            if number.is_finite() { Json::from(number) } else { Json::String(number.to_string()) }
        }),
        Value::Boolean(truth) => truth.map_or(Json::Null, Json::Bool),
        Value::Bytes(bytes) => bytes.map_or(Json::Null, |bytes| Json::String(STANDARD.encode(bytes))),
    }
}

/// A value as a column takes it. None: it is none of this kind.
pub(crate) fn value(cell: &Json, kind: ColumnKind) -> Option<Value> {
    let null = cell.is_null();
    Some(match kind {
        ColumnKind::Text if null => Value::Text(None),
        ColumnKind::Text => Value::Text(Some(cell.as_str()?.to_owned())),
        ColumnKind::Integer if null => Value::Integer(None),
        ColumnKind::Integer => Value::Integer(Some(cell.as_i64()?)),
        ColumnKind::Real if null => Value::Real(None),
        ColumnKind::Real => Value::Real(Some(match cell.as_str() {
            Some(named) => named.parse().ok()?,
            None => cell.as_f64()?,
        })),
        ColumnKind::Boolean if null => Value::Boolean(None),
        ColumnKind::Boolean => Value::Boolean(Some(cell.as_bool()?)),
        ColumnKind::Bytes if null => Value::Bytes(None),
        ColumnKind::Bytes => Value::Bytes(Some(STANDARD.decode(cell.as_str()?).ok()?)),
    })
}

/// The plane of a table in an archive.
pub(crate) fn plane(head: &TableHead) -> Option<Plane> {
    Plane::parse(&head.plane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let values = [
            (Value::Text(Some("zwei\nZeilen, “Ümlaut” \u{1f600}".to_owned())), ColumnKind::Text),
            (Value::Integer(Some(i64::MIN)), ColumnKind::Integer),
            (Value::Integer(Some(i64::MAX)), ColumnKind::Integer),
            (Value::Real(Some(0.1)), ColumnKind::Real),
            (Value::Real(Some(f64::NEG_INFINITY)), ColumnKind::Real),
            (Value::Boolean(Some(true)), ColumnKind::Boolean),
            (Value::Bytes(Some(vec![0, 255, 10])), ColumnKind::Bytes),
            (Value::Text(None), ColumnKind::Text),
            (Value::Bytes(None), ColumnKind::Bytes),
        ];
        for (given, kind) in values {
            let line = serde_json::to_string(&cell(given.clone())).unwrap();
            assert_eq!(value(&serde_json::from_str(&line).unwrap(), kind), Some(given));
        }
        assert_eq!(value(&Json::from("text"), ColumnKind::Integer), None);
    }
}
