//! `/reset/{token}`: a new password by a link.

use crate::{
    api::password::{PasswordReset, password_reset_open},
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
    },
};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;
use server_fn::ServerFn;

#[component]
pub fn PasswordSet() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    let asked = token.clone();
    let opened = Resource::new_blocking(|| (), move |()| password_reset_open(asked.clone()));
    view! {
        <Suspense>
            {move || {
                let token = token.clone();
                Suspend::new(async move {
                    match opened.await {
                        Ok(email) => Either::Left(view! { <Choose token email /> }),
                        Err(refused) => Either::Right(view! {
                            <Entrance title="This link does not work">
                                <p>{refused.problem.detail}</p>
                                <a class="button" href="/reset" rel="external">"Ask for a new one"</a>
                            </Entrance>
                        }),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Choose(token: String, email: String) -> impl IntoView {
    view! {
        <Entrance title="Choose a new password">
            <p class="lead">{format!("For {email}. Every session of this account ends.")}</p>
            <PlainForm to=PasswordReset::PATH class="form">
                <input r#type="hidden" name="token" value=token />
                <Field
                    name="chosen"
                    label="New password"
                    kind="password"
                    autocomplete="new-password"
                    hint="At least 10 characters. A few words make a good one."
                    autofocus=true
                />
                <Submit label="Set the password" />
            </PlainForm>
        </Entrance>
    }
}
