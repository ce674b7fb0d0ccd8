//! What the pages of the consoles share: the head with its tabs, notes, the question before an act. Their lists are in `list`.
//!
//! Rendered on the server only; everything is a link or a plain form.

use crate::{
    api::{RefusedForm, ServerProblem},
    components::{
        form::{FormNote, of_page},
        frame::FrameResource,
        problem::ProblemPage,
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

/// The pages of the tenant's console.
const TENANT: &[(&str, &str)] = &[
    ("/admin/members", "Members"),
    ("/admin/keys", "API keys"),
    ("/admin/models", "Models"),
    ("/admin/provider-keys", "Provider keys"),
    ("/admin/sign-in", "Sign-in"),
    ("/admin/audit", "Audit"),
];
/// The pages of the operator's.
const OPERATOR: &[(&str, &str)] = &[
    ("/operator/tenants", "Tenants"),
    ("/operator/users", "Users"),
    ("/operator/models", "Models"),
    ("/operator/providers", "Providers"),
    ("/operator/audit", "Audit"),
];

#[component]
pub fn Console(#[prop(into)] title: String, #[prop(into)] lead: String, children: Children) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let tabs = if path.starts_with("/operator") { OPERATOR } else { TENANT };
    let tab = |(to, label): &(&'static str, &'static str)| {
        let here = path.starts_with(to).then_some("page");
        view! { <a href=*to rel="external" aria-current=here>{*label}</a> }
    };
    view! {
        <Title text=title.clone() />
        <main class="main console" id="main" tabindex="-1">
            <div class="console-column">
                <nav class="tabs" aria-label="Console">{tabs.iter().map(tab).collect_view()}</nav>
                <h1>{title}</h1>
                <p class="lead">{lead}</p>
                <Said />
                <PageNote />
                {children()}
            </div>
        </main>
    }
    .into_any()
}

/// Shows what a page asked for once it is there, or why it cannot be had.
pub fn loaded<T>(
    found: Resource<Result<T, ServerProblem>>,
    show: impl Fn(T) -> AnyView + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    view! {
        <Suspense>
            {move || {
                let show = show.clone();
                Suspend::new(async move {
                    match found.await {
                        Ok(found) => show(found),
                        Err(refused) => {
                            view! { <main class="main" id="main"><ProblemPage problem=refused.problem /></main> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// What the act before this page has to say. Its reader goes on from here, also by keyboard and by ear.
#[component]
pub fn Said() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let said = frame.await.ok().and_then(|frame| frame.said);
                said.map(|said| view! { <p class="note said" role="status" tabindex="-1" autofocus=true>{said}</p> })
            })}
        </Suspense>
    }
    .into_any()
}

/// What was wrong with a form of a row; `forms.js` fills it as well.
#[component]
fn PageNote() -> impl IntoView {
    let problem = RefusedForm::here().map(|refused| refused.problem.problem);
    let quiet = problem.is_none();
    let detail = problem.as_ref().map(|problem| match problem.errors.first() {
        Some(error) => error.detail.clone(),
        None => problem.detail.clone(),
    });
    let title = problem.map(|problem| problem.title);
    view! {
        <div class="note note-problem page-note" role="alert" hidden=quiet>
            <p class="note-title">{title}</p>
            <p class="note-detail">{detail}</p>
        </div>
    }
}

/// Something that is shown this once.
#[component]
pub fn Once(text: String, #[prop(into)] about: String) -> impl IntoView {
    view! {
        <div class="note once" role="status" tabindex="-1" autofocus=true>
            <p>{about}</p>
            <p class="once-text">
                <code>{text}</code>
                <button class="button button-small" r#type="button" data-copies="" hidden=true>"Copy"</button>
            </p>
        </div>
    }
}

/// A button that opens a question before an act that destroys nothing, but that should not happen by a slip of the hand.
#[component]
pub fn Consent(
    /// Of this page alone.
    id: String,
    act: &'static str,
    /// What the button that opens it is called aloud, where several are on a page.
    label: String,
    /// What happens, in a sentence or two.
    consequence: String,
    /// The path of the server function.
    to: &'static str,
    /// Hidden fields.
    children: Children,
) -> impl IntoView {
    let closes = id.clone();
    view! {
        <button class="button button-small" r#type="button" popovertarget=id.clone() aria-label=label>{act}" …"</button>
        <div class="menu question" id=id popover="auto" role="dialog" aria-label=act tabindex="-1" autofocus=true>
            <form method="post" action=of_page(to) class="form">
                <p>{consequence}</p>
                {children()}
                <FormNote />
                <div class="question-acts">
                    <button class="button" r#type="button" popovertarget=closes popovertargetaction="hide">"Cancel"</button>
                    <button class="button button-main">{act}</button>
                </div>
            </form>
        </div>
    }
    .into_any()
}

/// A button that opens the question before an act that cannot be taken back; the name of its target is typed.
#[component]
pub fn Question(
    /// Of this page alone.
    id: String,
    act: &'static str,
    /// What happens, in a sentence.
    consequence: String,
    /// What is typed to confirm.
    name: String,
    /// The path of the server function.
    to: &'static str,
    /// Hidden fields, and whatever else the act asks for.
    children: Children,
) -> impl IntoView {
    let (typed, closes) = (format!("{id}-typed"), id.clone());
    view! {
        <button class="button button-danger button-small" r#type="button" popovertarget=id.clone()>{act}" …"</button>
        <div class="menu question" id=id popover="auto" role="dialog" aria-label=act tabindex="-1" autofocus=true>
            <form method="post" action=of_page(to) class="form">
                <p>{consequence}</p>
                {children()}
                <div class="field">
                    <label for=typed.clone()>"Type " <code>{name}</code> " to confirm"</label>
                    <input id=typed.clone() name="typed" autocomplete="off" spellcheck="false" required=true />
                    <p class="field-error" id=format!("{typed}-error") role="status" hidden=true></p>
                </div>
                <FormNote />
                <div class="question-acts">
                    <button class="button" r#type="button" popovertarget=closes popovertargetaction="hide">"Cancel"</button>
                    <button class="button button-danger">{act}</button>
                </div>
            </form>
        </div>
    }
    .into_any()
}
