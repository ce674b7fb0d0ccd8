//! A row of a result, whichever engine it comes from.

use crate::{Column, StoreError};
use sqlx::{
    ColumnIndex, Database, Decode, Postgres, Row as _, Type, TypeInfo, ValueRef, postgres::PgRow, sqlite::SqliteRow,
};

/// A row of a result, read by column name.
pub struct Row(Engine);

enum Engine {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(Engine::Sqlite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Engine::Postgres(row))
    }
}

/// A type made from a row; implemented beside the SQL that selects it.
pub trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl Row {
    pub fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        T::from_column(self, column)
    }

    pub(crate) fn text(&self, column: &str) -> Result<Option<String>, StoreError> {
        match &self.0 {
            Engine::Sqlite(row) => read(row, column),
            Engine::Postgres(row) => read(row, column),
        }
    }

    /// PostgreSQL counts literals and lengths in 32 bits, SQLite everything in 64.
    pub(crate) fn integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match &self.0 {
            Engine::Sqlite(row) => read(row, column),
            Engine::Postgres(row) if is_int4(row, column) => Ok(read::<_, i32>(row, column)?.map(i64::from)),
            Engine::Postgres(row) => read(row, column),
        }
    }

    pub(crate) fn real(&self, column: &str) -> Result<Option<f64>, StoreError> {
        match &self.0 {
            Engine::Sqlite(row) => read(row, column),
            Engine::Postgres(row) => read(row, column),
        }
    }

    pub(crate) fn boolean(&self, column: &str) -> Result<Option<bool>, StoreError> {
        match &self.0 {
            Engine::Sqlite(row) => read(row, column),
            Engine::Postgres(row) => read(row, column),
        }
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.0 {
            Engine::Sqlite(row) => read(row, column),
            Engine::Postgres(row) => read(row, column),
        }
    }
}

fn read<'r, R, T>(row: &'r R, column: &str) -> Result<Option<T>, StoreError>
where
    R: sqlx::Row,
    for<'c> &'c str: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    row.try_get::<Option<T>, _>(column)
        .map_err(|error| StoreError::Column { column: column.to_owned(), reason: error.to_string() })
}

fn is_int4(row: &PgRow, column: &str) -> bool {
    row.try_get_raw(column).is_ok_and(|value| {
        let found = value.type_info();
        <i32 as Type<Postgres>>::type_info().name() == found.name()
    })
}

macro_rules! rows_of_one {
    ($($type:ty),+) => {$(
        /// The column named `value`.
        impl FromRow for $type {
            fn from_row(row: &Row) -> Result<Self, StoreError> {
                row.get("value")
            }
        }
    )+};
}
rows_of_one!(i64, String, Option<i64>, Option<String>);
