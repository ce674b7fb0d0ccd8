//! Configuring providers: keys are sealed, changes apply to a running gateway, and a pasted key brings models
//! with prices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{ProviderKind, Timestamp};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream},
};
use gateway::{GatewayError, NewProvider, provider::ProviderError};
use serde_json::json;
use tenancy::Change;

const SECRET: &str = "sk-that-nobody-may-see";
const SEALED: &str = "SELECT api_key_sealed FROM provider WHERE name = $1";

struct Sealed(Vec<u8>);

impl store::FromRow for Sealed {
    fn from_row(row: &store::Row) -> Result<Self, store::StoreError> {
        row.get("api_key_sealed").map(Self)
    }
}

fn with_key(key: &str) -> NewProvider {
    let mut provider = NewProvider::new("eu", ProviderKind::Openai);
    provider.api_key = Some(key.to_owned());
    provider
}

#[tokio::test]
async fn a_key_is_sealed_on_write_and_shown_nowhere() {
    let house = House::new().await;
    assert!(!format!("{:?}", with_key(SECRET)).contains(SECRET));
    assert!(matches!(house.gateway.provider_add(&with_key(SECRET)).await.unwrap(), Change::Created(_)));
    let Sealed(sealed) = house.control.read(SEALED).bind("eu").fetch_one().await.unwrap();
    assert!(!sealed.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    assert_eq!(house.tenancy.vault().unseal("provider:eu", &sealed).unwrap().expose(), SECRET);
    assert!(house.tenancy.vault().unseal("provider:us", &sealed).is_err(), "a key moved to another row opens");
    let change = house.gateway.provider_add(&with_key("sk-another")).await.unwrap();
    assert_eq!(change, Change::Updated(vec!["api_key: replaced".to_owned()]));
}

#[tokio::test]
async fn applying_the_same_again_changes_nothing_and_no_key_keeps_the_key() {
    let house = House::new().await;
    house.gateway.provider_add(&with_key(SECRET)).await.unwrap();
    assert_eq!(house.gateway.provider_add(&with_key(SECRET)).await.unwrap(), Change::Unchanged);
    let mut without = with_key(SECRET);
    without.api_key = None;
    assert_eq!(house.gateway.provider_add(&without).await.unwrap(), Change::Unchanged);
    (without.timeout_ms, without.region) = (5_000, Some("eu".to_owned()));
    let change = house.gateway.provider_add(&without).await.unwrap();
    let expected = ["region: none → eu".to_owned(), "timeout_ms: 60000 → 5000".to_owned()];
    assert_eq!(change, Change::Updated(expected.to_vec()));
    let Sealed(sealed) = house.control.read(SEALED).bind("eu").fetch_one().await.unwrap();
    assert_eq!(house.tenancy.vault().unseal("provider:eu", &sealed).unwrap().expose(), SECRET);
}

/// A word of the reason, and the slip.
type Slip = (&'static str, fn(&mut NewProvider));

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_reason() {
    let house = House::new().await;
    let slips: [Slip; 8] = [
        ("lower-case", |p| p.name = "Not A Slug".to_owned()),
        ("http", |p| p.base_url = Some("localhost".to_owned())),
        ("timeout_ms", |p| p.timeout_ms = 0),
        ("max_retries", |p| p.max_retries = 11),
        ("api_key", |p| p.api_key = Some("two words".to_owned())),
        ("options must be left out", |p| p.options = json!({"fault": "cut"})),
        ("unknown field", |p| (p.kind, p.options) = (ProviderKind::Simulated, json!({"falt": "cut"}))),
        ("base_url must be left out", |p| (p.kind, p.base_url) = (ProviderKind::Local, Some("http://x".to_owned()))),
    ];
    for (about, slip) in slips {
        let mut provider = NewProvider::new("eu", ProviderKind::Openai);
        slip(&mut provider);
        let Err(GatewayError::InvalidProvider { reason, .. }) = house.gateway.provider_add(&provider).await else {
            panic!("accepted: {about}")
        };
        assert!(reason.contains(about), "{about}: {reason}");
    }
}

#[tokio::test]
async fn a_changed_row_changes_the_running_gateway() {
    let house = House::new().await;
    house.simulated("sim", json!({"tokens": 3})).await;
    house.model("assistant", &["sim/m"]).await;
    let length = async || hear(house.ask(&chat("assistant")).await.unwrap()).await.texts.len();
    assert_eq!(length().await, 3);
    house.simulated("sim", json!({"tokens": 5})).await;
    assert_eq!(length().await, 5);
    // As another process (`seam apply`) would: nothing tells the gateway.
    let mut tx = house.control.begin().await.unwrap();
    let mut provider = NewProvider::new("sim", ProviderKind::Simulated);
    provider.options = json!({"tokens": 7});
    gateway::Gateway::apply_provider(&mut tx, Timestamp::from_millis(1), house.tenancy.vault(), &provider)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    tokio::time::sleep(registry::MAX_AGE).await;
    assert_eq!(length().await, 7);
}

#[tokio::test]
async fn the_picker_knows_what_can_answer_and_why_not() {
    let house = House::new().await;
    house.simulated("sim", json!({})).await;
    house.gateway.provider_add(&NewProvider::new("keyless", ProviderKind::Openai)).await.unwrap();
    house.model("able", &["keyless/gpt", "sim/m"]).await;
    house.model("unable", &["keyless/gpt"]).await;
    let models = house.gateway.models().await.unwrap();
    let view = |name: &str| models.iter().find(|model| model.name == name).unwrap();
    assert!(view("able").available && view("able").unavailable_reason.is_none());
    assert_eq!(view("able").route, "sim/m");
    assert!(!view("unable").available);
    assert_eq!(view("unable").route, "keyless/gpt");
    assert_eq!(view("unable").unavailable_reason.as_deref(), Some("keyless/gpt: this provider has no API key yet"));
    // No provider of this kind is configured by itself.
    let fresh = House::new().await;
    assert!(fresh.gateway.models().await.unwrap().iter().all(|model| !model.route.contains("sim")));
}

#[tokio::test]
async fn a_key_that_does_not_open_takes_out_its_own_provider_and_no_other() {
    let house = House::new().await;
    house.gateway.provider_add(&with_key(SECRET)).await.unwrap();
    const SPOIL: &str = "UPDATE provider SET api_key_sealed = $2 WHERE name = $1";
    house.control.write(SPOIL).bind("eu").bind(vec![1u8; 60]).execute().await.unwrap();
    house.simulated("sim", json!({"tokens": 3})).await;
    house.model("assistant", &["eu/gpt", "sim/m"]).await;
    house.model("alone", &["eu/gpt"]).await;
    assert_eq!(hear(house.ask(&chat("assistant")).await.unwrap()).await.texts.len(), 3);
    let Err(GatewayError::NoTarget { reason, .. }) = house.ask(&chat("alone")).await else { panic!("it answered") };
    assert!(reason.contains("set the key again"), "{reason}");
    assert_eq!(
        house.gateway.provider_add(&with_key(SECRET)).await.unwrap(),
        Change::Updated(vec!["api_key: replaced".to_owned()])
    );
}

#[tokio::test]
async fn a_key_is_tried_before_it_is_kept() {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::json(200, &json!({"object": "list", "data": []}))).await;
    for kind in [ProviderKind::Openai, ProviderKind::Anthropic] {
        house.gateway.provider_test(kind, Some(&upstream.url), SECRET).await.unwrap();
    }
    let paths: Vec<String> = upstream.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/models", "/v1/models?limit=100"]);
    upstream.now_replies(Reply::json(401, &json!({"error": {"message": "bad"}})));
    for kind in [ProviderKind::Openai, ProviderKind::Anthropic] {
        let refused = house.gateway.provider_test(kind, Some(&upstream.url), SECRET).await;
        assert!(matches!(refused, Err(ProviderError::Unauthorised)));
    }
}

#[tokio::test]
async fn a_pasted_key_brings_models_with_list_prices() {
    let house = House::new().await;
    let register = async || {
        house.gateway.provider_register_known(ProviderKind::Openai, "openai", Some(SECRET), None).await.unwrap()
    };
    let names = register().await;
    assert!(names.contains(&"gpt-4o-mini".to_owned()));
    assert_eq!(register().await, names, "a second time");
    let config = house.registry.model("gpt-4o-mini").await.unwrap();
    assert_eq!(config.targets[0].route(), "openai/gpt-4o-mini");
    let view = house.gateway.models().await.unwrap().into_iter().find(|model| model.name == "gpt-4o-mini").unwrap();
    assert!(view.available, "{view:?}");
    const PRICED: &str = "SELECT COUNT(*) AS value FROM price_version WHERE provider = 'openai' AND input > 0";
    let priced: i64 = house.control.read(PRICED).fetch_one().await.unwrap();
    assert_eq!(usize::try_from(priced).unwrap(), names.len());
}

#[tokio::test]
async fn a_server_of_ones_own_is_asked_for_its_models_and_their_prices_stay_unknown() {
    let house = House::new().await;
    house.simulated("sim", json!({})).await;
    house.model("taken", &["sim/m"]).await;
    let list = json!({"data": [{"id": "llama3.2:1b"}, {"id": "nomic-embed-text"}, {"id": "taken"}]});
    let upstream = Upstream::replying(Reply::json(200, &list)).await;
    let names =
        house.gateway.provider_register_known(ProviderKind::Openai, "ollama", None, Some(&upstream.url)).await.unwrap();
    assert_eq!(names, ["llama3.2:1b", "ollama/taken"]);
    assert_eq!(house.registry.model("taken").await.unwrap().targets[0].route(), "sim/m");
    const PRICES: &str = "SELECT COUNT(*) AS value FROM price_version WHERE provider = 'ollama'";
    assert_eq!(house.control.read(PRICES).fetch_one::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn registering_is_all_or_nothing() {
    let house = House::new().await;
    let refused = house.gateway.provider_register_known(ProviderKind::Openai, "openai", Some("two words"), None).await;
    assert!(matches!(refused, Err(GatewayError::InvalidProvider { .. })));
    assert!(matches!(house.registry.model("gpt-4o-mini").await, Err(registry::RegistryError::UnknownModel { .. })));
}
