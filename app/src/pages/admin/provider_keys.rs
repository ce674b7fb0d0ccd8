//! `/admin/provider-keys`: the tenant's own keys at providers.

use crate::{
    api::own_keys::{OwnKeyRemove, OwnKeySet, OwnKeyTest, OwnKeysView, own_keys},
    components::{
        console::{Console, Question, loaded},
        form::{Choice, Field, PlainForm, Submit, of_page},
        list::OnDay,
    },
};
use contract::OwnKeyView;
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn ProviderKeysShow() -> impl IntoView {
    let found = Resource::new_blocking(|| (), |()| own_keys());
    loaded(found, |found| view! { <Shown found /> }.into_any())
}

#[component]
fn Shown(found: OwnKeysView) -> impl IntoView {
    let OwnKeysView { keys, trial } = found;
    let providers: Vec<(String, String)> =
        keys.iter().map(|key| (key.provider.clone(), key.provider.clone())).collect();
    let body = if keys.is_empty() {
        Either::Left(view! {
            <p class="hint">"There is no provider here that takes keys of tenants. Whoever runs this platform can allow it."</p>
        })
    } else {
        Either::Right(view! {
            <section aria-labelledby="new-own-key">
                <h2 id="new-own-key">"Set a key"</h2>
                <PlainForm to=OwnKeySet::PATH class="form form-row">
                    <Choice name="provider" label="Provider" options=providers />
                    <Field
                        name="api_key"
                        label="Key"
                        kind="password"
                        hint="It is sealed at once, and shown to nobody again. One that is there already is replaced."
                    />
                    <Submit label="Keep the key" />
                </PlainForm>
            </section>
            <section aria-labelledby="own-keys">
                <h2 id="own-keys">"Providers"</h2>
                <div class="table-scroll" tabindex="0" role="region" aria-label="List of providers">
                    <table>
                        <thead>
                            <tr>
                                <th>"Provider"</th>
                                <th>"Your key"</th>
                                <th><span class="visually-hidden">"Acts"</span></th>
                            </tr>
                        </thead>
                        <tbody>{keys.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
            </section>
        })
    };
    view! {
        <Console
            title="Provider keys"
            lead="With a key of your own, what you ask of a provider is billed to you by that provider, and not by this platform."
        >
            {trial.map(|trial| view! { <p class="note" role="status">{trial}</p> })}
            {body}
        </Console>
    }
    .into_any()
}

fn row(key: OwnKeyView) -> impl IntoView {
    let OwnKeyView { provider, kind, enabled, hint, updated_at } = key;
    let is_set = hint.is_some();
    let ends = hint.filter(|hint| !hint.is_empty()).map(|hint| view! { <code>"…"{hint}</code> });
    let since = updated_at.map(|at| view! { <span class="hint below">"since "<OnDay at /></span> });
    let state = if is_set { "set " } else { "none: the platform's is used, where it has one" };
    let off = (!enabled).then(|| view! { <span class="hint below">"switched off just now"</span> });
    view! {
        <tr>
            <td class="cell-name">{provider.clone()}<span class="hint below">{kind.as_str()}</span>{off}</td>
            <td data-label="Your key">{state}{ends}{since}</td>
            <td>{is_set.then(|| acts(provider))}</td>
        </tr>
    }
}

fn acts(provider: String) -> impl IntoView {
    let label = format!("Try it: your key at {provider}");
    view! {
        <div class="acts">
            <form method="post" action=of_page(OwnKeyTest::PATH)>
                <input r#type="hidden" name="provider" value=provider.clone() />
                <button class="button button-small" aria-label=label>"Try it"</button>
            </form>
            <Question
                id=format!("remove-{provider}")
                act="Remove"
                consequence=format!(
                    "What you ask of “{provider}” is made with the platform's key from the next request on, where it has \
                     one, and fails where it has none.",
                )
                name=provider.clone()
                to=OwnKeyRemove::PATH
            >
                <input r#type="hidden" name="provider" value=provider.clone() />
            </Question>
        </div>
    }
}
