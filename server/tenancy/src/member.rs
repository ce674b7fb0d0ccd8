//! A tenant's people, as its admins manage them.
//!
//! What always holds: only an admin changes anything, every change is in the tenant's audit log, and a tenant
//! never loses its last admin. Who is no member is not found, whether they exist or not.

use crate::{
    Manages, Scope, Tenancy, TenancyError,
    audit::{self, Chain, Deed, pattern},
    membership,
};
use contract::{Email, ListOrder, ListQuery, MemberView, Page, Role, UserId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

/// Rows on a page of a list.
pub(crate) const PAGE_SIZE: i64 = 50;

// `email` is a copy in the membership itself, kept by the database: a page is a walk along an index.
const BY_EMAIL: &str = "
SELECT account_id, email, role, created_at FROM membership
WHERE tenant_id = $1 AND ($2 = '' OR email LIKE $2 ESCAPE '\\')
ORDER BY email LIMIT $3 OFFSET $4";
const BY_EMAIL_DOWN: &str = "
SELECT account_id, email, role, created_at FROM membership
WHERE tenant_id = $1 AND ($2 = '' OR email LIKE $2 ESCAPE '\\')
ORDER BY email DESC LIMIT $3 OFFSET $4";
const BY_JOINING: &str = "
SELECT account_id, email, role, created_at FROM membership
WHERE tenant_id = $1 AND ($2 = '' OR email LIKE $2 ESCAPE '\\')
ORDER BY created_at, account_id LIMIT $3 OFFSET $4";
const BY_JOINING_DOWN: &str = "
SELECT account_id, email, role, created_at FROM membership
WHERE tenant_id = $1 AND ($2 = '' OR email LIKE $2 ESCAPE '\\')
ORDER BY created_at DESC, account_id DESC LIMIT $3 OFFSET $4";
const COUNT: &str = "
SELECT COUNT(*) AS value FROM membership
WHERE tenant_id = $1 AND ($2 = '' OR email LIKE $2 ESCAPE '\\')";
const ONE: &str = "
SELECT account_id, email, role, created_at FROM membership
WHERE tenant_id = $1 AND account_id = $2";
const ROLE_SET: &str = "UPDATE membership SET role = $3 WHERE tenant_id = $1 AND account_id = $2";
const REMOVE: &str = "DELETE FROM membership WHERE tenant_id = $1 AND account_id = $2";

struct MemberRow(MemberView);

impl FromRow for MemberRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(MemberView {
            user: row.get("account_id")?,
            email: row.get("email")?,
            role: row.get("role")?,
            joined_at: row.get("created_at")?,
        }))
    }
}

impl Tenancy {
    /// The tenant's people, those whose address contains the words if any.
    pub async fn member_list(&self, scope: &Scope, query: &ListQuery) -> Result<Page<MemberView>, TenancyError> {
        self.member_page(scope, query, PAGE_SIZE).await
    }

    /// The same in pages of `size`.
    pub async fn member_page(
        &self,
        scope: &impl Manages,
        query: &ListQuery,
        size: i64,
    ) -> Result<Page<MemberView>, TenancyError> {
        scope.require_manager()?;
        let (words, number) = (pattern(&query.words), query.page.max(1));
        let total = self.control.read(COUNT).bind(scope.tenant()).bind(words.as_str()).fetch_one().await?;
        let list = match query.order {
            ListOrder::Name => BY_EMAIL,
            ListOrder::NameDown => BY_EMAIL_DOWN,
            ListOrder::Created => BY_JOINING,
            ListOrder::CreatedDown => BY_JOINING_DOWN,
        };
        let list = self.control.read(list).bind(scope.tenant()).bind(words).bind(size);
        let rows: Vec<MemberRow> = list.bind((number - 1).saturating_mul(size)).fetch_all().await?;
        Ok(Page { items: rows.into_iter().map(|row| row.0).collect(), total, number, size })
    }

    /// One of the tenant's people.
    ///
    /// Errors: `NotFound` for who is no member.
    pub async fn member_find(&self, scope: &impl Manages, user: UserId) -> Result<MemberView, TenancyError> {
        scope.require_manager()?;
        let row = self.control.read(ONE).bind(scope.tenant()).bind(user).fetch_optional::<MemberRow>().await?;
        row.map(|row| row.0).ok_or_else(unknown)
    }

    /// Gives a member another role.
    ///
    /// Errors: `NotFound` for who is no member; `LastAdmin`.
    pub async fn member_role_set(&self, scope: &impl Manages, user: UserId, role: Role) -> Result<(), TenancyError> {
        scope.require_manager()?;
        let mut tx = self.control.begin().await?;
        let member = member(&mut tx, scope, user).await?;
        if member.role == role {
            return Ok(());
        }
        if role != Role::Admin {
            keep_an_admin(&mut tx, scope, &member).await?;
        }
        tx.query(ROLE_SET).bind(scope.tenant()).bind(user).bind(role).execute().await?;
        let (before, after) = (json!({ "role": member.role }), json!({ "role": role }));
        self.note(&mut tx, scope, "member.role_set", &member.email, before, after).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a membership from the next request on. What the member wrote stays the tenant's.
    ///
    /// Errors: `NotFound` for who is no member; `LastAdmin`.
    pub async fn member_remove(&self, scope: &impl Manages, user: UserId) -> Result<(), TenancyError> {
        scope.require_manager()?;
        let mut tx = self.control.begin().await?;
        let member = member(&mut tx, scope, user).await?;
        keep_an_admin(&mut tx, scope, &member).await?;
        tx.query(REMOVE).bind(scope.tenant()).bind(user).execute().await?;
        let before = json!({ "role": member.role });
        self.note(&mut tx, scope, "member.remove", &member.email, before, Value::Null).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn note(
        &self,
        tx: &mut Transaction,
        scope: &impl Manages,
        action: &'static str,
        target: &Email,
        before: Value,
        after: Value,
    ) -> Result<(), StoreError> {
        let deed = Deed { action, target: target.as_str(), before, after };
        audit::record(tx, self.now(), Chain::Tenant(scope.tenant()), scope.author(), deed).await
    }
}

async fn member(tx: &mut Transaction, scope: &impl Manages, user: UserId) -> Result<MemberView, TenancyError> {
    let row = tx.query(ONE).bind(scope.tenant()).bind(user).fetch_optional::<MemberRow>().await?;
    row.map(|row| row.0).ok_or_else(unknown)
}

fn unknown() -> TenancyError {
    TenancyError::NotFound { what: "such member".to_owned() }
}

async fn keep_an_admin(tx: &mut Transaction, scope: &impl Manages, member: &MemberView) -> Result<(), TenancyError> {
    if membership::is_last_admin(tx, scope.tenant(), member.user, Some(member.role)).await? {
        return Err(TenancyError::LastAdmin { email: member.email.clone() });
    }
    Ok(())
}
