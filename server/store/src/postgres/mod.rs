//! PostgreSQL: both planes in one database, each in a schema of its own, each worked on by a role of its own.
//!
//! What always holds:
//! - Statements run as a role that owns nothing, may do no more than read and change rows, and that row level
//!   security binds (`plane.rs`, checked on each connection).
//! - A tenant's statements run in a transaction that begins by saying which tenant it is for. The setting ends with
//!   the transaction; without it the tables of the tenant plane look empty.
//! - Connections are read-only unless a transaction says otherwise.
//! - Writers take a lock of their database (the control plane, or one tenant): a transaction takes it alone, single
//!   statements share it. That is SQLite's promise of one writer, kept across processes (docs/adr/0007).
//! - A connection goes back to the pool as it came, whatever was done with it.

mod arguments;
mod hints;
mod plane;
mod turns;

pub(crate) use hints::{Telegraph, start_telegraph};
pub use plane::ServerFacts;
pub(crate) use plane::{CONTROL, Plane, PlaneKind, TENANT, connect, exists, facts_of_server};
pub(crate) use turns::Turns;

use crate::{
    StoreError, Value,
    statement::{Answer, Want},
};
use contract::TenantId;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr};
use std::{fmt, sync::Arc};
use tokio::sync::OwnedSemaphorePermit;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reads, and cannot write.
    Read,
    /// Reads one state throughout, in several statements.
    Snapshot,
    /// One statement that writes.
    Write,
    /// Reads and writes as it likes, alone.
    Transaction,
}

/// The control plane, or one tenant's part of the tenant plane.
#[derive(Clone)]
pub(crate) struct Postgres {
    plane: Plane,
    /// None: the control plane.
    tenant: Option<TenantId>,
    turns: Arc<Turns>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("plane", &self.plane).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Postgres {
    pub(crate) fn control(plane: Plane) -> Self {
        Self { plane, tenant: None, turns: Arc::new(Turns::of_control()) }
    }

    pub(crate) const fn of_tenant(plane: Plane, tenant: TenantId, turns: Arc<Turns>) -> Self {
        Self { plane, tenant: Some(tenant), turns }
    }

    /// One statement in a transaction of its own.
    pub(crate) async fn run(
        &self,
        access: Access,
        sql: &'static str,
        values: Vec<Value>,
        want: Want,
    ) -> Result<Answer, StoreError> {
        if self.tenant.is_none() && access == Access::Read {
            // Nothing to say first, and the connection is read-only by itself: one round trip instead of two.
            let _turn = self.turns.take(access).await?;
            let mut connection = self.plane.pool().acquire().await?;
            return run(&mut connection, sql, values, want).await;
        }
        let mut begun = self.begin(access).await?;
        let answer = run(begun.connection(), sql, values, want).await?;
        match access {
            // Rolled back behind the caller's back: there is nothing to wait for.
            Access::Read | Access::Snapshot => drop(begun),
            Access::Write | Access::Transaction => begun.commit().await?,
        }
        Ok(answer)
    }

    /// Begins, names the tenant and takes the lock, in one round trip.
    pub(crate) async fn begin(&self, access: Access) -> Result<Begun, StoreError> {
        let turn = self.turns.take(access).await?;
        let opening = AssertSqlSafe(opening(self.tenant, access));
        let transaction = self.plane.pool().begin_with(opening).await?;
        Ok(Begun { transaction, _turn: turn })
    }

    /// Gives the space of deleted rows of the plane's tables back, as the role that owns them. Where it may not, the
    /// server does it by itself, later.
    pub(crate) async fn scrub(&self) -> Result<(), StoreError> {
        vacuum(&self.plane).await
    }

    pub(crate) async fn close(&self) {
        self.plane.pool().close().await;
    }
}

const OWN_TABLES: &str = "
SELECT pg_class.oid::regclass::text
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE pg_namespace.nspname = $1 AND pg_class.relkind = 'r'
ORDER BY 1";

/// On a connection of its own, which has not become the plane's role: that one owns nothing.
pub(crate) async fn vacuum(plane: &Plane) -> Result<(), StoreError> {
    let mut connection = plane.pool().connect_options().connect().await?;
    connection.execute("SET default_transaction_read_only = off").await?;
    let tables: Vec<String> = sqlx::query_scalar(OWN_TABLES).bind(plane.schema()).fetch_all(&mut connection).await?;
    for table in tables {
        // The name comes from the catalogue, quoted as it must be.
        connection.execute(AssertSqlSafe(format!("VACUUM {table}"))).await?;
    }
    connection.close().await?;
    Ok(())
}

/// The statements that open a transaction. They go as one message, which takes no parameters; an id of a tenant is
/// hexadecimal digits and hyphens by its type.
fn opening(tenant: Option<TenantId>, access: Access) -> String {
    let begin = match access {
        Access::Read => "BEGIN READ ONLY",
        Access::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Access::Write | Access::Transaction => "BEGIN READ WRITE",
    };
    let lock = match access {
        Access::Read | Access::Snapshot => None,
        Access::Write => Some("pg_advisory_xact_lock_shared"),
        Access::Transaction => Some("pg_advisory_xact_lock"),
    };
    // Keys of one number and of two never meet.
    let setting = tenant.map(|tenant| format!("set_config('seam.tenant_id', '{tenant}', TRUE)"));
    let key = tenant.map_or_else(|| "1397047629, 1".to_owned(), |tenant| format!("hashtextextended('{tenant}', 0)"));
    let lock = lock.map(|lock| format!("{lock}({key})"));
    let first: Vec<String> = setting.into_iter().chain(lock).collect();
    if first.is_empty() { begin.to_owned() } else { format!("{begin}; SELECT {}", first.join(", ")) }
}

/// A transaction under way. Dropped, it leaves nothing behind.
pub(crate) struct Begun {
    transaction: sqlx::Transaction<'static, sqlx::Postgres>,
    /// Given back after the connection.
    _turn: OwnedSemaphorePermit,
}

impl Begun {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

/// Runs a statement on a connection.
pub(crate) async fn run(
    on: &mut PgConnection,
    sql: impl SqlSafeStr + Send,
    values: Vec<Value>,
    want: Want,
) -> Result<Answer, StoreError> {
    let query = sqlx::query_with(sql, arguments::encode(values)?);
    match want {
        Want::Rows | Want::OneRow => Answer::of_rows(on.fetch_all(query).await?, want),
        Want::Changes => Ok(Answer { rows: Vec::new(), changed: on.execute(query).await?.rows_affected() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_transaction_names_it_before_anything_else() {
        let tenant: TenantId = "01930000-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(
            opening(Some(tenant), Access::Read),
            "BEGIN READ ONLY; SELECT set_config('seam.tenant_id', '01930000-0000-7000-8000-000000000001', TRUE)"
        );
        assert_eq!(
            opening(Some(tenant), Access::Transaction),
            "BEGIN READ WRITE; SELECT set_config('seam.tenant_id', '01930000-0000-7000-8000-000000000001', TRUE), \
             pg_advisory_xact_lock(hashtextextended('01930000-0000-7000-8000-000000000001', 0))"
        );
    }

    #[test]
    fn single_writes_share_the_lock_that_a_transaction_has_alone() {
        assert_eq!(
            opening(None, Access::Write),
            "BEGIN READ WRITE; SELECT pg_advisory_xact_lock_shared(1397047629, 1)"
        );
        assert_eq!(opening(None, Access::Transaction), "BEGIN READ WRITE; SELECT pg_advisory_xact_lock(1397047629, 1)");
    }
}
