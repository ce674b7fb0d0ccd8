//! `/admin/models`: what the tenant can ask for, and why some of it does not answer.

use crate::{
    api::gateway::tenant_models,
    components::console::{Console, loaded},
};
use contract::{Obstacle, TenantModelView};
use leptos::{either::Either, prelude::*};

#[component]
pub fn ModelsShow() -> impl IntoView {
    let found = Resource::new_blocking(|| (), |()| tenant_models());
    loaded(found, |models| view! { <Shown models /> }.into_any())
}

#[component]
fn Shown(models: Vec<TenantModelView>) -> impl IntoView {
    let list = if models.is_empty() {
        Either::Left(view! { <p class="hint">"There is no model yet. Whoever runs this platform adds them."</p> })
    } else {
        Either::Right(view! {
            <div class="table-scroll" tabindex="0" role="region" aria-label="List of models">
                <table>
                    <thead><tr><th>"Model"</th><th>"Now"</th></tr></thead>
                    <tbody>{models.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        })
    };
    view! {
        <Console
            title="Models"
            lead="What your people and your keys can ask for. A key can be bound to some of these when it is made."
        >
            <section aria-label="Models">{list}</section>
        </Console>
    }
    .into_any()
}

fn row(model: TenantModelView) -> impl IntoView {
    let TenantModelView { name, available, obstacles } = model;
    let state = if available { "answers" } else { "does not answer" };
    let why = obstacles.into_iter().map(|obstacle| view! { <span class="hint below">{because(obstacle)}</span> });
    view! {
        <tr>
            <td class="cell-name"><code>{name.clone()}</code></td>
            // A wrapper of its own: it is fetched anew while the page is looked at.
            <td data-label="Now"><div data-live=name>
                <span class="place-state" data-trouble=(!available).then_some("")>{state}</span>
                {why.collect_view()}
            </div></td>
        </tr>
    }
}

/// In words for whoever cannot change it, and without the operator's affairs.
const fn because(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::SwitchedOff => "It is switched off by whoever runs this platform.",
        Obstacle::OutsideRegion => "It is answered outside the region that your data must not leave.",
        Obstacle::KeepsData => "It is answered where what is sent may be kept, and yours must not be.",
        Obstacle::NotSetUp => "It is not set up yet; whoever runs this platform has to.",
        Obstacle::Resting => "It failed again and again just now. It is tried again by itself within a minute.",
    }
}
