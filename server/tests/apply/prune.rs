//! What a file does not name any more, and goes where whoever applies it says so.

use super::{environment, tenancy};
use seam::apply::{ApplyError, Prunable, Report, apply_pruning};
use tenancy::{OperatorScope, Tenancy};
use testbase::Scratch;

const ALL: [Prunable; 3] = [Prunable::Plan, Prunable::Provider, Prunable::Model];
/// What every installation begins with, so that only what a test makes can be absent.
const SEEDED: &str = r#"
[[provider]]
name = "local"
kind = "local"
"#;
const OLD: &str = r#"
[[provider]]
name = "old"
kind = "simulated"
[[model]]
name = "old"
targets = [{ provider = "old", model = "m" }]
cache = { ttl_s = 60, similarity = 0.9, embed_with = "an-embedder" }
[[model]]
name = "an-embedder"
targets = [{ provider = "old", model = "e" }]
[[plan]]
name = "old"
monthly_fee = "1"
overage_markup = "1"
"#;
const NEW: &str = r#"
[[provider]]
name = "new"
kind = "simulated"
[[model]]
name = "new"
targets = [{ provider = "new", model = "m" }]
"#;

async fn pruned(tenancy: &Tenancy, text: &str, dry_run: bool, prune: &[Prunable]) -> Result<Report, ApplyError> {
    apply_pruning(tenancy, text, &environment, dry_run, prune).await
}

/// The seeded models, declared as they are.
async fn kept(tenancy: &Tenancy) -> String {
    let mut tx = tenancy.control().begin().await.unwrap();
    let models = registry::Registry::models_in(&mut tx).await.unwrap();
    let told =
        models.iter().filter(|model| model.targets.iter().all(|target| target.provider == "local")).map(|model| {
            let model_there = &model.targets[0].model;
            format!(
                "[[model]]\nname = \"{}\"\ntargets = [{{ provider = \"local\", model = \"{model_there}\" }}]\n",
                model.name
            )
        });
    format!("{SEEDED}{}", told.collect::<String>())
}

#[tokio::test]
async fn what_is_absent_goes_of_the_kinds_that_are_named_and_stands_in_the_log() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let kept = kept(&tenancy).await;
    pruned(&tenancy, &format!("{kept}{OLD}"), false, &[]).await.unwrap();
    let dry = pruned(&tenancy, &format!("{kept}{NEW}"), true, &ALL).await.unwrap();
    assert_eq!(dry.removed.len(), 4, "{dry}");
    let report = pruned(&tenancy, &format!("{kept}{NEW}"), false, &[Prunable::Model]).await.unwrap();
    let models = [("model", "old".to_owned()), ("model", "an-embedder".to_owned())];
    assert_eq!(report.removed, models, "a dry run removed nothing, and nobody named the others");
    let report = pruned(&tenancy, &format!("{kept}{NEW}"), false, &ALL).await.unwrap();
    assert_eq!(report.removed, [("provider", "old".to_owned()), ("plan", "old".to_owned())]);
    assert!(report.to_string().ends_with("unchanged, 2 removed"), "{report}");
    let report = pruned(&tenancy, &format!("{kept}{NEW}"), false, &ALL).await.unwrap();
    assert!(report.removed.is_empty(), "{report}");
    let log = tenancy.audit_list_of_platform(&OperatorScope::command_line(), None, "").await.unwrap();
    let gone: Vec<_> = log.iter().filter(|entry| entry.action.ends_with(".prune")).collect();
    assert_eq!(gone.len(), 4);
    assert!(gone.iter().all(|entry| entry.change.contains("\"after\":null")), "{gone:?}");
}

#[tokio::test]
async fn what_is_needed_stays_and_then_nothing_is_written() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    let kept = kept(&tenancy).await;
    let tenant = "[[tenant]]\nname = \"acme\"\nplan = \"old\"\n";
    pruned(&tenancy, &format!("{kept}{OLD}{tenant}"), false, &[]).await.unwrap();
    let refused = pruned(&tenancy, &format!("{kept}{NEW}"), false, &[Prunable::Provider, Prunable::Plan]).await;
    let Err(ApplyError::Mistakes(mistakes)) = refused else { panic!("{refused:?}") };
    let told: Vec<String> = mistakes.iter().map(|mistake| mistake.message.clone()).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().any(|text| text.contains("the model “an-embedder” has a target there")), "{told:#?}");
    assert!(told.iter().any(|text| text.contains("acme")), "{told:#?}");
    let mut tx = tenancy.control().begin().await.unwrap();
    let models = registry::Registry::models_in(&mut tx).await.unwrap();
    assert!(!models.iter().any(|model| model.name == "new"), "all or nothing");
}
