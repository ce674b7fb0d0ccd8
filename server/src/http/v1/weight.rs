//! Large requests under way: what all of them weigh together fits into memory, and a tenant that sends many waits for
//! itself.
//!
//! A request is weighed by its bytes, and by those of the responses that it follows on, from before it is read until its answer has ended; as values in memory it is some five
//! times that. Small ones are not worth weighing.

use super::super::{WebState, tally::Held};
use super::refusal::Refusal;
use axum::{
    body::{Body, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use contract::{Problem, ProblemCode, TenantId};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

const LIGHT: usize = 64 << 10;
const MOST_OF_ONE: usize = 64 << 20;
const MOST_OF_ALL: usize = 128 << 20;

/// Whose requests are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum Bearer {
    Tenant(TenantId),
    All,
}

/// Who asks, once that is known.
#[derive(Clone, Copy)]
pub(super) struct Asks(pub TenantId);

/// A request's weight, from when it is taken on.
#[derive(Clone, Default)]
pub(super) struct Burden(Arc<Mutex<Vec<[Held<Bearer>; 2]>>>);

impl Burden {
    /// Takes on so many bytes more: a body, which may have as many as any where it does not say how many, or what was said
    /// before.
    pub fn take(&self, state: &WebState, tenant: TenantId, bytes: usize) -> Result<(), Refusal> {
        if bytes <= LIGHT {
            return Ok(());
        }
        let own = state.weights().hold_many(Bearer::Tenant(tenant), bytes, MOST_OF_ONE).ok_or_else(|| {
            let detail = format!(
                "Large requests of your workspace are under way already, with {} MB together. Wait for their answers, or \
                 send less at once.",
                MOST_OF_ONE >> 20
            );
            Problem::new(ProblemCode::TooManyRequests, detail).retry_after(2)
        })?;
        let all = state.weights().hold_many(Bearer::All, bytes, MOST_OF_ALL).ok_or_else(|| {
            let detail = "As many large requests are under way as the server takes at once. Try again in a moment.";
            Problem::new(ProblemCode::ModelUnavailable, detail).retry_after(2)
        })?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push([own, all]);
        Ok(())
    }

    fn is_none(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Keeps the weight until the answer has ended.
pub(super) async fn carry(mut request: Request, next: Next) -> Response {
    let burden = Burden::default();
    request.extensions_mut().insert(burden.clone());
    let response = next.run(request).await;
    if burden.is_none() {
        return response;
    }
    response.map(|body| Body::new(Laden { body, _burden: burden }))
}

struct Laden {
    body: Body,
    _burden: Burden,
}

impl HttpBody for Laden {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
