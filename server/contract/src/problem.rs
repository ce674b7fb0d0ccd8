//! The one error that crosses the wire, in the shape of RFC 9457 (`application/problem+json`).
//!
//! `code` is stable and for programs; `title` and `detail` are for people and say what to do. Internals
//! are logged under the trace id and never stand in here.

use crate::sentence;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong, for programs. The names on the wire are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    InvalidInput,
    NotSignedIn,
    SignInRefused,
    PermissionDenied,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PayloadTooLarge,
    TooManyRequests,
    LinkExpired,
    ModelUnavailable,
    ProviderFailed,
    ShuttingDown,
    Interrupted,
    StorageFull,
    StorageUnavailable,
    Internal,
}

impl ProblemCode {
    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidInput => 422,
            Self::NotSignedIn | Self::SignInRefused => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::LinkExpired => 410,
            Self::PayloadTooLarge => 413,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::ProviderFailed => 502,
            Self::ModelUnavailable | Self::ShuttingDown | Self::Interrupted | Self::StorageUnavailable => 503,
            Self::StorageFull => 507,
        }
    }

    /// Whether the server will not do it for this person, however often they ask.
    pub const fn is_refusal(self) -> bool {
        matches!(self.status(), 401 | 403 | 404)
    }

    /// A short sentence that names the kind of problem.
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidInput => "Some input needs another look",
            Self::NotSignedIn => "Please sign in",
            Self::SignInRefused => "Signing in did not work",
            Self::PermissionDenied => "Your role does not allow this",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "This address takes other methods",
            Self::Conflict => "Something else changed first",
            Self::LinkExpired => "This link no longer works",
            Self::PayloadTooLarge => "That is too large",
            Self::TooManyRequests => "Too many attempts",
            Self::Internal => "Something went wrong on our side",
            Self::ProviderFailed => "The model provider failed",
            Self::ModelUnavailable => "The model is not available",
            Self::ShuttingDown => "The server is restarting",
            Self::Interrupted => "The answer was interrupted",
            Self::StorageUnavailable => "The database does not answer",
            Self::StorageFull => "The disk is full",
        }
    }
}

/// A field of the input and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: ProblemCode,
    pub title: String,
    pub status: u16,
    /// What happened, to which thing, and what to do.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Finds the log lines of this failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Seconds after which trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            trace_id: None,
            retry_after: None,
        }
    }

    /// Input that a named field makes unusable; `detail` becomes a sentence.
    pub fn field(field: &str, detail: impl AsRef<str>) -> Self {
        let detail = sentence(detail.as_ref());
        let mut problem = Self::new(ProblemCode::InvalidInput, detail.clone());
        problem.errors.push(FieldError { field: field.to_owned(), detail });
        problem
    }

    /// With a title of its own, where that of its kind would say something else than what happened.
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.trace_id = Some(id.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl std::error::Error for Problem {}
