//! What `seam apply` promises: all mistakes at once with their lines, all or nothing, and nothing the second time.
//!
//! What a file alone shows is in `apply/mistakes.rs`, what the audit log says in `apply/log.rs`, what becomes of people and
//! tenants in `apply/people.rs`, what goes with `--prune` in `apply/prune.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "apply/log.rs"]
mod log;
#[path = "apply/mistakes.rs"]
mod mistakes;
#[path = "apply/people.rs"]
mod people;
#[path = "apply/prune.rs"]
mod prune;

use contract::{KeyScope, NanoUsd, Timestamp};
use metering::Metering;
use seam::apply::{ApplyError, Mistake, Report, apply};
use std::{path::Path, sync::Arc};
use store::ControlStore;
use tenancy::{Change, FixedClock, KeyHolder, Tenancy, Vault};
use testbase::Scratch;

/// A Wednesday.
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

const WHOLE: &str = r#"
[[provider]]
name = "openai-eu"
kind = "openai"
base_url = "http://127.0.0.1:9100/v1"
api_key_env = "KEY"
region = "eu"

[[model]]
name = "fast"
targets = [{ provider = "openai-eu", model = "gpt-4o-mini" }, { provider = "local", model = "smollm2-135m-instruct", weight = 2 }]

[[price]]
provider = "openai-eu"
model = "gpt-4o-mini"
input = "0.15"
output = "0.60"
batch_discount = "0.5"
effective_from = "2026-01-01T00:00:00Z"

[[plan]]
name = "pro"
monthly_fee = "99.00"
overage_markup = "1.4"

[[tenant]]
name = "acme"
plan = "pro"
monthly_budget = "50.00"

[[user]]
tenant = "acme"
email = "ada@acme.test"
role = "admin"
password_env = "PASSWORD"

[[usage]]
tenant = "acme"
model = "fast"
days = 3
requests_per_day = 10
input_tokens = 100
output_tokens = 20
"#;

const GIVEN: &str = "sk-seam-9f86d081884c7d659a2feaa0c55ad015";
const NEXT: &str = "sk-seam-60303ae22b998861bce3b28f33eec1be";

const KEYS: &str = r#"
[[tenant]]
name = "acme"

[[api_key]]
tenant = "acme"
name = "ci"
secret_env = "ACME_KEY"
models = ["assistant"]

[[api_key]]
tenant = "acme"
name = "admin"
manage = true
"#;

async fn tenancy(scratch: &Scratch) -> Tenancy {
    let control = ControlStore::open(scratch.location()).await.unwrap();
    let vault = Vault::open(scratch.dir(), None, None).unwrap();
    Tenancy::new(control, Arc::new(FixedClock::at(NOW)), vault)
}

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("sk-test".to_owned()),
        "OTHER" => Some("sk-other".to_owned()),
        "PASSWORD" | "SEAM_DEMO_PASSWORD" => Some("a long password".to_owned()),
        "SHORT" => Some("short".to_owned()),
        "SPACED" => Some("two words".to_owned()),
        "ACME_KEY" => Some(GIVEN.to_owned()),
        "NEXT_KEY" => Some(NEXT.to_owned()),
        "WEAK_KEY" => Some("sk-seam-1234".to_owned()),
        _ => None,
    }
}

async fn applied(tenancy: &Tenancy, text: &str) -> Report {
    apply(tenancy, text, &environment, false).await.unwrap()
}

async fn mistakes(tenancy: &Tenancy, text: &str) -> Vec<String> {
    match apply(tenancy, text, &environment, false).await {
        Err(ApplyError::Mistakes(mistakes)) => mistakes.iter().map(Mistake::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

const COUNTS: &str = "
SELECT (SELECT COUNT(*) FROM provider) + (SELECT COUNT(*) FROM model) + (SELECT COUNT(*) FROM price_version)
     + (SELECT COUNT(*) FROM plan) + (SELECT COUNT(*) FROM tenant) + (SELECT COUNT(*) FROM account)
     + (SELECT COUNT(*) FROM ledger_attempt) AS value";

async fn rows(tenancy: &Tenancy) -> i64 {
    tenancy.control().read(COUNTS).fetch_one().await.unwrap()
}

#[tokio::test]
async fn a_whole_file_is_created_once_and_unchanged_after_that() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let first = applied(&tenancy, WHOLE).await;
    assert_eq!((first.created(), first.updated(), first.unchanged()), (7, 0, 0), "{first}");
    let kinds: Vec<_> = first.resources.iter().map(|resource| resource.kind).collect();
    assert_eq!(kinds, ["provider", "plan", "model", "price", "tenant", "user", "usage"]);
    let before = rows(&tenancy).await;
    let second = applied(&tenancy, WHOLE).await;
    assert_eq!((second.created(), second.updated(), second.unchanged()), (0, 0, 7), "{second}");
    assert_eq!(rows(&tenancy).await, before);
}

#[tokio::test]
async fn what_changes_is_told_field_by_field() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, WHOLE).await;
    let changed = applied(&tenancy, &WHOLE.replace("99.00", "79.00")).await;
    let plan = changed.resources.iter().find(|resource| resource.kind == "plan").unwrap();
    assert_eq!(plan.change, Change::Updated(vec!["monthly_fee: 99 → 79".to_owned()]));
    assert_eq!(changed.unchanged(), 6);
}

#[tokio::test]
async fn a_dry_run_tells_the_same_and_writes_nothing() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let before = rows(&tenancy).await;
    let report = apply(&tenancy, WHOLE, &environment, true).await.unwrap();
    assert_eq!((report.created(), report.dry_run), (7, true));
    assert!(report.to_string().ends_with("7 created, 0 updated, 0 unchanged (dry run: nothing was written)"));
    assert_eq!(rows(&tenancy).await, before);
}

#[tokio::test]
async fn what_a_layer_refuses_undoes_what_was_written_before_it() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, WHOLE).await;
    let before = rows(&tenancy).await;
    // A new tenant comes along, and the price of January is edited.
    let text = format!("{}\n[[tenant]]\nname = \"globex\"\n", WHOLE.replace("\"0.15\"", "\"0.25\""));
    let told = mistakes(&tenancy, &text).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("line 13: the price of openai-eu/gpt-4o-mini"), "{}", told[0]);
    assert!(told[0].contains("new effective_from"), "{}", told[0]);
    assert_eq!(rows(&tenancy).await, before);
}

#[tokio::test]
async fn a_name_declared_twice_is_one_mistake() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let told = mistakes(&tenancy, "[[tenant]]\nname = \"acme\"\n[[tenant]]\nname = \"acme\"\n").await;
    assert_eq!(told, ["line 4: the tenant “acme” is declared on line 2 already"]);
}

#[tokio::test]
async fn broken_syntax_and_weak_passwords_say_their_line() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let told = mistakes(&tenancy, "[[tenant]]\nname = \"acme\n").await;
    assert!(told[0].starts_with("line 2: "), "{told:?}");
    let told = mistakes(&tenancy, "[[user]]\nemail = \"op@seam.test\"\npassword_env = \"SHORT\"\n").await;
    assert!(told[0].starts_with("line 3: the password that password_env names cannot be used"), "{told:?}");
}

#[tokio::test]
async fn secrets_are_told_nowhere() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let report = applied(&tenancy, WHOLE).await;
    let told = format!("{report}\n{:#}\n{report:?}", report.to_json());
    assert!(!told.contains("sk-test") && !told.contains("a long password"), "{told}");
}

#[tokio::test]
async fn the_demo_has_three_tenants_and_one_of_them_loses_money() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let demo = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo.toml")).unwrap();
    applied(&tenancy, &demo).await;
    assert_eq!(applied(&tenancy, &demo).await.unchanged(), applied(&tenancy, &demo).await.resources.len());
    let (control, clock) = (tenancy.control().clone(), tenancy.clock().clone());
    let hints = store::Hints::open(&store::Location::files("unused"));
    let nodes = nodes::Nodes::join(control.clone(), clock.clone(), hints, nodes::NodeSettings::alone("test"));
    let metering = Metering::new(control, clock, nodes.await.unwrap());
    let month = 30 * 24 * 60 * 60 * 1000;
    let usage = metering.usage_by_tenant(NOW.plus_millis(-month - 86_400_000), NOW).await.unwrap();
    assert_eq!(usage.len(), 3);
    let losing: Vec<_> = usage.iter().filter(|tenant| tenant.bill.margin < NanoUsd::ZERO).collect();
    assert_eq!(losing.len(), 1, "{usage:?}");
    assert_eq!(losing[0].slug.as_str(), "initech");
    assert!(usage.iter().all(|tenant| tenant.unpriced_requests == 0));
}

async fn holder(tenancy: &Tenancy, secret: &str) -> Option<KeyHolder> {
    tenancy.authenticate_key(secret, [192, 0, 2, 1].into()).await.unwrap()
}

#[tokio::test]
async fn keys_are_made_once_and_a_secret_that_was_made_is_told_once() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let dry = apply(&tenancy, KEYS, &environment, true).await.unwrap();
    assert_eq!((dry.created(), dry.generated.len()), (3, 0), "a secret that was undone opens nothing");
    let first = applied(&tenancy, KEYS).await;
    assert_eq!((first.created(), first.generated.len()), (3, 1), "{first}");
    let made = first.generated[0].secret.expose().to_owned();
    assert!(first.to_json()["generated_keys"][0]["secret"] == made.as_str() && !first.to_string().contains(&made));
    let Some(KeyHolder::Tenant { models, may, .. }) = holder(&tenancy, GIVEN).await else { panic!("it opens nothing") };
    assert_eq!((models, may), (Some(vec!["assistant".to_owned()]), vec![KeyScope::Inference]));
    let Some(KeyHolder::Tenant { may, .. }) = holder(&tenancy, &made).await else { panic!("it opens nothing") };
    assert_eq!(may, KeyScope::ALL);
    let second = applied(&tenancy, KEYS).await;
    assert_eq!((second.unchanged(), second.generated.len()), (3, 0), "{second}");
    assert!(holder(&tenancy, &made).await.is_some());
}

#[tokio::test]
async fn a_declared_key_changes_field_by_field_and_its_secret_is_replaced() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, KEYS).await;
    let text = KEYS
        .replace("ACME_KEY", "NEXT_KEY")
        .replace("models = [\"assistant\"]", "expires_at = \"2099-01-01T00:00:00Z\"")
        .replace("manage = true", "manage = false");
    let changed = applied(&tenancy, &text).await;
    let of = |name: &str| changed.resources.iter().find(|resource| resource.name == name).unwrap().change.clone();
    let fields = vec![
        "models: [\"assistant\"] → none".to_owned(),
        "expires_at: none → 4070908800000".to_owned(),
        "secret: replaced".to_owned(),
    ];
    assert_eq!(of("acme · ci"), Change::Updated(fields));
    assert_eq!(of("acme · admin"), Change::Updated(vec!["scopes: inference manage → inference".to_owned()]));
    assert!(holder(&tenancy, GIVEN).await.is_none() && holder(&tenancy, NEXT).await.is_some());
    let told = format!("{changed}\n{:#}\n{changed:?}", changed.to_json());
    assert!(!told.contains(NEXT) && !told.contains(GIVEN), "{told}");
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused_with_the_remedy() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, KEYS).await;
    let text = r#"[[api_key]]
tenant = "acme"
name = "weak"
secret_env = "WEAK_KEY"

[[api_key]]
tenant = "nowhere"
name = "ci"
secret_env = "KEY"
models = [
  "assistant",
  "asistant",
]

[[api_key]]
tenant = "acme"
name = "bound"
budget = "5.00"
"#;
    let told = mistakes(&tenancy, text).await;
    let lines: Vec<_> = told.iter().map(|mistake| mistake.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["line 4", "line 7", "line 9", "line 12", "line 18"], "{told:#?}");
    assert!(told[0].contains("24") && told[0].contains("openssl rand -hex 32"), "{told:#?}");
    assert!(told[2].contains("does not begin with sk-seam-") && !told[2].contains("sk-test"), "{told:#?}");
    assert!(told[3].contains("did you mean “assistant”?") && told[4].contains("does not enforce"), "{told:#?}");
    // A secret is one key's alone.
    let twice = "[[api_key]]\ntenant = \"acme\"\nname = \"other\"\nsecret_env = \"ACME_KEY\"\n";
    let told = mistakes(&tenancy, twice).await;
    assert!(told[0].starts_with("line 1: ") && told[0].contains("another key's"), "{told:#?}");
}
