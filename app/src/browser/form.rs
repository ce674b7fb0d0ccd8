//! Sends a plain form in the background and reads the answer, so that what was typed stays where it is.

use crate::api::{ServerProblem, no_connection};
use contract::{Problem, ProblemCode};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{FormData, HtmlButtonElement, HtmlFormElement, RequestInit, Response, SubmitEvent, UrlSearchParams};

/// Marks a redirect that the page, rather than `fetch`, is to follow.
const GO: &str = "serverfnredirect";

/// The form of a submit event with its fields as they are now, and those of the button that was pressed.
pub fn submitted(event: &SubmitEvent) -> Option<(HtmlFormElement, UrlSearchParams)> {
    let form: HtmlFormElement = event.target()?.dyn_into().ok()?;
    let fields = FormData::new_with_form(&form).ok()?;
    let button = event.submitter().and_then(|button| button.dyn_into::<HtmlButtonElement>().ok());
    if let Some(button) = button.filter(|button| !button.name().is_empty()) {
        let _ = fields.append_with_str(&button.name(), &button.value());
    }
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&fields).ok()?;
    Some((form, fields))
}

/// Posts the fields. Ok carries where to go next.
pub async fn post(action: &str, fields: &UrlSearchParams) -> Result<Option<String>, ServerProblem> {
    let offline = |_: JsValue| ServerProblem { problem: no_connection(), kept: Vec::new() };
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_body(fields);
    let headers = web_sys::Headers::new().map_err(offline)?;
    headers.set("accept", "application/json").map_err(offline)?;
    request.set_headers(&headers);
    let response = JsFuture::from(window().fetch_with_str_and_init(action, &request)).await.map_err(offline)?;
    let response: Response = response.unchecked_into();
    if response.ok() {
        let go = response.headers().has(GO).unwrap_or(false);
        return Ok(if go { response.headers().get("location").ok().flatten() } else { None });
    }
    let body = JsFuture::from(response.text().map_err(offline)?).await.map_err(offline)?;
    Err(problem_of(&body.as_string().unwrap_or_default(), response.status()))
}

/// The problem in a refused request's body; the server's own layers answer with a bare one.
fn problem_of(body: &str, status: u16) -> ServerProblem {
    serde_json::from_str::<ServerProblem>(body)
        .or_else(|_| serde_json::from_str::<Problem>(body).map(|problem| ServerProblem { problem, kept: Vec::new() }))
        .unwrap_or_else(|_| {
            let detail = format!("The server answered with status {status}. Try again in a moment.");
            ServerProblem { problem: Problem::new(ProblemCode::Internal, detail), kept: Vec::new() }
        })
}
