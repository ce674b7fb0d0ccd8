//! The list of conversations, newest first, with a search that the server answers.
//!
//! A column on wide screens, a drawer (the popover attribute, no script needed) on narrow ones.

use crate::{
    api::{chat::conversation_list, session::FrameView},
    components::{
        frame::{FrameResource, HistoryVersion},
        icon::{Glyph, Icon},
        problem::ProblemNote,
    },
    wording::{absolute, age},
};
use contract::{ConversationSummary, ProblemCode, Timestamp};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};
use std::time::Duration;

/// Typing rests this long before the server is asked.
const REST: Duration = Duration::from_millis(180);

#[component]
pub fn History() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    let version = expect_context::<HistoryVersion>().0;
    let search = RwSignal::new(use_query_map().with_untracked(|query| query.get("q")).unwrap_or_default());
    let first = search.get_untracked();
    let listed =
        Resource::new_blocking(move || (search.get(), version.get()), |(search, _)| conversation_list(Some(search)));
    let typed = leptos::prelude::debounce(REST, move |text: String| search.set(text));
    view! {
        <aside class="history" id="history" popover="auto" aria-label="Conversations">
            <a class="button history-new" href="/chat">
                <Icon glyph=Glyph::New />
                "New chat"
            </a>
            <form class="history-search" method="get" action="/chat" role="search" on:submit=|event| event.prevent_default()>
                <Icon glyph=Glyph::Search />
                <input
                    r#type="search"
                    name="q"
                    aria-label="Search conversations"
                    placeholder="Search"
                    autocomplete="off"
                    value=first
                    on:input={
                        let mut typed = typed;
                        move |event| typed(event_target_value(&event))
                    }
                />
            </form>
            <nav class="history-list" aria-label="Conversations">
                <Transition>
                    {move || Suspend::new(async move {
                        let now = frame.await.map(|frame: FrameView| frame.now).unwrap_or(Timestamp::from_millis(0));
                        match listed.await {
                            Ok(list) if list.is_empty() => {
                                let words = search.get_untracked();
                                Either::Left(view! { <p class="history-empty">{nothing(&words)}</p> })
                            }
                            Ok(list) => Either::Right(Either::Left(groups(now, list))),
                            // The page beside it says why.
                            Err(refused) if refused.problem.code == ProblemCode::PermissionDenied => {
                                Either::Left(view! { <p class="history-empty">{refused.problem.title}</p> })
                            }
                            Err(refused) => {
                                Either::Right(Either::Right(view! { <ProblemNote problem=refused.problem /> }))
                            }
                        }
                    })}
                </Transition>
            </nav>
        </aside>
    }
    .into_any()
}

fn nothing(words: &str) -> String {
    if words.trim().is_empty() {
        "Your conversations will be listed here.".to_owned()
    } else {
        format!("No conversation mentions “{}”.", words.trim())
    }
}

fn groups(now: Timestamp, list: Vec<ConversationSummary>) -> impl IntoView {
    let open = use_params_map();
    let mut groups: Vec<(&'static str, Vec<ConversationSummary>)> = Vec::new();
    for conversation in list {
        let heading = age(now, conversation.updated_at);
        match groups.last_mut() {
            Some((last, conversations)) if *last == heading => conversations.push(conversation),
            Some(_) | None => groups.push((heading, vec![conversation])),
        }
    }
    let entry = move |conversation: ConversationSummary| {
        let id = conversation.id.to_string();
        let href = format!("/chat/{id}");
        let here = move || open.with(|params| params.get("id").is_some_and(|open| open == id)).then_some("page");
        let title = format!("{} · {}", conversation.title, absolute(conversation.updated_at));
        view! {
            <li>
                <a href=href title=title aria-current=here>
                    {conversation.title}
                </a>
            </li>
        }
    };
    groups
        .into_iter()
        .map(|(heading, conversations)| {
            view! {
                <h2>{heading}</h2>
                <ul role="list">{conversations.into_iter().map(entry).collect_view()}</ul>
            }
        })
        .collect_view()
}
