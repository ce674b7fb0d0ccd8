//! One message: the words, what can be done with them, and the quiet line under an answer.

use super::state::{Entry, ThreadState};
use crate::{
    browser::dom,
    components::{
        icon::{Glyph, Icon},
        problem::ProblemNote,
    },
    wording::{absolute, quiet_line},
};
use contract::{AnswerDetails, MessageRole, MessageStatus, MessageView};
use leptos::{either::Either, ev::KeyboardEvent, html::Textarea, prelude::*};

#[component]
pub fn Message(entry: Entry, state: ThreadState) -> impl IntoView {
    let id = format!("message-{}", entry.id);
    match entry.role {
        MessageRole::User => Either::Left(view! {
            <li class="message message-own" id=id>
                <Own entry state />
            </li>
        }),
        MessageRole::Assistant => Either::Right(view! {
            <li class="message message-answer" id=id>
                <Answer entry state />
            </li>
        }),
    }
}

#[component]
fn Own(entry: Entry, state: ThreadState) -> impl IntoView {
    let (id, text, view) = (entry.id, entry.text.clone(), entry.view.clone());
    let editing = move || state.editing.get() == Some(id);
    let sent_at = absolute(view.with_untracked(|view| view.created_at));
    let copied = text.clone();
    view! {
        <article aria-label="You">
            {move || {
                if editing() {
                    Either::Left(view! { <Rewording entry=entry.clone() state /> })
                } else {
                    let text = text.clone();
                    Either::Right(view! { <div class="bubble" title=sent_at.clone()>{move || text.get()}</div> })
                }
            }}
            <div class="acts needs-script">
                <Pager view=view.clone() state />
                <CopyButton text=copied />
                {state.may_write.then(|| view! {
                    <button class="act" r#type="button" aria-label="Edit" title="Edit" on:click=move |_| state.editing.set(Some(id))>
                        <Icon glyph=Glyph::Edit />
                    </button>
                })}
            </div>
        </article>
    }
    .into_any()
}

#[component]
fn Rewording(entry: Entry, state: ThreadState) -> impl IntoView {
    let field = NodeRef::<Textarea>::new();
    let (id, text) = (entry.id, entry.text.get_untracked());
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            let _ = field.focus();
            let end = field.value().encode_utf16().count();
            let _ = field.set_selection_range(u32::try_from(end).unwrap_or(0), u32::try_from(end).unwrap_or(0));
        }
    });
    let save = move || {
        if let Some(field) = field.get_untracked() {
            state.edit(id, field.value());
        }
    };
    let cancel = move || {
        state.editing.set(None);
        dom::focus("composer-text");
    };
    let keys = move |event: KeyboardEvent| match event.key().as_str() {
        "Enter" if !event.shift_key() && !event.is_composing() => {
            event.prevent_default();
            save();
        }
        "Escape" => {
            event.stop_propagation();
            cancel();
        }
        _ => {}
    };
    view! {
        <div class="rewording">
            <textarea node_ref=field aria-label="Edit your message" prop:value=text on:keydown=keys></textarea>
            <div class="rewording-acts">
                <button class="button" r#type="button" on:click=move |_| cancel()>
                    "Cancel"
                </button>
                <button class="button button-main" r#type="button" on:click=move |_| save()>
                    "Send"
                </button>
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Answer(entry: Entry, state: ThreadState) -> impl IntoView {
    let (id, text, html, view) = (entry.id, entry.text.clone(), entry.html.clone(), entry.view.clone());
    let status = {
        let view = view.clone();
        Memo::new(move |_| view.with(|view| view.status))
    };
    let waiting = {
        let text = text.clone();
        move || status.get() == MessageStatus::Streaming && text.with(String::is_empty)
    };
    let (details, ending) = (view.clone(), view.clone());
    view! {
        <article aria-label="Answer" aria-busy=move || (status.get() == MessageStatus::Streaming).then_some("true")>
            <div class="prose" inner_html=move || html.get()></div>
            {move || waiting().then(|| view! { <p class="waiting">"Thinking" <span aria-hidden="true">"…"</span></p> })}
            {move || ending.with(ended)}
            <footer class="answer-foot">
                <div class="acts needs-script" data-hidden=move || (status.get() == MessageStatus::Streaming).then_some("")>
                    <Pager view=view.clone() state />
                    <CopyButton text=text.clone() />
                    {state.may_write.then(|| view! {
                        <button class="act" r#type="button" aria-label="Answer again" title="Answer again" on:click=move |_| state.regenerate(id)>
                            <Icon glyph=Glyph::Again />
                        </button>
                    })}
                </div>
                {move || details.with(|view| view.details.as_ref().map(|details| view! { <QuietLine details=details.clone() /> }))}
            </footer>
        </article>
    }
    .into_any()
}

/// What an answer that is not whole says about itself, and what to do.
fn ended(view: &MessageView) -> Option<impl IntoView + use<>> {
    match view.status {
        MessageStatus::Streaming | MessageStatus::Complete => None,
        MessageStatus::Stopped => {
            Some(Either::Left(view! { <p class="note-quiet">"Stopped. What was said so far is kept."</p> }))
        }
        MessageStatus::Failed => view.problem.clone().map(|problem| Either::Right(view! { <ProblemNote problem /> })),
    }
}

#[component]
fn QuietLine(details: AnswerDetails) -> impl IntoView {
    let parts =
        quiet_line(&details).into_iter().map(|part| view! { <li title=part.full>{part.text}</li> }).collect_view();
    view! {
        <ul class="quiet" role="list" aria-label="About this answer">
            {parts}
        </ul>
    }
    .into_any()
}

#[component]
fn CopyButton(text: ArcRwSignal<String>) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        dom::copy(&text.get_untracked());
        copied.set(true);
        let forget = move || {
            copied.try_set(false);
        };
        set_timeout(forget, std::time::Duration::from_secs(2));
    };
    view! {
        <button
            class="act"
            r#type="button"
            title="Copy"
            aria-label=move || if copied.get() { "Copied" } else { "Copy" }
            data-done=move || copied.get().then_some("")
            on:click=copy
        >
            <Icon glyph=Glyph::Copy />
        </button>
    }
    .into_any()
}

/// ‹ 2/3 ›: the other wordings of a question, or the other answers to it.
#[component]
fn Pager(view: ArcRwSignal<MessageView>, state: ThreadState) -> impl IntoView {
    move || {
        let (id, at, of) = view.with(|view| (view.id, view.sibling, view.siblings));
        // Named: the macro would read the “>” of a comparison as the end of the tag.
        let (first, last) = (at <= 1, at >= of);
        (of > 1).then(|| {
            view! {
                <span class="pager">
                    <button class="act" r#type="button" aria-label="Previous version" disabled=first on:click=move |_| state.branch(id, at - 1)>
                        <Icon glyph=Glyph::Previous />
                    </button>
                    <span aria-label=format!("Version {at} of {of}")>{format!("{at}/{of}")}</span>
                    <button class="act" r#type="button" aria-label="Next version" disabled=last on:click=move |_| state.branch(id, at + 1)>
                        <Icon glyph=Glyph::Next />
                    </button>
                </span>
            }
        })
    }
}
