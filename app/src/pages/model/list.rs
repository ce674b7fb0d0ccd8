//! `/operator/models`: what can be asked for, where it is answered, in which order, and how that goes.

use super::trial::Trial;
use crate::{
    api::gateway::{ModelTry, ModelsView, TargetMove as MoveTarget, models},
    components::{
        console::{Console, loaded},
        place::Pulse,
    },
    wording::anchor,
};
use contract::{MoveDirection, RoutedModelView, TargetView};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

#[component]
pub fn ModelList() -> impl IntoView {
    let again = use_query_map().with_untracked(|query| query.get("again").is_some());
    let found = Resource::new_blocking(|| (), move |()| models(again));
    loaded(found, |found| view! { <Shown found /> }.into_any())
}

#[component]
fn Shown(found: ModelsView) -> impl IntoView {
    let ModelsView { models, trial } = found;
    let list = if models.is_empty() {
        Either::Left(view! {
            <p class="hint">"There is no model yet. Declare one in a file, and apply it: "<code>"seam apply -f FILE"</code></p>
        })
    } else {
        Either::Right(models.into_iter().map(|model| view! { <Model model /> }).collect_view())
    };
    view! {
        <Console
            title="Models"
            lead="What can be asked for, and the places that answer it, as this node sees them: the last ten minutes, at most a \
                  hundred requests. A test request is a real one of at most 16 tokens, at the platform’s expense."
        >
            {trial.map(|trial| view! { <Trial trial /> })}
            {list}
        </Console>
    }
    .into_any()
}

#[component]
fn Model(model: RoutedModelView) -> impl IntoView {
    let RoutedModelView { name, strategy, targets } = model;
    let id = anchor("model", &name);
    let (heading, last) = (format!("{id}-name"), targets.len().saturating_sub(1));
    let named = heading.clone();
    let weighted = strategy == "weighted";
    let of = name.clone();
    let target = move |(at, target): (usize, TargetView)| {
        view! { <Target model=of.clone() at last target weighted /> }
    };
    view! {
        <section id=id aria-labelledby=named>
            <div class="model-head">
                <h2 id=heading>{name.clone()}</h2>
                <form method="post" action=ModelTry::PATH>
                    <input r#type="hidden" name="model" value=name.clone() />
                    <button class="button button-small" aria-label=format!("Send a test request to {name}")>
                        "Send a test request"
                    </button>
                </form>
            </div>
            <p class="hint"><code>{strategy.clone()}</code>" · "{explained(&strategy)}</p>
            <ol class="places" role="list">{targets.into_iter().enumerate().map(target).collect_view()}</ol>
        </section>
    }
    .into_any()
}

/// What the order of the targets means.
fn explained(strategy: &str) -> &'static str {
    match strategy {
        "weighted" => "one is asked by chance, in proportion to its weight; the others follow",
        "cheapest" => "whoever asks least for what is asked comes first, whatever the order here",
        "fastest" => "whoever was quickest lately comes first, whatever the order here",
        _ => "the first that can answer does, in this order",
    }
}

#[component]
fn Target(model: String, at: usize, last: usize, target: TargetView, weighted: bool) -> impl IntoView {
    let TargetView { place, weight } = target;
    let route = place.route();
    let key = format!("{model} {at} {route}");
    let step = |to: MoveDirection, word: &'static str, wire: &'static str, possible: bool| {
        view! {
            <form method="post" action=MoveTarget::PATH>
                <input r#type="hidden" name="model" value=model.clone() />
                <input r#type="hidden" name="at" value=at.to_string() />
                <input r#type="hidden" name="route" value=route.clone() />
                <input r#type="hidden" name="to" value=wire />
                <button class="button button-small" disabled=!possible aria-label=moving(to, &route, &model)>{word}</button>
            </form>
        }
    };
    let acts = (last > 0).then(|| {
        view! {
            <div class="acts">
                {step(MoveDirection::Up, "↑ Up", "up", at > 0)}
                {step(MoveDirection::Down, "↓ Down", "down", at < last)}
            </div>
        }
    });
    view! {
        <li class="place">
            <div class="place-head">
                <code class="place-route">{route.clone()}</code>
                {weighted.then(|| view! { <span class="hint">{format!("weight {weight}")}</span> })}
                {acts}
            </div>
            <Pulse key place />
        </li>
    }
    .into_any()
}

fn moving(to: MoveDirection, route: &str, model: &str) -> String {
    let direction = match to {
        MoveDirection::Up => "up",
        MoveDirection::Down => "down",
    };
    format!("Move {route} {direction} in {model}")
}
