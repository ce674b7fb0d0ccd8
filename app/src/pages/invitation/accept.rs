//! `/invite/{token}`: the link of an invitation.

use crate::{
    api::people::{InvitationAccept as Accept, invitation_open},
    components::{
        entrance::Entrance,
        form::{Field, PlainForm, Submit},
    },
};
use contract::InvitationOffer;
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;
use server_fn::ServerFn;

#[component]
pub fn InvitationAccept() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    let asked = token.clone();
    let offered = Resource::new_blocking(|| (), move |()| invitation_open(asked.clone()));
    view! {
        <Suspense>
            {move || {
                let token = token.clone();
                Suspend::new(async move {
                    match offered.await {
                        Ok((offer, signed_in)) => Either::Left(view! { <Offer token offer signed_in /> }),
                        Err(refused) => Either::Right(view! {
                            <Entrance title="This invitation does not work">
                                <p>{refused.problem.detail}</p>
                                <a class="button" href="/login" rel="external">"Sign in instead"</a>
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
fn Offer(token: String, offer: InvitationOffer, signed_in: Option<String>) -> impl IntoView {
    let email = offer.email.to_string();
    let sentence = format!(
        "{} invites {email} into {} as {}.",
        offer.invited_by,
        offer.tenant,
        match offer.role {
            contract::Role::Admin => "an admin",
            contract::Role::Member => "a member",
            contract::Role::Viewer => "a viewer",
        }
    );
    let form = match signed_in {
        Some(who) if who == email => view! {
            <PlainForm to=Accept::PATH class="form">
                <input r#type="hidden" name="token" value=token />
                <Submit label="Join" />
            </PlainForm>
        }
        .into_any(),
        Some(who) => view! {
            <p class="note">{format!("You are signed in as {who}. Sign out first, then open the link again.")}</p>
            <a class="button" href="/settings" rel="external">"Go to your settings"</a>
        }
        .into_any(),
        None if offer.has_account => {
            let login = format!("/login?next=/invite/{token}");
            view! { <a class="button button-main" href=login rel="external">"Sign in to join"</a> }.into_any()
        }
        None => view! {
            <PlainForm to=Accept::PATH class="form">
                <input r#type="hidden" name="token" value=token />
                <Field
                    name="password"
                    label="Choose a password"
                    kind="password"
                    autocomplete="new-password"
                    hint="At least 10 characters. A few words make a good one."
                />
                <Submit label="Join" />
            </PlainForm>
        }
        .into_any(),
    };
    view! {
        <Entrance title="You are invited">
            <p class="lead">{sentence}</p>
            {form}
        </Entrance>
    }
    .into_any()
}
