//! `/setup/{token}`: the one-time link that makes the operator's account.

use crate::{
    api::first_run::{OperatorCreate as Create, operator_link_check},
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
    },
};
use contract::{Problem, ProblemCode};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;
use server_fn::ServerFn;

#[component]
pub fn OperatorCreate() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    let checked = Resource::new_blocking(
        {
            let token = token.clone();
            move || token.clone()
        },
        operator_link_check,
    );
    view! {
        <Suspense>
            {move || {
                let token = token.clone();
                Suspend::new(async move {
                    match checked.await {
                        Ok(()) => Either::Left(view! { <CreateForm token /> }),
                        Err(refused) => Either::Right(view! { <Expired problem=refused.problem /> }),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

#[component]
fn CreateForm(token: String) -> impl IntoView {
    view! {
        <Entrance
            title="Create the operator account"
            lead="The operator runs this Seam: tenants, plans, providers and prices. This link works once."
        >
            <PlainForm to=Create::PATH class="form">
                <input r#type="hidden" name="token" value=token />
                <Field name="email" label="E-mail" kind="email" autocomplete="username" autofocus=true />
                <Field
                    name="password"
                    label="Password"
                    kind="password"
                    autocomplete="new-password"
                    hint="At least 10 characters. A few words make a good one."
                />
                <Submit label="Create the account" />
            </PlainForm>
        </Entrance>
    }
    .into_any()
}

#[component]
fn Expired(problem: Problem) -> impl IntoView {
    let remedy = (problem.code == ProblemCode::LinkExpired).then_some(
        "A link works once and for one hour. Start Seam again to get a new one, as long as there is no operator yet.",
    );
    view! {
        <Entrance title="This link does not work">
            <p>{problem.detail}</p>
            {remedy.map(|remedy| view! { <p class="hint">{remedy}</p> })}
            <a class="button" href="/login">
                "Sign in instead"
            </a>
        </Entrance>
    }
    .into_any()
}
