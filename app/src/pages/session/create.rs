//! `/login`: signing in.

use crate::{
    api::session::SignIn,
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

#[component]
pub fn SessionCreate() -> impl IntoView {
    let query = use_query_map();
    let (next, ended) = query.with_untracked(|query| (query.get("next"), query.get("ended")));
    let ended = ended.and_then(|how| match how.as_str() {
        "everywhere" => Some("You are signed out on every device."),
        _ => None,
    });
    view! {
        <Entrance title="Sign in">
            {ended.map(|ended| view! { <p class="note" role="status">{ended}</p> })}
            <PlainForm to=SignIn::PATH class="form">
                <Field name="email" label="E-mail" kind="email" autocomplete="username" autofocus=true />
                <Field name="password" label="Password" kind="password" autocomplete="current-password" />
                <input r#type="hidden" name="next" value=next.unwrap_or_default() />
                <Submit label="Sign in" />
            </PlainForm>
        </Entrance>
    }
    .into_any()
}
