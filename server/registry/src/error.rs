//! What the registry can answer instead of a config.

use store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("there is no prompt “{name}” with the label “{label}”; apply one, or move the label to a version")]
    UnknownPrompt { name: String, label: String },
    #[error("there is no model “{name}”; choose one of: {known}")]
    UnknownModel { name: String, known: String },
    #[error("version {version} of the prompt “{name}” cannot be used: {reason}; move its labels to another version")]
    Corrupt { name: String, version: i64, reason: String },
    #[error("the model “{model}” names the provider “{provider}”, which does not exist; add that provider first")]
    UnknownProvider { model: String, provider: String },
    #[error("the {field} of {what} {reason}")]
    Invalid { what: String, field: &'static str, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}
