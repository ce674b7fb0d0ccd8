//! E-mail domains of tenants: an admin claims one, the operator confirms it, and only then it counts.
//!
//! A claim alone excludes nobody, so that no tenant can sit on another's name; a confirmed domain is one tenant's.

use crate::{
    Author, Chain, Manages, OperatorScope, Tenancy, TenancyError,
    audit::{self, Deed},
    customer::refuse_going,
    tenant,
};
use contract::{DomainClaimView, DomainView, EmailDomain, TenantId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError};

/// More than any company has; it bounds what an admin's mistake can do.
const MOST_DOMAINS: i64 = 50;

const OF_TENANT: &str = "
SELECT domain, claimed_at, confirmed_at FROM sign_in_domain WHERE tenant_id = $1 ORDER BY domain";
/// A tenant has few domains, and few tenants claim any.
const CLAIMS_OF_TENANT: &str = "
SELECT
    domain, claimed_by, claimed_at, confirmed_by, confirmed_at,
    (SELECT tenant.slug FROM sign_in_domain AS other JOIN tenant ON tenant.id = other.tenant_id
        WHERE other.domain = sign_in_domain.domain AND other.confirmed_at IS NOT NULL AND other.tenant_id <> $1) AS holder,
    (SELECT COUNT(*) FROM sign_in_domain AS other
        WHERE other.domain = sign_in_domain.domain AND other.tenant_id <> $1) AS others
FROM sign_in_domain WHERE tenant_id = $1 ORDER BY domain";
const COUNT: &str = "SELECT COUNT(*) AS value FROM sign_in_domain WHERE tenant_id = $1";
const CLAIM: &str = "
INSERT INTO sign_in_domain (tenant_id, domain, claimed_by, claimed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, domain) DO NOTHING";
const RELEASE: &str = "
DELETE FROM sign_in_domain WHERE tenant_id = $1 AND domain = $2
RETURNING CASE WHEN confirmed_at IS NULL THEN 'claimed' ELSE 'confirmed' END AS value";
const HOLDER: &str = "
SELECT tenant_id AS value FROM sign_in_domain WHERE domain = $1 AND confirmed_at IS NOT NULL";
const CONFIRM: &str = "
UPDATE sign_in_domain SET confirmed_by = $3, confirmed_at = $4
WHERE tenant_id = $1 AND domain = $2 AND confirmed_at IS NULL";

/// What became of a claim; `MadeBefore` and `ConfirmedBefore` changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    Made,
    MadeBefore,
    ConfirmedBefore,
}

struct DomainRow(DomainView);

impl FromRow for DomainRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(DomainView {
            domain: row.get("domain")?,
            claimed_at: row.get("claimed_at")?,
            confirmed_at: row.get("confirmed_at")?,
        }))
    }
}

struct ClaimRow(DomainClaimView);

impl FromRow for ClaimRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(DomainClaimView {
            domain: row.get("domain")?,
            claimed_by: row.get("claimed_by")?,
            claimed_at: row.get("claimed_at")?,
            confirmed_by: row.get("confirmed_by")?,
            confirmed_at: row.get("confirmed_at")?,
            held_by: row.get("holder")?,
            other_claims: row.get("others")?,
        }))
    }
}

/// `before` and `after`: whether it was confirmed for the tenant, and is; none where the tenant does not claim it.
fn deed<'a>(
    action: &'static str,
    tenant: &str,
    domain: &'a EmailDomain,
    (before, after): (Option<bool>, Option<bool>),
) -> Deed<'a> {
    let told = |confirmed: Option<bool>| {
        confirmed.map_or(Value::Null, |confirmed| json!({ "confirmed": confirmed, "tenant": tenant }))
    };
    Deed { action, target: domain.as_str(), before: told(before), after: told(after) }
}

impl Tenancy {
    pub(super) async fn domains(&self, tenant: TenantId) -> Result<Vec<DomainView>, StoreError> {
        let rows: Vec<DomainRow> = self.control.read(OF_TENANT).bind(tenant).fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Says that a domain is the tenant's own; nothing changes for anybody until the operator confirms it.
    pub async fn domain_claim(&self, scope: &impl Manages, domain: &EmailDomain) -> Result<Claim, TenancyError> {
        scope.require_manager()?;
        let now = self.now();
        let mut tx = self.control.begin().await?;
        if tx.query(COUNT).bind(scope.tenant()).fetch_one::<i64>().await? >= MOST_DOMAINS {
            let reason = format!("a tenant has at most {MOST_DOMAINS} domains; remove one first");
            return Err(TenancyError::Invalid { field: "domain", reason });
        }
        let claim = tx.query(CLAIM).bind(scope.tenant()).bind(domain.clone()).bind(scope.author().name()).bind(now);
        if claim.execute().await? == 1 {
            let slug = tenant::present(&mut tx, scope.tenant()).await?.slug;
            let deed = deed("domain.claim", slug.as_str(), domain, (None, Some(false)));
            audit::record(&mut tx, now, Chain::Tenant(scope.tenant()), scope.author(), deed).await?;
            tx.commit().await?;
            return Ok(Claim::Made);
        }
        let holder = tx.query(HOLDER).bind(domain.clone()).fetch_optional::<String>().await?;
        Ok(if holder == Some(scope.tenant().to_string()) { Claim::ConfirmedBefore } else { Claim::MadeBefore })
    }

    /// Gives a domain up, confirmed or not. Its people sign in with their passwords from then on.
    pub async fn domain_release(&self, scope: &impl Manages, domain: &EmailDomain) -> Result<(), TenancyError> {
        scope.require_manager()?;
        self.domain_delete(scope.tenant(), domain, scope.author(), &[Chain::Tenant(scope.tenant())]).await
    }

    /// Confirms that a domain is the tenant's, claimed or not: whoever runs the platform has seen the proof.
    ///
    /// Errors: `NotFound` without such a tenant; `Invalid` when another tenant has the domain.
    pub async fn domain_confirm(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        domain: &EmailDomain,
    ) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let record = tenant::present(&mut tx, tenant).await?;
        refuse_going(&mut tx, &record, "gets no domain any more").await?;
        match tx.query(HOLDER).bind(domain.clone()).fetch_optional::<String>().await? {
            Some(holder) if holder == tenant.to_string() => return Ok(()),
            Some(_) => {
                let reason = format!("{domain} is confirmed for another tenant; remove it there first");
                return Err(TenancyError::Invalid { field: "domain", reason });
            }
            None => {}
        }
        let name = operator.author().name();
        let claim = tx.query(CLAIM).bind(tenant).bind(domain.clone()).bind(name).bind(now).execute().await?;
        tx.query(CONFIRM).bind(tenant).bind(domain.clone()).bind(name).bind(now).execute().await?;
        let deed = deed("domain.confirm", record.slug.as_str(), domain, ((claim == 0).then_some(false), Some(true)));
        audit::record_in_both(&mut tx, now, tenant, operator.author(), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes a domain from a tenant.
    pub async fn domain_withdraw(
        &self,
        operator: &OperatorScope,
        tenant: TenantId,
        domain: &EmailDomain,
    ) -> Result<(), TenancyError> {
        self.domain_delete(tenant, domain, operator.author(), &[Chain::Platform, Chain::Tenant(tenant)]).await
    }

    /// The domains that a tenant claims, as the operator sees them.
    pub async fn domain_list(
        &self,
        _operator: &OperatorScope,
        tenant: TenantId,
    ) -> Result<Vec<DomainView>, TenancyError> {
        Ok(self.domains(tenant).await?)
    }

    /// The same with what there is to judge a claim by.
    pub async fn domain_claims(
        &self,
        _operator: &OperatorScope,
        tenant: TenantId,
    ) -> Result<Vec<DomainClaimView>, TenancyError> {
        let rows: Vec<ClaimRow> = self.control.read(CLAIMS_OF_TENANT).bind(tenant).fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn domain_delete(
        &self,
        tenant: TenantId,
        domain: &EmailDomain,
        author: &Author,
        chains: &[Chain],
    ) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let released = tx.query(RELEASE).bind(tenant).bind(domain.clone()).fetch_optional::<String>().await?;
        let standing = released.ok_or_else(|| TenancyError::NotFound { what: "such domain".to_owned() })?;
        let (before, slug) = (Some(standing == "confirmed"), tenant::present(&mut tx, tenant).await?.slug);
        for chain in chains {
            let deed = deed("domain.release", slug.as_str(), domain, (before, None));
            audit::record(&mut tx, now, *chain, author, deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
