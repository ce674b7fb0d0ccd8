//! `/admin/keys`: how programs reach the tenant.

use crate::{
    api::people::{KeyCreate, KeyRevoke, KeysView, keys},
    components::{
        console::{Console, Once, Question, loaded},
        form::{Field, PlainForm, Submit},
    },
    wording::absolute,
};
use contract::KeyView;
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn KeysShow() -> impl IntoView {
    let found = Resource::new_blocking(|| (), |()| keys());
    loaded(found, |found| view! { <Shown found /> }.into_any())
}

#[component]
fn Shown(found: KeysView) -> impl IntoView {
    let KeysView { keys, secret } = found;
    let list = if keys.is_empty() {
        Either::Left(view! { <p class="hint">"There is no key yet."</p> })
    } else {
        Either::Right(view! { <Table keys /> })
    };
    view! {
        <Console title="API keys" lead="A key lets a program act in this tenant, within what you allow it.">
            {secret.map(|secret| view! {
                <Once text=secret about="This is the new key. Keep it where your program finds it: it is shown only now." />
            })}
            <section aria-labelledby="new-key">
                <h2 id="new-key">"New key"</h2>
                <PlainForm to=KeyCreate::PATH class="form form-row">
                    <Field name="name" label="Name" />
                    <div class="field">
                        <label for="may">"It may"</label>
                        <select id="may" name="may">
                            <option value="inference" selected=true>"call models"</option>
                            <option value="manage">"call models and manage the tenant"</option>
                        </select>
                    </div>
                    <Field name="models" label="Models (all if empty)" />
                    <Submit label="Make a key" />
                </PlainForm>
            </section>
            <section aria-labelledby="keys">
                <h2 id="keys">"Keys"</h2>
                {list}
            </section>
        </Console>
    }
    .into_any()
}

#[component]
fn Table(keys: Vec<KeyView>) -> impl IntoView {
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="List of keys">
            <table>
                <thead>
                    <tr>
                        <th>"Name"</th><th>"Key"</th><th>"May"</th><th>"Models"</th><th>"Made"</th><th>"Last used"</th>
                        <th><span class="visually-hidden">"Acts"</span></th>
                    </tr>
                </thead>
                <tbody>{keys.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(key: KeyView) -> impl IntoView {
    let name = key.name.clone();
    let may = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    let models = key.models.map_or_else(|| "all".to_owned(), |models| models.join(", "));
    let acts = match key.revoked_at {
        Some(at) => Either::Left(format!("revoked {}", absolute(at))),
        None => Either::Right(view! {
            <Question
                id=format!("revoke-{}", key.id)
                act="Revoke"
                consequence=format!("Programs that use “{}” are refused from their next request on.", key.name)
                name=key.name.clone()
                to=KeyRevoke::PATH
            >
                <input r#type="hidden" name="key" value=key.id.to_string() />
                <input r#type="hidden" name="name" value=key.name.clone() />
            </Question>
        }),
    };
    view! {
        <tr>
            <td>{name}</td>
            <td><code>{key.prefix}"…"</code></td>
            <td>{may}</td>
            <td>{models}</td>
            <td>{absolute(key.created_at)}<span class="hint">" by "{key.created_by}</span></td>
            <td>{key.last_used_at.map_or_else(|| "never".to_owned(), absolute)}</td>
            <td>{acts}</td>
        </tr>
    }
}
