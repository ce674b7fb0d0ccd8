//! `/chat` and `/chat/{id}`: a new conversation, or one that goes on.

use crate::{
    api::{RefusedForm, chat::conversation_open},
    components::{
        chat::Thread, frame::FrameResource, history::History, offline::OfflineBanner, palette::Palette,
        problem::ProblemPage,
    },
};
use leptos::{either::Either, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

#[component]
pub fn ChatShow() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let frame = expect_context::<FrameResource>();
    let id = Memo::new(move |_| params.with(|params| params.get("id")));
    // Known to both renderings of this one page, and gone when another conversation is opened.
    let refused = StoredValue::new(SharedValue::new(RefusedForm::here).into_inner());
    Effect::new(move |earlier: Option<()>| {
        id.track();
        if earlier.is_some() {
            refused.set_value(None);
        }
    });
    let opened = Resource::new_blocking(
        move || id.get(),
        move |id| {
            let before = query.with_untracked(|query| query.get("before"));
            let wait = query.with_untracked(|query| query.get("wait").is_some());
            async move {
                match id {
                    None => Ok(None),
                    Some(id) => conversation_open(id, before, wait).await.map(Some),
                }
            }
        },
    );
    view! {
        <History />
        <main class="main" id="main" tabindex="-1">
            <Transition fallback=|| view! { <div class="thread" aria-busy="true"></div> }>
                {move || Suspend::new(async move {
                    let frame = frame.await;
                    let place = frame.as_ref().ok().and_then(|frame| frame.session.current.clone());
                    let (models, shut) = frame.map(|frame| (frame.models, frame.shut)).unwrap_or_default();
                    match (opened.await, shut) {
                        (Ok(None), Some(problem)) => Either::Right(view! { <ProblemPage problem /> }),
                        (Ok(opened), _) => {
                            let title = opened.as_ref().map_or_else(|| "New chat".to_owned(), |opened| opened.view.title.clone());
                            Either::Left(view! {
                                <Title text=title />
                                <Thread opened models place refused=refused.get_value() />
                            })
                        }
                        (Err(refused), _) => Either::Right(view! { <ProblemPage problem=refused.problem /> }),
                    }
                })}
            </Transition>
        </main>
        <OfflineBanner />
        <Palette />
    }
    .into_any()
}
