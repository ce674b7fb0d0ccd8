//! Somebody leaves for good: what of an account is the tenants' and the logs' business.
//!
//! What always holds: no tenant loses its last admin by it, and the platform no operator; each tenant's log tells of the
//! membership that ended, the platform's of the account. What they wrote stays their tenants'.

use crate::{
    OperatorScope, Tenancy, TenancyError,
    audit::{self, Chain, Deed},
    user,
};
use contract::{Email, Role, Slug, TenantId, UserId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

const MEMBERSHIPS: &str = "
SELECT
    membership.tenant_id, tenant.slug, membership.role,
    (SELECT COUNT(*) FROM membership AS other
        WHERE other.tenant_id = membership.tenant_id AND other.role = 'admin'
            AND other.account_id <> membership.account_id) AS other_admins
FROM membership
JOIN tenant ON tenant.id = membership.tenant_id
WHERE membership.account_id = $1
ORDER BY tenant.slug";
const END: &str = "DELETE FROM membership WHERE account_id = $1";

struct MembershipRow {
    tenant: TenantId,
    slug: Slug,
    role: Role,
    other_admins: i64,
}

impl FromRow for MembershipRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.get("tenant_id")?,
            slug: row.get("slug")?,
            role: row.get("role")?,
            other_admins: row.get("other_admins")?,
        })
    }
}

impl Tenancy {
    /// Ends every membership of somebody whose account is deleted in the same transaction, and writes down both.
    ///
    /// Errors: `NotFound`; `NotConfirmed` unless `confirmed` is their address; `OperatorStays`; `LastAdminOf`.
    pub async fn user_take_leave(
        &self,
        tx: &mut Transaction,
        operator: &OperatorScope,
        user: UserId,
        confirmed: &str,
    ) -> Result<(Email, Vec<Slug>), TenancyError> {
        let (now, author) = (self.now(), operator.author());
        let account = user::account(tx, user).await?;
        if confirmed.trim().parse::<Email>().ok().as_ref() != Some(&account.email) {
            return Err(TenancyError::NotConfirmed { email: account.email });
        }
        if account.operator {
            return Err(TenancyError::OperatorStays { email: account.email });
        }
        let memberships: Vec<MembershipRow> = tx.query(MEMBERSHIPS).bind(user).fetch_all().await?;
        let alone =
            memberships.iter().find(|membership| membership.role == Role::Admin && membership.other_admins == 0);
        if let Some(MembershipRow { slug, .. }) = alone {
            return Err(TenancyError::LastAdminOf { email: account.email, tenant: slug.clone() });
        }
        tx.query(END).bind(user).execute().await?;
        for MembershipRow { tenant, role, .. } in &memberships {
            let before = json!({ "role": role });
            let deed = Deed { action: "member.remove", target: account.email.as_str(), before, after: Value::Null };
            audit::record(tx, now, Chain::Tenant(*tenant), author, deed).await?;
        }
        // The platform's log outlives tenants, and does not name their people.
        let (id, before) = (user.to_string(), json!({ "memberships": memberships.len() }));
        let deed = Deed { action: "user.delete", target: &id, before, after: Value::Null };
        audit::record(tx, now, Chain::Platform, author, deed).await?;
        Ok((account.email, memberships.into_iter().map(|membership| membership.slug).collect()))
    }
}
