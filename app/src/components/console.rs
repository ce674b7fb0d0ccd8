//! What the pages of the consoles share: the head with its tabs, search, pages, notes, the question before an act.
//!
//! Rendered on the server only; everything is a link or a plain form, and the address holds the state of a view.

use crate::{
    api::{RefusedForm, ServerProblem},
    components::problem::ProblemPage,
};
use contract::{ListOrder, ListQuery};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_query_map};

/// The pages of the tenant's console.
const TENANT: &[(&str, &str)] = &[
    ("/admin/members", "Members"),
    ("/admin/keys", "API keys"),
    ("/admin/sign-in", "Sign-in"),
    ("/admin/audit", "Audit"),
];
/// The pages of the operator's.
const OPERATOR: &[(&str, &str)] =
    &[("/operator/tenants", "Tenants"), ("/operator/users", "Users"), ("/operator/audit", "Audit")];

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
pub fn Once(text: String, about: &'static str) -> impl IntoView {
    view! {
        <div class="note once" role="status">
            <p>{about}</p>
            <p><code>{text}</code></p>
        </div>
    }
}

/// What a list's address asks for.
pub fn list_query() -> ListQuery {
    use_query_map().with_untracked(|query| ListQuery {
        words: query.get("q").unwrap_or_default().chars().take(100).collect(),
        page: query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, 1_000_000),
        order: query.get("sort").and_then(|order| order.parse().ok()).unwrap_or_default(),
    })
}

#[component]
pub fn Search(label: &'static str, words: String, #[prop(optional)] order: ListOrder) -> impl IntoView {
    let sorted =
        (order != ListOrder::default()).then(|| view! { <input r#type="hidden" name="sort" value=order.as_str() /> });
    view! {
        <form class="console-search" method="get" role="search">
            {sorted}
            <input r#type="search" name="q" aria-label=label placeholder=label value=words autocomplete="off" maxlength="100" />
            <button class="button">"Search"</button>
        </form>
    }
}

/// ‹ 2 of 7 ›, and how many there are in all.
#[component]
pub fn Pages(
    query: ListQuery,
    number: i64,
    last: i64,
    total: i64,
    /// What one of them is called, and what several are.
    nouns: (&'static str, &'static str),
) -> impl IntoView {
    let noun = if total == 1 { nouns.0 } else { nouns.1 };
    let step = |page: i64, label: &'static str| {
        let to = address(&ListQuery { page, ..query.clone() });
        (1..=last).contains(&page).then(|| view! { <a class="button" href=to rel="external">{label}</a> })
    };
    view! {
        <p class="console-pages">
            <span>{format!("{} {noun}", crate::wording::grouped(total))}</span>
            {step(number - 1, "Previous")}
            {(last > 1).then(|| view! { <span>{format!("page {number} of {last}")}</span> })}
            {step(number + 1, "Next")}
        </p>
    }
}

/// A column's head that sorts the list by it, and the other way round when it does already.
#[component]
pub fn SortHead(label: &'static str, query: ListQuery, up: ListOrder, down: ListOrder) -> impl IntoView {
    let (sorted, next) = match query.order {
        order if order == up => (Some("ascending"), down),
        order if order == down => (Some("descending"), up),
        ListOrder::Name | ListOrder::NameDown | ListOrder::Created | ListOrder::CreatedDown => (None, up),
    };
    let arrow = sorted.map(|sorted| if sorted == "ascending" { " ↑" } else { " ↓" });
    let to = address(&ListQuery { order: next, page: 1, ..query });
    view! { <th aria-sort=sorted><a href=to rel="external">{label}<span aria-hidden="true">{arrow}</span></a></th> }
}

/// The address of a list on the page that shows it.
fn address(query: &ListQuery) -> String {
    let ListQuery { words, page, order } = query;
    format!("?q={}&sort={}&page={page}", form_encoded(words), order.as_str())
}

pub(super) fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
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
    let typed = format!("{id}-typed");
    view! {
        <button class="button button-danger button-small" r#type="button" popovertarget=id.clone()>{act}" …"</button>
        <div class="menu question" id=id popover="auto">
            <form method="post" action=to class="form">
                <p>{consequence}</p>
                {children()}
                <div class="field">
                    <label for=typed.clone()>"Type " <code>{name}</code> " to confirm"</label>
                    <input id=typed.clone() name="typed" autocomplete="off" spellcheck="false" required=true />
                    <p class="field-error" id=format!("{typed}-error") role="status" hidden=true></p>
                </div>
                <button class="button button-danger">{act}</button>
            </form>
        </div>
    }
    .into_any()
}
