//! Prompt configs: immutable versions of system text, model and parameters, and labels that point at them.

use crate::{RegistryError, canonical::canonical};
use contract::{Slug, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{FromRow, Row, StoreError, Transaction};
use tenancy::Change;

pub(crate) const POINTERS: &str = "SELECT name, label, version FROM prompt_label ORDER BY name, label";

pub(crate) const VERSION: &str = "
SELECT name, version, system_text, model, parameters, content_hash
FROM prompt_version
WHERE name = $1 AND version = $2";

const LATEST: &str = "SELECT MAX(version) AS value FROM prompt_version WHERE name = $1";

const VERSION_OF_CONTENT: &str = "
SELECT MAX(version) AS value FROM prompt_version WHERE name = $1 AND content_hash = $2";

const VERSION_INSERT: &str = "
INSERT INTO prompt_version (
    name, version, system_text, model, parameters, content_hash, message, author, created_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const LABELLED: &str = "SELECT version AS value FROM prompt_label WHERE name = $1 AND label = $2";

const LABEL_MOVE: &str = "
INSERT INTO prompt_label (name, label, version, moved_at, moved_by)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name, label) DO UPDATE SET
    version = excluded.version, moved_at = excluded.moved_at, moved_by = excluded.moved_by";

const MODEL_COUNT: &str = "SELECT COUNT(*) AS value FROM model WHERE name = $1";

/// Longer than any prompt that is good; short enough that a paste of the wrong file is noticed.
const MOST_CHARS: usize = 200_000;

/// A version of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptConfig {
    pub name: String,
    pub version: i64,
    /// Plain text, sent to the model as it stands.
    pub system_text: String,
    /// A model's name in this registry.
    pub model: String,
    /// An object; what it may hold is `gateway`'s to say.
    pub parameters: Value,
    /// SHA-256 in lower-case hexadecimal, see [`content_hash`].
    pub content_hash: String,
}

impl PromptConfig {
    /// `name@version`, as shown under an answer and sent in `x-seam-config`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// A version as it is stored.
pub(crate) struct StoredVersion {
    name: String,
    version: i64,
    system_text: String,
    model: String,
    parameters: String,
    content_hash: String,
}

impl FromRow for StoredVersion {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
            version: row.get("version")?,
            system_text: row.get("system_text")?,
            model: row.get("model")?,
            parameters: row.get("parameters")?,
            content_hash: row.get("content_hash")?,
        })
    }
}

impl StoredVersion {
    /// The config, if it is what its hash says; else why it cannot be used.
    pub(crate) fn verified(self) -> Result<PromptConfig, String> {
        if hash_of(&self.name, &self.system_text, &self.model, &self.parameters) != self.content_hash {
            return Err("its content is not what its hash says, so it was changed after it was made".to_owned());
        }
        let parameters =
            serde_json::from_str(&self.parameters).map_err(|error| format!("its parameters are not JSON: {error}"))?;
        Ok(PromptConfig {
            name: self.name,
            version: self.version,
            system_text: self.system_text,
            model: self.model,
            parameters,
            content_hash: self.content_hash,
        })
    }
}

/// A label and the version it points at.
pub(crate) struct Pointer {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) version: i64,
}

impl FromRow for Pointer {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { name: row.get("name")?, label: row.get("label")?, version: row.get("version")? })
    }
}

/// What a version is to hold, and the label to move to it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPrompt {
    pub name: String,
    pub system_text: String,
    pub model: String,
    pub parameters: Value,
    /// None adds the version and moves nothing.
    pub label: Option<String>,
    /// Why, for whoever reads the history.
    pub message: String,
    pub author: String,
}

/// SHA-256 over the canonical JSON of name, system text, model and parameters: what makes two versions the same.
pub fn content_hash(name: &str, system_text: &str, model: &str, parameters: &Value) -> String {
    hash_of(name, system_text, model, &canonical(parameters))
}

/// The same over parameters in canonical form already, as they are stored: read back as numbers, the last
/// digit of a fraction may differ, and a version would seem changed.
fn hash_of(name: &str, system_text: &str, model: &str, parameters: &str) -> String {
    let text = |text: &str| canonical(&Value::from(text));
    let content = format!(
        r#"{{"model":{},"name":{},"parameters":{parameters},"system_text":{}}}"#,
        text(model),
        text(name),
        text(system_text)
    );
    Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn apply(tx: &mut Transaction, now: Timestamp, prompt: &NewPrompt) -> Result<Change, RegistryError> {
    check(prompt)?;
    if tx.query(MODEL_COUNT).bind(prompt.model.as_str()).fetch_one::<i64>().await? == 0 {
        let reason = format!("is “{}”, which does not exist; add that model first", prompt.model);
        return Err(invalid(prompt, "model", reason));
    }
    let hash = content_hash(&prompt.name, &prompt.system_text, &prompt.model, &prompt.parameters);
    let latest: Option<i64> = tx.query(LATEST).bind(prompt.name.as_str()).fetch_one().await?;
    let same: Option<i64> =
        tx.query(VERSION_OF_CONTENT).bind(prompt.name.as_str()).bind(hash.as_str()).fetch_one().await?;
    let mut changes = Vec::new();
    let version = match same {
        Some(version) => version,
        None => {
            let version = latest.unwrap_or(0) + 1;
            insert(tx, now, prompt, version, &hash).await?;
            changes.push(format!("version: {} → {version}", shown(latest)));
            version
        }
    };
    if let Some(label) = &prompt.label {
        let before: Option<i64> =
            tx.query(LABELLED).bind(prompt.name.as_str()).bind(label.as_str()).fetch_optional().await?;
        if before != Some(version) {
            tx.query(LABEL_MOVE)
                .bind(prompt.name.as_str())
                .bind(label.as_str())
                .bind(version)
                .bind(now)
                .bind(prompt.author.as_str())
                .execute()
                .await?;
            changes.push(format!("{label}: {} → {version}", shown(before)));
        }
    }
    Ok(match latest {
        None => Change::Created(changes),
        Some(_) if changes.is_empty() => Change::Unchanged,
        Some(_) => Change::Updated(changes),
    })
}

async fn insert(
    tx: &mut Transaction,
    now: Timestamp,
    prompt: &NewPrompt,
    version: i64,
    hash: &str,
) -> Result<(), StoreError> {
    tx.query(VERSION_INSERT)
        .bind(prompt.name.as_str())
        .bind(version)
        .bind(prompt.system_text.as_str())
        .bind(prompt.model.as_str())
        .bind(canonical(&prompt.parameters))
        .bind(hash)
        .bind(prompt.message.as_str())
        .bind(prompt.author.as_str())
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

fn shown(version: Option<i64>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

fn check(prompt: &NewPrompt) -> Result<(), RegistryError> {
    for (field, name) in [("name", Some(&prompt.name)), ("label", prompt.label.as_ref())] {
        if let Some(Err(error)) = name.map(|name| name.parse::<Slug>()) {
            return Err(invalid(prompt, field, format!("cannot be used: {error}")));
        }
    }
    if prompt.system_text.chars().count() > MOST_CHARS {
        return Err(invalid(prompt, "text", format!("is longer than {MOST_CHARS} characters")));
    }
    if !prompt.parameters.is_object() {
        return Err(invalid(prompt, "parameters", "are no table; write names and values".to_owned()));
    }
    Ok(())
}

fn invalid(prompt: &NewPrompt, field: &'static str, reason: String) -> RegistryError {
    RegistryError::Invalid { what: format!("prompt “{}”", prompt.name), field, reason }
}
