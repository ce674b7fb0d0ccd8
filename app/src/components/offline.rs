//! Says that the connection is gone. What is typed stays in the page and in the draft.

use leptos::prelude::*;

#[component]
pub fn OfflineBanner() -> impl IntoView {
    let offline = RwSignal::new(false);
    Effect::new(move |_| {
        offline.set(!window().navigator().on_line());
        let gone = window_event_listener(leptos::ev::offline, move |_| offline.set(true));
        let back = window_event_listener(leptos::ev::online, move |_| offline.set(false));
        on_cleanup(move || {
            gone.remove();
            back.remove();
        });
    });
    let words = "You are offline. What you type is kept; answers go on when the connection is back.";
    view! {
        <div class="offline" role="status" data-hidden=move || (!offline.get()).then_some("")>
            {move || if offline.get() { words } else { "" }}
        </div>
    }
}
