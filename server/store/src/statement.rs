//! A statement on its way to the database, and the rows that come back.

use crate::{Bind, Column, StoreError};
use sqlx::{Sqlite, SqlitePool, sqlite::SqliteArguments, sqlite::SqliteRow};

/// Where a statement runs.
pub(crate) enum Target<'t> {
    Pool(&'t SqlitePool),
    Transaction(&'t mut sqlx::Transaction<'static, Sqlite>),
}

/// SQL with its arguments; run it with one of `fetch_*` or `execute`.
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'t> {
    target: Target<'t>,
    sql: &'static str,
    arguments: Result<SqliteArguments, sqlx::error::BoxDynError>,
}

/// A row of a result, read by column name.
pub struct Row(SqliteRow);

impl Row {
    pub fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        T::from_column(&self.0, column)
    }
}

/// A type made from a row; implemented beside the SQL that selects it.
pub trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl<'t> Statement<'t> {
    pub(crate) fn new(target: Target<'t>, sql: &'static str) -> Self {
        Self { target, sql, arguments: Ok(SqliteArguments::default()) }
    }

    /// Binds the next placeholder.
    pub fn bind(mut self, value: impl Bind) -> Self {
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = value.bind_to(arguments)
        {
            self.arguments = Err(error);
        }
        self
    }

    pub async fn fetch_all<T: FromRow>(self) -> Result<Vec<T>, StoreError> {
        let query = sqlx::query_with(self.sql, encoded(self.arguments)?);
        let rows = match self.target {
            Target::Pool(pool) => query.fetch_all(pool).await?,
            Target::Transaction(tx) => query.fetch_all(&mut **tx).await?,
        };
        rows.into_iter().map(|row| T::from_row(&Row(row))).collect()
    }

    pub async fn fetch_optional<T: FromRow>(self) -> Result<Option<T>, StoreError> {
        let query = sqlx::query_with(self.sql, encoded(self.arguments)?);
        let row = match self.target {
            Target::Pool(pool) => query.fetch_optional(pool).await?,
            Target::Transaction(tx) => query.fetch_optional(&mut **tx).await?,
        };
        row.map(|row| T::from_row(&Row(row))).transpose()
    }

    pub async fn fetch_one<T: FromRow>(self) -> Result<T, StoreError> {
        let sql = self.sql;
        self.fetch_optional().await?.ok_or_else(|| StoreError::Column {
            column: sql.chars().take(60).collect(),
            reason: "a row was expected and there is none".to_owned(),
        })
    }

    /// Runs the statement; returns how many rows it changed.
    pub async fn execute(self) -> Result<u64, StoreError> {
        let query = sqlx::query_with(self.sql, encoded(self.arguments)?);
        let done = match self.target {
            Target::Pool(pool) => query.execute(pool).await?,
            Target::Transaction(tx) => query.execute(&mut **tx).await?,
        };
        Ok(done.rows_affected())
    }
}

fn encoded(arguments: Result<SqliteArguments, sqlx::error::BoxDynError>) -> Result<SqliteArguments, StoreError> {
    arguments.map_err(|error| StoreError::Database(sqlx::Error::Encode(error)))
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
