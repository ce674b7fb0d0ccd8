//! The server functions behind the pages, and the one error they answer with.
//!
//! Each authorises by itself: during rendering it is called directly, past every URL. Arguments arrive as
//! JSON, or url-encoded where a plain HTML form posts to it.

pub mod account;
pub mod chat;
#[cfg(feature = "ssr")]
pub mod context;
pub mod customer;
pub mod first_run;
pub mod gateway;
#[cfg(feature = "ssr")]
pub mod once;
pub mod own_keys;
pub mod password;
pub mod people;
pub mod session;
pub mod single_sign_on;

#[cfg(feature = "ssr")]
pub use context::own_path;

use contract::{Problem, ProblemCode};
use leptos::prelude::use_context;
use serde::{Deserialize, Serialize};
#[cfg(feature = "ssr")]
use server_fn::error::ServerFnUrlError;
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

/// What a server function answers when it cannot do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerProblem {
    pub problem: Problem,
    /// What was typed into a plain form, to fill it again. Never secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<(String, String)>,
}

impl ServerProblem {
    /// Keeps what was typed into `field`, for the form to show again.
    pub fn keep(mut self, field: &str, value: &str) -> Self {
        self.kept.push((field.to_owned(), value.chars().take(200).collect()));
        self
    }

    pub fn not_found(what: &str) -> Self {
        Problem::new(ProblemCode::NotFound, format!("There is no such {what}, or it is not yours.")).into()
    }
}

/// A plain form that came back to its page. The server puts it into context; it travels in a cookie, never in an
/// address, which anybody could write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedForm {
    /// What it was posted to.
    pub path: String,
    pub problem: ServerProblem,
}

impl RefusedForm {
    /// From the form in which Leptos puts it into an address.
    #[cfg(feature = "ssr")]
    pub fn decode(path: &str, error: &str) -> Self {
        Self { path: path.to_owned(), problem: ServerFnUrlError::<ServerProblem>::decode_err(error) }
    }

    /// The form that this request's page gets back, if any.
    pub fn here() -> Option<Self> {
        use_context::<Self>()
    }

    /// What was wrong with the form that is posted to `action`.
    pub fn of(action: &str) -> Option<ServerProblem> {
        Self::here().filter(|refused| refused.path == action).map(|refused| refused.problem)
    }
}

/// Whatever a layer reports becomes a problem by the platform's own mapping, and sets the answer's status.
#[cfg(feature = "ssr")]
impl<E: platform::IntoProblem> From<E> for ServerProblem {
    fn from(error: E) -> Self {
        let problem = error.into_problem();
        context::status_set(&problem);
        Self { problem, kept: Vec::new() }
    }
}

#[cfg(not(feature = "ssr"))]
impl From<Problem> for ServerProblem {
    fn from(problem: Problem) -> Self {
        Self { problem, kept: Vec::new() }
    }
}

impl FromServerFnError for ServerProblem {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        use ServerFnErrorErr as Error;
        match error {
            Error::Request(_) => Self { problem: no_connection(), kept: Vec::new() },
            Error::Args(detail) | Error::MissingArg(detail) => {
                Problem::new(ProblemCode::InvalidInput, format!("The request could not be read: {detail}")).into()
            }
            // On the server it is the request that cannot be read, in the browser the answer.
            Error::Deserialization(detail) if cfg!(feature = "ssr") => {
                Problem::new(ProblemCode::InvalidInput, format!("The request could not be read: {detail}")).into()
            }
            Error::Deserialization(_) => Problem::new(
                ProblemCode::Internal,
                "The server's answer could not be read. Reload the page; it may be older than the server.",
            )
            .into(),
            Error::Registration(detail)
            | Error::UnsupportedRequestMethod(detail)
            | Error::ServerError(detail)
            | Error::MiddlewareError(detail)
            | Error::Serialization(detail)
            | Error::Response(detail) => {
                leptos::logging::error!("server function: {detail}");
                Problem::new(ProblemCode::Internal, "The request could not be carried out. Try again.").into()
            }
        }
    }
}

/// The browser could not reach the server at all.
pub fn no_connection() -> Problem {
    let mut problem = Problem::new(
        ProblemCode::Interrupted,
        "The server cannot be reached. What you typed is kept; try again when the connection is back.",
    );
    problem.title = "No connection".to_owned();
    problem
}
