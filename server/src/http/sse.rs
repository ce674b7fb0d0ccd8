//! `GET /api/v1/runs/{id}/events`: a run's events as they come, from any point on.
//!
//! With `render=html`, the words come rendered as well (`rendered.rs`): that is how pages follow.
//!
//! The run belongs to the server: a reader that leaves stops nothing, and one that comes back with
//! `Last-Event-ID` misses and repeats nothing. The stream ends after the run's terminal event.

use super::{
    WebState,
    answer::{self, Reader},
    rendered::{Told, rendered},
    session::{self, Visitor},
};
use async_stream::stream;
use axum::{
    Extension,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    response::{Response, sse::Event},
};
use contract::{Problem, ProblemCode, RenderedTail, RunId, TenantId, UserId};
use futures::{Stream, StreamExt, TryStreamExt, pin_mut};
use http::HeaderMap;
use platform::{IntoProblem, current_trace_id, with_trace_id};
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tenancy::TenancyError;
use tokio::time::{Instant, interval_at};
use tower_sessions::Session;
use utoipa::openapi::OpenApi;

/// How long a stream may outlive the permission to read it: whichever node took it away, within a second.
const ASKED_AGAIN: Duration = Duration::from_millis(800);
/// Streams of one person: more tabs than anybody looks at.
const MOST_READERS: usize = 32;

/// What programs may know of it: the one route under `/api/v1` that is a person's.
pub(super) fn document() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(events))]
    struct Described;
    <Described as utoipa::OpenApi>::openapi()
}

#[derive(Debug, Deserialize)]
pub(super) struct From {
    /// The number of the last event that is known already.
    after: Option<String>,
    /// `html` for a page.
    render: Option<String>,
}

/// Follow an answer
///
/// A run's events as server-sent events, from any point on: `after`, or `Last-Event-ID` when a reader comes back.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "Runs", security(("session" = [])),
    params(
        ("id" = String, Path, description = "The run's id"),
        ("after" = Option<i64>, Query, description = "The number of the last event that is known already"),
        ("render" = Option<String>, Query, description = "`html` for the words as HTML as well"),
    ),
    responses(
        (status = 200, description = "Events until the run ends", content_type = "text/event-stream"),
        (status = 401, description = "Nobody is signed in"),
        (status = 404, description = "There is no such run, or it is somebody else's"),
        (status = 422, description = "The address cannot be read"),
        (status = 429, description = "Too many answers are followed from this account already"),
    ))]
pub(super) async fn events(
    State(state): State<WebState>,
    Extension(visitor): Extension<Visitor>,
    Extension(session): Extension<Session>,
    run: Result<Path<String>, PathRejection>,
    from: Result<Query<From>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let asked = Asked { visitor, session, run, from, headers };
    match subscribe(&state, asked).await {
        Ok(response) => response,
        Err(problem) => answer::problem(&problem, Reader::Program),
    }
}

struct Asked {
    visitor: Visitor,
    session: Session,
    run: Result<Path<String>, PathRejection>,
    from: Result<Query<From>, QueryRejection>,
    headers: HeaderMap,
}

async fn subscribe(state: &WebState, asked: Asked) -> Result<Response, Problem> {
    let principal = asked.visitor.0.ok_or(TenancyError::NotSignedIn).map_err(IntoProblem::into_problem)?;
    let scope = principal.scope().map_err(IntoProblem::into_problem)?;
    let unreadable =
        |reason: String| Problem::new(ProblemCode::InvalidInput, format!("The address cannot be read: {reason}."));
    let Query(from) = asked.from.map_err(|error| unreadable(error.body_text()))?;
    let Path(run) = asked.run.map_err(|error| unreadable(error.body_text()))?;
    let run: RunId =
        run.parse().map_err(|_| Problem::new(ProblemCode::NotFound, "There is no such run, or it is not yours."))?;
    let render = renders(&from)?;
    let after = start(from, &asked.headers)?;
    let first = if render { 0 } else { after };
    let place = state.readers().hold(principal.user(), MOST_READERS).ok_or_else(too_many)?;
    let events = state.platform().chats.subscribe(&scope, run, first).await.map_err(IntoProblem::into_problem)?;
    let events = if render { rendered(events, after).boxed() } else { events.map_ok(Told::Event).boxed() };
    let events = events.map_err(IntoProblem::into_problem);
    let watch = Watch { state: state.clone(), session: asked.session, user: principal.user(), tenant: scope.tenant() };
    let events = while_allowed(events, watch).map(move |event| {
        // The reader's place is given back with the stream.
        let _ = &place;
        event
    });
    Ok(answer::event_stream(told(events)))
}

fn too_many() -> Problem {
    let detail =
        format!("{MOST_READERS} answers are being followed from this account already. Close some of those pages.");
    Problem::new(ProblemCode::TooManyRequests, detail).retry_after(5)
}

/// Who reads a stream, to be asked again while it lasts.
struct Watch {
    state: WebState,
    session: Session,
    user: UserId,
    tenant: TenantId,
}

impl Watch {
    /// Why the same request would not be admitted now. A database that does not answer changes nothing.
    async fn refusal(&self) -> Option<Problem> {
        let ended = || Problem::new(ProblemCode::NotSignedIn, "Your session has ended. Sign in to go on.");
        match session::revisit(self.state.platform(), &self.session).await {
            Ok(Some(principal)) if principal.user() == self.user => match principal.scope() {
                Ok(scope) if scope.tenant() == self.tenant => None,
                Ok(_) => Some(ended()),
                Err(error) => Some(error.into_problem()),
            },
            Ok(_) => Some(ended()),
            Err(_) => None,
        }
    }
}

/// Ends when the reader has signed out, lost the membership, or the tenant was closed: a stream lasts as long as
/// an answer does, and permission may not.
fn while_allowed(
    events: impl Stream<Item = Result<Told, Problem>> + Send,
    watch: Watch,
) -> impl Stream<Item = Result<Told, Problem>> + Send {
    stream! {
        pin_mut!(events);
        let mut asked = interval_at(Instant::now() + ASKED_AGAIN, ASKED_AGAIN);
        loop {
            tokio::select! {
                biased;
                _ = asked.tick() => {
                    if let Some(refusal) = watch.refusal().await {
                        yield Err(refusal);
                        break;
                    }
                }
                event = events.next() => match event {
                    Some(event) => yield event,
                    None => break,
                },
            }
        }
    }
}

/// Where to begin. A browser that reconnects says so in `Last-Event-ID`, which is newer than the address.
fn start(from: From, headers: &HeaderMap) -> Result<i64, Problem> {
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()).map(str::to_owned);
    // Empty: the browser has seen none yet.
    let last = last.filter(|text| !text.is_empty());
    let Some(text) = last.or(from.after) else { return Ok(0) };
    match text.parse() {
        Ok(after) if after >= 0 => Ok(after),
        _ => Err(Problem::field("after", "The number of the last event known is a whole number, 0 or more.")),
    }
}

fn renders(from: &From) -> Result<bool, Problem> {
    match from.render.as_deref() {
        None => Ok(false),
        Some("html") => Ok(true),
        Some(_) => Err(Problem::field("render", "Events can be rendered as “html”, or left as they are without it.")),
    }
}

/// Events on the wire. What goes wrong in between is an event too, `problem`, and ends the stream: the
/// reader comes back and goes on from the last event it saw.
fn told(
    events: impl Stream<Item = Result<Told, Problem>> + Send,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let trace_id = current_trace_id();
    events.then(move |event| {
        let trace_id = trace_id.clone();
        with_trace_id(trace_id, async move { Ok(event.map_or_else(|refused| problem(&refused), on_wire)) })
    })
}

fn on_wire(told: Told) -> Event {
    let written = match told {
        Told::Event(record) => event(record.seq, record.event.name()).json_data(&record),
        Told::Html(seq, tail) => event(seq, RenderedTail::NAME).json_data(&tail),
    };
    written.unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be written");
        problem(&Problem::new(ProblemCode::Internal, "An event could not be written."))
    })
}

fn event(seq: i64, name: &str) -> Event {
    Event::default().id(seq.to_string()).event(name)
}

fn problem(problem: &Problem) -> Event {
    let event = Event::default().event("problem");
    event.json_data(problem).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn start_of(last: Option<&'static str>, after: Option<&str>) -> Option<i64> {
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            headers.insert("last-event-id", HeaderValue::from_static(last));
        }
        start(From { after: after.map(str::to_owned), render: None }, &headers).ok()
    }

    #[test]
    fn a_reconnecting_browser_knows_better_than_its_address() {
        assert_eq!(start_of(None, None), Some(0));
        assert_eq!(start_of(None, Some("3")), Some(3));
        assert_eq!(start_of(Some("7"), Some("3")), Some(7));
        assert_eq!(start_of(Some(""), Some("3")), Some(3));
        for bad in ["-1", "x", "99999999999999999999"] {
            assert_eq!(start_of(None, Some(bad)), None, "{bad}");
        }
    }
}
