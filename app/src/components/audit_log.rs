//! The table of an audit log, of a tenant or of the platform; rendered on the server only.

use crate::{components::list::Search, wording::absolute};
use contract::AuditEntry;
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

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
    words: String,
    /// Where the whole log is downloaded.
    export: &'static str,
) -> impl IntoView {
    let older = entries.last().map(|entry| entry.seq).filter(|seq| *seq > 1);
    let older = older.map(|seq| format!("?q={}&before={seq}", super::list::form_encoded(&words)));
    let list = if entries.is_empty() {
        Either::Left(view! { <p class="hint">"Nothing was changed yet, or nothing that matches."</p> })
    } else {
        Either::Right(view! {
            <div class="table-scroll" tabindex="0" role="region" aria-label="Entries">
                <table>
                    <thead><tr><th>"When"</th><th>"Who"</th><th>"What"</th><th>"To whom"</th><th>"Change"</th></tr></thead>
                    <tbody>{entries.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        })
    };
    view! {
        <section aria-label="Audit log">
            <Search label="Search the log" words />
            {list}
            <p class="console-pages">
                {older.map(|to| view! { <a class="button" href=to rel="external">"Earlier"</a> })}
                <a class="button" href=export rel="external" download="">"Download the whole log"</a>
            </p>
        </section>
    }
    .into_any()
}

fn row(entry: AuditEntry) -> impl IntoView {
    view! {
        <tr>
            <td>{absolute(entry.at)}</td>
            <td title=entry.actor>
                {entry.name}
                {entry.on_behalf_of.map(|whom| view! { <span class="hint">" for "{whom}</span> })}
                {entry.address.map(|address| view! { <span class="hint">" from "{address}</span> })}
            </td>
            <td><code>{entry.action}</code></td>
            <td>{entry.target}</td>
            <td><code>{entry.change}</code></td>
        </tr>
    }
}
