//! `/settings`: the account, this browser's looks, and the sessions.

use super::entrance::Entrances;
use crate::{
    api::account::{PasswordChange, ThemeChoose},
    components::{
        console::Said,
        form::{Field, PlainForm, Submit},
        frame::FrameResource,
    },
    theme::Theme,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

#[component]
pub fn AccountShow() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    let theme = Theme::of_request().map_or("", Theme::as_str);
    let changed = use_query_map().with_untracked(|query| query.get("done").is_some_and(|done| done == "password"));
    let looks = [("", "System"), ("light", "Light"), ("dark", "Dark")];
    let look = move |(value, label): (&'static str, &'static str)| {
        view! {
            <button class="button" name="theme" value=value aria-pressed=if theme == value { "true" } else { "false" }>
                {label}
            </button>
        }
    };
    view! {
        <Title text="Settings" />
        <main class="main settings" id="main" tabindex="-1">
            <div class="settings-column">
                <h1>"Settings"</h1>
                <Said />
                <section aria-labelledby="account">
                    <h2 id="account">"Account"</h2>
                    <Suspense>
                        {move || Suspend::new(async move {
                            frame.await.ok().map(|frame| view! {
                                <dl>
                                    <dt>"E-mail"</dt>
                                    <dd>{frame.session.email.to_string()}</dd>
                                    {frame.session.current.map(|membership| view! {
                                        <dt>"Tenant"</dt>
                                        <dd>{membership.display_name} <span class="hint">" · "{membership.role.to_string()}</span></dd>
                                    })}
                                </dl>
                            })
                        })}
                    </Suspense>
                </section>
                <section aria-labelledby="looks">
                    <h2 id="looks">"Appearance"</h2>
                    <PlainForm to=ThemeChoose::PATH class="segmented">
                        {looks.into_iter().map(look).collect_view()}
                    </PlainForm>
                </section>
                <section aria-labelledby="password-heading">
                    <h2 id="password-heading">"Password"</h2>
                    {changed.then(|| view! {
                        <p class="note" role="status">"Your password is changed. Every other session has ended."</p>
                    })}
                    <PlainForm to=PasswordChange::PATH class="form">
                        <Field name="current" label="Current password" kind="password" autocomplete="current-password" />
                        <Field
                            name="chosen"
                            label="New password"
                            kind="password"
                            autocomplete="new-password"
                            hint="At least 10 characters. A few words make a good one."
                        />
                        <Submit label="Change password" />
                    </PlainForm>
                </section>
                <Entrances />
            </div>
        </main>
    }
    .into_any()
}
