//! `/operator/tenants`: the operator's customers.

use crate::{
    api::customer::{TenantResume, TenantSuspend, tenants},
    components::console::{Console, Pages, Question, Search, list_query, loaded},
    wording::absolute,
};
use contract::{Page, TenantSummary};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn TenantList() -> impl IntoView {
    let query = list_query();
    let words = query.words.clone();
    let found = Resource::new_blocking(|| (), move |()| tenants(query.clone()));
    loaded(found, move |page| view! { <Shown page words=words.clone() /> }.into_any())
}

#[component]
fn Shown(page: Page<TenantSummary>, words: String) -> impl IntoView {
    let (number, last, total) = (page.number, page.last(), page.total);
    view! {
        <Console title="Tenants" lead="Your customers. A suspended tenant is closed to its people and its keys; nothing of it is lost.">
            <section aria-label="Tenants">
                <Search label="Search by name" words=words.clone() />
                <div class="table-scroll" tabindex="0" role="region" aria-label="List of tenants">
                    <table>
                        <thead>
                            <tr>
                                <th>"Tenant"</th><th>"Plan"</th><th class="number">"People"</th><th>"Since"</th><th>"State"</th>
                                <th><span class="visually-hidden">"Acts"</span></th>
                            </tr>
                        </thead>
                        <tbody>{page.items.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
                <Pages words number last total nouns=("tenant", "tenants") />
            </section>
        </Console>
    }
    .into_any()
}

fn row(tenant: TenantSummary) -> impl IntoView {
    let (id, slug) = (tenant.id.to_string(), tenant.slug.to_string());
    let called = slug.clone();
    let acts = if tenant.suspended_for.is_some() {
        Either::Left(view! {
            <form method="post" action=TenantResume::PATH>
                <input r#type="hidden" name="tenant" value=id />
                <button class="button button-small" aria-label=format!("Resume {slug}")>"Resume"</button>
            </form>
        })
    } else {
        let reason = format!("suspend-{id}-reason");
        Either::Right(view! {
            <Question
                id=format!("suspend-{id}")
                act="Suspend"
                consequence=format!("Nobody enters {slug} any more, by session or by key, until you resume it.")
                name=slug.clone()
                to=TenantSuspend::PATH
            >
                <input r#type="hidden" name="tenant" value=id />
                <input r#type="hidden" name="slug" value=slug.clone() />
                <div class="field">
                    <label for=reason.clone()>"Reason, for its people to read"</label>
                    <input id=reason name="reason" autocomplete="off" required=true maxlength="300" />
                </div>
            </Question>
        })
    };
    let state = tenant.suspended_for.map_or_else(|| "open".to_owned(), |reason| format!("suspended: {reason}"));
    view! {
        <tr>
            <td>{tenant.display_name}<span class="hint">" · "{called}</span></td>
            <td>{tenant.plan.unwrap_or_else(|| "none".to_owned())}</td>
            <td class="number">{crate::wording::grouped(tenant.members)}</td>
            <td>{absolute(tenant.created_at)}</td>
            <td>{state}</td>
            <td>{acts}</td>
        </tr>
    }
}
