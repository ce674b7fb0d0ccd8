//! Each request is a piece of work of whichever tenant it turns out to be of, and so is the answer that it streams: a
//! tenant with many of them waits for itself and not others for it (`store::share`).

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use store::share::{self, Working};

pub(super) async fn take(request: Request, next: Next) -> Response {
    share::of_whoever(async move {
        let response = next.run(request).await;
        // What is whole already costs nothing more.
        let streams = response.body().size_hint().exact().is_none();
        if streams { response.map(|body| Body::new(InTurn(share::split(body)))) } else { response }
    })
    .await
}

struct InTurn(Working<Body>);

impl HttpBody for InTurn {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.0).poll_with(context, |body, context| body.poll_frame(context))
    }

    fn size_hint(&self) -> SizeHint {
        // Only bodies of unknown length come here.
        SizeHint::default()
    }
}
