//! `/operator/tenants/{name}`: one of the operator's customers, and what can be done about it.

use super::list::plan_options;
use crate::{
    api::customer::{
        ImpersonationBegin, TenantDelete, TenantDomainConfirm, TenantDomainWithdraw, TenantPlanSet, TenantResume,
        TenantSuspend, TenantView, tenant,
    },
    components::{
        console::{Consent, Console, Question, loaded},
        form::{Field, PlainForm, Submit},
        list::OnDay,
    },
    wording::{absolute, grouped},
};
use contract::{DomainClaimView, Role, TenantSummary};
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
    let TenantView { tenant, plans, domains } = found;
    let lead = format!(
        "Short name {}, since {}, {} {}.",
        tenant.slug,
        absolute(tenant.created_at),
        grouped(tenant.members),
        if tenant.members == 1 { "person" } else { "people" },
    );
    let (id, slug) = (tenant.id.to_string(), tenant.slug.to_string());
    if tenant.being_deleted {
        return view! {
            <Console title=tenant.display_name.clone() lead>
                <Deletion tenant />
            </Console>
        }
        .into_any();
    }
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
            {(!domains.is_empty()).then(|| view! { <Domains tenant=tenant.clone() domains /> })}
            <Visit tenant=tenant.clone() />
            <Suspension tenant=tenant.clone() />
            <Deletion tenant />
        </Console>
    }
    .into_any()
}

#[component]
fn Domains(tenant: TenantSummary, domains: Vec<DomainClaimView>) -> impl IntoView {
    view! {
        <section aria-labelledby="domains-heading">
            <h2 id="domains-heading">"E-mail domains"</h2>
            <p class="hint">
                "What the tenant says is its own, for single sign-on. Nothing of it was checked by Seam: ask for a proof before you \
                 confirm, such as a DNS record that they set at your word."
            </p>
            <div class="table-scroll" tabindex="0" role="region" aria-label="List of domains">
                <table>
                    <thead>
                        <tr>
                            <th>"Domain"</th><th>"Claimed"</th><th>"State"</th>
                            <th><span class="visually-hidden">"Acts"</span></th>
                        </tr>
                    </thead>
                    <tbody>{domains.into_iter().map(|claim| domain_row(claim, &tenant)).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn domain_row(claim: DomainClaimView, tenant: &TenantSummary) -> impl IntoView {
    let name = claim.domain.to_string();
    let others = claim.other_claims;
    let disputed = (others > 0 && claim.confirmed_at.is_none() && claim.held_by.is_none()).then(|| {
        let others = if others == 1 {
            "Another tenant claims it too".to_owned()
        } else {
            format!("{others} other tenants claim it too")
        };
        view! { <strong class="below">{others}</strong> }
    });
    let state = match (claim.confirmed_at, &claim.held_by) {
        (Some(at), _) => view! {
            <span>"confirmed "</span><OnDay at />
            <span class="hint below">"by "{claim.confirmed_by.clone().unwrap_or_default()}</span>
        }
        .into_any(),
        (None, Some(holder)) => {
            let to = format!("/operator/tenants/{holder}");
            view! { <span>"is confirmed for "<a href=to rel="external">{holder.to_string()}</a></span> }.into_any()
        }
        (None, None) => view! { <span>"waits for you"</span>{disputed} }.into_any(),
    };
    view! {
        <tr>
            <td class="cell-name">{name}</td>
            <td data-label="Claimed"><OnDay at=claim.claimed_at /><span class="hint below">"by "{claim.claimed_by.clone()}</span></td>
            <td data-label="State">{state}</td>
            <td><div class="acts">{domain_acts(claim, tenant)}</div></td>
        </tr>
    }
}

fn domain_acts(claim: DomainClaimView, tenant: &TenantSummary) -> impl IntoView {
    let (slug, name) = (tenant.slug.to_string(), claim.domain.to_string());
    let place = name.replace('.', "-");
    let named = [("tenant", tenant.id.to_string()), ("slug", slug.clone()), ("domain", name.clone())];
    let open = claim.confirmed_at.is_none() && claim.held_by.is_none();
    let confirm = open.then(|| {
        let named = named.clone();
        let consequence = format!(
            "People whose addresses end with @{name} can then sign in to {slug} through its identity provider, into accounts that \
             they have here. No other tenant can have the domain."
        );
        view! {
            <Consent
                id=format!("confirm-{place}")
                act="Confirm"
                label=format!("Confirm {name}")
                consequence
                to=TenantDomainConfirm::PATH
            >
                {named.map(hidden)}
            </Consent>
        }
    });
    view! {
        {confirm}
        <Question
            id=format!("withdraw-{place}")
            act="Take away"
            consequence=format!("People at {name} can no longer sign in to {slug} with single sign-on.")
            name
            to=TenantDomainWithdraw::PATH
        >
            {named.map(hidden)}
        </Question>
    }
}

fn hidden((name, value): (&'static str, String)) -> impl IntoView {
    view! { <input r#type="hidden" name=name value=value /> }
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
    let people = match tenant.members {
        0 => String::new(),
        1 => "its one person (unless they belong to another tenant), ".to_owned(),
        many => format!("its {} people (unless they belong to another tenant), ", grouped(many)),
    };
    let consequence = if tenant.being_deleted {
        format!("What is left of {slug} is deleted for good. It may take a minute.")
    } else {
        format!(
            "Everything of {slug} is deleted for good: {people}its keys, conversations, ledger and log. To keep a copy, export \
             it first. It may take a minute.",
        )
    };
    let (hint, act) = if tenant.being_deleted {
        let hint = "Its deletion was begun and has not come to its end. Nobody enters it, and it cannot be kept. If nobody is at it now, \
                    complete it.";
        (Either::Left(view! { <p>{hint}</p> }), "Complete")
    } else {
        let hint = view! {
            <p class="hint">
                "Nothing of the tenant can be brought back. Keep a copy with "
                <code>{format!("seam tenant export {slug} --to FILE")}</code>
                ". What was removed where is certified in the audit log."
            </p>
        };
        (Either::Right(hint), "Delete")
    };
    view! {
        <section aria-labelledby="deletion">
            <h2 id="deletion">"Deletion"</h2>
            {hint}
            <div>
                <Question id="delete".to_owned() act consequence name=slug.clone() to=TenantDelete::PATH>
                    <input r#type="hidden" name="tenant" value=id />
                    <input r#type="hidden" name="slug" value=slug.clone() />
                </Question>
            </div>
        </section>
    }
    .into_any()
}
