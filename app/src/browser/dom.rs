//! Small things done to the document.

use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement};

/// Closes an element that is shown by the popover attribute, such as the drawer on narrow screens.
pub fn popover_hide(id: &str) {
    let Some(element) = document().get_element_by_id(id) else { return };
    // Called by name: web-sys keeps these behind an unstable flag.
    if element.matches(":popover-open").unwrap_or(false) {
        let hide = js_sys::Reflect::get(&element, &JsValue::from_str("hidePopover"));
        if let Some(hide) = hide.ok().and_then(|hide| hide.dyn_into::<js_sys::Function>().ok()) {
            let _ = hide.call0(&element);
        }
    }
}

pub fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id).and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// Whether the reader types with a real keyboard, where Enter may send.
pub fn has_fine_pointer() -> bool {
    window().match_media("(pointer: fine)").ok().flatten().is_some_and(|query| query.matches())
}

pub fn copy(text: &str) {
    let promise = window().navigator().clipboard().write_text(text);
    wasm_bindgen_futures::spawn_local(async move {
        let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
    });
}

/// Copies the code of the block whose copy button was clicked, and says so on the button.
pub fn copy_code(target: Option<Element>) {
    let Some(button) = target.and_then(|target| target.closest("[data-copy]").ok().flatten()) else { return };
    let code = button.closest(".code").ok().flatten().and_then(|block| block.query_selector("code").ok().flatten());
    copy(&code.and_then(|code| code.text_content()).unwrap_or_default());
    button.set_text_content(Some("Copied"));
    leptos::prelude::set_timeout(move || button.set_text_content(Some("Copy")), std::time::Duration::from_secs(2));
}
