//! `/operator/providers`: who is asked, how their places are doing, and the switch that stops it.

use crate::{
    api::gateway::{ProviderSwitch, providers},
    components::{
        console::{Consent, Console, loaded},
        place::Pulse,
    },
    wording::anchor,
};
use contract::{PlaceView, ProviderKind, ProviderView};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

/// So many models are named before an act; of more their number is told.
const NAMED: usize = 5;

#[component]
pub fn ProviderList() -> impl IntoView {
    let found = Resource::new_blocking(|| (), |()| providers());
    loaded(found, |providers| view! { <Shown providers /> }.into_any())
}

#[component]
fn Shown(providers: Vec<ProviderView>) -> impl IntoView {
    let list = if providers.is_empty() {
        Either::Left(view! {
            <p class="hint">"There is no provider yet. Declare one in a file, and apply it: "<code>"seam apply -f FILE"</code></p>
        })
    } else {
        Either::Right(providers.into_iter().map(|provider| view! { <Provider provider /> }).collect_view())
    };
    view! {
        <Console
            title="Providers"
            lead="Who answers for your models, and how each of their models is doing, as this node sees it."
        >
            {list}
        </Console>
    }
    .into_any()
}

#[component]
fn Provider(provider: ProviderView) -> impl IntoView {
    let id = anchor("provider", &provider.name);
    let heading = format!("{id}-name");
    let named = heading.clone();
    let facts = facts(&provider);
    let fact = |(name, value): (&'static str, String)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let places = if provider.places.is_empty() {
        Either::Left(view! { <p class="hint">"No model has a target here."</p> })
    } else {
        Either::Right(view! {
            <ul class="places" role="list">{provider.places.clone().into_iter().map(place).collect_view()}</ul>
        })
    };
    view! {
        <section id=id aria-labelledby=named>
            <div class="model-head">
                <h2 id=heading>{provider.name.clone()}</h2>
                <Switch provider />
            </div>
            <dl class="figures facts">{facts.map(fact)}</dl>
            {places}
        </section>
    }
    .into_any()
}

fn facts(provider: &ProviderView) -> [(&'static str, String); 6] {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let here = match provider.kind {
        ProviderKind::Local | ProviderKind::Simulated => true,
        ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Gemini => false,
    };
    let unsaid = if here { "this server" } else { "the provider’s own" };
    let key = if here { "needs none".to_owned() } else { yes_no(provider.has_key) };
    // What runs in this process is where tenants' data lies anyway, and keeps nothing.
    let region = provider.region.clone().unwrap_or_else(|| if here { "here" } else { "not said" }.to_owned());
    [
        ("State", if provider.enabled { "asked" } else { "switched off" }.to_owned()),
        ("Kind", provider.kind.to_string()),
        ("Address", provider.base_url.clone().unwrap_or_else(|| unsaid.to_owned())),
        ("Region", region),
        ("Keeps nothing", yes_no(here || provider.zero_retention)),
        ("Has a key", key),
    ]
}

fn place(place: PlaceView) -> impl IntoView {
    let key = place.route();
    view! {
        <li class="place">
            <div class="place-head"><code class="place-route">{place.model.clone()}</code></div>
            <Pulse key place />
        </li>
    }
}

#[component]
fn Switch(provider: ProviderView) -> impl IntoView {
    let name = provider.name.clone();
    let (act, label, consequence) = if provider.enabled {
        ("Switch off", format!("Switch off {name}"), switching_off(&provider))
    } else {
        let consequence = format!(
            "Within a second every node asks {name} again, where models name it. How it did before is forgotten. It stands in \
             the platform’s log."
        );
        ("Switch on", format!("Switch on {name}"), consequence)
    };
    view! {
        <Consent id=format!("switch-{name}") act label consequence to=ProviderSwitch::PATH>
            <input r#type="hidden" name="provider" value=name.clone() />
            <input r#type="hidden" name="on" value=(!provider.enabled).to_string() />
        </Consent>
    }
}

fn switching_off(provider: &ProviderView) -> String {
    let ProviderView { name, only_hope_of, .. } = provider;
    let left = match only_hope_of.as_slice() {
        [] => "Every model that names it has another place to be answered.".to_owned(),
        [one] => {
            format!("The model {one} has no other place to be answered, and is refused until you switch it on again.")
        }
        some if some.len() <= NAMED => {
            format!(
                "The models {} have no other place to be answered, and are refused until you switch it on again.",
                some.join(", ")
            )
        }
        many => format!("{} models have no other place to be answered, and are refused meanwhile.", many.len()),
    };
    format!(
        "Within a second no node asks {name} any more. Answers under way go on. {left} It stands in the platform’s log."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_switches_a_provider_off_is_told_what_depends_on_it() {
        let provider = |only_hope_of: &[&str]| ProviderView {
            name: "eu".to_owned(),
            kind: ProviderKind::Openai,
            base_url: None,
            region: None,
            zero_retention: false,
            enabled: true,
            has_key: true,
            places: Vec::new(),
            only_hope_of: only_hope_of.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert!(switching_off(&provider(&[])).contains("has another place"));
        assert!(switching_off(&provider(&["a"])).contains("The model a has no other place"));
        assert!(switching_off(&provider(&["a", "b"])).contains("The models a, b have no other place"));
        assert!(switching_off(&provider(&["m"; 6])).contains("6 models"));
    }
}
