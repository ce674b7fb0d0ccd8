//! A chat in whichever dialect: asked of the gateway, and told as it was asked for, whole or as it is made.

use super::{
    super::{WebState, answer},
    caller::Program,
    dialect::Dialect,
    refusal::Refusal,
    told,
};
use async_stream::stream;
use axum::{
    Json,
    response::{IntoResponse, Response, sse},
};
use contract::RequestId;
use futures::{Stream, StreamExt};
use gateway::{
    Answering,
    dialects::{ChatAsked, Event, Telling, Whole},
};
use platform::{current_trace_id, with_trace_id};
use std::convert::Infallible;
use tokio_util::sync::CancellationToken;

pub(super) async fn answer(
    state: &WebState,
    program: &Program,
    request: RequestId,
    asked: ChatAsked,
    telling: impl Telling,
    dialect: Dialect,
) -> Result<Response, Refusal> {
    program.require_model(&asked.model)?;
    let streamed = asked.streamed;
    let chat = asked.into_request(request, CancellationToken::new());
    let answering = state.platform().gateway.chat(&program.scope, chat).await.map_err(Refusal::of_gateway)?;
    let route = answering.route.clone();
    let mut response = if streamed {
        answer::event_stream(events(answering, telling, dialect))
    } else {
        whole(answering, &telling).await?
    };
    told::route(&mut response, &route);
    Ok(response)
}

async fn whole(answering: Answering, telling: &impl Telling) -> Result<Response, Refusal> {
    let answer = Whole::of(answering.parts).await.map_err(Refusal::of_gateway)?;
    let cost = answer.outcome.cost;
    let answer = telling.whole(answer).map_err(|error| Refusal::unsayable(&error))?;
    let mut response = Json(answer).into_response();
    told::cost(&mut response, cost);
    Ok(response)
}

/// Events to the dialect's own end; or an error in its place, so that what was cut never looks whole.
fn events(
    mut answering: Answering,
    mut telling: impl Telling,
    dialect: Dialect,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
    let trace_id = current_trace_id();
    let events = stream! {
        while let Some(part) = answering.parts.next().await {
            match part {
                Ok(part) => {
                    for event in telling.events(part) {
                        yield written(event);
                    }
                }
                Err(error) => yield written(dialect.error(&Refusal::of_gateway(error))),
            }
        }
    };
    events.then(move |event| with_trace_id(trace_id.clone(), async move { Ok(event) }))
}

fn written(event: Event) -> sse::Event {
    let written = sse::Event::default().data(event.data);
    match event.name {
        Some(name) => written.event(name),
        None => written,
    }
}
