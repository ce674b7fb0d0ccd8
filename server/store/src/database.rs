//! One database as layers see it, on either engine.
//!
//! What always holds, on both: reads see the last committed state, cannot write, and never wait for writers. A
//! transaction is alone: from its first statement to its end nobody else writes to the same database, so that what
//! it has read still holds when it writes. It ends as a whole: once one of its statements has failed it cannot be
//! committed any more.
//!
//! `sqlite.rs` and `postgres/` say how (docs/adr/0007).

use crate::{
    StoreError, Value,
    postgres::{self, Access},
    share::Busy,
    sqlite,
    statement::{Answer, Statement, Target, Want},
};
use sqlx::{AssertSqlSafe, SqlSafeStr};

/// An open database: the control plane, or one tenant's part of the tenant plane.
#[derive(Debug, Clone)]
pub struct Database(pub(crate) Engine);

#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Database {
    /// Whether writers wait for each other here, so that committing for several at once is worth it.
    pub const fn has_one_writer(&self) -> bool {
        match &self.0 {
            Engine::Sqlite(_) => true,
            Engine::Postgres(_) => false,
        }
    }

    /// A statement that only reads.
    pub fn read(&self, sql: &'static str) -> Statement<'_> {
        Statement::new(
            match &self.0 {
                Engine::Sqlite(sqlite) => Target::Sqlite(sqlite.readers()),
                Engine::Postgres(postgres) => Target::Postgres(postgres, Access::Read),
            },
            sql,
        )
    }

    /// A single statement that writes, in a transaction of its own.
    ///
    /// On PostgreSQL two of these may run side by side: whatever the statement decides upon must be the rows that it
    /// changes, or a unique key. What reads other rows first belongs in [`Database::begin`].
    pub fn write(&self, sql: &'static str) -> Statement<'_> {
        Statement::new(
            match &self.0 {
                Engine::Sqlite(sqlite) => Target::Sqlite(sqlite.writer()),
                Engine::Postgres(postgres) => Target::Postgres(postgres, Access::Write),
            },
            sql,
        )
    }

    /// Begins a transaction that may write. Dropped without `commit`, it leaves nothing behind.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let running = match &self.0 {
            Engine::Sqlite(sqlite) => {
                let busy = Busy::now();
                Running::Sqlite(sqlite.begin().await?, busy)
            }
            Engine::Postgres(postgres) => Running::Postgres(postgres.begin(Access::Transaction).await?),
        };
        Ok(Transaction { running, failed: false })
    }

    /// Begins a transaction that only reads, and sees the state of its first read throughout. Waits for no writer, and
    /// none waits for it.
    pub async fn snapshot(&self) -> Result<Transaction, StoreError> {
        let running = match &self.0 {
            Engine::Sqlite(sqlite) => {
                let busy = Busy::now();
                Running::Sqlite(sqlite.readers().begin().await?, busy)
            }
            Engine::Postgres(postgres) => Running::Postgres(postgres.begin(Access::Snapshot).await?),
        };
        Ok(Transaction { running, failed: false })
    }

    /// Finishes what is under way and closes all connections; on PostgreSQL those of the whole plane.
    pub(crate) async fn close(&self) {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// A transaction that may write.
pub struct Transaction {
    running: Running,
    /// A statement has failed, or was given up on the way.
    failed: bool,
}

enum Running {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>, Busy),
    Postgres(postgres::Begun),
}

impl Transaction {
    pub fn query(&mut self, sql: &'static str) -> Statement<'_> {
        Statement::new(Target::Transaction(self), sql)
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        // PostgreSQL would answer the commit of a failed transaction with a rollback, and no error.
        if self.failed {
            return Err(StoreError::Aborted);
        }
        match self.running {
            Running::Sqlite(transaction, _busy) => Ok(transaction.commit().await?),
            Running::Postgres(begun) => begun.commit().await,
        }
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        matches!(self.running, Running::Sqlite(..))
    }

    pub(crate) async fn run(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        want: Want,
    ) -> Result<Answer, StoreError> {
        self.run_text(sql, values, want).await
    }

    /// For `tables/` alone: a statement of names from the catalogue and of conditions that are compiled in.
    pub(crate) async fn run_made(&mut self, sql: String, values: Vec<Value>, want: Want) -> Result<Answer, StoreError> {
        self.run_text(AssertSqlSafe(sql), values, want).await
    }

    async fn run_text(
        &mut self,
        sql: impl SqlSafeStr + Send,
        values: Vec<Value>,
        want: Want,
    ) -> Result<Answer, StoreError> {
        let failed_before = std::mem::replace(&mut self.failed, true);
        let answer = match &mut self.running {
            Running::Sqlite(transaction, _) => sqlite::run(&mut **transaction, sql, values, want).await,
            Running::Postgres(begun) => postgres::run(begun.connection(), sql, values, want).await,
        }?;
        self.failed = failed_before;
        Ok(answer)
    }
}
