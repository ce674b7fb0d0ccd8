//! The conversation's title, and what can be done to all of it.
//!
//! Needs no script: the menu and the question are popovers, the acts plain forms. A page that comes back
//! from either is a new one, so nothing here has state; a refusal is shown above the composer.

use crate::{
    api::chat::{ConversationDelete, ConversationRename},
    components::icon::{Glyph, Icon},
};
use contract::{ConversationId, MAX_TITLE_CHARS};
use leptos::prelude::*;
use server_fn::ServerFn;

#[component]
pub fn Head(id: ConversationId, title: String) -> impl IntoView {
    let question = format!("Delete “{title}”?");
    let id = id.to_string();
    view! {
        <header class="thread-head">
            <div class="thread-title">
                <h1 title=title.clone()>{title.clone()}</h1>
                <button class="act" r#type="button" popovertarget="conversation-menu" aria-label="Rename or delete" title="Rename or delete">
                    <Icon glyph=Glyph::More />
                </button>
            </div>
            <div class="menu thread-menu" id="conversation-menu" popover="auto">
                <form method="post" action=ConversationRename::PATH>
                    <input r#type="hidden" name="id" value=id.clone() />
                    <label for="conversation-title">"Title"</label>
                    <input id="conversation-title" name="title" value=title required=true maxlength=MAX_TITLE_CHARS autocomplete="off" />
                    <button class="button">"Rename"</button>
                </form>
                <button class="menu-item menu-danger" r#type="button" popovertarget="conversation-delete">
                    "Delete this conversation …"
                </button>
            </div>
            <div class="menu thread-menu" id="conversation-delete" popover="auto" role="dialog" aria-labelledby="conversation-question">
                <form method="post" action=ConversationDelete::PATH>
                    <input r#type="hidden" name="id" value=id />
                    <h2 id="conversation-question">{question}</h2>
                    <p>"All its messages are removed for good. What they cost stays in the books."</p>
                    <div class="thread-menu-acts">
                        <button class="button" r#type="button" popovertarget="conversation-menu" popovertargetaction="hide">
                            "Keep it"
                        </button>
                        <button class="button button-danger">"Delete"</button>
                    </div>
                </form>
            </div>
        </header>
    }
    .into_any()
}
