//! Versions are immutable and numbered, labels point at them, models name providers that exist.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::{Fixture, chat_prompt};
use registry::{Behaviour, ModelConfig, NewPrompt, RegistryError, Strategy, Target, content_hash};
use serde_json::json;
use tenancy::Change;

#[tokio::test]
async fn a_new_installation_has_a_chat_prompt_whose_hash_is_true() {
    let fixture = Fixture::new().await;
    let chat = fixture.registry.resolve("chat", "production").await.unwrap();
    assert_eq!(chat.label(), "chat@1");
    assert_eq!(chat.parameters, json!({ "temperature": 0.2, "top_p": 0.9, "max_output_tokens": 512 }));
    assert_eq!(chat.content_hash, content_hash("chat", &chat.system_text, "assistant", &chat.parameters));
    let model = fixture.registry.model(&chat.model).await.unwrap();
    assert_eq!(model.strategy, Strategy::Fallback);
    assert_eq!(model.targets.iter().map(Target::route).collect::<Vec<_>>(), ["local/smollm2-135m-instruct"]);
    assert_eq!(fixture.registry.models().await.unwrap(), [model.as_ref().clone()]);
}

#[test]
fn each_part_of_the_content_changes_its_hash_and_the_order_of_parameters_does_not() {
    let parameters = json!({ "temperature": 0.2, "top_p": 0.9 });
    let hash = content_hash("chat", "Be kind.", "assistant", &parameters);
    assert_eq!(hash, content_hash("chat", "Be kind.", "assistant", &json!({ "top_p": 0.9, "temperature": 0.2 })));
    // Taken with another implementation: Python's json.dumps(sort_keys=True, separators=(",", ":")), hashlib.sha256.
    assert_eq!(hash, "9c7bf367cb68ca69f654a4da655c16d9f242947a5c378334d156c28b3cea1660");
    let others = [
        content_hash("chat2", "Be kind.", "assistant", &parameters),
        content_hash("chat", "Be kind", "assistant", &parameters),
        content_hash("chat", "Be kind.", "other", &parameters),
        content_hash("chat", "Be kind.", "assistant", &json!({ "temperature": 0.3, "top_p": 0.9 })),
    ];
    assert!(others.iter().all(|other| *other != hash));
}

#[tokio::test]
async fn new_content_is_a_new_version_and_old_content_moves_the_label_back() {
    let fixture = Fixture::new().await;
    let (brief, kind) = (chat_prompt("Be brief."), chat_prompt("Be kind."));
    let updated = |change| match change {
        Ok(Change::Updated(changes)) => changes,
        other => panic!("{other:?}"),
    };
    assert_eq!(updated(fixture.apply_prompt(&brief).await), ["version: 1 → 2", "production: 1 → 2"]);
    assert!(matches!(fixture.apply_prompt(&brief).await, Ok(Change::Unchanged)));
    assert_eq!(updated(fixture.apply_prompt(&kind).await), ["version: 2 → 3", "production: 2 → 3"]);
    assert_eq!(updated(fixture.apply_prompt(&brief).await), ["production: 3 → 2"]);
    assert_eq!(fixture.registry.resolve("chat", "production").await.unwrap().system_text, "Be brief.");
}

#[tokio::test]
async fn without_a_label_a_version_is_added_and_nothing_moves() {
    let fixture = Fixture::new().await;
    let quiet = NewPrompt { label: None, ..chat_prompt("Be brief.") };
    fixture.apply_prompt(&quiet).await.unwrap();
    assert_eq!(fixture.chat_version().await, 1);
    let created = fixture.apply_prompt(&NewPrompt { name: "support".into(), ..chat_prompt("Be brief.") }).await;
    assert!(matches!(created, Ok(Change::Created(_))), "{created:?}");
}

#[tokio::test]
async fn a_fraction_of_many_digits_does_not_make_a_version_seem_changed() {
    let fixture = Fixture::new().await;
    let precise = NewPrompt { parameters: json!({ "bias": -921671118.5863677 }), ..chat_prompt("Be precise.") };
    fixture.apply_prompt(&precise).await.unwrap();
    assert_eq!(fixture.registry.resolve("chat", "production").await.unwrap().system_text, "Be precise.");
    assert!(matches!(fixture.apply_prompt(&precise).await, Ok(Change::Unchanged)));
}

#[tokio::test]
async fn prompts_that_cannot_work_are_refused_by_name() {
    let fixture = Fixture::new().await;
    let refused = [
        (NewPrompt { name: "Support Chat".into(), ..chat_prompt("x") }, "name"),
        (NewPrompt { label: Some("@latest".into()), ..chat_prompt("x") }, "label"),
        (NewPrompt { model: "nobody".into(), ..chat_prompt("x") }, "model"),
        (NewPrompt { parameters: json!([0.7]), ..chat_prompt("x") }, "parameters"),
        (chat_prompt(&"x".repeat(200_001)), "text"),
    ];
    for (prompt, named) in refused {
        let error = fixture.apply_prompt(&prompt).await.unwrap_err();
        assert!(matches!(error, RegistryError::Invalid { field, .. } if field == named), "{error}");
    }
    assert_eq!(fixture.chat_version().await, 1);
}

#[tokio::test]
async fn what_does_not_exist_is_named_with_what_does() {
    let fixture = Fixture::new().await;
    let prompt = fixture.registry.resolve("chat", "staging").await.unwrap_err();
    assert!(
        matches!(prompt, RegistryError::UnknownPrompt { .. }) && prompt.to_string().contains("staging"),
        "{prompt}"
    );
    let model = fixture.registry.model("gpt-9").await.unwrap_err();
    assert!(matches!(model, RegistryError::UnknownModel { .. }) && model.to_string().contains("assistant"), "{model}");
}

fn model(name: &str, targets: &[(&str, &str, u32)]) -> ModelConfig {
    ModelConfig {
        name: name.into(),
        strategy: Strategy::Weighted,
        targets: targets
            .iter()
            .map(|(provider, model, weight)| Target {
                provider: (*provider).into(),
                model: (*model).into(),
                weight: *weight,
            })
            .collect(),
        behaviour: Behaviour::default(),
    }
}

#[tokio::test]
async fn a_model_is_created_left_alone_or_changed_and_says_which() {
    let fixture = Fixture::new().await;
    let small = model("small", &[("local", "smollm2-135m-instruct", 1)]);
    assert!(matches!(fixture.apply_model(&small).await, Ok(Change::Created(_))));
    assert!(matches!(fixture.apply_model(&small).await, Ok(Change::Unchanged)));
    let changed = ModelConfig { strategy: Strategy::Fallback, ..model("small", &[("local", "other", 2)]) };
    let Ok(Change::Updated(differences)) = fixture.apply_model(&changed).await else { panic!("not changed") };
    assert_eq!(
        differences,
        ["strategy: weighted → fallback", "targets: local/smollm2-135m-instruct×1 → local/other×2"]
    );
    assert_eq!(*fixture.registry.model("small").await.unwrap(), changed);
}

#[tokio::test]
async fn models_that_cannot_work_are_refused_by_name() {
    let fixture = Fixture::new().await;
    let elsewhere = fixture.apply_model(&model("m", &[("local", "a", 1), ("elsewhere", "a", 1)])).await.unwrap_err();
    assert!(
        matches!(&elsewhere, RegistryError::UnknownProvider { provider, .. } if provider == "elsewhere"),
        "{elsewhere}"
    );
    let refused = [
        (model("a model", &[("local", "a", 1)]), "name"),
        (model("m", &[]), "targets"),
        (model("m", &[("local", " ", 1)]), "targets"),
        (model("m", &[("local", "a", 0)]), "targets"),
    ];
    for (model, named) in refused {
        let error = fixture.apply_model(&model).await.unwrap_err();
        assert!(matches!(error, RegistryError::Invalid { field, .. } if field == named), "{error}");
    }
    assert_eq!(fixture.registry.models().await.unwrap().len(), 1);
}
