//! The narrow page of everything before the product: signing in, the first run.

use crate::components::icon::Mark;
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn Entrance(
    title: &'static str,
    /// “Step 1 of 2”, where there are steps.
    #[prop(optional)]
    step: Option<&'static str>,
    #[prop(optional)] lead: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=title />
        <main class="entrance">
            <div class="entrance-card">
                <p class="wordmark">
                    <Mark />
                    "Seam"
                </p>
                {step.map(|step| view! { <p class="step">{step}</p> })}
                <h1>{title}</h1>
                {lead.map(|lead| view! { <p class="lead">{lead}</p> })}
                {children()}
            </div>
        </main>
    }
    .into_any()
}
