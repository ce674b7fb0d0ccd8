//! A form that works without JavaScript and keeps what was typed either way.
//!
//! With JavaScript it is posted in the background: errors appear beside their fields, nothing is lost.
//! Without, the browser posts it and comes back with the problem in the URL, where the same code finds it.

use crate::{api::ServerProblem, browser, components::problem::ProblemNote};
use contract::Problem;
use leptos::{ev::SubmitEvent, html::Input, prelude::*, task::spawn_local};
use leptos_router::hooks::use_query_map;
use server_fn::error::ServerFnUrlError;

/// What a form knows of itself; its fields read it from context.
#[derive(Clone, Copy)]
pub struct FormState {
    refused: RwSignal<Option<ServerProblem>>,
    pending: RwSignal<bool>,
}

impl FormState {
    /// What is wrong with a field.
    fn error(self, field: &str) -> Option<String> {
        let of_field = |refused: &ServerProblem| {
            refused.problem.errors.iter().find(|error| error.field == field).map(|error| error.detail.clone())
        };
        self.refused.with(|refused| refused.as_ref().and_then(of_field))
    }

    /// What was typed into a field before the form came back.
    fn kept(self, field: &str) -> Option<String> {
        self.refused.with_untracked(|refused| {
            let kept = refused.as_ref().map(|refused| refused.kept.as_slice()).unwrap_or_default();
            kept.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
        })
    }

    /// The problem as a whole, unless it stands beside a field.
    fn general(self) -> Option<Problem> {
        self.refused.with(|refused| {
            refused.as_ref().filter(|refused| refused.problem.errors.is_empty()).map(|refused| refused.problem.clone())
        })
    }
}

/// The problem that a form without JavaScript came back with.
pub fn problem_from_url(action: &str) -> Option<ServerProblem> {
    let query = use_query_map();
    query.with_untracked(|query| {
        let of_this_form = query.get("__path").is_some_and(|path| path == action);
        query.get("__err").filter(|_| of_this_form).map(|error| ServerFnUrlError::<ServerProblem>::decode_err(&error))
    })
}

#[component]
pub fn PlainForm(
    /// The path of the server function it posts to, such as `SignIn::PATH`.
    to: &'static str,
    #[prop(optional)] class: &'static str,
    children: Children,
) -> impl IntoView {
    let state = FormState { refused: RwSignal::new(problem_from_url(to)), pending: RwSignal::new(false) };
    provide_context(state);
    let submit = move |event: SubmitEvent| {
        let Some((form, fields)) = browser::form::submitted(&event) else { return };
        event.prevent_default();
        if state.pending.get_untracked() {
            return;
        }
        state.pending.set(true);
        spawn_local(async move {
            match browser::form::post(to, &fields).await {
                // Left pending: the page is on its way out.
                Ok(Some(path)) => drop(window().location().set_href(&path)),
                Ok(None) => {
                    state.pending.set(false);
                    state.refused.set(None);
                    form.reset();
                }
                Err(refused) => {
                    let first = refused.problem.errors.first().map(|error| error.field.clone());
                    state.pending.set(false);
                    state.refused.set(Some(refused));
                    if let Some(field) = first {
                        browser::dom::focus(&field);
                    }
                }
            }
        });
    };
    view! {
        <form method="post" action=to class=class on:submit=submit novalidate=true>
            {children()}
            {move || state.general().map(|problem| view! { <ProblemNote problem /> })}
        </form>
    }
    .into_any()
}

/// A labelled input with its hint and its error beside it.
#[component]
pub fn Field(
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(optional, into)] value: Option<String>,
    #[prop(optional)] autofocus: bool,
    /// Told about every change, for one field that follows another.
    #[prop(optional)]
    on_change: Option<Callback<String>>,
    /// Written into the field whenever it changes.
    #[prop(optional)]
    follows: Option<Signal<Option<String>>>,
) -> impl IntoView {
    let state = expect_context::<FormState>();
    let value = state.kept(name).or(value).unwrap_or_default();
    let input = NodeRef::<Input>::new();
    if let Some(follows) = follows {
        Effect::new(move |_| {
            if let (Some(input), Some(text)) = (input.get(), follows.get()) {
                input.set_value(&text);
            }
        });
    }
    let (hint_id, error_id) = (format!("{name}-hint"), format!("{name}-error"));
    let described = {
        let (hint_id, error_id) = (hint_id.clone(), error_id.clone());
        move || match (hint.is_some(), state.error(name).is_some()) {
            (true, true) => Some(format!("{error_id} {hint_id}")),
            (true, false) => Some(hint_id.clone()),
            (false, true) => Some(error_id.clone()),
            (false, false) => None,
        }
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                id=name
                name=name
                r#type=kind
                value=value
                autocomplete=autocomplete
                autofocus=autofocus
                spellcheck="false"
                autocapitalize="none"
                aria-describedby=described
                aria-invalid=move || state.error(name).map(|_| "true")
                node_ref=input
                on:input=move |event| {
                    if let Some(on_change) = on_change {
                        on_change.run(event_target_value(&event));
                    }
                }
            />
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
            {move || {
                state.error(name).map(|detail| view! { <p class="field-error" id=error_id.clone()>{sentence(&detail)}</p> })
            }}
        </div>
    }
    .into_any()
}

#[component]
pub fn Submit(
    label: &'static str,
    /// Shown while the server works on it.
    busy: &'static str,
) -> impl IntoView {
    let state = expect_context::<FormState>();
    view! {
        <button class="button button-main" aria-disabled=move || state.pending.get().then_some("true")>
            {move || if state.pending.get() { busy } else { label }}
        </button>
    }
    .into_any()
}

/// A detail that a layer wrote for the end of a line, as a sentence.
fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let mut text: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}
