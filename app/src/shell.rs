//! The document around every page: head, assets, theme. Runs on the server only, once a request.

use crate::{App, theme::Theme};
use http::request::Parts;
use leptos::{
    either::Either,
    nonce::{Nonce, use_nonce},
    prelude::*,
};
use leptos_meta::MetaTags;

/// The paths of the built web assets, as the server serves them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetNames {
    pub js: String,
    pub wasm: String,
    pub css: String,
    pub icon: String,
    /// Those needed for the first paint.
    pub fonts: Vec<String>,
}

/// Sends plain forms in the background. Without it they work all the same.
const FORMS: &str = include_str!("forms.js");

pub fn shell(assets: AssetNames) -> impl IntoView {
    let nonce = use_nonce();
    let path = use_context::<Parts>().map(|parts| parts.uri.path().to_owned()).unwrap_or_default();
    let script = if lives(&path) {
        Either::Left(view! { <Program assets=assets.clone() nonce /> })
    } else {
        Either::Right(view! { <script r#type="module" nonce=nonce inner_html=FORMS></script> })
    };
    let fonts = assets
        .fonts
        .into_iter()
        // The text's own; the one for code is fetched where there is code.
        .filter(|font| font.contains("source-sans"))
        .map(|font| view! { <link rel="preload" href=font r#as="font" r#type="font/woff2" crossorigin="" /> })
        .collect_view();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=Theme::of_request().map(Theme::as_str)>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" r#type="image/svg+xml" href=assets.icon />
                {fonts}
                <link rel="stylesheet" href=assets.css />
                {script}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Loads the browser's program and lets it take over the page.
#[component]
fn Program(assets: AssetNames, nonce: Option<Nonce>) -> impl IntoView {
    let start = format!(
        "import({js:?}).then(m => m.default({{ module_or_path: {wasm:?} }}).then(() => m.hydrate()))",
        js = assets.js,
        wasm = assets.wasm,
    );
    view! {
        <link rel="modulepreload" href=assets.js />
        <link rel="preload" href=assets.wasm r#as="fetch" r#type="application/wasm" crossorigin="" />
        <script r#type="module" nonce=nonce inner_html=start></script>
    }
}

/// Whether the page at `path` is one that the browser's program knows: `/chat` and `/chat/{id}`.
fn lives(path: &str) -> bool {
    path.strip_prefix("/chat")
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('/').is_some_and(|id| !id.contains('/')))
}

#[cfg(test)]
mod tests {
    use super::lives;

    #[test]
    fn the_program_is_loaded_where_it_has_something_to_do() {
        for path in ["/chat", "/chat/", "/chat/018f0000-0000-7000-8000-000000000000"] {
            assert!(lives(path), "{path}");
        }
        for path in ["/", "/login", "/settings", "/chats", "/chat/a/b", "/nowhere"] {
            assert!(!lives(path), "{path}");
        }
    }
}
