//! The conversation as a column that opens at its end.
//!
//! The scroller is a column in reverse: its start is the bottom. It opens there without a script, follows
//! a growing answer only while the reader is there, and older messages appear above without a jump.

use super::{composer::Composer, head::Head, message::Message, state::ThreadState};
use crate::{
    api::{RefusedForm, chat::OpenConversation},
    browser::{dom, draft, run_events},
    components::icon::{Glyph, Icon, Mark},
};
use contract::{ModelView, TenantMembership};
use leptos::{
    either::Either,
    html::{Div, Textarea},
    prelude::*,
};
use wasm_bindgen::JsCast;

/// Closer to the beginning than this, in pixels, older messages are fetched.
const NEAR: i32 = 600;

const EXAMPLES: [&str; 3] = [
    "Explain what a hash table is to someone who cooks",
    "Write a polite reminder for an invoice that is two weeks late",
    "Give me three names for a sailing boat and a reason for each",
];

#[component]
pub fn Thread(
    /// None is a conversation that does not exist yet.
    opened: Option<OpenConversation>,
    models: Vec<ModelView>,
    /// Where the reader works, and as what.
    place: Option<TenantMembership>,
    /// A form of this page that came back.
    refused: Option<RefusedForm>,
) -> impl IntoView {
    let default_model = models.iter().find(|model| model.available).map(|model| model.name.clone());
    let fresh = opened.is_none();
    let view = opened.as_ref().map(|opened| &opened.view);
    let head = view.map(|view| view! { <Head id=view.id title=view.title.clone() /> });
    let waiting = view.is_some_and(|view| crate::wording::running(view).is_some());
    let state = ThreadState::new(opened, default_model.unwrap_or_default(), place.as_ref());
    let field = NodeRef::<Textarea>::new();
    let scroller = NodeRef::<Div>::new();
    let away = RwSignal::new(false);
    Effect::new(move |_| state.follow());
    on_cleanup(run_events_leave);

    // In a column in reverse, scrollTop is zero at the bottom and negative above it.
    let scrolled = move |_| {
        let Some(scroller) = scroller.get_untracked() else { return };
        away.set(scroller.scroll_top() < -160);
        let above = scroller.scroll_height() - scroller.client_height() + scroller.scroll_top();
        if above < NEAR && state.older_than.get_untracked().is_some() {
            state.load_older();
        }
    };
    let to_end = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(0);
        }
    };
    let older = move || {
        state.older_than.get().map(|before| {
            let load = move |event: leptos::ev::MouseEvent| {
                event.prevent_default();
                state.load_older();
            };
            view! {
                <a class="button older" href=format!("?before={before}") rel="external" on:click=load>
                    "Show earlier messages"
                </a>
            }
        })
    };
    view! {
        <div class="thread">
            {head}
            <div
                class="scroller"
                node_ref=scroller
                tabindex="0"
                role="region"
                aria-label="Messages"
                on:scroll=scrolled
                on:click=|event| dom::copy_code(event.target().and_then(|target| target.dyn_into().ok()))
            >
                <div class="column">
                    {fresh.then(|| view! { <Beginning field may_write=state.may_write /> })}
                    {older}
                    <ol class="messages" role="list">
                        <For each=move || state.entries.get() key=|entry| entry.id let:entry>
                            <Message entry state />
                        </For>
                    </ol>
                    // Without JavaScript the page looks again by itself until the answer is there.
                    {waiting.then(|| view! { <noscript inner_html="<meta http-equiv=\"refresh\" content=\"2\">"></noscript> })}
                </div>
            </div>
            <div class="dock">
                <button
                    class="button to-end"
                    r#type="button"
                    data-hidden=move || (!away.get()).then_some("")
                    on:click=to_end
                >
                    <Icon glyph=Glyph::Down />
                    "Latest"
                </button>
                {if state.may_write {
                    Either::Left(view! { <Composer state models field refused /> })
                } else {
                    Either::Right(view! { <ReadsOnly tenant=place.map(|place| place.display_name) /> })
                }}
            </div>
            <div class="visually-hidden" role="status" aria-live="polite">
                {move || state.announcement.get()}
            </div>
        </div>
    }
    .into_any()
}

fn run_events_leave() {
    if cfg!(target_arch = "wasm32") {
        run_events::leave();
    }
}

/// In place of the composer, for those who may not write.
#[component]
fn ReadsOnly(tenant: Option<String>) -> impl IntoView {
    let tenant = tenant.unwrap_or_else(|| "this tenant".to_owned());
    view! {
        <p class="note reads-only">
            "You are a viewer in "{tenant}": viewers read, and members write. An admin of it can make you a member."
        </p>
    }
}

/// The empty state: one sentence and three ways to begin.
#[component]
fn Beginning(field: NodeRef<Textarea>, may_write: bool) -> impl IntoView {
    if !may_write {
        return view! {
            <div class="beginning">
                <Mark />
                <h1>"You read here"</h1>
            </div>
        }
        .into_any();
    }
    let take = move |example: &'static str| {
        if let Some(field) = field.get_untracked() {
            field.set_value(example);
            draft::keep(None, example);
            let _ = field.focus();
        }
    };
    let examples = EXAMPLES
        .into_iter()
        .map(|example| {
            view! {
                <li>
                    <button r#type="button" on:click=move |_| take(example)>
                        {example}
                    </button>
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="beginning">
            <Mark />
            <h1>"What would you like to know?"</h1>
            <p>"Each answer says which model gave it, what it cost, and which prompt version was behind it."</p>
            <ul role="list" class="needs-script">
                {examples}
            </ul>
        </div>
    }
    .into_any()
}
