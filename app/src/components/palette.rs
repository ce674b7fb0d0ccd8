//! Ctrl/⌘-K: reaches every page and recent conversation from the keyboard.

use crate::{api::chat::conversation_list, components::frame::FrameResource};
use contract::{Role, SessionView};
use leptos::{ev::KeyboardEvent, html::Dialog, prelude::*, task::spawn_local};
use leptos_router::hooks::use_navigate;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    name: String,
    kind: &'static str,
    path: String,
}

/// The pages that the user may open; before it is known who that is, those of everybody.
fn pages(session: Option<&SessionView>) -> Vec<Place> {
    let page = |(name, path): (&str, &str)| Place { name: name.to_owned(), kind: "Page", path: path.to_owned() };
    let mut pages = vec![("New chat", "/chat"), ("Settings", "/settings")];
    let role = session.and_then(|session| session.current.as_ref()).map(|current| current.role);
    if role == Some(Role::Admin) {
        pages.extend([
            ("Members", "/admin/members"),
            ("API keys", "/admin/keys"),
            ("Models", "/admin/models"),
            ("Provider keys", "/admin/provider-keys"),
            ("Audit", "/admin/audit"),
        ]);
    }
    if session.is_some_and(|session| session.operator) {
        let people = [("Tenants", "/operator/tenants"), ("Users", "/operator/users")];
        let gateway = [("Platform models", "/operator/models"), ("Providers", "/operator/providers")];
        pages.extend(people.into_iter().chain(gateway).chain([("Platform audit", "/operator/audit")]));
    }
    pages.into_iter().map(page).collect()
}

/// How many places are offered at once.
const OFFERED: usize = 9;

#[component]
pub fn Palette() -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let frame = use_context::<FrameResource>();
    let places = RwSignal::new(pages(None));
    let words = RwSignal::new(String::new());
    let chosen = RwSignal::new(0usize);
    let offered = Memo::new(move |_| {
        let words = words.get().to_lowercase();
        let matching = |place: &&Place| place.name.to_lowercase().contains(words.trim());
        places.with(|places| places.iter().filter(matching).take(OFFERED).cloned().collect::<Vec<_>>())
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let open = move || {
        let Some(dialog) = dialog.get_untracked().filter(|dialog| !dialog.open()) else { return };
        words.set(String::new());
        chosen.set(0);
        let _ = dialog.show_modal();
        let session = frame.and_then(|frame| frame.get_untracked()).and_then(Result::ok).map(|frame| frame.session);
        places.set(pages(session.as_ref()));
        spawn_local(async move {
            let recent = conversation_list(None).await.unwrap_or_default().into_iter();
            let recent = recent.map(|one| Place { name: one.title, kind: "Chat", path: format!("/chat/{}", one.id) });
            places.set(pages(session.as_ref()).into_iter().chain(recent).collect());
        });
    };
    let navigate = StoredValue::new(use_navigate());
    let go = move |path: &str| {
        close();
        // The program knows the chat; everything else is a page of its own.
        if path.starts_with("/chat") {
            navigate.with_value(|navigate| navigate(path, Default::default()));
        } else {
            drop(window().location().set_href(path));
        }
    };
    Effect::new(move |_| {
        let keys = window_event_listener(leptos::ev::keydown, move |event: KeyboardEvent| {
            if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                open();
            }
        });
        on_cleanup(move || keys.remove());
    });
    let walk = move |event: KeyboardEvent| {
        let count = offered.with_untracked(Vec::len);
        match event.key().as_str() {
            "ArrowDown" => chosen.update(|at| *at = (*at + 1).min(count.saturating_sub(1))),
            "ArrowUp" => chosen.update(|at| *at = at.saturating_sub(1)),
            "Enter" => {
                if let Some(place) = offered.with_untracked(|places| places.get(chosen.get_untracked()).cloned()) {
                    go(&place.path);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    let entry = move |(at, place): (usize, Place)| {
        let path = place.path.clone();
        view! {
            <li
                id=format!("palette-{at}")
                role="option"
                aria-selected=move || if chosen.get() == at { "true" } else { "false" }
                on:click=move |_| go(&path)
            >
                <span class="palette-name">{place.name}</span>
                <span class="palette-kind">{place.kind}</span>
            </li>
        }
    };
    view! {
        <dialog class="palette" node_ref=dialog aria-label="Go to">
            <input
                r#type="text"
                role="combobox"
                aria-label="Go to"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-activedescendant=move || format!("palette-{}", chosen.get())
                placeholder="Go to a page or a conversation"
                autocomplete="off"
                autofocus=true
                prop:value=move || words.get()
                on:input=move |event| {
                    words.set(event_target_value(&event));
                    chosen.set(0);
                }
                on:keydown=walk
            />
            <ul id="palette-list" role="listbox" aria-label="Places">
                {move || offered.get().into_iter().enumerate().map(entry).collect_view()}
            </ul>
        </dialog>
    }
    .into_any()
}
