//! Listens to a run. The browser reconnects by itself and names the last event it saw; events seen before
//! are dropped by number, so nothing is lost and nothing repeats.
//!
//! One conversation is open at a time and one run at a time runs in it, so there is one listener.

use contract::{Problem, RenderedTail, RunEventRecord, RunId};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent};

/// The event that says why there are no more.
const PROBLEM: &str = "problem";

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

/// Hands every event after `after` to `on_event`, once and in order, until the terminal one, and to `on_html`
/// what the words so far look like. `on_refused` is called when the server says why its reader may hear no more of it,
/// and `on_lost` when it goes on no more without saying why.
pub fn listen(
    run: RunId,
    after: i64,
    on_event: impl Fn(RunEventRecord) + 'static,
    on_html: impl Fn(RenderedTail) + 'static,
    on_refused: impl Fn(Problem) + 'static,
    on_lost: impl Fn() + 'static,
) {
    leave();
    let Ok(source) = EventSource::new(&format!("/api/v1/runs/{run}/events?after={after}&render=html")) else {
        return on_lost();
    };
    let mut seen = after;
    let closing = source.clone();
    let on_event = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        let data = message.data().as_string().unwrap_or_default();
        if message.type_() == RenderedTail::NAME {
            return serde_json::from_str(&data).map(&on_html).unwrap_or_default();
        }
        if message.type_() == PROBLEM {
            // What passes is no refusal: the browser comes back by itself.
            let refusal = serde_json::from_str::<Problem>(&data).ok().filter(|problem| problem.code.is_refusal());
            if let Some(problem) = refusal {
                closing.close();
                on_refused(problem);
            }
            return;
        }
        let Ok(record) = serde_json::from_str::<RunEventRecord>(&data) else { return };
        if record.seq <= seen {
            return;
        }
        seen = record.seq;
        if record.event.is_terminal() {
            closing.close();
        }
        on_event(record);
    });
    let watched = source.clone();
    let on_error = Closure::<dyn FnMut(Event)>::new(move |_: Event| {
        // While the browser reconnects by itself there is nothing to do.
        if watched.ready_state() == EventSource::CLOSED {
            on_lost();
        }
    });
    for name in ["started", "delta", "finished", "stopped", "failed", RenderedTail::NAME, PROBLEM] {
        let _ = source.add_event_listener_with_callback(name, on_event.as_ref().unchecked_ref());
    }
    source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    let listener = Listener { run, source, _on_event: on_event, _on_error: on_error };
    LISTENER.with_borrow_mut(|place| *place = Some(listener));
}
