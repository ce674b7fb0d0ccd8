//! What is sent: a JSON object, read after it is known who sends it.

use super::refusal::Refusal;
use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
};
use contract::{Problem, ProblemCode};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::timeout;

/// Pictures come inside of requests, as base64.
const MOST_BYTES: usize = 32 << 20;
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Object(pub Map<String, Value>);

impl<S: Sync> FromRequest<S> for Object {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let body = timeout(LONGEST, to_bytes(request.into_body(), MOST_BYTES)).await;
        let bytes = match body {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let detail = format!("The body is larger than {} MB, or was cut off on the way.", MOST_BYTES >> 20);
                return Err(Problem::new(ProblemCode::PayloadTooLarge, detail).into());
            }
            Err(_) => {
                let detail = format!("The body did not arrive within {} seconds.", LONGEST.as_secs());
                return Err(Problem::new(ProblemCode::InvalidInput, detail).into());
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(Problem::new(ProblemCode::InvalidInput, "The body is a JSON object.").into()),
            Err(error) => {
                Err(Problem::new(ProblemCode::InvalidInput, format!("The body is not JSON: {error}.")).into())
            }
        }
    }
}
