//! `/reset`: asking for a link to a new password.

use crate::{
    api::password::{PasswordResetAsk, ways_in},
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

#[component]
pub fn PasswordAsk() -> impl IntoView {
    let sent = use_query_map().with_untracked(|query| query.get("sent").is_some());
    let ways = Resource::new_blocking(|| (), |()| ways_in());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let mail = ways.await.is_ok_and(|ways| ways.mail);
                match (mail, sent) {
                    (true, true) => view! { <Sent /> }.into_any(),
                    (true, false) => view! { <Ask /> }.into_any(),
                    (false, _) => view! { <NoMail /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Ask() -> impl IntoView {
    view! {
        <Entrance title="Forgot your password?" lead="We send a link to your address. It sets a new password.">
            <PlainForm to=PasswordResetAsk::PATH class="form">
                <Field name="email" label="E-mail" kind="email" autocomplete="username" autofocus=true />
                <Submit label="Send the link" />
            </PlainForm>
            <p><a href="/login" rel="external">"Back to signing in"</a></p>
        </Entrance>
    }
}

#[component]
fn Sent() -> impl IntoView {
    view! {
        <Entrance title="Look into your mail">
            <p role="status">
                "If there is an account with this address, a link is on its way to it. It works once, within the hour."
            </p>
            <p class="hint">"Nothing there after a few minutes? Look among unwanted mail, or ask your admin which address you are known by."</p>
            <p><a href="/login" rel="external">"Back to signing in"</a></p>
        </Entrance>
    }
}

#[component]
fn NoMail() -> impl IntoView {
    view! {
        <Entrance title="Forgot your password?">
            <p>"This server sends no mail. Ask whoever runs it for a link to a new password."</p>
            <p><a href="/login" rel="external">"Back to signing in"</a></p>
        </Entrance>
    }
}
