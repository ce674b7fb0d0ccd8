//! `/operator/tenants/{name}`: one of the operator's customers, and what can be done about it.

use super::list::plan_options;
use crate::{
    api::customer::{ImpersonationBegin, TenantDelete, TenantPlanSet, TenantResume, TenantSuspend, TenantView, tenant},
    components::{
        console::{Console, Question, loaded},
        form::{Field, PlainForm, Submit},
    },
    wording::{absolute, grouped},
};
use contract::{Role, TenantSummary};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;
use server_fn::ServerFn;

const MINUTES: [u64; 3] = [15, 30, 60];

#[component]
pub fn TenantShow() -> impl IntoView {
    let slug = use_params_map().with_untracked(|params| params.get("name").unwrap_or_default());
    let found = Resource::new_blocking(|| (), move |()| tenant(slug.clone()));
    loaded(found, |found| view! { <Shown found /> }.into_any())
}

#[component]
fn Shown(found: TenantView) -> impl IntoView {
    let TenantView { tenant, plans } = found;
    let lead = format!(
        "Short name {}, since {}, {} {}.",
        tenant.slug,
        absolute(tenant.created_at),
        grouped(tenant.members),
        if tenant.members == 1 { "person" } else { "people" },
    );
    let (id, slug) = (tenant.id.to_string(), tenant.slug.to_string());
    view! {
        <Console title=tenant.display_name.clone() lead>
            <section aria-labelledby="plan-heading">
                <h2 id="plan-heading">"Plan"</h2>
                <form method="post" action=TenantPlanSet::PATH class="row-form">
                    <input r#type="hidden" name="tenant" value=id.clone() />
                    <input r#type="hidden" name="slug" value=slug.clone() />
                    <select name="plan" aria-label="Plan">{plan_options(plans, tenant.plan.as_deref())}</select>
                    <button class="button">"Set"</button>
                </form>
            </section>
            <Visit tenant=tenant.clone() />
            <Suspension tenant=tenant.clone() />
            <Deletion tenant />
        </Console>
    }
    .into_any()
}

#[component]
fn Visit(tenant: TenantSummary) -> impl IntoView {
    let roles = [Role::Viewer, Role::Member, Role::Admin];
    let role = |role: Role| view! { <option value=role.as_str()>{role.as_str()}</option> };
    let minutes = |minutes: u64| view! { <option value=minutes.to_string()>{format!("{minutes} minutes")}</option> };
    let body = if tenant.suspended_for.is_some() {
        Either::Left(view! { <p class="hint">"Nobody enters a suspended tenant. Resume it first."</p> })
    } else {
        Either::Right(view! {
            <p class="hint">
                "Its people see who you are, why you are there and until when, and everything you change stands in their log. \
                 They can end it. Others’ conversations stay closed to you."
            </p>
            <PlainForm to=ImpersonationBegin::PATH class="form form-row">
                <input r#type="hidden" name="tenant" value=tenant.id.to_string() />
                <Field name="reason" label="Reason, for its people to read" />
                <div class="field">
                    <label for="role">"Role"</label>
                    <select id="role" name="role">{roles.map(role).collect_view()}</select>
                </div>
                <div class="field">
                    <label for="minutes">"For"</label>
                    <select id="minutes" name="minutes">{MINUTES.map(minutes).collect_view()}</select>
                </div>
                <Submit label="Enter" />
            </PlainForm>
        })
    };
    view! {
        <section aria-labelledby="visit">
            <h2 id="visit">"Act inside this tenant"</h2>
            {body}
        </section>
    }
    .into_any()
}

#[component]
fn Suspension(tenant: TenantSummary) -> impl IntoView {
    let (id, slug) = (tenant.id.to_string(), tenant.slug.to_string());
    let acts = match tenant.suspended_for {
        Some(reason) => Either::Left(view! {
            <p>"Suspended: "{reason}</p>
            <form method="post" action=TenantResume::PATH>
                <input r#type="hidden" name="tenant" value=id />
                <input r#type="hidden" name="slug" value=slug />
                <button class="button">"Resume"</button>
            </form>
        }),
        None => Either::Right(view! {
            <p class="hint">"Closes the tenant to its people and its keys at once. Nothing of it is lost."</p>
            <div>
                <Question
                    id="suspend".to_owned()
                    act="Suspend"
                    consequence=format!("Nobody enters {slug} any more, by session or by key, until you resume it.")
                    name=slug.clone()
                    to=TenantSuspend::PATH
                >
                    <input r#type="hidden" name="tenant" value=id />
                    <input r#type="hidden" name="slug" value=slug.clone() />
                    <div class="field">
                        <label for="suspend-reason">"Reason, for its people to read"</label>
                        <input id="suspend-reason" name="reason" autocomplete="off" required=true maxlength="300" />
                    </div>
                </Question>
            </div>
        }),
    };
    view! {
        <section aria-labelledby="suspension">
            <h2 id="suspension">"Suspension"</h2>
            {acts}
        </section>
    }
    .into_any()
}

#[component]
fn Deletion(tenant: TenantSummary) -> impl IntoView {
    let (id, slug) = (tenant.id.to_string(), tenant.slug.to_string());
    let consequence = format!(
        "Everything of {slug} is deleted for good: its {} people (unless they belong to another tenant), keys, conversations, \
         ledger and log. To keep a copy, export it first. It may take a minute.",
        grouped(tenant.members),
    );
    view! {
        <section aria-labelledby="deletion">
            <h2 id="deletion">"Deletion"</h2>
            <p class="hint">
                "Nothing of the tenant can be brought back. Keep a copy with "
                <code>{format!("seam tenant export {slug} --to FILE")}</code>
                ". What was removed where is certified in the audit log."
            </p>
            <div>
                <Question id="delete".to_owned() act="Delete" consequence name=slug.clone() to=TenantDelete::PATH>
                    <input r#type="hidden" name="tenant" value=id />
                    <input r#type="hidden" name="slug" value=slug.clone() />
                </Question>
            </div>
        </section>
    }
    .into_any()
}
