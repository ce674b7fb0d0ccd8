//! `/admin/audit`: who changed what in the tenant.

use crate::{
    api::people::audit,
    components::console::{Console, Search, loaded},
    wording::absolute,
};
use contract::AuditEntry;
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

#[component]
pub fn AuditShow() -> impl IntoView {
    let (words, before) = use_query_map().with_untracked(|query| {
        let before: Option<i64> = query.get("before").and_then(|before| before.parse().ok());
        (query.get("q").unwrap_or_default().chars().take(100).collect::<String>(), before)
    });
    let asked = words.clone();
    let found = Resource::new_blocking(|| (), move |()| audit(before, asked.clone()));
    loaded(found, move |entries| view! { <Shown entries words=words.clone() /> }.into_any())
}

#[component]
fn Shown(entries: Vec<AuditEntry>, words: String) -> impl IntoView {
    let older = entries.last().map(|entry| entry.seq).filter(|seq| *seq > 1);
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
        <Console
            title="Audit"
            lead="Every change of members, roles, invitations and keys. Each entry seals the one before it, so that none can be altered unnoticed."
        >
            <section aria-label="Audit log">
                <Search label="Search the log" words />
                {list}
                {older.map(|seq| view! { <a class="button" href=format!("?before={seq}") rel="external">"Earlier"</a> })}
            </section>
        </Console>
    }
    .into_any()
}

fn row(entry: AuditEntry) -> impl IntoView {
    view! {
        <tr>
            <td>{absolute(entry.at)}</td>
            <td title=entry.actor>{entry.name} {entry.address.map(|address| view! { <span class="hint">" from "{address}</span> })}</td>
            <td><code>{entry.action}</code></td>
            <td>{entry.target}</td>
            <td><code>{entry.change}</code></td>
        </tr>
    }
}
