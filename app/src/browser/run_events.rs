//! Listens to a run. The browser reconnects by itself and names the last event it saw; events seen before
//! are dropped by number, so nothing is lost and nothing repeats.
//!
//! One conversation is open at a time and one run at a time runs in it, so there is one listener.

use contract::{AnswerDetails, Problem, RunId};
use serde::Deserialize;
use std::cell::RefCell;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent};

/// What an event tells the page, a flat reading of `contract::RunEventRecord`: the wire's tagged form would
/// bring a second copy of serde's code for everything inside it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Heard {
    pub seq: i64,
    pub event: Said,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Said {
    pub text: String,
    pub details: Option<AnswerDetails>,
    pub problem: Option<Problem>,
}

/// The SSE name of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Started,
    Delta,
    Finished,
    Stopped,
    Failed,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Started, Self::Delta, Self::Finished, Self::Stopped, Self::Failed];

    const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Delta => "delta",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    const fn is_terminal(self) -> bool {
        match self {
            Self::Started | Self::Delta => false,
            Self::Finished | Self::Stopped | Self::Failed => true,
        }
    }
}

struct Listener {
    run: RunId,
    source: EventSource,
    _on_event: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.source.close();
    }
}

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// The run that is listened to, if any.
pub fn listening() -> Option<RunId> {
    LISTENER.with_borrow(|listener| listener.as_ref().map(|listener| listener.run))
}

/// Stops listening. The run goes on.
pub fn leave() {
    let listener = LISTENER.with_borrow_mut(Option::take);
    drop(listener);
}

/// Hands every event after `after` to `on_event`, once and in order, until the terminal one. `on_lost` is
/// called when the server refuses to go on.
pub fn listen(run: RunId, after: i64, on_event: impl Fn(Kind, Heard) + 'static, on_lost: impl Fn() + 'static) {
    leave();
    let Ok(source) = EventSource::new(&format!("/api/v1/runs/{run}/events?after={after}")) else {
        return on_lost();
    };
    let mut seen = after;
    let closing = source.clone();
    let on_event = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        let name = message.type_();
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) else { return };
        let data = message.data().as_string().unwrap_or_default();
        let Ok(heard) = serde_json::from_slice::<Heard>(data.as_bytes()) else { return };
        if heard.seq <= seen {
            return;
        }
        seen = heard.seq;
        if kind.is_terminal() {
            closing.close();
        }
        on_event(kind, heard);
    });
    let watched = source.clone();
    let on_error = Closure::<dyn FnMut(Event)>::new(move |_: Event| {
        // While the browser reconnects by itself there is nothing to do.
        if watched.ready_state() == EventSource::CLOSED {
            on_lost();
        }
    });
    for kind in Kind::ALL {
        let _ = source.add_event_listener_with_callback(kind.name(), on_event.as_ref().unchecked_ref());
    }
    source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    let listener = Listener { run, source, _on_event: on_event, _on_error: on_error };
    LISTENER.with_borrow_mut(|place| *place = Some(listener));
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{FinishReason, ProblemCode, RunEvent, RunEventRecord, TokenUsage};

    #[test]
    fn every_event_of_the_wire_is_understood() {
        let details = AnswerDetails {
            model: "assistant".into(),
            route: "local/x".into(),
            usage: TokenUsage { input: Some(3), cached_input: None, output: Some(4) },
            cost: None,
            measured: true,
            first_token_ms: Some(5),
            total_ms: 6,
            config: "chat@1".into(),
        };
        let problem = Problem::new(ProblemCode::Interrupted, "cut").retry_after(3);
        let message = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let heard = |event: RunEvent| {
            assert!(
                Kind::ALL.iter().any(|kind| kind.name() == event.name() && kind.is_terminal() == event.is_terminal())
            );
            let wire = serde_json::to_string(&RunEventRecord { seq: 7, event }).unwrap();
            let heard: Heard = serde_json::from_str(&wire).unwrap();
            assert_eq!(heard.seq, 7);
            heard.event
        };
        assert_eq!(heard(RunEvent::Started { message, model: "m".into() }), Said::default());
        assert_eq!(heard(RunEvent::Delta { text: "a ".into() }).text, "a ");
        let finished = heard(RunEvent::Finished { reason: FinishReason::Length, details: details.clone() });
        assert_eq!(finished.details, Some(details.clone()));
        assert_eq!(heard(RunEvent::Stopped { details: details.clone() }).details, Some(details.clone()));
        let failed = heard(RunEvent::Failed { problem: problem.clone(), details: Some(details.clone()) });
        assert_eq!((failed.problem, failed.details), (Some(problem), Some(details)));
    }
}
