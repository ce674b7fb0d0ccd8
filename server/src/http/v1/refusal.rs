//! Every answer but success. `dialect.rs` says how each dialect tells it.

use super::dialect::Dialect;
use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use contract::{Problem, ProblemCode};
use gateway::{GatewayError, dialects::UnusableField, provider::ProviderError};
use http::{HeaderValue, StatusCode, header};
use platform::IntoProblem;
use serde_json::Value;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(super) struct Refusal {
    problem: Arc<Problem>,
    status: StatusCode,
    code: &'static str,
}

impl<E: IntoProblem> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::of(error.into_problem())
    }
}

impl Refusal {
    fn of(problem: Problem) -> Self {
        let (status, code) = match problem.code {
            ProblemCode::InvalidInput => (StatusCode::BAD_REQUEST, "invalid_value"),
            ProblemCode::NotSignedIn | ProblemCode::SignInRefused => (StatusCode::UNAUTHORIZED, "invalid_api_key"),
            ProblemCode::PermissionDenied => (StatusCode::FORBIDDEN, "insufficient_permissions"),
            ProblemCode::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            ProblemCode::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            ProblemCode::Conflict | ProblemCode::LinkExpired => (StatusCode::CONFLICT, "conflict"),
            ProblemCode::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            ProblemCode::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            ProblemCode::ProviderFailed => (StatusCode::BAD_GATEWAY, "provider_failed"),
            ProblemCode::ModelUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "model_unavailable"),
            ProblemCode::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
            ProblemCode::Interrupted => (StatusCode::SERVICE_UNAVAILABLE, "interrupted"),
            ProblemCode::StorageUnavailable | ProblemCode::StorageFull => {
                (StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable")
            }
            ProblemCode::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        };
        Self { problem: Arc::new(problem), status, code }
    }

    fn with(problem: Problem, status: StatusCode, code: &'static str) -> Self {
        Self { problem: Arc::new(problem), status, code }
    }

    /// A model that does not exist, or that the key is not for.
    pub fn unknown_model(name: &str) -> Self {
        let shown: String = name.chars().take(100).collect();
        let detail =
            format!("There is no model “{shown}”, or this key may not ask for it. Those there are: GET /v1/models");
        Self::with(Problem::field("model", detail), StatusCode::NOT_FOUND, "model_not_found")
    }

    /// One that never was, was deleted, is too old, or is another tenant's: there is no telling which.
    pub fn no_response(id: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        let detail =
            format!("There is no response “{shown}”. Responses are kept for 30 days, unless “store” is false.");
        Self::with(Problem::new(ProblemCode::NotFound, detail), StatusCode::NOT_FOUND, "response_not_found")
    }

    pub fn no_previous_response(id: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        let detail = format!(
            "There is no response “{shown}” to follow on, or one before it is gone. Responses are kept for 30 days, \
             unless “store” is false. Send the conversation as “input” instead."
        );
        let problem = Problem::field("previous_response_id", detail);
        Self::with(problem, StatusCode::BAD_REQUEST, "previous_response_not_found")
    }

    pub fn too_much_before(id: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        let detail = format!(
            "What was said until “{shown}” is more than a request may say: 500 responses, or 32 MB. Begin anew, with what \
             matters of it as “input”."
        );
        let problem = Problem::field("previous_response_id", detail);
        Self::with(problem, StatusCode::BAD_REQUEST, "context_length_exceeded")
    }

    pub fn unusable(unusable: &UnusableField) -> Self {
        Problem::field(&unusable.field, &unusable.detail).into()
    }

    /// What the gateway said, with the codes by which SDKs and their users tell one thing from another.
    pub fn of_gateway(error: GatewayError) -> Self {
        match error {
            GatewayError::UnknownModel { name } => Self::unknown_model(&name),
            GatewayError::Untranslatable { .. } => {
                Self::with(error.into_problem(), StatusCode::BAD_REQUEST, "unsupported_parameter")
            }
            GatewayError::Rejected { cause: ProviderError::Rejected { message, .. } } => {
                let detail = format!("The model's provider refused the request: {message}");
                Self::with(Problem::new(ProblemCode::InvalidInput, detail), StatusCode::BAD_REQUEST, "invalid_value")
            }
            GatewayError::Rejected { cause: ProviderError::ContextExceeded { .. } } => {
                Self::with(error.into_problem(), StatusCode::BAD_REQUEST, "context_length_exceeded")
            }
            GatewayError::AllAttemptsFailed { last: ProviderError::RateLimited { .. }, .. } => {
                Self::with(error.into_problem(), StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded")
            }
            GatewayError::NoTarget { ref model, .. } => {
                // Why is the operator's business: it names providers, and files of this machine.
                tracing::warn!(%error, "a program asked for a model that cannot answer");
                let detail =
                    format!("The model “{model}” cannot answer at the moment. Ask another, or try again later.");
                Problem::new(ProblemCode::ModelUnavailable, detail).retry_after(5).into()
            }
            GatewayError::AllAttemptsFailed { last: ProviderError::NotReady(ref reason), .. } => {
                tracing::warn!(reason, "a program asked for a model that is not ready");
                let detail = "The model cannot answer at the moment. Ask another, or try again later.";
                Problem::new(ProblemCode::ModelUnavailable, detail).retry_after(5).into()
            }
            GatewayError::AllAttemptsFailed { .. }
            | GatewayError::Rejected { .. }
            | GatewayError::Interrupted { .. }
            | GatewayError::InvalidKey { .. }
            | GatewayError::InvalidProvider { .. }
            | GatewayError::UnknownProvider { .. }
            | GatewayError::TargetMoved { .. }
            | GatewayError::ShuttingDown
            | GatewayError::Abandoned
            | GatewayError::Metering(_)
            | GatewayError::Registry(_)
            | GatewayError::Store(_)
            | GatewayError::Tenancy(_)
            | GatewayError::Vault(_) => error.into(),
        }
    }

    /// A model said something that the dialect has no place for.
    pub fn unsayable(error: &ProviderError) -> Self {
        tracing::warn!(%error, "an answer cannot be put into the dialect that was asked in");
        let detail = "The model's answer cannot be put into the words of this API. Ask again, or ask for a stream.";
        Problem::new(ProblemCode::ProviderFailed, detail).into()
    }

    pub const fn status(&self) -> StatusCode {
        self.status
    }

    pub const fn code(&self) -> &'static str {
        self.code
    }

    pub fn detail(&self) -> &str {
        &self.problem.detail
    }

    /// The field that it is about.
    pub fn field(&self) -> Option<&str> {
        self.problem.errors.first().map(|error| error.field.as_str())
    }

    /// As it stands in an answer, or as the last event of a stream.
    pub fn body(&self, dialect: Dialect) -> Value {
        dialect.refusal(self)
    }

    fn answered(&self, dialect: Dialect) -> Response {
        let mut response = (self.status, Json(self.body(dialect))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.problem.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Whoever refuses does not know in which dialect it was asked: this does, and puts the refusal into it.
pub(super) async fn in_the_askers_words(request: Request, next: Next) -> Response {
    let dialect = Dialect::of(&request);
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Refusal>() {
        Some(refusal) => refusal.answered(dialect),
        None => response,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.answered(Dialect::OpenAi);
        response.extensions_mut().insert(self);
        response
    }
}
