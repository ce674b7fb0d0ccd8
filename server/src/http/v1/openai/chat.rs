//! `POST /v1/chat/completions`.

use super::super::{
    super::{WebState, answer},
    body::Object,
    caller::Program,
    refusal::Refusal,
    told,
};
use async_stream::stream;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response, sse::Event},
};
use contract::RequestId;
use futures::{Stream, StreamExt};
use gateway::{
    AnswerPart, Answering, ChatRequest, GatewayError,
    dialects::openai_chat::{ChatCompletion, Telling},
};
use metering::Feature;
use platform::{current_trace_id, with_trace_id};
use serde_json::Value;
use std::convert::Infallible;
use tokio_util::sync::CancellationToken;

pub(in super::super) async fn complete(
    State(state): State<WebState>,
    program: Program,
    Object(body): Object,
) -> Result<Response, Refusal> {
    let asked = ChatCompletion::read(body).map_err(|unusable| Refusal::unusable(&unusable))?;
    if !program.may_ask(&asked.model) {
        return Err(Refusal::unknown_model(&asked.model));
    }
    let request = RequestId::new();
    let created = state.platform().tenancy.clock().now().as_millis() / 1_000;
    let telling = Telling::new(request, created, asked.model.clone(), asked.include_usage);
    let streamed = asked.streamed;
    let chat = ChatRequest {
        request,
        model: asked.model,
        system: asked.system,
        turns: asked.turns,
        parameters: asked.parameters,
        foreign: Some(asked.foreign),
        prompt: None,
        feature: Feature::Api,
        cancel: CancellationToken::new(),
    };
    let answering = state.platform().gateway.chat(&program.scope, chat).await.map_err(Refusal::of_gateway)?;
    let route = answering.route.clone();
    let mut response =
        if streamed { answer::event_stream(events(answering, telling)) } else { whole(answering, &telling).await? };
    told::route(&mut response, &route);
    Ok(response)
}

async fn whole(mut answering: Answering, telling: &Telling) -> Result<Response, Refusal> {
    let (mut text, mut native) = (String::new(), None);
    while let Some(part) = answering.parts.next().await {
        match part.map_err(Refusal::of_gateway)? {
            AnswerPart::Text(more) => text.push_str(&more),
            AnswerPart::Native(answer) => native = Some(answer),
            AnswerPart::Finished(outcome) => {
                let answer = match native {
                    Some(answer) => telling.whole_of_provider(answer),
                    None => telling.whole(&text, &outcome),
                };
                let mut response = Json(answer).into_response();
                told::cost(&mut response, outcome.cost);
                return Ok(response);
            }
        }
    }
    Err(Refusal::of_gateway(GatewayError::Abandoned))
}

/// Chunks, then `[DONE]`; or an error in its place, so that what was cut never looks whole.
fn events(mut answering: Answering, mut telling: Telling) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let trace_id = current_trace_id();
    let events = stream! {
        while let Some(part) = answering.parts.next().await {
            match part {
                Ok(AnswerPart::Text(text)) => yield event(&telling.text(&text)),
                Ok(AnswerPart::Native(chunk)) => {
                    if let Some(chunk) = telling.chunk_of_provider(chunk) {
                        yield event(&chunk);
                    }
                }
                Ok(AnswerPart::Finished(outcome)) => {
                    for chunk in telling.end(&outcome) {
                        yield event(&chunk);
                    }
                    yield Event::default().data("[DONE]");
                }
                Err(error) => yield event(&Refusal::of_gateway(error).body()),
            }
        }
    };
    events.then(move |event| with_trace_id(trace_id.clone(), async move { Ok(event) }))
}

fn event(value: &Value) -> Event {
    Event::default().data(value.to_string())
}
