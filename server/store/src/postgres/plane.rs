//! Opening a plane: its schema, its role, its migrations, and the pool of connections that work as that role.

use super::turns::PATIENCE;
use crate::StoreError;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, Row as _,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{fmt, time::Duration};

/// One of the two planes.
#[derive(Debug)]
pub(crate) struct PlaneKind {
    /// Its schema.
    pub(crate) schema: &'static str,
    /// Who works in it: can neither log in nor own anything.
    pub(crate) role: &'static str,
    pub(crate) migrations: &'static Migrator,
    connections: u32,
    /// Whether tenants share its tables.
    shared_by_tenants: bool,
}

pub(crate) static CONTROL: PlaneKind = PlaneKind {
    schema: "control",
    role: "seam_control",
    migrations: &sqlx::migrate!("../../migrations/control/postgres"),
    connections: 12,
    shared_by_tenants: false,
};

/// A role of its own: what a statement of a tenant is tricked into cannot even name an account.
pub(crate) static TENANT: PlaneKind = PlaneKind {
    schema: "tenant",
    role: "seam_tenant",
    migrations: &sqlx::migrate!("../../migrations/tenant/postgres"),
    connections: 24,
    shared_by_tenants: true,
};

/// `SHOW server_version_num` of the oldest PostgreSQL that is tested.
const OLDEST: i32 = 150_000;
/// How long a statement waits for another's lock, as on SQLite.
const LOCK_TIMEOUT: &str = "10s";
/// A transaction whose process has vanished, or stands still, gives up its locks after this: sooner than those who
/// wait for them give up (`LOCK_TIMEOUT`), so that one node that hangs makes the others wait, not fail.
const ABANDONED: &str = "5s";
/// A connection unused for longer is tried before it is used.
const FRESH: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Held by whoever sets a database up. Two numbers: never the same as sqlx's own lock, which is one.
const SETUP_LOCK: &str = "SELECT pg_advisory_lock(1397047629, 2)";

const VERSION: &str = "SELECT current_setting('server_version_num')::int4";
/// Letters are counted and lowered by it.
const ENCODING: &str = "SELECT current_setting('server_encoding')";
const SCHEMA_EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
const ROLE_EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)";
/// From 16 on, belonging to a role and being allowed to work as it are two things.
const MAY_SET_ROLE: &str = "
SELECT pg_has_role(
    current_user, $1, CASE WHEN current_setting('server_version_num')::int4 >= 160000 THEN 'SET' ELSE 'MEMBER' END
)";
const ROLE_IS_MIGHTY: &str = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1";
const ROLE_OWNS: &str = "
SELECT pg_class.relname::text
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE pg_namespace.nspname = $1 AND pg_class.relkind IN ('r', 'p') AND pg_has_role($2, pg_class.relowner, 'MEMBER')
ORDER BY 1
LIMIT 1";
/// Tables of a plane on which row level security does not bind everybody, or lets nobody's rows through.
const UNPROTECTED: &str = "
SELECT pg_class.relname::text
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE pg_namespace.nspname = $1 AND pg_class.relkind IN ('r', 'p') AND pg_class.relname <> '_sqlx_migrations'
    AND NOT (
        pg_class.relrowsecurity AND pg_class.relforcerowsecurity
        AND EXISTS (SELECT 1 FROM pg_policy WHERE pg_policy.polrelid = pg_class.oid)
    )
ORDER BY 1";

/// An open plane. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Plane {
    kind: &'static PlaneKind,
    pool: PgPool,
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("schema", &self.kind.schema).finish_non_exhaustive()
    }
}

impl Plane {
    /// Sets the plane up or brings it to this version, as the role that connects; then works as its own role.
    pub(crate) async fn open(options: &PgConnectOptions, kind: &'static PlaneKind) -> Result<Self, StoreError> {
        set_up(options, kind).await?;
        let as_role = format!("SET ROLE {}", kind.role);
        // What a statement may have changed of the session, and what a request that was given up left open. A ROLLBACK of
        // nothing would be a warning in the server's log each time; this way the rare one that ends something is.
        let as_new = format!("BEGIN; ROLLBACK; RESET ALL; {as_role}");
        let pool = PgPoolOptions::new()
            .max_connections(kind.connections)
            .acquire_timeout(PATIENCE)
            .idle_timeout(IDLE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > FRESH {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                let as_role = as_role.clone();
                Box::pin(async move {
                    connection.execute(AssertSqlSafe(as_role)).await?;
                    refuse_might(connection, kind.role).await.map_err(|error| sqlx::Error::Configuration(error.into()))
                })
            })
            .after_release(move |connection, _| {
                let as_new = as_new.clone();
                Box::pin(async move { connection.execute(AssertSqlSafe(as_new)).await.map(|_| true) })
            })
            .connect_lazy_with(settings(options, kind, true));
        Ok(Self { kind, pool })
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) const fn schema(&self) -> &'static str {
        self.kind.schema
    }
}

/// How a session begins. The role's own temporary tables come last: none can stand before one of ours.
pub(super) fn settings(options: &PgConnectOptions, kind: &PlaneKind, read_only: bool) -> PgConnectOptions {
    options
        .clone()
        .application_name("seam")
        .statement_cache_capacity(256)
        .options([("search_path", format!("{}, pg_temp", kind.schema))])
        .options([("client_min_messages", "error"), ("lock_timeout", LOCK_TIMEOUT)])
        .options([("idle_in_transaction_session_timeout", ABANDONED)])
        .options([("default_transaction_read_only", if read_only { "on" } else { "off" })])
}

/// A session of the connecting role in a plane, for setting up and for looking.
pub(crate) async fn connect(options: &PgConnectOptions, kind: &PlaneKind) -> Result<PgConnection, StoreError> {
    settings(options, kind, false).connect().await.map_err(|error| {
        let error = StoreError::from(error);
        // No such database, no such role, a wrong password: of interest are the settings.
        if let StoreError::Database(source) = error { StoreError::Unreachable(source) } else { error }
    })
}

async fn set_up(options: &PgConnectOptions, kind: &PlaneKind) -> Result<(), StoreError> {
    let mut connection = connect(options, kind).await?;
    let version: i32 = one(&mut connection, VERSION).await?;
    if version < OLDEST {
        return Err(StoreError::Engine(format!(
            "PostgreSQL {} is too old for Seam; use version {} or newer",
            version / 10_000,
            OLDEST / 10_000
        )));
    }
    let encoding: String = one(&mut connection, ENCODING).await?;
    if encoding != "UTF8" {
        return Err(StoreError::Engine(format!(
            "this database holds text as {encoding}; make one with: CREATE DATABASE seam ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    // Until the connection closes. Several processes may start at once.
    connection.execute("SET lock_timeout = 0").await?;
    connection.execute(SETUP_LOCK).await?;
    if !asked::<bool>(&mut connection, SCHEMA_EXISTS, kind.schema).await? {
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {}", kind.schema))).await.map_err(|source| {
            explained(source, "this role may not create schemas; make it the owner of the database")
        })?;
    }
    // `run` makes futures that cannot be sent between threads.
    kind.migrations
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|source| StoreError::of_migration(format!("the schema {} of PostgreSQL", kind.schema), source))?;
    provide_role(&mut connection, kind).await?;
    grant(&mut connection, kind).await?;
    refuse_might(&mut connection, kind.role).await?;
    refuse_ownership(&mut connection, kind).await?;
    if kind.shared_by_tenants {
        refuse_unprotected(&mut connection, kind).await?;
        #[cfg(feature = "mutants")]
        let_through(&mut connection, kind).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Takes away what keeps the tenants' rows apart, to see whether that is noticed.
#[cfg(feature = "mutants")]
async fn let_through(connection: &mut PgConnection, kind: &PlaneKind) -> Result<(), StoreError> {
    const POLICIES: &str = "SELECT tablename::text, policyname::text FROM pg_policies WHERE schemaname = $1";
    let policies: Vec<(String, String)> =
        sqlx::query_as(POLICIES).bind(kind.schema).fetch_all(&mut *connection).await?;
    for (table, policy) in policies.into_iter().filter(|(table, _)| crate::mutants::policy_is_off(table)) {
        let open = format!("ALTER POLICY {policy} ON {}.{table} USING (TRUE) WITH CHECK (TRUE)", kind.schema);
        connection.execute(AssertSqlSafe(open)).await?;
    }
    Ok(())
}

/// The role exists and the connecting role may work as it.
async fn provide_role(connection: &mut PgConnection, kind: &PlaneKind) -> Result<(), StoreError> {
    let role = kind.role;
    let remedy = format!(
        "as an administrator, run: CREATE ROLE {role} NOLOGIN; and: GRANT {role} TO the role in SEAM_DATABASE_URL"
    );
    if !asked::<bool>(connection, ROLE_EXISTS, role).await? {
        let created = format!("CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE");
        match connection.execute(AssertSqlSafe(created)).await {
            Ok(_) => {}
            // Roles belong to the whole server: another database's Seam was faster.
            Err(error) if matches!(code_of(&error).as_deref(), Some("42710" | "23505")) => {}
            Err(error) => return Err(explained(error, &remedy)),
        }
    }
    if !asked::<bool>(connection, MAY_SET_ROLE, role).await? {
        connection
            .execute(AssertSqlSafe(format!("GRANT {role} TO CURRENT_USER")))
            .await
            .map_err(|error| explained(error, &remedy))?;
    }
    Ok(())
}

/// Rows may be read and changed, and nothing else.
async fn grant(connection: &mut PgConnection, kind: &PlaneKind) -> Result<(), StoreError> {
    let PlaneKind { schema, role, .. } = kind;
    connection
        .execute(AssertSqlSafe(format!(
            "GRANT USAGE ON SCHEMA {schema} TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
             REVOKE INSERT, UPDATE, DELETE ON {schema}._sqlx_migrations FROM {role};"
        )))
        .await?;
    Ok(())
}

/// A role that row level security does not bind is no role to work as.
async fn refuse_might(connection: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    let mighty: bool = asked(connection, ROLE_IS_MIGHTY, role).await?;
    if mighty {
        return Err(StoreError::Engine(format!(
            "the role {role} is a superuser or has BYPASSRLS, so that tenants would see each other's data; run: \
             ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS"
        )));
    }
    Ok(())
}

async fn refuse_ownership(connection: &mut PgConnection, kind: &PlaneKind) -> Result<(), StoreError> {
    let owned: Option<String> =
        sqlx::query_scalar(ROLE_OWNS).bind(kind.schema).bind(kind.role).fetch_optional(connection).await?;
    match owned {
        None => Ok(()),
        Some(table) => Err(StoreError::Engine(format!(
            "the role {role} owns the table {schema}.{table} or belongs to its owner, and could switch its protection \
             off; take that from it",
            role = kind.role,
            schema = kind.schema
        ))),
    }
}

async fn refuse_unprotected(connection: &mut PgConnection, kind: &PlaneKind) -> Result<(), StoreError> {
    match unprotected(connection, kind).await?.first() {
        None => Ok(()),
        Some(table) => Err(StoreError::Engine(format!(
            "row level security is not forced on the table {}.{table}, so that tenants would see each other's data; \
             restore it from the migration that made the table",
            kind.schema
        ))),
    }
}

async fn unprotected(connection: &mut PgConnection, kind: &PlaneKind) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(UNPROTECTED).bind(kind.schema).fetch_all(connection).await?)
}

/// What a server looks like from outside, for `seam doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Such as `16.14`.
    pub version: String,
    /// The role in the URL.
    pub login: String,
    /// Whether that role is a superuser: more than Seam needs.
    pub login_is_superuser: bool,
    /// The roles that Seam works as and that do not exist yet; the first start makes them.
    pub missing_roles: Vec<&'static str>,
    /// Tables of the tenant plane on which row level security is not forced. Must be none.
    pub unprotected: Vec<String>,
}

pub(crate) async fn facts_of_server(connection: &mut PgConnection) -> Result<ServerFacts, StoreError> {
    let row = connection
        .fetch_one(
            "SELECT current_setting('server_version'), current_user::text, rolsuper FROM pg_roles
             WHERE rolname = current_user",
        )
        .await?;
    let mut missing_roles = Vec::new();
    for role in [CONTROL.role, TENANT.role] {
        if asked::<bool>(connection, ROLE_EXISTS, role).await? {
            refuse_might(connection, role).await?;
        } else {
            missing_roles.push(role);
        }
    }
    Ok(ServerFacts {
        version: row.try_get(0)?,
        login: row.try_get(1)?,
        login_is_superuser: row.try_get(2)?,
        missing_roles,
        unprotected: unprotected(connection, &TENANT).await?,
    })
}

/// Whether a plane is there at all.
pub(crate) async fn exists(connection: &mut PgConnection, kind: &PlaneKind) -> Result<bool, StoreError> {
    asked(connection, SCHEMA_EXISTS, kind.schema).await
}

async fn one<T>(connection: &mut PgConnection, sql: &'static str) -> Result<T, StoreError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

async fn asked<T>(connection: &mut PgConnection, sql: &'static str, about: &str) -> Result<T, StoreError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    Ok(sqlx::query_scalar(sql).bind(about).fetch_one(connection).await?)
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|db| db.code()).map(std::borrow::Cow::into_owned)
}

/// A refusal for want of a privilege (42501), with what to do.
fn explained(error: sqlx::Error, remedy: &str) -> StoreError {
    if code_of(&error).as_deref() == Some("42501") {
        StoreError::Engine(format!("{error}; {remedy}"))
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever makes a cluster is its superuser with the identity 10, whatever its name.
    #[tokio::test]
    async fn a_role_that_row_level_security_does_not_bind_is_refused() {
        let url = std::env::var("SEAM_TEST_DATABASE_URL").unwrap();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let superuser: String =
            one(&mut connection, "SELECT rolname::text FROM pg_roles WHERE oid = 10").await.unwrap();
        let refused = refuse_might(&mut connection, &superuser).await.unwrap_err().to_string();
        assert!(refused.contains(&superuser) && refused.contains("NOBYPASSRLS"), "{refused}");
    }
}
