//! The operator's customers.

use crate::{
    Change, Tenancy, TenancyError, account,
    change::{self, Fault, Told, differences},
    customer::refuse_going,
    membership,
};
use contract::{DisplayName, NameError, NanoUsd, Role, Slug, TenantId, Timestamp, UserId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

const MAX_REGION_CHARS: usize = 40;

const LIST: &str = "
SELECT id, slug, display_name, plan, monthly_budget, soft_budget, region, zero_retention, created_at, updated_at
FROM tenant ORDER BY slug";
const BY_SLUG: &str = "
SELECT id, slug, display_name, plan, monthly_budget, soft_budget, region, zero_retention, created_at, updated_at
FROM tenant WHERE slug = $1";
const BY_ID: &str = "
SELECT id, slug, display_name, plan, monthly_budget, soft_budget, region, zero_retention, created_at, updated_at
FROM tenant WHERE id = $1";
const INSERT: &str = "
INSERT INTO tenant
    (id, slug, display_name, plan, monthly_budget, soft_budget, region, zero_retention, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
ON CONFLICT (slug) DO NOTHING";
const UPDATE: &str = "
UPDATE tenant SET
    display_name = $2, plan = $3, monthly_budget = $4, soft_budget = $5, region = $6, zero_retention = $7,
    updated_at = $8
WHERE id = $1";
const PLAN_NAME: &str = "SELECT name AS value FROM plan WHERE name = $1";

/// A tenant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    pub slug: Slug,
    pub display_name: String,
    /// The name of a plan; none: nothing is charged.
    pub plan: Option<String>,
    /// Nothing is spent beyond it in a month.
    pub monthly_budget: Option<NanoUsd>,
    /// Somebody is told when it is passed.
    pub soft_budget: Option<NanoUsd>,
    /// Only providers in this region may see the tenant's data.
    pub region: Option<String>,
    /// Only providers that keep nothing may see the tenant's data.
    pub zero_retention: bool,
}

/// A tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    pub id: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub plan: Option<String>,
    pub monthly_budget: Option<NanoUsd>,
    pub soft_budget: Option<NanoUsd>,
    pub region: Option<String>,
    pub zero_retention: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl FromRow for TenantRecord {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            slug: row.get("slug")?,
            display_name: row.get("display_name")?,
            plan: row.get("plan")?,
            monthly_budget: row.get("monthly_budget")?,
            soft_budget: row.get("soft_budget")?,
            region: row.get("region")?,
            zero_retention: row.get("zero_retention")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

impl NewTenant {
    /// Everything about it that cannot be, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Err(error) = DisplayName::new(&self.display_name, DisplayName::MOST_OF_TENANT) {
            faults.push(("display_name", error.to_string()));
        }
        faults.extend(self.region.as_deref().and_then(Self::region_fault).map(|reason| ("region", reason)));
        let budgets = [("monthly_budget", self.monthly_budget), ("soft_budget", self.soft_budget)];
        let negative = budgets.into_iter().filter(|(_, budget)| budget.is_some_and(|budget| budget < NanoUsd::ZERO));
        faults.extend(
            negative.map(|(field, _)| (field, "a budget cannot be negative; leave it out for none".to_owned())),
        );
        if let (Some(soft), Some(monthly)) = (self.soft_budget, self.monthly_budget)
            && soft > monthly
        {
            let reason = format!(
                "${soft} is above the monthly budget of ${monthly}, so that nobody would ever be told; lower it, or leave it out"
            );
            faults.push(("soft_budget", reason));
        }
        faults
    }

    /// Why a text cannot be a region, a tenant's or a provider's: the two are compared, so that one rule is for both.
    pub fn region_fault(region: &str) -> Option<String> {
        match DisplayName::new(region, MAX_REGION_CHARS) {
            // A blank at its end is seen by nobody, and makes it another region.
            Ok(name) if name.as_str() == region => None,
            Ok(_) => Some("leave out the blanks around it".to_owned()),
            Err(error @ NameError::DisplayName { .. }) => Some(format!("{error}, such as eu")),
            Err(error) => Some(error.to_string()),
        }
    }

    fn validate(&self) -> Result<(), TenancyError> {
        change::none_of(self.faults())
    }

    /// As `seam apply` declares it.
    fn told(&self) -> Told {
        let money = |amount: Option<NanoUsd>| amount.map(|amount| amount.to_string());
        vec![
            ("display_name", Some(self.display_name.clone())),
            ("plan", self.plan.clone()),
            ("monthly_budget", money(self.monthly_budget)),
            ("soft_budget", money(self.soft_budget)),
            ("region", self.region.clone()),
            ("zero_retention", Some(self.zero_retention.to_string())),
        ]
    }
}

/// The same as the log tells it; named only where whoever reads it may know the tenant's own name.
pub(crate) fn told_values(tenant: &NewTenant, named: bool) -> Value {
    let mut told = json!({
        "plan": tenant.plan,
        "monthly_budget": tenant.monthly_budget.map(|budget| budget.to_string()),
        "soft_budget": tenant.soft_budget.map(|budget| budget.to_string()),
        "region": tenant.region,
        "zero_retention": tenant.zero_retention,
    });
    if let (true, Some(fields)) = (named, told.as_object_mut()) {
        fields.insert("display_name".to_owned(), json!(tenant.display_name));
    }
    told
}

pub(crate) fn unknown(slug: &Slug) -> TenancyError {
    TenancyError::NotFound { what: format!("tenant “{slug}”") }
}

/// The same for one that was not named, or must not be.
pub(crate) fn missing() -> TenancyError {
    TenancyError::NotFound { what: "such tenant".to_owned() }
}

pub(crate) async fn by_slug(tx: &mut Transaction, slug: &Slug) -> Result<Option<TenantRecord>, StoreError> {
    tx.query(BY_SLUG).bind(slug.clone()).fetch_optional().await
}

pub(crate) async fn by_id(tx: &mut Transaction, tenant: TenantId) -> Result<Option<TenantRecord>, StoreError> {
    tx.query(BY_ID).bind(tenant).fetch_optional().await
}

/// The same where it has to be there.
pub(crate) async fn present(tx: &mut Transaction, tenant: TenantId) -> Result<TenantRecord, TenancyError> {
    by_id(tx, tenant).await?.ok_or_else(missing)
}

/// The tenant that something is declared of.
///
/// Errors: `NotFound`; `Invalid` for one that is being deleted.
pub(crate) async fn declared(tx: &mut Transaction, slug: &Slug) -> Result<TenantRecord, TenancyError> {
    let tenant = by_slug(tx, slug).await?.ok_or_else(|| unknown(slug))?;
    refuse_going(tx, &tenant, "stays as it is").await?;
    Ok(tenant)
}

/// Inserts a tenant that was validated. None: the slug is taken.
async fn insert(tx: &mut Transaction, now: Timestamp, new: &NewTenant) -> Result<Option<TenantId>, TenancyError> {
    require_plan(tx, new.plan.as_deref()).await?;
    let id = TenantId::new();
    let insert = tx.query(INSERT).bind(id).bind(new.slug.clone()).bind(new.display_name.as_str());
    let insert = insert.bind(new.plan.as_deref()).bind(new.monthly_budget).bind(new.soft_budget);
    let insert = insert.bind(new.region.as_deref()).bind(new.zero_retention).bind(now);
    Ok((insert.execute().await? == 1).then_some(id))
}

/// What was stored, as it could be declared.
pub(crate) fn as_new(record: &TenantRecord) -> NewTenant {
    NewTenant {
        slug: record.slug.clone(),
        display_name: record.display_name.clone(),
        plan: record.plan.clone(),
        monthly_budget: record.monthly_budget,
        soft_budget: record.soft_budget,
        region: record.region.clone(),
        zero_retention: record.zero_retention,
    }
}

/// Writes all of a tenant that can be changed; `Invalid` when it cannot be so.
pub(crate) async fn replace(
    tx: &mut Transaction,
    now: Timestamp,
    tenant: TenantId,
    new: &NewTenant,
) -> Result<(), TenancyError> {
    new.validate()?;
    let update = tx.query(UPDATE).bind(tenant).bind(new.display_name.as_str()).bind(new.plan.as_deref());
    let update = update.bind(new.monthly_budget).bind(new.soft_budget).bind(new.region.as_deref());
    update.bind(new.zero_retention).bind(now).execute().await?;
    Ok(())
}

/// Names the missing plan where the foreign key would only refuse.
pub(crate) async fn require_plan(tx: &mut Transaction, plan: Option<&str>) -> Result<(), TenancyError> {
    let Some(plan) = plan else { return Ok(()) };
    match tx.query(PLAN_NAME).bind(plan).fetch_optional::<String>().await? {
        Some(_) => Ok(()),
        None => Err(TenancyError::NotFound { what: format!("plan “{plan}”") }),
    }
}

/// Creates a tenant; inside a transaction that does more.
pub(crate) async fn create(
    tx: &mut Transaction,
    now: Timestamp,
    new: &NewTenant,
) -> Result<TenantRecord, TenancyError> {
    new.validate()?;
    let created = insert(tx, now, new).await?;
    let taken = || TenancyError::AlreadyExists { what: "tenant", name: new.slug.to_string() };
    let tenant = created.ok_or_else(taken)?;
    by_id(tx, tenant).await?.ok_or_else(|| unknown(&new.slug))
}

impl Tenancy {
    pub async fn tenant_create(&self, new: NewTenant) -> Result<TenantRecord, TenancyError> {
        let mut tx = self.control.begin().await?;
        let tenant = create(&mut tx, self.now(), &new).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Creates a tenant together with its first admin: there is never one that nobody can enter.
    pub async fn tenant_found(&self, new: NewTenant, admin: UserId) -> Result<TenantRecord, TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let tenant = create(&mut tx, now, &new).await?;
        let missing = || TenancyError::NotFound { what: format!("account {admin}") };
        account::by_id(&mut tx, admin).await?.ok_or_else(missing)?;
        membership::put(&mut tx, now, tenant.id, admin, Role::Admin).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// All tenants, by slug.
    pub async fn tenant_list(&self) -> Result<Vec<TenantRecord>, TenancyError> {
        Ok(self.control.read(LIST).fetch_all().await?)
    }

    pub async fn tenant_by_slug(&self, slug: &Slug) -> Result<Option<TenantRecord>, TenancyError> {
        Ok(self.control.read(BY_SLUG).bind(slug.clone()).fetch_optional().await?)
    }

    /// Makes a tenant what was declared; inside `seam apply`'s transaction.
    pub async fn apply_tenant(tx: &mut Transaction, now: Timestamp, new: &NewTenant) -> Result<Change, TenancyError> {
        new.validate()?;
        if insert(tx, now, new).await?.is_some() {
            return Ok(Change::created(new.told()));
        }
        let old = declared(tx, &new.slug).await?;
        let differences = differences(as_new(&old).told(), new.told());
        if !differences.is_empty() {
            replace(tx, now, old.id, new).await?;
        }
        Ok(Change::from_differences(differences))
    }

    /// What is told of a tenant as it is now; none where there is none.
    pub async fn tenant_told(tx: &mut Transaction, slug: &Slug) -> Result<Option<Value>, StoreError> {
        Ok(by_slug(tx, slug).await?.map(|tenant| told_values(&as_new(&tenant), true)))
    }

    /// The tenant of which `seam apply` declares something.
    ///
    /// Errors: `NotFound`; `Invalid` for one that is being deleted.
    pub async fn apply_in_tenant(tx: &mut Transaction, slug: &Slug) -> Result<TenantId, TenancyError> {
        Ok(declared(tx, slug).await?.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_what_it_looks_like() {
        for good in ["eu", "EU", "us-east-1", "Europäische Union"] {
            assert_eq!(NewTenant::region_fault(good), None, "{good}");
        }
        let refused =
            [("", "1 to 40"), (" ", "1 to 40"), ("EU ", "blanks"), ("e\nu", "one line"), ("eu\u{202e}", "U+202E")];
        for (bad, why) in refused {
            assert!(NewTenant::region_fault(bad).is_some_and(|reason| reason.contains(why)), "{bad:?}");
        }
    }
}
