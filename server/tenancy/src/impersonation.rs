//! An operator's time inside a tenant.
//!
//! What always holds: it has a reason, a role and an end within the hour, all of which the tenant's admins see while
//! it lasts and afterwards; the tenant's admins can end it; it is asked for on every request, so that an end counts
//! from the next one on; what is done in it stands in the tenant's audit log on the tenant's behalf; and nothing made
//! in it opens the tenant once it is over (`Scope::require_lasting`). There is no other way from an operator to a
//! tenant's data.

use crate::{
    Author, Principal, Scope, Tenancy, TenancyError,
    audit::{self, Deed},
    clock::millis,
    tenant,
};
use contract::{Email, ImpersonationId, ImpersonationView, Role, TenantId, TenantMembership, Timestamp, UserId};
use serde_json::{Value, json};
use std::time::Duration;
use store::{FromRow, Row, StoreError, Transaction};

/// The longest that an operator may ask for at a time.
pub const LONGEST_IMPERSONATION: Duration = Duration::from_secs(60 * 60);
const MAX_REASON_CHARS: usize = 300;
/// So many are listed, newest first.
const LISTED: i64 = 50;

const INSERT: &str = "
INSERT INTO impersonation (tenant_id, id, account_id, role, reason, started_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)";
/// By its id alone: whose it is, is asked of the account.
const OF_OPERATOR: &str = "
SELECT
    impersonation.tenant_id, impersonation.role, impersonation.expires_at, impersonation.ended_at,
    tenant.slug, tenant.display_name, tenant.suspended_for
FROM impersonation JOIN tenant ON tenant.id = impersonation.tenant_id
WHERE impersonation.id = $1 AND impersonation.account_id = $2";
const OF_TENANT: &str = "
SELECT
    impersonation.id, account.email, impersonation.role, impersonation.reason, impersonation.started_at,
    impersonation.expires_at, impersonation.ended_at
FROM impersonation JOIN account ON account.id = impersonation.account_id
WHERE impersonation.tenant_id = $1 ORDER BY impersonation.started_at DESC, impersonation.id DESC LIMIT $2";
/// Nothing lasts longer than the index must be read back for.
const LASTING: &str = "
SELECT
    impersonation.id, account.email, impersonation.role, impersonation.reason, impersonation.started_at,
    impersonation.expires_at, impersonation.ended_at
FROM impersonation JOIN account ON account.id = impersonation.account_id
WHERE impersonation.tenant_id = $1 AND impersonation.started_at > $2 AND impersonation.expires_at > $3
    AND impersonation.ended_at IS NULL
ORDER BY impersonation.started_at DESC, impersonation.id DESC LIMIT $4";
const ENDED_BY_TENANT: &str = "
UPDATE impersonation SET ended_at = $3
WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > $3
RETURNING (SELECT account.email FROM account WHERE account.id = impersonation.account_id) AS value";
const ENDED_BY_OPERATOR: &str = "
UPDATE impersonation SET ended_at = $3
WHERE id = $1 AND account_id = $2 AND ended_at IS NULL AND expires_at > $3
RETURNING tenant_id AS value";
const ENDED_WITH_SESSIONS: &str = "
UPDATE impersonation SET ended_at = $2
WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2
RETURNING tenant_id, id";

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImpersonation {
    pub tenant: TenantId,
    /// What they may do there.
    pub role: Role,
    /// Why, for the tenant's people to read.
    pub reason: String,
    pub lasting: Duration,
}

/// What a session's impersonation amounts to at the moment of a request.
#[derive(Debug, Clone)]
pub(crate) struct Impersonated {
    pub id: ImpersonationId,
    /// None: the tenant is gone.
    pub membership: Option<TenantMembership>,
    pub suspended_for: Option<String>,
    pub expires_at: Timestamp,
    pub over: bool,
}

struct OperatorRow {
    membership: TenantMembership,
    suspended_for: Option<String>,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl FromRow for OperatorRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            membership: TenantMembership {
                tenant: row.get("tenant_id")?,
                slug: row.get("slug")?,
                display_name: row.get("display_name")?,
                role: row.get("role")?,
            },
            suspended_for: row.get("suspended_for")?,
            expires_at: row.get("expires_at")?,
            ended_at: row.get("ended_at")?,
        })
    }
}

struct ViewRow(ImpersonationView);

impl FromRow for ViewRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(ImpersonationView {
            id: row.get("id")?,
            operator: row.get("email")?,
            role: row.get("role")?,
            reason: row.get("reason")?,
            started_at: row.get("started_at")?,
            expires_at: row.get("expires_at")?,
            ended_at: row.get("ended_at")?,
        }))
    }
}

struct EndedRow {
    tenant: TenantId,
    id: ImpersonationId,
}

impl FromRow for EndedRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { tenant: row.get("tenant_id")?, id: row.get("id")? })
    }
}

struct TenantOf(TenantId);

impl FromRow for TenantOf {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("value")?))
    }
}

impl NewImpersonation {
    fn validate(&self) -> Result<(), TenancyError> {
        let invalid = |field, reason| Err(TenancyError::Invalid { field, reason });
        let (reason, limit) = (self.reason.trim(), MAX_REASON_CHARS);
        if reason.is_empty() || reason.chars().count() > limit || reason.chars().any(char::is_control) {
            return invalid("reason", format!("say why in 1 to {limit} characters on one line; the tenant reads it"));
        }
        if self.lasting.is_zero() || self.lasting > LONGEST_IMPERSONATION {
            let most = LONGEST_IMPERSONATION.as_secs() / 60;
            return invalid("minutes", format!("ask for 1 to {most} minutes; you can ask again"));
        }
        Ok(())
    }
}

impl Tenancy {
    /// Lets an operator act inside a tenant for a while. The session that puts the id into its claims works there.
    pub async fn impersonation_begin(
        &self,
        principal: &Principal,
        new: &NewImpersonation,
    ) -> Result<ImpersonationId, TenancyError> {
        let operator = principal.operator_scope()?;
        new.validate()?;
        let (now, id) = (self.now(), ImpersonationId::new());
        let until = now.plus_millis(millis(new.lasting));
        let mut tx = self.control.begin().await?;
        let record = tenant::present(&mut tx, new.tenant).await?;
        let insert = tx.query(INSERT).bind(new.tenant).bind(id).bind(principal.user()).bind(new.role);
        insert.bind(new.reason.trim()).bind(now).bind(until).execute().await?;
        let after = json!({ "visit": id, "role": new.role, "reason": new.reason.trim(), "until": until.as_millis() });
        let deed = Deed { action: "impersonation.begin", target: record.slug.as_str(), before: Value::Null, after };
        audit::record_in_both(&mut tx, now, new.tenant, operator.author(), &deed).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Ends an operator's own time inside a tenant. Nothing happens where it is over already.
    pub async fn impersonation_end(&self, principal: &Principal, id: ImpersonationId) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let ended = tx.query(ENDED_BY_OPERATOR).bind(id).bind(principal.user()).bind(now);
        let Some(TenantOf(tenant)) = ended.fetch_optional().await? else { return Ok(()) };
        let author = principal.author();
        note_end(&mut tx, now, (tenant, id), &author, principal.email().as_str()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends an operator's time inside the tenant, by one of the tenant's admins.
    pub async fn impersonation_revoke(&self, scope: &Scope, id: ImpersonationId) -> Result<(), TenancyError> {
        scope.require(Role::Admin)?;
        let (now, tenant) = (self.now(), scope.tenant());
        let mut tx = self.control.begin().await?;
        let ended = tx.query(ENDED_BY_TENANT).bind(tenant).bind(id).bind(now).fetch_optional::<String>().await?;
        let operator = ended.ok_or_else(|| TenancyError::NotFound { what: "such visit, or it is over".to_owned() })?;
        note_end(&mut tx, now, (tenant, id), scope.author(), &operator).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Operators' times inside the tenant, newest first.
    pub async fn impersonation_list(&self, scope: &Scope) -> Result<Vec<ImpersonationView>, TenancyError> {
        scope.require(Role::Admin)?;
        let list = self.control.read(OF_TENANT).bind(scope.tenant()).bind(LISTED);
        Ok(list.fetch_all::<ViewRow>().await?.into_iter().map(|row| row.0).collect())
    }

    /// Those that last: whoever works in the tenant may know.
    pub async fn impersonations_lasting(&self, scope: &Scope) -> Result<Vec<ImpersonationView>, TenancyError> {
        let now = self.now();
        let earliest = now.plus_millis(-millis(LONGEST_IMPERSONATION));
        let lasting = self.control.read(LASTING).bind(scope.tenant()).bind(earliest).bind(now).bind(LISTED);
        Ok(lasting.fetch_all::<ViewRow>().await?.into_iter().map(|row| row.0).collect())
    }

    /// What the impersonation in a session's claims amounts to now. Whose is not the user's own is over.
    pub(crate) async fn impersonated(&self, id: ImpersonationId, user: UserId) -> Result<Impersonated, TenancyError> {
        let row: Option<OperatorRow> = self.control.read(OF_OPERATOR).bind(id).bind(user).fetch_optional().await?;
        let now = self.now();
        Ok(match row {
            None => Impersonated { id, membership: None, suspended_for: None, expires_at: now, over: true },
            Some(OperatorRow { membership, suspended_for, expires_at, ended_at }) => Impersonated {
                id,
                membership: Some(membership),
                suspended_for,
                expires_at,
                over: ended_at.is_some() || expires_at <= now,
            },
        })
    }
}

/// Every time of an operator inside a tenant, as their sessions end or their right does.
pub(crate) async fn end_all(
    tx: &mut Transaction,
    now: Timestamp,
    operator: (UserId, &Email),
    author: &Author,
) -> Result<(), StoreError> {
    let (user, email) = operator;
    let ended: Vec<EndedRow> = tx.query(ENDED_WITH_SESSIONS).bind(user).bind(now).fetch_all().await?;
    for EndedRow { tenant, id } in ended {
        note_end(tx, now, (tenant, id), author, email.as_str()).await?;
    }
    Ok(())
}

async fn note_end(
    tx: &mut Transaction,
    now: Timestamp,
    (tenant, visit): (TenantId, ImpersonationId),
    author: &Author,
    operator: &str,
) -> Result<(), StoreError> {
    let told = |inside: bool| json!({ "inside": inside, "operator": operator, "visit": visit });
    let Some(record) = tenant::by_id(tx, tenant).await? else { return Ok(()) };
    let deed =
        Deed { action: "impersonation.end", target: record.slug.as_str(), before: told(true), after: told(false) };
    audit::record_in_both(tx, now, tenant, author, &deed).await
}
