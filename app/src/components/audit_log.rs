//! The table of an audit log, of a tenant or of the platform; rendered on the server only.
//!
//! On narrow screens its rows are blocks; what a change says in words is `audit_change`.

use super::{
    audit_change::{Line, Told, told},
    list::form_encoded,
};
use crate::{
    components::list::Search,
    wording::{absolute, ago, machine},
};
use contract::{AuditEntry, Timestamp};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

/// So many lines of a change are shown at once; more are opened.
const SHOWN: usize = 8;

/// What the address of a log asks for: words, and the number before which its entries lie.
pub fn log_query() -> (String, Option<i64>) {
    use_query_map().with_untracked(|query| {
        let before: Option<i64> = query.get("before").and_then(|before| before.parse().ok());
        (query.get("q").unwrap_or_default().chars().take(100).collect::<String>(), before)
    })
}

#[component]
pub fn AuditLog(
    entries: Vec<AuditEntry>,
    now: Timestamp,
    words: String,
    /// Where the whole log is downloaded.
    export: &'static str,
) -> impl IntoView {
    let older = entries.last().map(|entry| entry.seq).filter(|seq| *seq > 1);
    let older = older.map(|seq| format!("?q={}&before={seq}", form_encoded(&words)));
    let paged = log_query().1.is_some() && !entries.is_empty();
    let newest = paged.then(|| format!("?q={}", form_encoded(&words)));
    let list = if entries.is_empty() {
        Either::Left(view! { <Nothing words=words.clone() /> })
    } else {
        Either::Right(view! {
            <div class="table-scroll" tabindex="0" role="region" aria-label="Entries">
                <table class="log">
                    <thead><tr><th>"When"</th><th>"Who"</th><th>"What"</th><th>"To whom"</th><th>"Change"</th></tr></thead>
                    <tbody>{entries.into_iter().map(|entry| row(entry, now)).collect_view()}</tbody>
                </table>
            </div>
        })
    };
    view! {
        <section aria-label="Audit log">
            <Search label="Search the log" words />
            {list}
            <p class="console-pages">
                {newest.map(|to| view! { <a class="button" href=to rel="external">"Newest"</a> })}
                {older.map(|to| view! { <a class="button" href=to rel="external">"Earlier"</a> })}
                <a class="button" href=export rel="external" download="">"Download the whole log"</a>
            </p>
        </section>
    }
    .into_any()
}

#[component]
fn Nothing(words: String) -> impl IntoView {
    let paged = log_query().1.is_some();
    let said = if !words.is_empty() {
        format!("No entry mentions “{words}”.")
    } else if paged {
        "There is nothing before this.".to_owned()
    } else {
        "Nothing was changed yet.".to_owned()
    };
    let back = (paged || !words.is_empty()).then(|| view! { <a href="?" rel="external">"Show the newest"</a> });
    view! { <p class="hint">{said}" "{back}</p> }
}

fn row(entry: AuditEntry, now: Timestamp) -> impl IntoView {
    let Told { lines, whole } = told(&entry.action, &entry.change);
    view! {
        <tr>
            <td class="log-when" data-label="When">
                <time datetime=machine(entry.at) title=absolute(entry.at)>{ago(now, entry.at)}</time>
                <span class="hint below">{absolute(entry.at)}</span>
            </td>
            <td class="log-who" data-label="Who" title=entry.actor>
                {entry.name}
                {entry.on_behalf_of.map(|whom| view! { <span class="hint below">"for "{whom}</span> })}
                {entry.address.map(|address| view! { <span class="hint below">"from "{address}</span> })}
            </td>
            <td data-label="What"><code>{entry.action}</code></td>
            <td class="log-whom" data-label="To whom">{entry.target}</td>
            <td class="log-change" data-label="Change"><Change lines whole /></td>
        </tr>
    }
}

#[component]
fn Change(mut lines: Vec<Line>, whole: Vec<Line>) -> impl IntoView {
    if lines.is_empty() {
        return view! { <span class="hint">"–"</span> }.into_any();
    }
    let more = lines.split_off(lines.len().min(SHOWN));
    let further = match (more.len(), whole.len()) {
        (0, 0) => None,
        (0, _) => Some(("The whole certificate".to_owned(), whole)),
        (count, _) => Some((format!("{count} more"), more)),
    };
    view! {
        <ul class="changes" role="list">{lines.into_iter().map(line).collect_view()}</ul>
        {further.map(|(label, lines)| view! {
            <details>
                <summary>{label}</summary>
                <ul class="changes" role="list">{lines.into_iter().map(line).collect_view()}</ul>
            </details>
        })}
    }
    .into_any()
}

fn line(line: Line) -> impl IntoView {
    let field = |field: String| view! { <span class="change-field">{field}": "</span> };
    match line {
        Line::Said(said) => view! { <li>{said}</li> }.into_any(),
        Line::Set { field: name, value } => view! { <li>{field(name)}{value}</li> }.into_any(),
        Line::Was { field: name, value } => view! { <li>{field(name)}"was "{value}</li> }.into_any(),
        Line::Changed { field: name, old, new } => view! { <li>{field(name)}{old}" → "<b>{new}</b></li> }.into_any(),
    }
}
