//! `/start`: step 1 of the first run, naming the first tenant.

use crate::{
    api::first_run::{TenantCreate as Create, start},
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
        problem::ProblemPage,
    },
};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn TenantCreate() -> impl IntoView {
    let started = Resource::new_blocking(|| (), |()| start());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match started.await {
                    Ok(start) => Either::Left(view! { <CreateForm first=start.first /> }),
                    Err(refused) => Either::Right(view! { <main><ProblemPage problem=refused.problem /></main> }),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn CreateForm(first: bool) -> impl IntoView {
    view! {
        <Entrance
            title=if first { "Name your first tenant" } else { "Name a tenant of your own" }
            step="Step 1 of 2"
            lead="A tenant is one of your customers, or your own company. Its data lives in a file of its own."
        >
            <PlainForm to=Create::PATH class="form">
                <Field name="name" label="Name" autocomplete="organization" autofocus=true />
                <Field
                    name="slug"
                    label="Short name"
                    autocomplete="off"
                    hint="Stands in addresses and files. Lower-case letters, digits and hyphens; made from the name if left empty."
                    follows="name"
                />
                <Submit label="Continue" />
            </PlainForm>
        </Entrance>
    }
    .into_any()
}
