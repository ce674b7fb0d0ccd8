//! `/`: leads to the chat or to the sign-in.

use crate::{api::session::home, components::entrance::Entrance};
use leptos::prelude::*;

#[component]
pub fn HomeShow() -> impl IntoView {
    let there = Resource::new_blocking(|| (), |()| home());
    view! {
        <Suspense>{move || Suspend::new(async move { there.await.err().map(|refused| refused.problem.detail) })}</Suspense>
        <Entrance title="Seam">
            <a class="button button-main" href="/chat">
                "Go to the chat"
            </a>
        </Entrance>
    }
    .into_any()
}
