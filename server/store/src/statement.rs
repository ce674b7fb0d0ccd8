//! A statement on its way to the database, on either engine.

use crate::{
    Bind, FromRow, Row, StoreError, Value,
    database::Transaction,
    postgres::{self, Access},
    share::Busy,
    sqlite,
};

/// Where a statement runs.
pub(crate) enum Target<'t> {
    Sqlite(&'t sqlx::SqlitePool),
    Postgres(&'t postgres::Postgres, Access),
    Transaction(&'t mut Transaction),
}

/// How much of the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Rows,
    /// At most one: a second row is refused.
    OneRow,
    Changes,
}

/// What came back.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) changed: u64,
}

impl Answer {
    /// Two rows where one was asked for are never the first of them: the condition has let somebody else's through, or
    /// the statement forgot to say which one it means.
    pub(crate) fn of_rows(rows: impl IntoIterator<Item = impl Into<Row>>, want: Want) -> Result<Self, StoreError> {
        let rows: Vec<Row> = rows.into_iter().map(Into::into).collect();
        if want == Want::OneRow && rows.len() > 1 {
            return Err(StoreError::Ambiguous(rows.len()));
        }
        Ok(Self { rows, changed: 0 })
    }
}

/// SQL with its arguments; run it with one of `fetch_*` or `execute`.
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'t> {
    target: Target<'t>,
    sql: &'static str,
    values: Vec<Value>,
}

impl<'t> Statement<'t> {
    pub(crate) const fn new(target: Target<'t>, sql: &'static str) -> Self {
        Self { target, sql, values: Vec::new() }
    }

    /// Binds the next placeholder.
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.into_value());
        self
    }

    pub async fn fetch_all<T: FromRow>(self) -> Result<Vec<T>, StoreError> {
        self.run(Want::Rows).await?.rows.iter().map(T::from_row).collect()
    }

    /// Errors: `Ambiguous` when there is more than one row.
    pub async fn fetch_optional<T: FromRow>(self) -> Result<Option<T>, StoreError> {
        self.run(Want::OneRow).await?.rows.first().map(T::from_row).transpose()
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
        Ok(self.run(Want::Changes).await?.changed)
    }

    async fn run(self, want: Want) -> Result<Answer, StoreError> {
        let Self { target, sql, values } = self;
        #[cfg(feature = "mutants")]
        let sql = crate::mutants::statement(sql);
        match target {
            Target::Sqlite(pool) => {
                let _busy = Busy::now();
                sqlite::run(pool, sql, values, want).await
            }
            Target::Postgres(database, access) => database.run(access, sql, values, want).await,
            Target::Transaction(transaction) => transaction.run(sql, values, want).await,
        }
    }
}
