//! A chat in whichever dialect: asked of the gateway, and told as it was asked for, whole or as it is made.

use super::{
    super::{WebState, answer},
    caller::Program,
    dialect::Dialect,
    refusal::Refusal,
    standing::Standing,
    told,
};
use async_stream::stream;
use axum::{
    Json,
    response::{IntoResponse, Response, sse},
};
use contract::{NanoUsd, RequestId};
use futures::{Stream, StreamExt, pin_mut};
use gateway::{
    AnswerPart, Answering, CacheUse,
    dialects::{ChatAsked, Event, Telling, Whole},
};
use orchestration::{KeptResponse, Responses};
use platform::{current_trace_id, with_trace_id};
use serde_json::Value;
use std::convert::Infallible;
use tenancy::Scope;
use tokio_util::sync::CancellationToken;

/// Where an answer is kept once it is whole.
pub(super) struct Keeping {
    pub responses: Responses,
    pub scope: Scope,
    pub id: String,
    pub previous: Option<String>,
    pub input: Vec<Value>,
}

impl Keeping {
    /// Whether it is kept now. What cannot be kept is told all the same, as not stored: it is paid for.
    async fn keep(self, response: Value) -> bool {
        let Self { responses, scope, id, previous, input } = self;
        let kept = responses.keep(&scope, &KeptResponse { id, previous, input, response }).await;
        if let Err(error) = &kept {
            tracing::error!(%error, "an answer could not be kept; it was given as not stored");
        }
        kept.is_ok()
    }
}

pub(super) async fn answer(
    state: &WebState,
    program: &Program,
    request: RequestId,
    asked: ChatAsked,
    telling: impl Telling,
    keeping: Option<Keeping>,
) -> Result<Response, Refusal> {
    program.require_model(&asked.model)?;
    let begun = async {
        let (streamed, dialect) = (asked.streamed, Dialect::from(asked.foreign.native.dialect));
        let stop = CancellationToken::new();
        let chat = asked.into_request(request, program.cache, stop.clone());
        let answering = state.platform().gateway.chat(&program.scope, chat).await.map_err(Refusal::of_gateway)?;
        let (route, cache) = (answering.route.clone(), answering.cache);
        let mut response = if streamed {
            let events = events(answering, telling, dialect, keeping);
            answer::event_stream(while_allowed(events, program.standing.clone(), dialect, stop))
        } else {
            whole(answering, &telling, keeping).await?
        };
        told::route(&mut response, &route);
        told::cache(&mut response, cache, state.platform().tenancy.clock().now());
        if matches!(cache, CacheUse::Hit { .. }) {
            told::cost(&mut response, Some(NanoUsd::ZERO));
        }
        Ok(response)
    };
    tokio::select! {
        biased;
        response = begun => response,
        refusal = program.standing.lost() => Err(refusal),
    }
}

async fn whole(answering: Answering, telling: &impl Telling, keeping: Option<Keeping>) -> Result<Response, Refusal> {
    let answer = Whole::of(answering.parts).await.map_err(Refusal::of_gateway)?;
    let cost = answer.outcome.cost;
    let mut answer = telling.whole(answer).map_err(|error| Refusal::unsayable(&error))?;
    if let Some(keeping) = keeping
        && !keeping.keep(answer.clone()).await
    {
        answer["store"] = false.into();
    }
    let mut response = Json(answer).into_response();
    told::cost(&mut response, cost);
    Ok(response)
}

/// Events to the dialect's own end; or an error in its place, so that what was cut never looks whole.
fn events(
    mut answering: Answering,
    mut telling: impl Telling,
    dialect: Dialect,
    mut keeping: Option<Keeping>,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
    let trace_id = current_trace_id();
    let events = stream! {
        while let Some(part) = answering.parts.next().await {
            match part {
                Ok(part) => {
                    let over = matches!(part, AnswerPart::Finished(_));
                    let events = telling.events(part);
                    // Before its last event: whoever has seen that may follow on it at once.
                    let kept = match (keeping.take_if(|_| over), telling.told().cloned()) {
                        (Some(keeping), Some(told)) => keeping.keep(told).await,
                        (Some(_), None) | (None, _) => true,
                    };
                    for event in events {
                        yield written(if kept { event } else { not_stored(event) });
                    }
                }
                Err(error) => yield written(dialect.error(&Refusal::of_gateway(error))),
            }
        }
    };
    events.then(move |event| with_trace_id(trace_id.clone(), async move { Ok(event) }))
}

/// The event, where it tells the response as a whole, with the truth about its being stored.
fn not_stored(event: Event) -> Event {
    let told = serde_json::from_str::<Value>(&event.data).ok();
    match told {
        Some(mut told) if told["response"].is_object() => {
            told["response"]["store"] = false.into();
            Event { data: told.to_string(), ..event }
        }
        Some(_) | None => event,
    }
}

/// Ends when who asked may ask no more: a stream lasts as long as an answer does, and permission may not.
fn while_allowed(
    events: impl Stream<Item = Result<sse::Event, Infallible>> + Send,
    standing: Standing,
    dialect: Dialect,
    stop: CancellationToken,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
    stream! {
        pin_mut!(events);
        let lost = standing.lost();
        pin_mut!(lost);
        loop {
            tokio::select! {
                biased;
                refusal = &mut lost => {
                    stop.cancel();
                    yield Ok(written(dialect.error(&refusal)));
                    break;
                }
                event = events.next() => match event {
                    Some(event) => yield event,
                    None => break,
                },
            }
        }
    }
}

fn written(event: Event) -> sse::Event {
    let written = sse::Event::default().data(event.data);
    // A name of a provider's own must not end the line.
    match event.name.filter(|name| !name.contains(char::is_control)) {
        Some(name) => written.event(name),
        None => written,
    }
}
