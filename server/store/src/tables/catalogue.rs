//! What the catalogue of either engine says of its tables.

use crate::{FromRow, Row, StoreError, Transaction};

// Which statement is for which engine is said by its name; no layer runs them.
const TABLES_OF_SQLITE: &str = "
SELECT name AS value FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_sqlx_migrations' ORDER BY name";
const COLUMNS_OF_SQLITE: &str = "
SELECT name AS name, type AS declared, pk AS place FROM pragma_table_info($1) ORDER BY name";
const REFERENCES_OF_SQLITE: &str = "
SELECT DISTINCT \"from\" AS name, \"table\" AS target FROM pragma_foreign_key_list($1) ORDER BY 1, 2";
const TABLES_OF_POSTGRES: &str = "
SELECT pg_class.relname::text AS value
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE pg_namespace.nspname = current_schema() AND pg_class.relkind IN ('r', 'p')
    AND pg_class.relname <> '_sqlx_migrations'
ORDER BY 1";
/// The columns of a key are counted from 0 in the catalogue.
const COLUMNS_OF_POSTGRES: &str = "
SELECT
    pg_attribute.attname::text AS name, format_type(pg_attribute.atttypid, NULL)::text AS declared,
    (COALESCE(array_position(pg_index.indkey::int2[], pg_attribute.attnum), -1) + 1)::int8 AS place
FROM pg_attribute
JOIN pg_class ON pg_class.oid = pg_attribute.attrelid
JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
LEFT JOIN pg_index ON pg_index.indrelid = pg_class.oid AND pg_index.indisprimary
WHERE pg_namespace.nspname = current_schema() AND pg_class.relname = $1
    AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped
ORDER BY 1";
const REFERENCES_OF_POSTGRES: &str = "
SELECT DISTINCT pg_attribute.attname::text AS name, target.relname::text AS target
FROM pg_constraint
JOIN pg_class ON pg_class.oid = pg_constraint.conrelid
JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
JOIN pg_class AS target ON target.oid = pg_constraint.confrelid
JOIN pg_attribute ON pg_attribute.attrelid = pg_class.oid AND pg_attribute.attnum = ANY (pg_constraint.conkey)
WHERE pg_constraint.contype = 'f' AND pg_namespace.nspname = current_schema() AND pg_class.relname = $1
ORDER BY 1, 2";

/// What a column holds, the same on both engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Real,
    Boolean,
    Bytes,
}

impl ColumnKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::Bytes => "bytes",
        }
    }

    fn declared(as_what: &str) -> Option<Self> {
        Some(match as_what.to_ascii_lowercase().as_str() {
            "text" => Self::Text,
            "bigint" | "integer" => Self::Integer,
            "real" | "double precision" => Self::Real,
            "boolean" => Self::Boolean,
            "blob" | "bytea" => Self::Bytes,
            _ => return None,
        })
    }
}

/// A column, as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    /// From 1; 0 is no part of the primary key.
    place_in_key: i64,
}

impl TableColumn {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn kind(&self) -> ColumnKind {
        self.kind
    }
}

/// A table, as the catalogue knows it. Its columns stand in the order of their names, on both engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<TableColumn>,
    /// Indices of the primary key's columns.
    pub(super) key: Vec<usize>,
    references: Vec<(String, String)>,
}

impl Table {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Which of its columns point at which table.
    pub fn references(&self) -> impl Iterator<Item = (&str, &str)> {
        self.references.iter().map(|(column, target)| (column.as_str(), target.as_str()))
    }

    /// The columns of the primary key, by their places among [`Table::columns`].
    pub fn key(&self) -> &[usize] {
        &self.key
    }
}

struct ColumnRow {
    name: String,
    declared: String,
    place: i64,
}

impl FromRow for ColumnRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { name: row.get("name")?, declared: row.get("declared")?, place: row.get("place")? })
    }
}

struct ReferenceRow(String, String);

impl FromRow for ReferenceRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("name")?, row.get("target")?))
    }
}

impl Transaction {
    /// All tables of this database; those that others point at come before those.
    pub async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let (tables, columns, references) = if self.is_sqlite() {
            (TABLES_OF_SQLITE, COLUMNS_OF_SQLITE, REFERENCES_OF_SQLITE)
        } else {
            (TABLES_OF_POSTGRES, COLUMNS_OF_POSTGRES, REFERENCES_OF_POSTGRES)
        };
        let mut found = Vec::new();
        for name in self.query(tables).fetch_all::<String>().await? {
            let columns: Vec<ColumnRow> = self.query(columns).bind(name.as_str()).fetch_all().await?;
            let references: Vec<ReferenceRow> = self.query(references).bind(name.as_str()).fetch_all().await?;
            found.push(table(name, columns, references)?);
        }
        Ok(in_order(found))
    }
}

fn table(name: String, columns: Vec<ColumnRow>, references: Vec<ReferenceRow>) -> Result<Table, StoreError> {
    let mut known = Vec::with_capacity(columns.len());
    for ColumnRow { name: column, declared, place } in columns {
        let kind = ColumnKind::declared(&declared).ok_or_else(|| StoreError::Column {
            column: format!("{name}.{column}"),
            reason: format!("tables are not copied with columns of the type {declared}; teach store::tables to"),
        })?;
        known.push(TableColumn { name: column, kind, place_in_key: place });
    }
    // Not left to the engines, which may see letters otherwise.
    known.sort_by(|one, other| one.name.cmp(&other.name));
    let mut key: Vec<(i64, usize)> = known
        .iter()
        .enumerate()
        .filter(|(_, column)| column.place_in_key > 0)
        .map(|(index, column)| (column.place_in_key, index))
        .collect();
    key.sort_unstable();
    if key.is_empty() {
        return Err(StoreError::Column { column: name, reason: "the table has no primary key".to_owned() });
    }
    let references = references.into_iter().map(|ReferenceRow(column, target)| (column, target)).collect();
    Ok(Table { name, columns: known, key: key.into_iter().map(|(_, index)| index).collect(), references })
}

/// Stable by name among those that do not depend on each other.
fn in_order(mut waiting: Vec<Table>) -> Vec<Table> {
    waiting.sort_by(|one, other| one.name.cmp(&other.name));
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let next = waiting.iter().position(|table| {
            let waits = |other: &Table| other.name != table.name && table.references().any(|(_, to)| to == other.name);
            !waiting.iter().any(waits)
        });
        // A circle cannot be ordered: as it comes.
        ordered.push(waiting.remove(next.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointing(name: &str, at: &[&str]) -> Table {
        let references = at.iter().map(|target| ("id".to_owned(), (*target).to_owned())).collect();
        Table { name: name.to_owned(), columns: Vec::new(), key: Vec::new(), references }
    }

    #[test]
    fn what_is_pointed_at_comes_first_and_a_circle_ends() {
        let names = |tables: Vec<Table>| tables.into_iter().map(|table| table.name).collect::<Vec<_>>();
        let tables = vec![pointing("a", &["c"]), pointing("b", &["b"]), pointing("c", &["d"]), pointing("d", &[])];
        assert_eq!(names(in_order(tables)), ["b", "d", "c", "a"]);
        assert_eq!(names(in_order(vec![pointing("a", &["b"]), pointing("b", &["a"])])), ["a", "b"]);
    }
}
