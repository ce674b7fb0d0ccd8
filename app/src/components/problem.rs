//! How a problem is shown: what happened, what to do, the trace id to hand on.

use contract::{Problem, ProblemCode};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

/// A problem in its place: beside a form, under an answer.
#[component]
pub fn ProblemNote(problem: Problem) -> impl IntoView {
    view! {
        <div class="note note-problem" role="alert">
            <p class="note-title">{problem.title}</p>
            <p>{problem.detail}</p>
            {problem.trace_id.map(|id| view! { <p class="note-trace">"Trace " <code>{id}</code></p> })}
        </div>
    }
    .into_any()
}

/// A problem that takes the place of what was asked for.
#[component]
pub fn ProblemPage(problem: Problem) -> impl IntoView {
    let in_chat = use_location().pathname.with_untracked(|path| path.starts_with("/chat"));
    let (href, label) = if problem.code == ProblemCode::NotSignedIn {
        ("/login", "Sign in")
    } else if problem.code.status() >= 500 {
        // What failed for the moment is worth another try; the empty address is this page.
        ("", "Try again")
    } else if problem.code == ProblemCode::PermissionDenied && in_chat {
        // Where the chat itself is refused, such as while the tenant is suspended.
        ("/settings", "Go to Settings")
    } else {
        ("/chat", "Go to the chat")
    };
    view! {
        <Title text=problem.title.clone() />
        <div class="blank">
            <h1>{problem.title}</h1>
            <p>{problem.detail}</p>
            {problem.trace_id.map(|id| view! { <p class="note-trace">"Trace " <code>{id}</code></p> })}
            <a class="button" href=href rel="external">
                {label}
            </a>
        </div>
    }
    .into_any()
}
