//! `/operator/tenants`: the operator's customers.

use crate::{
    api::customer::{TenantOpen, TenantsView, tenants},
    components::{
        console::{Console, Once, loaded},
        form::{Field, PlainForm, Submit},
        list::{NoRows, OnDay, Pages, Search, SortHead, list_query},
    },
};
use contract::{ListOrder, ListQuery, TenantSummary};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn TenantList() -> impl IntoView {
    let query = list_query();
    let asked = query.clone();
    let found = Resource::new_blocking(|| (), move |()| tenants(asked.clone()));
    loaded(found, move |found| view! { <Shown found query=query.clone() /> }.into_any())
}

#[component]
fn Shown(found: TenantsView, query: ListQuery) -> impl IntoView {
    let TenantsView { tenants, plans, link } = found;
    let (number, last, total) = (tenants.number, tenants.last(), tenants.total);
    let list = if tenants.items.is_empty() {
        Either::Left(
            view! { <NoRows query=query.clone() total none="There is no tenant yet. Open the first one above." /> },
        )
    } else {
        Either::Right(view! { <Table tenants=tenants.items query=query.clone() /> })
    };
    view! {
        <Console title="Tenants" lead="Your customers. Each has its people, its keys and its data to itself.">
            {link.map(|link| view! {
                <Once text=link about="Send this link to the new tenant’s first admin. It works once, within seven days, and is shown only now." />
            })}
            <section aria-labelledby="open">
                <h2 id="open">"Open a tenant"</h2>
                <PlainForm to=TenantOpen::PATH class="form form-row">
                    <Field name="name" label="Name" autocomplete="organization" />
                    <Field name="slug" label="Short name" follows="name" />
                    <div class="field">
                        <label for="plan">"Plan"</label>
                        <select id="plan" name="plan">{plan_options(plans, None)}</select>
                    </div>
                    <Field name="admin" label="First admin’s e-mail" kind="email" hint="Is invited by a link. Empty: nobody yet." />
                    <Submit label="Open" />
                </PlainForm>
            </section>
            <section aria-labelledby="tenants">
                <h2 id="tenants">"All tenants"</h2>
                <Search label="Search by name" words=query.words.clone() keep=query.clone() />
                {list}
                <Pages query number last total nouns=("tenant", "tenants") />
            </section>
        </Console>
    }
    .into_any()
}

#[component]
fn Table(tenants: Vec<TenantSummary>, query: ListQuery) -> impl IntoView {
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="List of tenants">
            <table>
                <thead>
                    <tr>
                        <SortHead label="Tenant" query=query.clone() up=ListOrder::Name down=ListOrder::NameDown />
                        <th>"Plan"</th><th class="number">"People"</th>
                        <SortHead label="Since" query=query.clone() up=ListOrder::Created down=ListOrder::CreatedDown />
                        <th>"State"</th>
                    </tr>
                </thead>
                <tbody>{tenants.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The plans to choose from, and none.
pub(super) fn plan_options(plans: Vec<String>, chosen: Option<&str>) -> impl IntoView {
    let option = |plan: String| {
        let selected = chosen == Some(plan.as_str());
        let name = plan.clone();
        view! { <option value=plan selected=selected>{name}</option> }
    };
    let none = chosen.is_none();
    view! {
        <option value="" selected=none>"none"</option>
        {plans.into_iter().map(option).collect_view()}
    }
}

fn row(tenant: TenantSummary) -> impl IntoView {
    let to = format!("/operator/tenants/{}", tenant.slug);
    let state = match tenant.suspended_for {
        _ if tenant.being_deleted => "being deleted".to_owned(),
        Some(reason) => format!("suspended: {reason}"),
        None => "open".to_owned(),
    };
    view! {
        <tr>
            <td><a href=to rel="external">{tenant.display_name}</a><span class="hint">" · "{tenant.slug.to_string()}</span></td>
            <td data-label="Plan">{tenant.plan.unwrap_or_else(|| "none".to_owned())}</td>
            <td class="number" data-label="People">{crate::wording::grouped(tenant.members)}</td>
            <td data-label="Since"><OnDay at=tenant.created_at /></td>
            <td data-label="State">{state}</td>
        </tr>
    }
}
