//! What was typed and not sent, kept per conversation in local storage until it is sent.

use contract::ConversationId;
use leptos::prelude::window;

fn key(conversation: Option<ConversationId>) -> String {
    conversation.map_or_else(|| "seam.draft.new".to_owned(), |id| format!("seam.draft.{id}"))
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

pub fn load(conversation: Option<ConversationId>) -> String {
    storage().and_then(|storage| storage.get_item(&key(conversation)).ok().flatten()).unwrap_or_default()
}

/// Keeps a draft; an empty one is forgotten. A full or forbidden storage loses drafts and nothing else.
pub fn keep(conversation: Option<ConversationId>, text: &str) {
    if let Some(storage) = storage() {
        let key = key(conversation);
        let _ = if text.is_empty() { storage.remove_item(&key) } else { storage.set_item(&key, text) };
    }
}
