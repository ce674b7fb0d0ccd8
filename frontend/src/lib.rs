//! The browser's entry: takes over the page that the server rendered.

// The type of a view is as deep as the page.
#![recursion_limit = "512"]

use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's start script once the module is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    // Set before the router's own: pages that a server function leads to may be unknown to this program.
    let _ = server_fn::redirect::set_redirect_hook(|path| drop(window().location().set_href(path)));
    leptos::mount::hydrate_body(app::App);
    // After the effects of the first pass: from now on every control works.
    request_animation_frame(|| {
        if let Some(body) = document().body() {
            let _ = body.set_attribute("data-hydrated", "");
        }
    });
}
