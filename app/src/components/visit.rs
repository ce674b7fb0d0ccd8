//! The strip above every page while an operator acts inside the tenant: for its people, and for the operator.

use crate::{
    api::{customer::ImpersonationEnd, people::ImpersonationRevoke, session::FrameView},
    wording::absolute,
};
use contract::{ImpersonationNote, ImpersonationView, Role};
use leptos::prelude::*;
use server_fn::ServerFn;

#[component]
pub fn VisitStrip(frame: FrameView) -> impl IntoView {
    let FrameView { session, visits, .. } = frame;
    let admin = session.current.as_ref().is_some_and(|current| current.role == Role::Admin);
    let role = session.current.map(|current| current.role);
    view! {
        {session.impersonation.map(|own| view! { <Own own role /> })}
        {visits.into_iter().map(|visit| view! { <Seen visit admin /> }).collect_view()}
    }
    .into_any()
}

/// What the operator is reminded of.
#[component]
fn Own(own: ImpersonationNote, role: Option<Role>) -> impl IntoView {
    let (text, label) = match role {
        Some(role) if !own.over => (
            format!(
                "You act inside {} as {}, until {}. Its people see this.",
                own.tenant,
                role.as_str(),
                absolute(own.expires_at)
            ),
            "Leave",
        ),
        Some(_) | None => ("Your time inside the tenant is over.".to_owned(), "Back to your own work"),
    };
    view! {
        <div class="visit visit-own" role="status">
            <span>{text}</span>
            <form method="post" action=ImpersonationEnd::PATH>
                <input r#type="hidden" name="id" value=own.id.to_string() />
                <button class="button button-small">{label}</button>
            </form>
        </div>
    }
    .into_any()
}

/// What the tenant's people see; its admins can end it.
#[component]
fn Seen(visit: ImpersonationView, admin: bool) -> impl IntoView {
    let text = format!(
        "{}, who runs this platform, acts inside this tenant as {} until {}: {}",
        visit.operator,
        visit.role.as_str(),
        absolute(visit.expires_at),
        visit.reason,
    );
    view! {
        <div class="visit" role="status">
            <span title=text.clone()>{text.clone()}</span>
            {admin.then(|| view! {
                <form method="post" action=ImpersonationRevoke::PATH>
                    <input r#type="hidden" name="id" value=visit.id.to_string() />
                    <button class="button button-small">"End it"</button>
                </form>
            })}
        </div>
    }
    .into_any()
}
