//! `/operator/audit`: what was changed on the platform itself.

use crate::{
    api::customer::{PlatformAuditView, platform_audit},
    components::{
        audit_log::{AuditLog, log_query},
        console::{Console, loaded},
    },
};
use leptos::prelude::*;

#[component]
pub fn PlatformAuditShow() -> impl IntoView {
    let (words, before) = log_query();
    let asked = words.clone();
    let found = Resource::new_blocking(|| (), move |()| platform_audit(before, asked.clone()));
    loaded(found, move |PlatformAuditView { entries, now }| {
        let words = words.clone();
        view! {
            <Console
                title="Audit"
                lead="What operators did to tenants, people and the platform. What happened inside a tenant stands in that tenant’s own log."
            >
                <AuditLog entries now words export="/operator/audit.jsonl" />
            </Console>
        }
        .into_any()
    })
}
