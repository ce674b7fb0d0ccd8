//! `/admin/audit`: who changed what in the tenant, and which operators were inside it.

use crate::{
    api::people::{AuditView, ImpersonationRevoke, audit},
    components::{
        audit_log::{AuditLog, log_query},
        console::{Console, loaded},
    },
    wording::absolute,
};
use contract::{ImpersonationView, Timestamp};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn AuditShow() -> impl IntoView {
    let (words, before) = log_query();
    let asked = words.clone();
    let found = Resource::new_blocking(|| (), move |()| audit(before, asked.clone()));
    loaded(found, move |found| view! { <Shown found words=words.clone() /> }.into_any())
}

#[component]
fn Shown(found: AuditView, words: String) -> impl IntoView {
    let AuditView { entries, visits, now } = found;
    view! {
        <Console
            title="Audit"
            lead="Every change of members, roles, invitations and keys. Each entry seals the one before it, so that none can be altered unnoticed."
        >
            {(!visits.is_empty()).then(|| view! { <Visits visits now /> })}
            <AuditLog entries now words export="/admin/audit.jsonl" />
        </Console>
    }
    .into_any()
}

#[component]
fn Visits(visits: Vec<ImpersonationView>, now: Timestamp) -> impl IntoView {
    let line = |visit: ImpersonationView| {
        let lasts = visit.ended_at.is_none() && visit.expires_at > now;
        let end = match visit.ended_at {
            Some(at) => format!("ended {}", absolute(at)),
            None if lasts => format!("until {}", absolute(visit.expires_at)),
            None => format!("ended by itself {}", absolute(visit.expires_at)),
        };
        let act = if lasts {
            Either::Left(view! {
                <form method="post" action=ImpersonationRevoke::PATH>
                    <input r#type="hidden" name="id" value=visit.id.to_string() />
                    <button class="button button-danger button-small">"End now"</button>
                </form>
            })
        } else {
            Either::Right(())
        };
        view! {
            <li>
                <span>
                    {visit.operator.to_string()}" as "{visit.role.as_str()}": "{visit.reason}
                    <span class="hint">" · from "{absolute(visit.started_at)}", "{end}</span>
                </span>
                {act}
            </li>
        }
    };
    view! {
        <section aria-labelledby="visits">
            <h2 id="visits">"Operators inside this tenant"</h2>
            <ul class="lines" role="list">{visits.into_iter().map(line).collect_view()}</ul>
        </section>
    }
    .into_any()
}
