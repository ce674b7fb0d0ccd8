//! Statements on whole rows of a table.

use super::{ColumnKind, Table};
use crate::{Row, StoreError, Transaction, Value, statement::Want};
use std::fmt::Write;

/// Which rows of a table: a condition that is compiled in, with `$1` once in it, and what stands for that.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    condition: &'static str,
    value: Value,
}

impl Matching {
    pub const fn new(condition: &'static str, value: Value) -> Self {
        Self { condition, value }
    }
}

/// A prepared way to put rows into some columns of a table.
#[derive(Debug, Clone)]
pub struct Insertion {
    sql: String,
    width: usize,
}

/// A name of the catalogue; one with a quotation mark in it would end up as another name, and not as SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    fn list<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        names.map(quoted).collect::<Vec<_>>().join(", ")
    }

    fn key_list(&self) -> String {
        self.list(self.key.iter().filter_map(|index| self.columns.get(*index)).map(|column| column.name.as_str()))
    }

    /// Puts values into these columns; the others get what the schema gives them. `leave_existing`: a row whose key
    /// or other unique value is taken is left out rather than refused.
    pub fn insertion(&self, columns: &[&str], leave_existing: bool) -> Result<Insertion, StoreError> {
        if let Some(unknown) = columns.iter().find(|name| !self.columns.iter().any(|column| column.name == **name)) {
            let column = format!("{}.{unknown}", self.name);
            return Err(StoreError::Column { column, reason: "there is no such column".to_owned() });
        }
        let places: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
        let mut sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&self.name),
            self.list(columns.iter().copied()),
            places.join(", ")
        );
        if leave_existing {
            sql.push_str(" ON CONFLICT DO NOTHING");
        }
        Ok(Insertion { sql, width: columns.len() })
    }

    fn values(&self, row: &Row) -> Result<Vec<Value>, StoreError> {
        self.columns
            .iter()
            .map(|column| {
                let name = column.name.as_str();
                Ok(match column.kind {
                    ColumnKind::Text => Value::Text(row.text(name)?),
                    ColumnKind::Integer => Value::Integer(row.integer(name)?),
                    ColumnKind::Real => Value::Real(row.real(name)?),
                    ColumnKind::Boolean => Value::Boolean(row.boolean(name)?),
                    ColumnKind::Bytes => Value::Bytes(row.bytes(name)?),
                })
            })
            .collect()
    }
}

impl Transaction {
    /// The next rows in the order of their key, after the row that has this key; all columns, in the table's order.
    pub async fn rows_after(
        &mut self,
        table: &Table,
        which: &Matching,
        after: Option<Vec<Value>>,
        limit: i64,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let columns = table.list(table.columns.iter().map(|column| column.name.as_str()));
        let mut sql = format!("SELECT {columns} FROM {} WHERE ({})", quoted(&table.name), which.condition);
        let mut values = vec![which.value.clone()];
        if let Some(after) = after {
            let places: Vec<String> = (2..2 + after.len()).map(|number| format!("${number}")).collect();
            let _ = write!(sql, " AND ({}) > ({})", table.key_list(), places.join(", "));
            values.extend(after);
        }
        values.push(Value::Integer(Some(limit)));
        let _ = write!(sql, " ORDER BY {} LIMIT ${}", table.key_list(), values.len());
        let answer = self.run_made(sql, values, Want::Rows).await?;
        answer.rows.iter().map(|row| table.values(row)).collect()
    }

    pub async fn rows_count(&mut self, table: &Table, which: &Matching) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) AS value FROM {} WHERE ({})", quoted(&table.name), which.condition);
        let answer = self.run_made(sql, vec![which.value.clone()], Want::OneRow).await?;
        let count: i64 = answer.rows.first().map_or(Ok(0), |row| row.get("value"))?;
        Ok(count.unsigned_abs())
    }

    /// Returns how many rows went.
    pub async fn rows_delete(&mut self, table: &Table, which: &Matching) -> Result<u64, StoreError> {
        let sql = format!("DELETE FROM {} WHERE ({})", quoted(&table.name), which.condition);
        Ok(self.run_made(sql, vec![which.value.clone()], Want::Changes).await?.changed)
    }

    /// False: left out, since the row is there already.
    pub async fn row_insert(&mut self, into: &Insertion, values: Vec<Value>) -> Result<bool, StoreError> {
        if values.len() != into.width {
            let reason = format!("{} values for {} columns", values.len(), into.width);
            return Err(StoreError::Column { column: into.sql.chars().take(60).collect(), reason });
        }
        Ok(self.run_made(into.sql.clone(), values, Want::Changes).await?.changed == 1)
    }
}
