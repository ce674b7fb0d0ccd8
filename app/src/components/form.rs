//! A form that works without JavaScript and keeps what was typed either way.
//!
//! Rendered on the server only. Posted by the browser itself, a refused form comes back with the
//! problem and is rendered with it; `forms.js` posts it in the background and fills in the same places.

use crate::api::{
    RefusedForm, ServerProblem,
    context::{self, PAGE_OF},
};
use leptos::prelude::*;

/// What was wrong with a form that came back; its fields read it from context.
#[derive(Clone, Default)]
struct Refused(Option<ServerProblem>);

impl Refused {
    /// What is wrong with a field.
    fn error(&self, field: &str) -> Option<String> {
        let errors = self.0.as_ref().map(|refused| refused.problem.errors.as_slice()).unwrap_or_default();
        errors.iter().find(|error| error.field == field).map(|error| error.detail.clone())
    }

    /// What was typed into a field before the form came back.
    fn kept(&self, field: &str) -> Option<String> {
        let kept = self.0.as_ref().map(|refused| refused.kept.as_slice()).unwrap_or_default();
        kept.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
    }
}

/// Where a form posts to, with the tenant whose page it stands on: another tab may have gone to another tenant by then.
pub fn of_page(path: &str) -> String {
    match context::tenant_of_page() {
        Some(tenant) => format!("{path}?{PAGE_OF}={tenant}"),
        None => path.to_owned(),
    }
}

#[component]
pub fn PlainForm(
    /// The path of the server function it posts to, such as `SignIn::PATH`.
    to: &'static str,
    #[prop(optional)] class: &'static str,
    children: Children,
) -> impl IntoView {
    let refused = RefusedForm::of(to);
    let general = refused.as_ref().map(|refused| &refused.problem).filter(|problem| problem.errors.is_empty());
    let (title, detail) = general.map(|problem| (problem.title.clone(), problem.detail.clone())).unwrap_or_default();
    let quiet = general.is_none();
    provide_context(Refused(refused));
    view! {
        <form method="post" action=of_page(to) class=class novalidate=true>
            {children()}
            <div class="note note-problem form-note" role="alert" hidden=quiet>
                <p class="note-title">{title}</p>
                <p class="note-detail">{detail}</p>
            </div>
        </form>
    }
    .into_any()
}

/// Where `forms.js` says what was wrong with a form as a whole, in the form itself: it may stand before the page.
#[component]
pub fn FormNote() -> impl IntoView {
    view! {
        <div class="note note-problem form-note" role="alert" hidden=true>
            <p class="note-title"></p>
            <p class="note-detail"></p>
        </div>
    }
}

/// A labelled input with its hint and its error beside it.
#[component]
pub fn Field(
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(optional)] autofocus: bool,
    /// What stands in it to begin with.
    #[prop(optional, into)]
    value: String,
    /// The field from which this one is suggested.
    #[prop(optional)]
    follows: Option<&'static str>,
) -> impl IntoView {
    let refused = use_context::<Refused>().unwrap_or_default();
    let (hint_id, error_id) = (format!("{name}-hint"), format!("{name}-error"));
    let described = if hint.is_some() { format!("{error_id} {hint_id}") } else { error_id.clone() };
    let error = refused.error(name);
    let sound = error.is_none();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                id=name
                name=name
                r#type=kind
                value=refused.kept(name).or((!value.is_empty()).then_some(value))
                autocomplete=autocomplete
                autofocus=autofocus
                spellcheck="false"
                autocapitalize="none"
                aria-describedby=described
                aria-invalid=(!sound).then_some("true")
                data-follows=follows
            />
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
            <p class="field-error" id=error_id role="status" hidden=sound>
                {error.unwrap_or_default()}
            </p>
        </div>
    }
    .into_any()
}

/// A labelled choice with its error beside it.
#[component]
pub fn Choice(
    name: &'static str,
    label: &'static str,
    /// What is sent, and what stands there; the first is chosen to begin with.
    options: Vec<(String, String)>,
) -> impl IntoView {
    let refused = use_context::<Refused>().unwrap_or_default();
    let (error_id, error, kept) = (format!("{name}-error"), refused.error(name), refused.kept(name));
    let sound = error.is_none();
    let option = |(value, words): (String, String)| {
        let chosen = kept.as_deref() == Some(value.as_str());
        view! { <option value=value selected=chosen>{words}</option> }
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <select id=name name=name aria-describedby=error_id.clone() aria-invalid=(!sound).then_some("true")>
                {options.into_iter().map(option).collect_view()}
            </select>
            <p class="field-error" id=error_id role="status" hidden=sound>
                {error.unwrap_or_default()}
            </p>
        </div>
    }
    .into_any()
}

#[component]
pub fn Submit(label: &'static str) -> impl IntoView {
    view! { <button class="button button-main">{label}</button> }
}
