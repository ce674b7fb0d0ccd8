//! What is sent: a JSON object, read after it is known who sends it.

use super::{
    super::WebState,
    refusal::Refusal,
    weight::{Asks, Burden},
};
use axum::{
    body::{HttpBody, to_bytes},
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

impl FromRequest<WebState> for Object {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Refusal> {
        // What a client announces; none where it sends a stream.
        let length = request.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if length.is_some_and(|length| length > MOST_BYTES) {
            return Err(too_large().into());
        }
        if let (Some(burden), Some(Asks(tenant))) =
            (request.extensions().get::<Burden>(), request.extensions().get::<Asks>())
        {
            burden.take(state, *tenant, length.unwrap_or(MOST_BYTES))?;
        }
        let body = timeout(LONGEST, to_bytes(request.into_body(), MOST_BYTES)).await;
        let bytes = match body {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(too_large().into()),
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

fn too_large() -> Problem {
    let detail = format!("The body is larger than {} MB, or was cut off on the way.", MOST_BYTES >> 20);
    Problem::new(ProblemCode::PayloadTooLarge, detail)
}
