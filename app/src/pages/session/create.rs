//! `/login`: signing in.

use crate::{
    api::{password::ways_in, session::SignIn},
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
    let next = next.filter(|next| crate::api::own_path(Some(next)) == next).unwrap_or_default();
    let ended = ended.and_then(|how| match how.as_str() {
        "everywhere" => Some("You are signed out on every device."),
        "reset" => Some("Your new password is set. Sign in with it."),
        _ => None,
    });
    let on = if next.is_empty() { "/".to_owned() } else { next.clone() };
    let sso = if next.is_empty() { "/sso".to_owned() } else { format!("/sso?next={next}") };
    let ways = Resource::new_blocking(|| (), |()| ways_in());
    view! {
        <Entrance title="Sign in">
            {ended.map(|ended| view! { <p class="note" role="status">{ended}</p> })}
            <Suspense>
                {move || {
                    let on = on.clone();
                    Suspend::new(async move {
                        let signed_in = ways.await.ok().and_then(|ways| ways.signed_in);
                        signed_in.map(|email| view! {
                            <p class="note">
                                "You are signed in as " <strong>{email}</strong> ". "
                                <a href=on rel="external">"Go on"</a>
                                ", or sign in as somebody else."
                            </p>
                        })
                    })
                }}
            </Suspense>
            <PlainForm to=SignIn::PATH class="form">
                <Field name="email" label="E-mail" kind="email" autocomplete="username" autofocus=true />
                <Field name="password" label="Password" kind="password" autocomplete="current-password" />
                <input r#type="hidden" name="next" value=next />
                <Submit label="Sign in" />
            </PlainForm>
            <Suspense>
                {move || {
                    let sso = sso.clone();
                    Suspend::new(async move {
                    let ways = ways.await.ok();
                    let (sso_offered, mail) = ways.map_or((false, false), |ways| (ways.single_sign_on, ways.mail));
                    view! {
                        {sso_offered.then(|| view! {
                            <a class="button" href=sso rel="external">"Sign in with single sign-on"</a>
                        })}
                        {mail.then(|| view! {
                            <p><a href="/reset" rel="external">"Forgot your password?"</a></p>
                        })}
                    }
                })}}
            </Suspense>
        </Entrance>
    }
    .into_any()
}
