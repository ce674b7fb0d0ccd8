//! The price book: versions with a date from which they hold, added and never edited.

use crate::{AttemptPrice, MeteringError, Millionths};
use contract::{NameError, NanoUsd, Timestamp, TokenPrice, unseen};
use serde_json::Value;
use store::{ControlStore, FromRow, Row, StoreError, Transaction};
use tenancy::{Change, Fault, Told, as_values, differences};

const VERSION_AT: &str = "
SELECT id, input, cached_input, cache_write, cache_write_1h, output, reasoning, batch_discount, effective_from
FROM price_version
WHERE provider = $1 AND model = $2 AND effective_from <= $3
ORDER BY effective_from DESC
LIMIT 1";

const VERSIONS: &str = "
SELECT id, input, cached_input, cache_write, cache_write_1h, output, reasoning, batch_discount, effective_from
FROM price_version
WHERE provider = $1 AND model = $2
ORDER BY effective_from DESC";

const VERSION_INSERT: &str = "
INSERT INTO price_version (
    provider, model, input, cached_input, cache_write, cache_write_1h, output, reasoning, batch_discount, effective_from,
    created_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// A dollar a token. Whoever types more has the unit wrong.
const HIGHEST: TokenPrice = TokenPrice::per_million(NanoUsd::from_nanos(1_000_000_000_000_000));
/// A discount of everything, in millionths.
const WHOLE: i64 = 1_000_000;

/// A price version to be added. Prices are per million tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrice {
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    pub input: TokenPrice,
    /// None: as `input`.
    pub cached_input: Option<TokenPrice>,
    /// What the provider takes into its cache. None: as `input`.
    pub cache_write: Option<TokenPrice>,
    /// What it keeps there for an hour. None: as `cache_write`.
    pub cache_write_1h: Option<TokenPrice>,
    pub output: TokenPrice,
    /// None: as `output`.
    pub reasoning: Option<TokenPrice>,
    /// What batches are cheaper by, in millionths of the price.
    pub batch_discount_millionths: Option<i64>,
    /// Holds for what is dispatched from this moment until the next version.
    pub effective_from: Timestamp,
}

struct Version {
    id: i64,
    input: TokenPrice,
    cached_input: Option<TokenPrice>,
    cache_write: Option<TokenPrice>,
    cache_write_1h: Option<TokenPrice>,
    output: TokenPrice,
    reasoning: Option<TokenPrice>,
    batch_discount: Option<i64>,
    effective_from: Timestamp,
}

impl FromRow for Version {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            input: row.get("input")?,
            cached_input: row.get("cached_input")?,
            cache_write: row.get("cache_write")?,
            cache_write_1h: row.get("cache_write_1h")?,
            output: row.get("output")?,
            reasoning: row.get("reasoning")?,
            batch_discount: row.get("batch_discount")?,
            effective_from: row.get("effective_from")?,
        })
    }
}

/// The version in force for a model at a moment.
async fn version_at(
    tx: &mut Transaction,
    provider: &str,
    model: &str,
    at: Timestamp,
) -> Result<Option<Version>, StoreError> {
    tx.query(VERSION_AT).bind(provider).bind(model).bind(at).fetch_optional().await
}

/// From when on which price holds, the latest first.
pub(crate) async fn versions(
    control: &ControlStore,
    provider: &str,
    model: &str,
) -> Result<Vec<(Timestamp, AttemptPrice)>, StoreError> {
    let versions = control.read(VERSIONS).bind(provider).bind(model).fetch_all::<Version>().await?;
    Ok(versions.iter().map(|version| (version.effective_from, version.as_attempts())).collect())
}

/// What an attempt dispatched at a moment is billed by.
pub(crate) async fn in_force(
    tx: &mut Transaction,
    provider: &str,
    model: &str,
    at: Timestamp,
) -> Result<Option<AttemptPrice>, StoreError> {
    Ok(version_at(tx, provider, model, at).await?.as_ref().map(Version::as_attempts))
}

pub(crate) async fn apply(tx: &mut Transaction, now: Timestamp, price: &NewPrice) -> Result<Change, MeteringError> {
    check(price)?;
    let before = version_at(tx, &price.provider, &price.model, price.effective_from).await?;
    let mut differences = before.as_ref().map(|version| differences(version.told(), price.told())).unwrap_or_default();
    if let Some(version) = before.as_ref().filter(|version| version.effective_from == price.effective_from) {
        return if differences.is_empty() {
            Ok(Change::Unchanged)
        } else {
            Err(MeteringError::PriceConflict {
                provider: price.provider.clone(),
                model: price.model.clone(),
                effective_from: moment(version.effective_from),
                differences: differences.join(", "),
            })
        };
    }
    tx.query(VERSION_INSERT)
        .bind(price.provider.as_str())
        .bind(price.model.as_str())
        .bind(price.input)
        .bind(price.cached_input)
        .bind(price.cache_write)
        .bind(price.cache_write_1h)
        .bind(price.output)
        .bind(price.reasoning)
        .bind(price.batch_discount_millionths)
        .bind(price.effective_from)
        .bind(now)
        .execute()
        .await?;
    Ok(match before {
        None => {
            let mut told = price.told();
            told.push(("effective_from", Some(moment(price.effective_from))));
            Change::created(told)
        }
        Some(version) => {
            differences.push(format!(
                "effective_from: {} → {}",
                moment(version.effective_from),
                moment(price.effective_from)
            ));
            Change::Updated(differences)
        }
    })
}

/// What is told of the price in force at the moment from which this one holds; none where there is none.
pub(crate) async fn told_now(tx: &mut Transaction, price: &NewPrice) -> Result<Option<Value>, StoreError> {
    let version = version_at(tx, &price.provider, &price.model, price.effective_from).await?;
    Ok(version.map(|version| {
        let mut told = version.told();
        told.push(("effective_from", Some(moment(version.effective_from))));
        as_values(told)
    }))
}

impl Version {
    const fn as_attempts(&self) -> AttemptPrice {
        AttemptPrice {
            version: self.id,
            input: self.input,
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            output: self.output,
            reasoning: self.reasoning,
        }
    }

    /// As it was declared.
    fn told(&self) -> Told {
        told(
            [
                Some(self.input),
                self.cached_input,
                self.cache_write,
                self.cache_write_1h,
                Some(self.output),
                self.reasoning,
            ],
            self.batch_discount,
        )
    }
}

impl NewPrice {
    fn told(&self) -> Told {
        told(
            [
                Some(self.input),
                self.cached_input,
                self.cache_write,
                self.cache_write_1h,
                Some(self.output),
                self.reasoning,
            ],
            self.batch_discount_millionths,
        )
    }

    /// Everything about it that cannot be, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (field, name) in [("provider", &self.provider), ("model", &self.model)] {
            if name.trim().is_empty() {
                faults.push((field, "is empty; name what the price is for".to_owned()));
            }
            if let Some(unseen) = unseen(name) {
                faults.push((field, format!("cannot be used: {}", NameError::Unseen(unseen))));
            }
        }
        let prices = [
            ("input", Some(self.input)),
            ("cached_input", self.cached_input),
            ("cache_write", self.cache_write),
            ("cache_write_1h", self.cache_write_1h),
            ("output", Some(self.output)),
            ("reasoning", self.reasoning),
        ];
        for (field, value) in prices {
            if value.is_some_and(|value| value < TokenPrice::default()) {
                faults.push((field, "is negative; a price is zero or more".to_owned()));
            }
            if value.is_some_and(|value| value > HIGHEST) {
                let reason = "is above 1000000 dollars; prices are dollars per million tokens";
                faults.push((field, reason.to_owned()));
            }
        }
        if self.batch_discount_millionths.is_some_and(|discount| !(0..=WHOLE).contains(&discount)) {
            faults.push(("batch_discount", "is not between 0 and 1; 0.5 makes batches half price".to_owned()));
        }
        faults
    }
}

/// In the words of the file that it comes from.
fn told(prices: [Option<TokenPrice>; 6], batch_discount: Option<i64>) -> Told {
    let money = |price: Option<TokenPrice>| price.map(|price| price.as_per_million().to_string());
    let fraction = |millionths: i64| Millionths(millionths).to_string();
    let names = ["input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning"];
    let mut told: Told = names.into_iter().zip(prices.map(money)).collect();
    told.push(("batch_discount", batch_discount.map(fraction)));
    told
}

fn check(price: &NewPrice) -> Result<(), MeteringError> {
    match price.faults().into_iter().next() {
        None => Ok(()),
        Some((field, reason)) => {
            Err(MeteringError::Invalid { what: format!("price of {}/{}", price.provider, price.model), field, reason })
        }
    }
}

/// A moment as it is written in files, such as `2026-01-01T00:00:00Z`.
fn moment(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(moment) => moment.to_string(),
        // Beyond the year 9999 there is no such form.
        Err(_) => format!("{} ms after 1970", at.as_millis()),
    }
}
