//! The frame around every signed-in page: the rail with the places, the account at its foot. Who works in no tenant and
//! runs the platform has no chat in it.
//!
//! It is fetched once and stays while pages change inside it. Pages read it from context.

use crate::{
    api::{
        ServerProblem,
        session::{FrameView, SignOut, TenantEnter, frame},
    },
    browser::dom,
    components::{
        icon::{Glyph, Icon, Mark},
        visit::VisitStrip,
    },
};
use contract::{Role, SessionView, TenantMembership};
use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_location};
use server_fn::ServerFn;

pub type FrameResource = Resource<Result<FrameView, ServerProblem>>;

/// Raised whenever the list of conversations may have changed.
#[derive(Clone, Copy)]
pub struct HistoryVersion(pub RwSignal<u32>);

#[component]
pub fn SignedIn() -> impl IntoView {
    view! {
        <Frame>
            <Outlet />
        </Frame>
    }
}

/// The frame around `children`, for whoever is signed in.
#[component]
pub fn Frame(children: Children) -> impl IntoView {
    let frame: FrameResource = Resource::new_blocking(|| (), |()| frame());
    provide_context(frame);
    provide_context(HistoryVersion(RwSignal::new(0)));
    let path = use_location().pathname;
    let here = move |place: &str| path.with(|path| path.starts_with(place)).then_some("page");
    // A drawer that was opened on a narrow screen closes when it has led somewhere.
    Effect::new(move |_| {
        path.track();
        dom::popover_hide("history");
        dom::popover_hide("account-menu");
    });
    view! {
        <a class="skip" href="#main">
            "Skip to the content"
        </a>
        <div class="strips">
            <Suspense>
                {move || Suspend::new(async move { frame.await.ok().map(|frame| view! { <VisitStrip frame /> }) })}
            </Suspense>
        </div>
        <div class="frame">
            <header class="rail">
                <a class="rail-mark" href="/chat" aria-label="Seam, new chat">
                    <Mark />
                </a>
                <button class="rail-item rail-drawer" r#type="button" popovertarget="history">
                    <Icon glyph=Glyph::History />
                    <span>"History"</span>
                </button>
                <nav class="rail-places" aria-label="Places">
                    <Suspense>
                        {move || Suspend::new(async move {
                            let chats = frame.await.map_or(true, |frame| may_chat(&frame.session));
                            chats.then(|| view! {
                                <a href="/chat" class="rail-item" aria-current=move || here("/chat")>
                                    <Icon glyph=Glyph::Chat />
                                    <span>"Chat"</span>
                                </a>
                            })
                        })}
                    </Suspense>
                    <a href="/settings" rel="external" class="rail-item" aria-current=move || here("/settings")>
                        <Icon glyph=Glyph::Settings />
                        <span>"Settings"</span>
                    </a>
                </nav>
                <Suspense>
                    {move || Suspend::new(async move {
                        frame.await.ok().map(|frame| view! { <Account session=frame.session /> })
                    })}
                </Suspense>
            </header>
            {children()}
        </div>
    }
    .into_any()
}

/// Whether the chat is a place for them. An operator without a tenant is led from there to where they run the platform.
fn may_chat(session: &SessionView) -> bool {
    session.current.is_some() || !session.operator
}

#[component]
fn Account(session: SessionView) -> impl IntoView {
    let email = session.email.to_string();
    let role = match (&session.current, session.operator) {
        (Some(membership), false) => format!("{} · {}", membership.display_name, membership.role),
        (Some(membership), true) => format!("{} · operator", membership.display_name),
        (None, true) => "operator".to_owned(),
        (None, false) => "no tenant yet".to_owned(),
    };
    let place = |to: &'static str, glyph, label: &'static str| {
        let path = use_location().pathname;
        let section = to.rsplit_once('/').map_or(to, |(section, _)| section);
        let here = move || path.with(|path| path.starts_with(section)).then_some("page");
        view! {
            <a href=to rel="external" class="rail-item" aria-current=here>
                <Icon glyph />
                <span>{label}</span>
            </a>
        }
    };
    let admin = session.current.as_ref().is_some_and(|membership| membership.role == Role::Admin);
    view! {
        {admin.then(|| place("/admin/members", Glyph::Team, "Team"))}
        {session.operator.then(|| place("/operator/tenants", Glyph::Tenants, "Tenants"))}
        <button class="rail-item rail-account" r#type="button" popovertarget="account-menu" title=email.clone()>
            <Icon glyph=Glyph::Account />
            <span>"Account"</span>
        </button>
        <div class="menu" id="account-menu" popover="auto">
            <p class="menu-who">
                <strong>{email}</strong>
                <span>{role}</span>
            </p>
            {session.others.into_iter().map(switch).collect_view()}
            <form method="post" action=SignOut::PATH>
                <button class="menu-item">"Sign out"</button>
            </form>
        </div>
    }
    .into_any()
}

/// One of the user's other tenants.
fn switch(other: TenantMembership) -> impl IntoView {
    view! {
        <form method="post" action=TenantEnter::PATH>
            <input r#type="hidden" name="tenant" value=other.tenant.to_string() />
            <button class="menu-item">"Work in "{other.display_name}</button>
        </form>
    }
}
