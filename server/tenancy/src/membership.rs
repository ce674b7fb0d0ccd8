//! Who belongs to which tenant, in which role.

use crate::{Change, Tenancy, TenancyError, account, tenant};
use contract::{Role, TenantId, TenantMembership, Timestamp, UserId};
use store::{FromRow, Row, StoreError, Transaction};

const ROLE: &str = "SELECT role AS value FROM membership WHERE tenant_id = $1 AND account_id = $2";
const PUT: &str = "
INSERT INTO membership (tenant_id, account_id, role, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, account_id) DO UPDATE SET role = excluded.role";
const OTHER_ADMINS: &str = "
SELECT COUNT(*) AS value FROM membership WHERE tenant_id = $1 AND role = 'admin' AND account_id <> $2";
const OF_ACCOUNT: &str = "
SELECT tenant.id, tenant.slug, tenant.display_name, membership.role
FROM membership
JOIN tenant ON tenant.id = membership.tenant_id
WHERE membership.account_id = $1
ORDER BY membership.created_at, membership.tenant_id";

struct RoleRow(Role);

impl FromRow for RoleRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("value")?))
    }
}

struct MembershipRow(TenantMembership);

impl FromRow for MembershipRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(TenantMembership {
            tenant: row.get("id")?,
            slug: row.get("slug")?,
            display_name: row.get("display_name")?,
            role: row.get("role")?,
        }))
    }
}

/// What putting somebody into a role did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MembershipChange {
    Added,
    Moved { from: Role },
    Unchanged,
}

/// What somebody is in a tenant, if they belong to it.
pub(crate) async fn role_in(tx: &mut Transaction, tenant: TenantId, user: UserId) -> Result<Option<Role>, StoreError> {
    let row = tx.query(ROLE).bind(tenant).bind(user).fetch_optional::<RoleRow>().await?;
    Ok(row.map(|row| row.0))
}

/// Whether nobody could manage the tenant any more without this one.
pub(crate) async fn is_last_admin(
    tx: &mut Transaction,
    tenant: TenantId,
    user: UserId,
    role: Option<Role>,
) -> Result<bool, StoreError> {
    let others = tx.query(OTHER_ADMINS).bind(tenant).bind(user).fetch_one::<i64>().await?;
    Ok(role == Some(Role::Admin) && others == 0)
}

/// Gives an existing account a role in an existing tenant.
pub(crate) async fn put(
    tx: &mut Transaction,
    now: Timestamp,
    tenant: TenantId,
    user: UserId,
    role: Role,
) -> Result<MembershipChange, StoreError> {
    let change = match role_in(tx, tenant, user).await? {
        None => MembershipChange::Added,
        Some(from) if from == role => return Ok(MembershipChange::Unchanged),
        Some(from) => MembershipChange::Moved { from },
    };
    tx.query(PUT).bind(tenant).bind(user).bind(role).bind(now).execute().await?;
    Ok(change)
}

/// The tenants that somebody belongs to.
pub(crate) async fn of_account(tx: &mut Transaction, user: UserId) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<MembershipRow> = tx.query(OF_ACCOUNT).bind(user).fetch_all().await?;
    Ok(rows.into_iter().map(|row| row.0.tenant).collect())
}

impl Tenancy {
    /// Makes somebody a member of a tenant, or gives a member another role.
    pub async fn member_add(&self, tenant: TenantId, user: UserId, role: Role) -> Result<Change, TenancyError> {
        let missing = |what: String| TenancyError::NotFound { what };
        let mut tx = self.control.begin().await?;
        tenant::by_id(&mut tx, tenant).await?.ok_or_else(|| missing(format!("tenant {tenant}")))?;
        account::by_id(&mut tx, user).await?.ok_or_else(|| missing(format!("account {user}")))?;
        let change = match put(&mut tx, self.now(), tenant, user, role).await? {
            MembershipChange::Added => Change::created(vec![("role", Some(role.to_string()))]),
            MembershipChange::Moved { from } => Change::Updated(vec![format!("role: {from} → {role}")]),
            MembershipChange::Unchanged => Change::Unchanged,
        };
        tx.commit().await?;
        Ok(change)
    }

    /// The tenants that somebody belongs to, from the oldest membership on.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<TenantMembership>, TenancyError> {
        let rows: Vec<MembershipRow> = self.control.read(OF_ACCOUNT).bind(user).fetch_all().await?;
        Ok(rows.into_iter().map(|MembershipRow(membership)| membership).collect())
    }
}
