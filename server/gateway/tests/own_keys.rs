//! Tenants' own keys at providers: whose requests use them, who pays, and what becomes of them when keys are changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{NanoUsd, ProviderKind};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream},
};
use gateway::{Gateway, GatewayError, NewProvider, provider::ProviderError};
use serde_json::json;
use std::path::Path;
use tenancy::{Scope, Secret, Vault};

const OWN: &str = "sk-of-the-tenant-0123456789";
const SAID: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Paris\"},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn house(own_keys: Option<bool>) -> (House, Upstream) {
    let house = House::new().await;
    let upstream = Upstream::replying(Reply::events(SAID)).await;
    let mut provider = NewProvider::new("up", ProviderKind::Openai);
    provider.base_url = Some(upstream.url.clone());
    provider.api_key = Some("sk-of-the-platform".to_owned());
    (provider.own_keys, provider.max_retries) = (own_keys, 0);
    house.gateway.provider_add(&provider).await.unwrap();
    house.price("up", "m").await;
    house.model("assistant", &["up/m"]).await;
    (house, upstream)
}

/// With which key the provider was asked last.
fn key_used(upstream: &Upstream) -> String {
    upstream.seen().pop().unwrap().header("authorization").unwrap().to_owned()
}

async fn ask(house: &House, scope: &Scope) -> Option<NanoUsd> {
    let answering = house.gateway.chat(scope, chat("assistant")).await.unwrap();
    hear(answering).await.end.unwrap().cost
}

#[tokio::test]
async fn a_key_goes_nowhere_that_it_was_not_entered_for() {
    let (house, upstream) = house(Some(true)).await;
    house.gateway.own_key_set(&house.scope, "up", &secret(OWN)).await.unwrap();
    ask(&house, &house.scope).await;
    assert_eq!(key_used(&upstream), format!("Bearer {OWN}"));
    // An address of the operator's own, where tenants may have no keys.
    for own_keys in [Some(false), None] {
        let mut provider = NewProvider::new("up", ProviderKind::Openai);
        provider.base_url = Some(upstream.url.clone());
        (provider.own_keys, provider.max_retries) = (own_keys, 0);
        house.gateway.provider_add(&provider).await.unwrap();
        assert!(ask(&house, &house.scope).await.unwrap() > NanoUsd::ZERO, "the platform pays");
        assert_eq!(key_used(&upstream), "Bearer sk-of-the-platform");
    }
}

#[tokio::test]
async fn a_tenants_own_key_is_used_for_its_requests_alone_and_costs_the_platform_nothing() {
    let (house, upstream) = house(Some(true)).await;
    let stranger = house.stranger().await;
    assert!(ask(&house, &house.scope).await.unwrap() > NanoUsd::ZERO);
    house.gateway.own_key_set(&house.scope, "up", &secret(OWN)).await.unwrap();
    let request = chat("assistant");
    hear(house.ask(&request).await.unwrap()).await.end.unwrap();
    assert_eq!(key_used(&upstream), format!("Bearer {OWN}"));
    let rows = house.ledger(&request).await;
    assert_eq!((rows[0].own_key, rows[0].cost, rows[0].price_version), (true, Some(NanoUsd::ZERO), None));
    assert_eq!(rows[0].usage.input, Some(9), "it is metered all the same");
    assert!(ask(&house, &stranger).await.unwrap() > NanoUsd::ZERO);
    assert_eq!(key_used(&upstream), "Bearer sk-of-the-platform");

    let listed = house.gateway.own_key_list(&house.scope).await.unwrap();
    assert_eq!(listed[0].hint.as_deref(), Some("6789"));
    assert_eq!(house.gateway.own_key_list(&stranger).await.unwrap()[0].hint, None);
    assert!(!house.gateway.own_key_remove(&stranger, "up").await.unwrap(), "nobody removes another's");
    assert!(house.gateway.own_key_remove(&house.scope, "up").await.unwrap());
    ask(&house, &house.scope).await;
    assert_eq!(key_used(&upstream), "Bearer sk-of-the-platform");
}

#[tokio::test]
async fn the_platforms_key_does_not_step_in_for_one_that_is_refused() {
    let (house, upstream) = house(Some(true)).await;
    house.gateway.own_key_set(&house.scope, "up", &secret(OWN)).await.unwrap();
    upstream.now_replies(Reply::json(401, &json!({ "error": { "message": "bad key" } })));
    let refused = house.ask(&chat("assistant")).await.err().unwrap();
    let GatewayError::AllAttemptsFailed { last: ProviderError::Unauthorised, attempts: 1 } = refused else {
        panic!("{refused}")
    };
    assert_eq!(upstream.seen().len(), 1);
    let tried = house.gateway.own_key_test(&house.scope, "up", None).await.unwrap();
    assert!(matches!(tried, Err(ProviderError::Unauthorised)));
    upstream.now_replies(Reply::json(200, &json!({ "data": [] })));
    house.gateway.own_key_test(&house.scope, "up", Some(secret("sk-another"))).await.unwrap().unwrap();
    assert_eq!(key_used(&upstream), "Bearer sk-another");
}

#[tokio::test]
async fn keys_are_for_providers_that_take_them() {
    let (house, _upstream) = house(None).await;
    let set = async |provider: &str, key: &str| house.gateway.own_key_set(&house.scope, provider, &secret(key)).await;
    assert!(house.gateway.own_key_list(&house.scope).await.unwrap().is_empty(), "an address of its own");
    assert!(matches!(set("up", OWN).await, Err(GatewayError::UnknownProvider { .. })));
    house.gateway.provider_add(&NewProvider::new("claude", ProviderKind::Anthropic)).await.unwrap();
    house.simulated("sim", json!({})).await;
    assert!(matches!(set("sim", OWN).await, Err(GatewayError::UnknownProvider { .. })));
    assert!(matches!(set("claude", "with space").await, Err(GatewayError::InvalidKey { .. })));
    set("claude", OWN).await.unwrap();
    house.model("hers", &["claude/m"]).await;
    let none = house.gateway.own_key_test(&house.stranger().await, "claude", None).await;
    assert!(matches!(none, Err(GatewayError::InvalidKey { .. })), "there is none to try");
}

#[tokio::test]
async fn data_keys_and_the_master_key_are_changed_under_tenants_who_notice_nothing() {
    let (house, upstream) = house(Some(true)).await;
    let other = house.stranger().await;
    house.gateway.own_key_set(&house.scope, "up", &secret(OWN)).await.unwrap();
    house.gateway.own_key_set(&other, "up", &secret("sk-of-another-tenant-012345")).await.unwrap();
    let (now, vault) = (house.tenancy.clock().now(), house.tenancy.vault());
    let mut tx = house.control.begin().await.unwrap();
    assert_eq!(Gateway::renew_data_key(&mut tx, now, vault, house.scope.tenant()).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for (scope, key) in [(&house.scope, OWN), (&other, "sk-of-another-tenant-012345")] {
        tokio::time::sleep(registry::MAX_AGE).await;
        ask(&house, scope).await;
        assert_eq!(key_used(&upstream), format!("Bearer {key}"));
    }

    // One whose data key was not changed goes on under it.
    house.gateway.own_key_set(&other, "up", &secret("sk-another-of-that-tenant-0")).await.unwrap();
    ask(&house, &other).await;
    assert_eq!(key_used(&upstream), "Bearer sk-another-of-that-tenant-0");
}

#[tokio::test]
async fn the_master_key_is_changed_and_what_was_sealed_opens_under_the_new_one_alone() {
    let (house, _upstream) = house(Some(true)).await;
    let other = house.stranger().await;
    house.gateway.own_key_set(&house.scope, "up", &secret(OWN)).await.unwrap();
    house.gateway.own_key_set(&other, "up", &secret("sk-of-another-tenant-012345")).await.unwrap();
    let now = house.tenancy.clock().now();
    // Another master key; the old one opens what is not sealed anew yet.
    let old = std::fs::read_to_string(house.scratch.dir().join("master.key")).unwrap();
    let new = "bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IG5ldyE=";
    let nowhere = Path::new("/nowhere");
    Vault::open_for(&house.control, house.scratch.dir(), None, None).await.unwrap();
    let both = Vault::open_with(&house.control, nowhere, Some(new), None, Some(old.trim())).await.unwrap();
    let mut tx = house.control.begin().await.unwrap();
    assert_eq!(both.reseal_tenancy(&mut tx).await.unwrap(), 3, "the mark and two data keys");
    assert_eq!(Gateway::reseal(&mut tx, &both).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let refused = Vault::open_for(&house.control, house.scratch.dir(), None, None).await;
    assert!(refused.is_err(), "the old one opens nothing any more");
    let alone = Vault::open_for(&house.control, nowhere, Some(new), None).await.unwrap();
    let mut tx = house.control.begin().await.unwrap();
    for scope in [&house.scope, &other] {
        assert_eq!(Gateway::renew_data_key(&mut tx, now, &alone, scope.tenant()).await.unwrap(), 1);
    }
}
