//! Which page answers which path.
//!
//! Pages render in order, so that what arrives is complete without JavaScript. The chat is one route with
//! an optional id: sending the first message moves the URL without taking the page down. A link to a page
//! that the browser's program does not know carries `rel="external"`.

use crate::{
    components::frame::SignedIn,
    escape,
    pages::{ChatShow, MissingShow},
};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let title = |page: String| {
        let title = if page.is_empty() { "Seam".to_owned() } else { format!("{page} · Seam") };
        // The server writes it into the page as it is; a conversation is called what somebody typed.
        if cfg!(feature = "ssr") { escape::escaped(&title) } else { title }
    };
    view! {
        <Title formatter=title text="" />
        <Router>
            <Pages />
        </Router>
    }
}

/// Every page, for the server.
#[cfg(feature = "ssr")]
#[component]
fn Pages() -> impl IntoView {
    use crate::pages::{
        AccountShow, AuditShow, HomeShow, InvitationAccept, KeysShow, MembersShow, ModelChoose, ModelList, ModelsShow,
        OperatorCreate, PasswordAsk, PasswordSet, PlatformAuditShow, ProviderKeysShow, ProviderList, SessionCreate,
        SessionSso, SignInShow, TenantCreate, TenantList, TenantShow, UserList,
    };
    view! {
        <Routes fallback=MissingShow>
            <Route path=path!("/") view=HomeShow ssr=SsrMode::InOrder />
            <Route path=path!("/login") view=SessionCreate ssr=SsrMode::InOrder />
            <Route path=path!("/sso") view=SessionSso ssr=SsrMode::InOrder />
            <Route path=path!("/reset") view=PasswordAsk ssr=SsrMode::InOrder />
            <Route path=path!("/reset/:token") view=PasswordSet ssr=SsrMode::InOrder />
            <Route path=path!("/setup/:token") view=OperatorCreate ssr=SsrMode::InOrder />
            <Route path=path!("/invite/:token") view=InvitationAccept ssr=SsrMode::InOrder />
            <Route path=path!("/start") view=TenantCreate ssr=SsrMode::InOrder />
            <Route path=path!("/start/model") view=ModelChoose ssr=SsrMode::InOrder />
            <ParentRoute path=path!("") view=SignedIn ssr=SsrMode::InOrder>
                <Route path=path!("/chat/:id?") view=ChatShow ssr=SsrMode::InOrder />
                <Route path=path!("/settings") view=AccountShow ssr=SsrMode::InOrder />
                <Route path=path!("/admin/members") view=MembersShow ssr=SsrMode::InOrder />
                <Route path=path!("/admin/keys") view=KeysShow ssr=SsrMode::InOrder />
                <Route path=path!("/admin/models") view=ModelsShow ssr=SsrMode::InOrder />
                <Route path=path!("/admin/provider-keys") view=ProviderKeysShow ssr=SsrMode::InOrder />
                <Route path=path!("/admin/sign-in") view=SignInShow ssr=SsrMode::InOrder />
                <Route path=path!("/admin/audit") view=AuditShow ssr=SsrMode::InOrder />
                <Route path=path!("/operator/tenants") view=TenantList ssr=SsrMode::InOrder />
                <Route path=path!("/operator/tenants/:name") view=TenantShow ssr=SsrMode::InOrder />
                <Route path=path!("/operator/users") view=UserList ssr=SsrMode::InOrder />
                <Route path=path!("/operator/models") view=ModelList ssr=SsrMode::InOrder />
                <Route path=path!("/operator/providers") view=ProviderList ssr=SsrMode::InOrder />
                <Route path=path!("/operator/audit") view=PlatformAuditShow ssr=SsrMode::InOrder />
            </ParentRoute>
        </Routes>
    }
}

/// The pages that live, for the browser.
#[cfg(not(feature = "ssr"))]
#[component]
fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=MissingShow>
            <ParentRoute path=path!("") view=SignedIn ssr=SsrMode::InOrder>
                <Route path=path!("/chat/:id?") view=ChatShow ssr=SsrMode::InOrder />
            </ParentRoute>
        </Routes>
    }
}
