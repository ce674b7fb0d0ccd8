//! Plans: what a tenant pays, and what that comes to for a month's cost.

use crate::MeteringError;
use contract::{NanoUsd, Slug, Timestamp};
use serde_json::Value;
use std::{fmt, str::FromStr};
use store::{ControlStore, FromRow, Row, StoreError, Transaction};
use tenancy::{Change, Fault, OperatorScope, TenancyError, Told, as_values, differences};

const PLAN_BY_NAME: &str = "
SELECT name, monthly_fee, included_credit, overage_markup, requests_per_minute, tokens_per_minute, max_concurrent
FROM plan
WHERE name = $1";

const PLANS: &str = "
SELECT name, monthly_fee, included_credit, overage_markup, requests_per_minute, tokens_per_minute, max_concurrent
FROM plan
ORDER BY name";

const PLAN_UPSERT: &str = "
INSERT INTO plan (
    name, monthly_fee, included_credit, overage_markup, requests_per_minute, tokens_per_minute, max_concurrent,
    created_at, updated_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (name) DO UPDATE SET
    monthly_fee = excluded.monthly_fee,
    included_credit = excluded.included_credit,
    overage_markup = excluded.overage_markup,
    requests_per_minute = excluded.requests_per_minute,
    tokens_per_minute = excluded.tokens_per_minute,
    max_concurrent = excluded.max_concurrent,
    updated_at = excluded.updated_at";

const DELETE: &str = "DELETE FROM plan WHERE name = $1";

/// Enough to know whom to ask.
const TENANTS_ON: &str = "SELECT slug AS value FROM tenant WHERE plan = $1 ORDER BY slug LIMIT 4";
const HOW_MANY_ON: &str = "SELECT COUNT(*) AS value FROM tenant WHERE plan = $1";

const MILLION: i64 = 1_000_000;

/// A factor in millionths: 1.4 is 1,400,000. Text and value stand for each other exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millionths(pub i64);

/// The text is no factor that can be held exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a factor with up to six decimals, such as \"1.4\"")]
pub struct NoFactor(String);

impl FromStr for Millionths {
    type Err = NoFactor;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || NoFactor(text.chars().take(40).collect());
        let nanos = text.parse::<NanoUsd>().map_err(|_| refused())?.as_nanos();
        if nanos % 1000 == 0 { Ok(Self(nanos / 1000)) } else { Err(refused()) }
    }
}

impl fmt::Display for Millionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NanoUsd::from_nanos(self.0.saturating_mul(1_000)).fmt(f)
    }
}

/// A plan as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlan {
    pub name: String,
    pub monthly_fee: NanoUsd,
    /// How much marked-up cost the fee covers.
    pub included_credit: NanoUsd,
    /// What cost is multiplied by beyond the credit, in millionths: 1.4 is 1,400,000.
    pub overage_markup_millionths: i64,
    /// None: unlimited.
    pub requests_per_minute: Option<i64>,
    pub tokens_per_minute: Option<i64>,
    pub max_concurrent: Option<i64>,
}

impl FromRow for NewPlan {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
            monthly_fee: row.get("monthly_fee")?,
            included_credit: row.get("included_credit")?,
            overage_markup_millionths: row.get("overage_markup")?,
            requests_per_minute: row.get("requests_per_minute")?,
            tokens_per_minute: row.get("tokens_per_minute")?,
            max_concurrent: row.get("max_concurrent")?,
        })
    }
}

/// The part of a plan that money depends on. Nothing at all, where a tenant has no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTerms {
    pub monthly_fee: NanoUsd,
    pub included_credit: NanoUsd,
    pub overage_markup_millionths: i64,
}

/// What a month's usage brings in, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bill {
    pub fee: NanoUsd,
    /// `max(0, cost·markup − included credit)`, rounded once.
    pub overage: NanoUsd,
    /// Fee and overage.
    pub revenue: NanoUsd,
    /// Revenue less cost; negative where the tenant loses money.
    pub margin: NanoUsd,
}

impl PlanTerms {
    /// A tenant without a plan pays nothing, so all its cost is a loss.
    pub const NONE: Self =
        Self { monthly_fee: NanoUsd::ZERO, included_credit: NanoUsd::ZERO, overage_markup_millionths: 0 };

    pub fn bill(&self, cost: NanoUsd) -> Bill {
        let overage =
            marked_up(cost, self.overage_markup_millionths).saturating_sub(self.included_credit).max(NanoUsd::ZERO);
        let revenue = self.monthly_fee + overage;
        Bill { fee: self.monthly_fee, overage, revenue, margin: revenue.saturating_sub(cost) }
    }
}

/// Rounded half away from zero; saturates at the ends of `i64`.
fn marked_up(cost: NanoUsd, millionths: i64) -> NanoUsd {
    let product = i128::from(cost.as_nanos()) * i128::from(millionths);
    let half = i128::from(MILLION / 2) * product.signum();
    let rounded = (product + half) / i128::from(MILLION);
    NanoUsd::from_nanos(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
}

pub(crate) async fn list(control: &ControlStore) -> Result<Vec<NewPlan>, MeteringError> {
    Ok(control.read(PLANS).fetch_all().await?)
}

pub(crate) async fn find(control: &ControlStore, name: &str) -> Result<NewPlan, MeteringError> {
    control.read(PLAN_BY_NAME).bind(name).fetch_optional().await?.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> MeteringError {
    let shown: String = name.chars().take(60).collect();
    TenancyError::NotFound { what: format!("plan “{shown}”") }.into()
}

/// Creates a plan or puts another in its place, and logs what was so before and after.
pub(crate) async fn put(
    tx: &mut Transaction,
    now: Timestamp,
    operator: &OperatorScope,
    plan: &NewPlan,
) -> Result<Change, MeteringError> {
    let before: Option<NewPlan> = tx.query(PLAN_BY_NAME).bind(plan.name.as_str()).fetch_optional().await?;
    let change = apply(tx, now, plan).await?;
    if change != Change::Unchanged {
        let told = (before.as_ref().map_or(Value::Null, |before| as_values(told(before))), as_values(told(plan)));
        operator.record_change(tx, now, "plan.set", &plan.name, told).await?;
    }
    Ok(change)
}

pub(crate) async fn delete(
    tx: &mut Transaction,
    now: Timestamp,
    operator: &OperatorScope,
    name: &str,
) -> Result<(), MeteringError> {
    let before = remove(tx, name).await?;
    operator.record_change(tx, now, "plan.delete", name, (as_values(told(&before)), Value::Null)).await?;
    Ok(())
}

/// Takes a plan away that no tenant is on; it as it was.
pub(crate) async fn remove(tx: &mut Transaction, name: &str) -> Result<NewPlan, MeteringError> {
    let before: Option<NewPlan> = tx.query(PLAN_BY_NAME).bind(name).fetch_optional().await?;
    let before = before.ok_or_else(|| unknown(name))?;
    let on: Vec<String> = tx.query(TENANTS_ON).bind(name).fetch_all().await?;
    if !on.is_empty() {
        let all = tx.query(HOW_MANY_ON).bind(name).fetch_one::<i64>().await?;
        let more = all - i64::try_from(on.len()).unwrap_or(all);
        let tenants = if more > 0 { format!("{} and {more} more", on.join(", ")) } else { on.join(", ") };
        return Err(MeteringError::PlanInUse { plan: before.name, tenants });
    }
    tx.query(DELETE).bind(name).execute().await?;
    Ok(before)
}

pub(crate) async fn names(tx: &mut Transaction) -> Result<Vec<String>, StoreError> {
    let plans: Vec<NewPlan> = tx.query(PLANS).fetch_all().await?;
    Ok(plans.into_iter().map(|plan| plan.name).collect())
}

/// As the log has it.
pub(crate) async fn apply(tx: &mut Transaction, now: Timestamp, plan: &NewPlan) -> Result<Change, MeteringError> {
    check(plan)?;
    let before: Option<NewPlan> = tx.query(PLAN_BY_NAME).bind(plan.name.as_str()).fetch_optional().await?;
    if before.as_ref() == Some(plan) {
        return Ok(Change::Unchanged);
    }
    tx.query(PLAN_UPSERT)
        .bind(plan.name.as_str())
        .bind(plan.monthly_fee)
        .bind(plan.included_credit)
        .bind(plan.overage_markup_millionths)
        .bind(plan.requests_per_minute)
        .bind(plan.tokens_per_minute)
        .bind(plan.max_concurrent)
        .bind(now)
        .execute()
        .await?;
    Ok(match before {
        None => Change::created(told(plan)),
        Some(before) => Change::Updated(differences(told(&before), told(plan))),
    })
}

/// What is told of a plan as it is now; none where there is none.
pub(crate) async fn told_now(tx: &mut Transaction, name: &str) -> Result<Option<Value>, StoreError> {
    let plan: Option<NewPlan> = tx.query(PLAN_BY_NAME).bind(name).fetch_optional().await?;
    Ok(plan.map(|plan| as_values(told(&plan))))
}

fn told(plan: &NewPlan) -> Told {
    let markup = Millionths(plan.overage_markup_millionths);
    let limit = |limit: Option<i64>| limit.map(|limit| limit.to_string());
    vec![
        ("monthly_fee", Some(plan.monthly_fee.to_string())),
        ("included_credit", Some(plan.included_credit.to_string())),
        ("overage_markup", Some(markup.to_string())),
        ("requests_per_minute", limit(plan.requests_per_minute)),
        ("tokens_per_minute", limit(plan.tokens_per_minute)),
        ("max_concurrent", limit(plan.max_concurrent)),
    ]
}

impl NewPlan {
    /// Everything about it that cannot be, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Err(error) = self.name.parse::<Slug>() {
            faults.push(("name", format!("cannot be used: {error}")));
        }
        for (field, amount) in [("monthly_fee", self.monthly_fee), ("included_credit", self.included_credit)] {
            if amount < NanoUsd::ZERO {
                faults.push((field, "is negative; use zero or more".to_owned()));
            }
        }
        if self.overage_markup_millionths < 0 {
            faults.push(("overage_markup", "is negative; 1.4 sells at 40 % above cost".to_owned()));
        }
        let limits = [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("max_concurrent", self.max_concurrent),
        ];
        for (field, limit) in limits {
            if limit.is_some_and(|limit| limit < 1) {
                faults.push((field, "is below 1; leave it out for no limit".to_owned()));
            }
        }
        faults
    }
}

fn check(plan: &NewPlan) -> Result<(), MeteringError> {
    match plan.faults().into_iter().next() {
        None => Ok(()),
        Some((field, reason)) => Err(MeteringError::Invalid { what: format!("plan {}", plan.name), field, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> NanoUsd {
        text.parse().unwrap()
    }

    fn pro() -> PlanTerms {
        PlanTerms { monthly_fee: usd("99"), included_credit: usd("20"), overage_markup_millionths: 1_400_000 }
    }

    #[test]
    fn factors_read_as_they_were_written() {
        for (text, millionths) in [("1.4", 1_400_000), ("1", 1_000_000), ("0", 0), ("1.000001", 1_000_001)] {
            assert_eq!(text.parse(), Ok(Millionths(millionths)));
            assert_eq!(Millionths(millionths).to_string(), text);
        }
        for bad in ["", "a lot", "1.0000001", "99999999999"] {
            assert!(bad.parse::<Millionths>().is_err(), "{bad}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_plan_is_told_at_once() {
        let plan = NewPlan {
            name: "Pro".to_owned(),
            monthly_fee: usd("-1"),
            included_credit: usd("0"),
            overage_markup_millionths: -1,
            requests_per_minute: Some(0),
            tokens_per_minute: None,
            max_concurrent: Some(1),
        };
        let fields: Vec<_> = plan.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["name", "monthly_fee", "overage_markup", "requests_per_minute"]);
    }

    #[test]
    fn usage_inside_the_credit_costs_only_the_fee() {
        let bill = pro().bill(usd("10"));
        assert_eq!((bill.overage, bill.revenue, bill.margin), (NanoUsd::ZERO, usd("99"), usd("89")));
    }

    #[test]
    fn usage_beyond_the_credit_is_sold_at_the_markup() {
        // 100 · 1.4 − 20 = 120
        let bill = pro().bill(usd("100"));
        assert_eq!((bill.overage, bill.revenue, bill.margin), (usd("120"), usd("219"), usd("119")));
    }

    #[test]
    fn without_a_plan_all_cost_is_loss() {
        assert_eq!(PlanTerms::NONE.bill(usd("3")).margin, usd("-3"));
    }

    proptest! {
        #[test]
        fn a_bill_adds_up_and_never_charges_below_the_fee(
            fee in 0i64..1_000_000_000_000, credit in 0i64..1_000_000_000_000,
            markup in 0i64..10_000_000, cost in 0i64..1_000_000_000_000_000,
        ) {
            let nanos = NanoUsd::from_nanos;
            let terms =
                PlanTerms { monthly_fee: nanos(fee), included_credit: nanos(credit), overage_markup_millionths: markup };
            let bill = terms.bill(nanos(cost));
            prop_assert_eq!(bill.revenue, bill.fee + bill.overage);
            prop_assert_eq!(bill.margin + nanos(cost), bill.revenue);
            prop_assert!(bill.overage >= NanoUsd::ZERO && bill.revenue >= nanos(fee));
            let exact = i128::from(cost) * i128::from(markup) - i128::from(credit) * 1_000_000;
            let off = i128::from(bill.overage.as_nanos()) * 1_000_000 - exact.max(0);
            prop_assert!(off.abs() <= 500_000, "{}", off);
        }
    }
}
