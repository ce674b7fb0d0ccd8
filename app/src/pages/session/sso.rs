//! `/sso`: signing in by the organisation's own identity provider.

use crate::{
    api::single_sign_on::SingleSignOnBegin,
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

#[component]
pub fn SessionSso() -> impl IntoView {
    let next = use_query_map().with_untracked(|query| query.get("next"));
    view! {
        <Entrance title="Single sign-on" lead="Your organisation signs you in. Say which one by your address.">
            <PlainForm to=SingleSignOnBegin::PATH class="form">
                <Field name="email" label="E-mail" kind="email" autocomplete="username" autofocus=true />
                <input r#type="hidden" name="next" value=next.unwrap_or_default() />
                <Submit label="Continue" />
            </PlainForm>
            <p><a href="/login" rel="external">"Sign in with a password instead"</a></p>
        </Entrance>
    }
    .into_any()
}
