//! What came of a test request, shown once above the models.

use crate::wording::{duration, failure, grouped};
use contract::{TrialAnswer, TrialAttempt, TrialEnd, TrialView};
use leptos::prelude::*;

#[component]
pub(super) fn Trial(trial: TrialView) -> impl IntoView {
    let TrialView { model, end, attempts } = trial;
    let answered = matches!(end, TrialEnd::Answered(_));
    let (class, title) = if answered {
        ("note trial", format!("{model} answered"))
    } else {
        ("note note-problem trial", format!("{model} did not answer"))
    };
    let end = match end {
        TrialEnd::Answered(answer) => view! { <Answered answer /> }.into_any(),
        TrialEnd::Failed { code } => {
            let meant = failure(&code);
            view! { <p>"The last one asked "{meant}" ("<code>{code}</code>")."</p> }.into_any()
        }
        TrialEnd::NotAsked { reason } => view! { <p>"Nobody could be asked: "{reason}"."</p> }.into_any(),
    };
    // One that went well is told of already.
    let several = (attempts.len() > 1 || !answered && !attempts.is_empty()).then(|| {
        view! {
            <p>"Attempts, in order:"</p>
            <ol class="trial-attempts">{attempts.into_iter().map(attempt).collect_view()}</ol>
        }
    });
    view! {
        <div class=class role="status" aria-label="Test request">
            <p class="note-title">{title}</p>
            {end}
            {several}
        </div>
    }
    .into_any()
}

#[component]
fn Answered(answer: TrialAnswer) -> impl IntoView {
    let TrialAnswer { route, first_words, first_token_ms, total_ms, usage, measured, cost } = answer;
    let count = |tokens: Option<i64>| tokens.map_or_else(|| "unknown".to_owned(), grouped);
    let about = if measured { "" } else { "≈ " };
    let figures = [
        ("Answered by", route),
        ("First words after", first_token_ms.map_or_else(|| "unknown".to_owned(), duration)),
        ("In all", duration(total_ms)),
        ("Tokens", format!("{about}{} read, {} written", count(usage.input), count(usage.output))),
        (
            "Cost",
            cost.map_or_else(
                || "unknown: no price is on record".to_owned(),
                |cost| format!("{about}{}", cost.display_short()),
            ),
        ),
    ];
    let figure = |(name, value): (&'static str, String)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    view! {
        <blockquote class="trial-words">{first_words}</blockquote>
        <dl class="figures">{figures.map(figure)}</dl>
    }
}

fn attempt(attempt: TrialAttempt) -> impl IntoView {
    let TrialAttempt { route, status, error_code } = attempt;
    let meant = error_code.map(|code| format!(": {} ({code})", failure(&code)));
    view! { <li><code>{route}</code>" "{status}{meant}</li> }
}
