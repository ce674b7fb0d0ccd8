//! Prices are added and never edited; plans are changed; both say what they did.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use contract::Timestamp;
use fixture::{Fixture, NOW, per_million, price_from, usd};
use metering::{Metering, MeteringError, NewPlan, NewPrice};
use tenancy::Change;

const PRICES: &str = "SELECT COUNT(*) AS value FROM price_version WHERE provider = 'openai-eu'";

#[tokio::test]
async fn applying_the_same_price_again_changes_nothing() {
    let fixture = Fixture::new().await;
    assert!(matches!(fixture.price(&price_from(NOW)).await, Ok(Change::Created(_))));
    assert!(matches!(fixture.price(&price_from(NOW)).await, Ok(Change::Unchanged)));
    assert_eq!(fixture.control.read(PRICES).fetch_one::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn other_numbers_at_the_same_moment_are_refused_with_the_way_out() {
    let fixture = Fixture::new().await;
    fixture.price(&price_from(NOW)).await.unwrap();
    let edited = NewPrice { output: per_million("0.6"), cached_input: None, ..price_from(NOW) };
    let refused = fixture.price(&edited).await.unwrap_err();
    assert!(matches!(refused, MeteringError::PriceConflict { .. }));
    let words = refused.to_string();
    for expected in [
        "openai-eu/gpt-4o-mini",
        "2026-06-01T00:00:00Z",
        "output: 2 → 0.6",
        "cached_input: 0.5 → none",
        "new effective_from",
    ] {
        assert!(words.contains(expected), "{expected} is missing in: {words}");
    }
    assert_eq!(fixture.control.read(PRICES).fetch_one::<i64>().await.unwrap(), 1);
    assert!(matches!(fixture.price(&price_from(NOW)).await, Ok(Change::Unchanged)));
}

#[tokio::test]
async fn a_price_from_another_moment_is_a_version_of_its_own() {
    let fixture = Fixture::new().await;
    fixture.price(&price_from(NOW)).await.unwrap();
    let dearer = NewPrice { input: per_million("1.25"), ..price_from(NOW.plus_millis(86_400_000)) };
    let Ok(Change::Updated(differences)) = fixture.price(&dearer).await else { panic!("not a newer version") };
    assert_eq!(differences, ["input: 1 → 1.25", "effective_from: 2026-06-01T00:00:00Z → 2026-06-02T00:00:00Z"]);
    assert_eq!(fixture.control.read(PRICES).fetch_one::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn prices_that_cannot_be_meant_are_refused_by_name() {
    let fixture = Fixture::new().await;
    let from = price_from(Timestamp::from_millis(0));
    let refused = [
        (NewPrice { output: per_million("-1"), ..from.clone() }, "output"),
        (NewPrice { input: per_million("1000000.01"), ..from.clone() }, "input"),
        (NewPrice { batch_discount_millionths: Some(1_000_001), ..from.clone() }, "batch_discount"),
        (NewPrice { model: " ".into(), ..from.clone() }, "model"),
    ];
    for (price, named) in refused {
        let error = fixture.price(&price).await.unwrap_err();
        assert!(matches!(error, MeteringError::Invalid { field, .. } if field == named), "{error}");
    }
    assert_eq!(fixture.control.read(PRICES).fetch_one::<i64>().await.unwrap(), 0);
}

fn pro() -> NewPlan {
    NewPlan {
        name: "pro".into(),
        monthly_fee: usd("99"),
        included_credit: usd("20"),
        overage_markup_millionths: 1_400_000,
        requests_per_minute: Some(600),
        tokens_per_minute: Some(200_000),
        max_concurrent: None,
    }
}

async fn apply_plan(fixture: &Fixture, plan: &NewPlan) -> Result<Change, MeteringError> {
    let mut tx = fixture.control.begin().await.unwrap();
    let change = Metering::apply_plan(&mut tx, NOW, plan).await?;
    tx.commit().await.unwrap();
    Ok(change)
}

#[tokio::test]
async fn a_plan_is_created_left_alone_or_changed_and_says_which() {
    let fixture = Fixture::new().await;
    assert!(matches!(apply_plan(&fixture, &pro()).await, Ok(Change::Created(_))));
    assert!(matches!(apply_plan(&fixture, &pro()).await, Ok(Change::Unchanged)));
    let changed = NewPlan { overage_markup_millionths: 1_500_000, max_concurrent: Some(50), ..pro() };
    let Ok(Change::Updated(differences)) = apply_plan(&fixture, &changed).await else { panic!("not changed") };
    assert_eq!(differences, ["overage_markup: 1.4 → 1.5", "max_concurrent: none → 50"]);
    assert!(matches!(apply_plan(&fixture, &changed).await, Ok(Change::Unchanged)));
}

#[tokio::test]
async fn plans_that_cannot_be_meant_are_refused_by_name() {
    let fixture = Fixture::new().await;
    let refused = [
        (NewPlan { name: "Pro Plan".into(), ..pro() }, "name"),
        (NewPlan { monthly_fee: usd("-1"), ..pro() }, "monthly_fee"),
        (NewPlan { overage_markup_millionths: -1, ..pro() }, "overage_markup"),
        (NewPlan { max_concurrent: Some(0), ..pro() }, "max_concurrent"),
    ];
    for (plan, named) in refused {
        let error = apply_plan(&fixture, &plan).await.unwrap_err();
        assert!(matches!(error, MeteringError::Invalid { field, .. } if field == named), "{error}");
    }
}

const SEEDED: &str = "
SELECT COUNT(*) AS value FROM price_version
WHERE provider = 'local' AND model = $1 AND effective_from = 0 AND input > 0";

#[tokio::test]
async fn the_models_that_come_with_seam_have_a_price_from_the_start() {
    let fixture = Fixture::new().await;
    for model in ["smollm2-135m-instruct", "all-minilm-l6-v2"] {
        assert_eq!(fixture.control.read(SEEDED).bind(model).fetch_one::<i64>().await.unwrap(), 1, "{model}");
    }
}
