//! The part of `/settings` about coming in: live sessions, recent sign-ins.

use crate::{
    api::{account::entrance, session::SignOutEverywhere},
    components::form::{PlainForm, Submit},
    wording::{absolute, ago, machine},
};
use contract::{EntranceView, SignInHow, SignInOutcome, SignInView, Timestamp};
use leptos::prelude::*;
use server_fn::ServerFn;

#[component]
pub fn Entrances() -> impl IntoView {
    let found = Resource::new_blocking(|| (), |()| entrance());
    view! {
        <Suspense>
            {move || Suspend::new(async move { found.await.ok().map(|found| view! { <Shown found /> }) })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Shown(found: EntranceView) -> impl IntoView {
    let EntranceView { now, recent, sessions, has_password: _ } = found;
    let count = match sessions {
        0 | 1 => "This is the only session of your account.".to_owned(),
        more => format!("Your account is signed in in {more} places."),
    };
    view! {
        <section aria-labelledby="sessions">
            <h2 id="sessions">"Sessions"</h2>
            <p>{count}</p>
            <p class="hint">"Signing out everywhere ends every session of this account, this one included."</p>
            <PlainForm to=SignOutEverywhere::PATH>
                <Submit label="Sign out everywhere" />
            </PlainForm>
        </section>
        <section aria-labelledby="sign-ins">
            <h2 id="sign-ins">"Recent sign-ins"</h2>
            <p class="hint">"Was one of them not you? Change your password, then sign out everywhere."</p>
            <ul class="sign-ins">{recent.into_iter().map(|event| line(now, event)).collect_view()}</ul>
        </section>
    }
    .into_any()
}

fn line(now: Timestamp, event: SignInView) -> impl IntoView {
    let refused = event.outcome != SignInOutcome::Succeeded;
    let what = match (event.outcome, event.how) {
        (SignInOutcome::Succeeded, SignInHow::Password) => "Signed in with the password".to_owned(),
        (SignInOutcome::Succeeded, SignInHow::Invitation) => "Joined by an invitation".to_owned(),
        (SignInOutcome::Succeeded, SignInHow::FirstRun) => "Created the account".to_owned(),
        (SignInOutcome::Succeeded, SignInHow::Reset) => "Set a new password with a link".to_owned(),
        (SignInOutcome::Succeeded, SignInHow::SingleSignOn) => match event.tenant {
            Some(tenant) => format!("Signed in with single sign-on of {tenant}"),
            None => "Signed in with single sign-on".to_owned(),
        },
        (SignInOutcome::WrongPassword, _) => "Refused: wrong password".to_owned(),
        (SignInOutcome::Throttled, _) => "Too many wrong passwords: refused for a while".to_owned(),
        (SignInOutcome::SingleSignOnRequired, _) => "Refused: single sign-on is asked for".to_owned(),
    };
    let from = format!("from {}", event.address);
    view! {
        <li class:refused=refused>
            <span>{what}</span>
            <span class="hint">
                <time datetime=machine(event.at) title=absolute(event.at)>{ago(now, event.at)}</time>
                " · "
                <span title=event.agent>{from}</span>
            </span>
        </li>
    }
}
