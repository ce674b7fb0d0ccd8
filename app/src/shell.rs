//! The document around every page: head, assets, theme. Runs on the server only, once a request.

use crate::{App, browser::theme::Theme};
use leptos::{nonce::use_nonce, prelude::*};
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

pub fn shell(assets: AssetNames) -> impl IntoView {
    let nonce = use_nonce();
    let start = format!(
        "import({js:?}).then(m => m.default({{ module_or_path: {wasm:?} }}).then(() => m.hydrate()))",
        js = assets.js,
        wasm = assets.wasm,
    );
    let fonts = assets
        .fonts
        .into_iter()
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
                <link rel="modulepreload" href=assets.js.clone() />
                <link rel="preload" href=assets.wasm r#as="fetch" r#type="application/wasm" crossorigin="" />
                <script r#type="module" nonce=nonce>
                    {start}
                </script>
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
