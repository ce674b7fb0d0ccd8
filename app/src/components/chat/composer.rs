//! Where messages are written: a form that also works without JavaScript.
//!
//! The field is uncontrolled: a keystroke touches no signal, so typing never waits for the page. Enter
//! sends, Shift-Enter breaks, Esc stops, ↑ in an empty field edits the last message.

use super::state::ThreadState;
use crate::{
    api::{RefusedForm, chat::MessagePost},
    browser::{dom, draft},
    components::{
        icon::{Glyph, Icon},
        problem::ProblemNote,
    },
    escape,
};
use contract::{ModelView, RunStarted};
use leptos::{
    ev::{KeyboardEvent, SubmitEvent},
    html::Textarea,
    prelude::*,
};
use leptos_router::hooks::use_navigate;
use server_fn::ServerFn;
use std::time::Duration;

/// A draft is written down when typing rests this long.
const REST: Duration = Duration::from_millis(300);

#[component]
pub fn Composer(
    state: ThreadState,
    models: Vec<ModelView>,
    field: NodeRef<Textarea>,
    /// A form of this page that came back.
    refused: Option<RefusedForm>,
) -> impl IntoView {
    let conversation = state.conversation.get_value();
    let of_this = refused.as_ref().filter(|refused| refused.path == MessagePost::PATH);
    let kept = of_this.and_then(|refused| refused.problem.kept.first()).map(|(_, text)| escape::escaped(text));
    if let Some(refused) = refused {
        state.problem.set(Some(refused.problem.problem));
    }
    Effect::new(move |_| {
        let Some(field) = field.get() else { return };
        let saved = draft::load(conversation);
        if !saved.is_empty() || field.value().is_empty() {
            field.set_value(&saved);
        }
        if dom::has_fine_pointer() {
            let _ = field.focus();
        }
    });
    let navigate = StoredValue::new(use_navigate());
    let arrived = move |started: RunStarted| {
        if let Some(field) = field.get_untracked() {
            field.set_value("");
        }
        // The first message gives the conversation its address.
        if conversation.is_none() {
            let path = format!("/chat/{}", started.conversation);
            navigate.with_value(|navigate| navigate(&path, Default::default()));
        }
    };
    let send = move || {
        if let Some(field) = field.get_untracked() {
            state.send(field.value(), arrived);
        }
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    let keys = move |event: KeyboardEvent| match event.key().as_str() {
        "Enter" if !event.shift_key() && !event.is_composing() && dom::has_fine_pointer() => {
            event.prevent_default();
            send();
        }
        "ArrowUp" if field.get_untracked().is_some_and(|field| field.value().is_empty()) => {
            if let Some(last) = state.last_own() {
                event.prevent_default();
                state.editing.set(Some(last));
            }
        }
        _ => {}
    };
    let mut keep = debounce(REST, move |text: String| draft::keep(conversation, &text));
    Effect::new(move |_| {
        let keys = window_event_listener(leptos::ev::keydown, move |event: KeyboardEvent| {
            if event.key() == "Escape" && state.running.get_untracked().is_some() {
                state.stop();
            }
        });
        on_cleanup(move || keys.remove());
    });
    let running = move || state.running.get().is_some();
    let options = models.into_iter().map(move |model| view! { <ModelOption model state /> }).collect_view();
    view! {
        <form class="composer" method="post" action=MessagePost::PATH on:submit=submit>
            {move || state.problem.get().map(|problem| view! { <ProblemNote problem /> })}
            <div class="composer-box">
                {state.tenant.map(|id| view! { <input r#type="hidden" name="tenant" value=id.to_string() /> })}
                {conversation.map(|id| view! { <input r#type="hidden" name="conversation" value=id.to_string() /> })}
                <textarea
                    node_ref=field
                    id="composer-text"
                    name="text"
                    rows="1"
                    required=true
                    aria-label="Message"
                    placeholder="Ask anything"
                    aria-describedby="composer-keys"
                    on:keydown=keys
                    on:input=move |event| keep(event_target_value(&event))
                    inner_html=kept
                ></textarea>
                <div class="composer-bar">
                    <select
                        name="model"
                        aria-label="Model"
                        on:change=move |event| state.model.set(event_target_value(&event))
                    >
                        {options}
                    </select>
                    <span class="composer-keys" id="composer-keys">
                        "Enter sends, Shift-Enter breaks"
                    </span>
                    <button
                        class="send"
                        aria-label="Send"
                        title="Send (Enter)"
                        data-hidden=move || running().then_some("")
                        aria-disabled=move || state.busy.get().then_some("true")
                    >
                        <Icon glyph=Glyph::Send />
                    </button>
                    <button
                        class="send send-stop"
                        r#type="button"
                        aria-label="Stop"
                        title="Stop (Esc)"
                        data-hidden=move || (!running()).then_some("")
                        on:click=move |_| state.stop()
                    >
                        <Icon glyph=Glyph::Stop />
                    </button>
                </div>
            </div>
        </form>
    }
    .into_any()
}

#[component]
fn ModelOption(model: ModelView, state: ThreadState) -> impl IntoView {
    let selected = state.model.get_untracked() == model.name;
    let label = if model.available { model.name.clone() } else { format!("{} (not available)", model.name) };
    let title = model.unavailable_reason.unwrap_or_else(|| format!("answered by {}", model.route));
    view! {
        <option value=model.name selected=selected disabled=!model.available title=title>
            {label}
        </option>
    }
    .into_any()
}
