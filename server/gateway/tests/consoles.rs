//! What the consoles tell of the gateway, and what operators do there: order targets, try a model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{MoveDirection, Obstacle, ProviderKind, TenantId, TenantModelView, TrialEnd};
use fixture::{
    House, chat, hear,
    upstream::{Reply, Upstream},
};
use gateway::{Gateway, GatewayError, NewProvider};
use serde_json::json;
use tenancy::{NewTenant, OperatorScope};

/// What a provider says when it fails; it may hold anything.
const UPSTREAM_SAYS: &str = "internal host db-7.corp.test";

fn operator() -> OperatorScope {
    OperatorScope::command_line()
}

async fn failing(house: &House, name: &str) -> Upstream {
    let upstream = Upstream::replying(Reply::json(500, &json!({"error": {"message": UPSTREAM_SAYS}}))).await;
    house.upstream(name, ProviderKind::Openai, &upstream.url).await;
    upstream
}

#[tokio::test]
async fn an_operator_sees_each_place_with_its_health_and_never_what_a_provider_said() {
    let house = House::new().await;
    let _upstream = failing(&house, "down").await;
    house.simulated("sim", json!({"tokens": 12, "tokens_per_second": 400})).await;
    house.model("assistant", &["down/m", "sim/m"]).await;
    hear(house.ask(&chat("assistant")).await.unwrap()).await.end.unwrap();
    let models = house.gateway.model_overview(&operator()).await.unwrap();
    let places: Vec<_> = models[0].targets.iter().map(|target| target.place.clone()).collect();
    assert_eq!(places.iter().map(|place| place.route()).collect::<Vec<_>>(), ["down/m", "sim/m"]);
    let (down, sim) = (places[0].health.clone().unwrap(), places[1].health.clone().unwrap());
    assert_eq!((down.requests, down.answered), (1, 0));
    assert_eq!(down.last_error.unwrap().code, "failed");
    assert_eq!((sim.requests, sim.answered), (1, 1));
    assert!(sim.first_words_p50_ms.is_some() && sim.tokens_per_second.unwrap() > 50.0);
    let providers = house.gateway.provider_overview(&operator()).await.unwrap();
    let down = providers.iter().find(|one| one.name == "down").unwrap();
    assert!(down.has_key && down.enabled && down.only_hope_of.is_empty() && down.places.len() == 1);
    let told = format!("{models:?}{providers:?}");
    assert!(!told.contains(UPSTREAM_SAYS) && !told.contains("sk-of-the-test"), "{told}");
}

#[tokio::test]
async fn a_target_that_is_moved_is_asked_in_its_new_place_and_the_log_says_who_moved_it() {
    let house = House::new().await;
    house.simulated("first", json!({"tokens": 3})).await;
    house.simulated("second", json!({"tokens": 3})).await;
    house.model("assistant", &["first/m", "second/m"]).await;
    let moves =
        async |at, route: &str| house.gateway.target_move(&operator(), "assistant", at, route, MoveDirection::Up).await;
    moves(1, "second/m").await.unwrap();
    assert_eq!(hear(house.ask(&chat("assistant")).await.unwrap()).await.end.unwrap().route, "second/m");
    // The page of before: what it says stands there stands elsewhere by now.
    assert!(matches!(moves(1, "second/m").await, Err(GatewayError::TargetMoved { .. })));
    let unknown = house.gateway.target_move(&operator(), "other", 1, "second/m", MoveDirection::Up).await;
    assert!(matches!(unknown, Err(GatewayError::UnknownModel { .. })));
    let log = house.tenancy.audit_list_of_platform(&operator(), None, "model.").await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].action.as_str(), log[0].target.as_str()), ("model.reorder", "assistant"));
    let change: serde_json::Value = serde_json::from_str(&log[0].change).unwrap();
    let order = |targets: &str| json!({ "targets": targets });
    assert_eq!(change["before"], order("first/m×1, second/m×1"));
    assert_eq!(change["after"], order("second/m×1, first/m×1"));
}

#[tokio::test]
async fn a_test_request_is_a_real_one_on_the_operators_own_account() {
    let house = House::new().await;
    let _upstream = failing(&house, "down").await;
    house.simulated("sim", json!({"tokens": 40})).await;
    house.model("assistant", &["down/m", "sim/m"]).await;
    let tried = house.gateway.model_try(&operator(), "assistant").await.unwrap();
    let TrialEnd::Answered(answer) = tried.end else { panic!("{tried:?}") };
    assert_eq!((answer.route.as_str(), answer.usage.output), ("sim/m", Some(16)));
    assert!(answer.first_words.starts_with("simulated:") && answer.cost.is_some() && answer.measured);
    let attempts = tried.attempts.iter().map(|one| format!("{} {}", one.route, one.status)).collect::<Vec<_>>();
    assert_eq!(attempts, ["down/m failed", "sim/m succeeded"]);
    let ledger = house.metering.ledger_rows(TenantId::PLATFORM, None, 10).await.unwrap();
    assert!(ledger.len() == 2 && ledger.iter().all(|row| row.settled_at.is_some()));
}

#[tokio::test]
async fn a_test_request_that_nobody_answers_says_why_in_our_own_words() {
    let house = House::new().await;
    let _upstream = failing(&house, "down").await;
    house.model("broken", &["down/m"]).await;
    let tried = house.gateway.model_try(&operator(), "broken").await.unwrap();
    assert_eq!(tried.end, TrialEnd::Failed { code: "failed".to_owned() });
    assert!(!format!("{tried:?}").contains(UPSTREAM_SAYS));
    Gateway::provider_switch(&house.control, house.tenancy.clock().now(), &operator(), "down", false).await.unwrap();
    house.gateway.invalidate();
    let tried = house.gateway.model_try(&operator(), "broken").await.unwrap();
    assert_eq!(tried.end, TrialEnd::NotAsked { reason: "down/m: it is switched off".to_owned() });
    assert!(tried.attempts.is_empty());
    assert!(matches!(house.gateway.model_try(&operator(), "none").await, Err(GatewayError::UnknownModel { .. })));
}

#[tokio::test]
async fn a_tenant_is_told_which_models_answer_it_and_why_the_others_do_not() {
    let mut house = House::new().await;
    let upstream = failing(&house, "us").await;
    let mut keyless = NewProvider::new("keyless", ProviderKind::Openai);
    keyless.region = Some("eu".to_owned());
    house.gateway.provider_add(&keyless).await.unwrap();
    house.simulated("sim", json!({})).await;
    house.simulated("off", json!({})).await;
    Gateway::provider_switch(&house.control, house.tenancy.clock().now(), &operator(), "off", false).await.unwrap();
    house.gateway.invalidate();
    house.model("able", &["us/m", "sim/m"]).await;
    house.model("abroad", &["us/m", "us/n"]).await;
    house.model("unready", &["keyless/m", "off/m"]).await;
    let new = NewTenant {
        slug: "acme".parse().unwrap(),
        display_name: "Acme".to_owned(),
        plan: None,
        monthly_budget: None,
        soft_budget: None,
        region: Some("eu".to_owned()),
        zero_retention: false,
    };
    let acme = house.tenancy.tenant_create(new).await.unwrap().id;
    let anywhere = std::mem::replace(&mut house.scope, house.tenancy.upkeep_scope(acme));
    let view = |name: &str, obstacles: &[Obstacle]| TenantModelView {
        name: name.to_owned(),
        available: obstacles.is_empty(),
        obstacles: obstacles.to_vec(),
    };
    let seen = house.gateway.tenant_models(&house.scope).await.unwrap();
    for expected in [
        view("able", &[]),
        view("abroad", &[Obstacle::OutsideRegion]),
        view("unready", &[Obstacle::SwitchedOff, Obstacle::NotSetUp]),
    ] {
        assert!(seen.contains(&expected), "{expected:?} is not among {seen:?}");
    }
    // Somebody else, of no region, wears the place out.
    house.scope = anywhere;
    for _ in 0..5 {
        assert!(house.ask(&chat("abroad")).await.is_err());
    }
    assert!(!upstream.seen().is_empty());
    let seen = house.gateway.tenant_models(&house.scope).await.unwrap();
    assert!(seen.contains(&view("abroad", &[Obstacle::Resting])), "{seen:?}");
}
