//! `/admin/keys`: how programs reach the tenant.

use crate::{
    api::people::{KeyCreate, KeyRevoke, KeysView, keys},
    components::{
        console::{Console, Once, Question, loaded},
        form::{Choice, Field, PlainForm, Submit},
        list::{Address, NoRows, OnDay, Pages, Search, SortHead, key_query},
    },
    wording::{absolute, ago, grouped, machine, until},
};
use contract::{KeyCounts, KeyLifetime, KeyOrder, KeyQuery, KeyState, KeyView, Timestamp};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

/// An end that is as near as this is told in days too.
const SOON_MILLIS: i64 = 14 * 86_400_000;

#[component]
pub fn KeysShow() -> impl IntoView {
    let query = key_query();
    let asked = query.clone();
    let found = Resource::new_blocking(|| (), move |()| keys(asked.clone()));
    loaded(found, move |found| view! { <Shown found query=query.clone() /> }.into_any())
}

#[component]
fn Shown(found: KeysView, query: KeyQuery) -> impl IntoView {
    let KeysView { keys, counts, secret, now } = found;
    let (number, last, total) = (keys.number, keys.last(), keys.total);
    let list = if counts.of(None) == 0 && query.words.is_empty() {
        Either::Left(view! { <p class="hint">"There is no key yet."</p> })
    } else {
        let table = if keys.items.is_empty() {
            Either::Left(view! { <NoRows query=query.clone() total none="No key is in this state." /> })
        } else {
            Either::Right(view! { <Table keys=keys.items query=query.clone() now /> })
        };
        Either::Right(view! {
            <Search label="Search by name or beginning" words=query.words.clone() keep=query.clone() />
            <States query=query.clone() counts />
            {table}
            <Pages query number last total nouns=("key", "keys") />
        })
    };
    view! {
        <Console title="API keys" lead="A key lets a program act in this tenant, within what you allow it.">
            {secret.map(|secret| view! {
                <Once text=secret about="This is the new key. Keep it where your program finds it: it is shown only now." />
            })}
            <section aria-labelledby="new-key">
                <h2 id="new-key">"New key"</h2>
                <NewKey />
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
fn NewKey() -> impl IntoView {
    let option = |value: &str, words: &str| (value.to_owned(), words.to_owned());
    let may = vec![option("inference", "call models"), option("manage", "call models and manage the tenant")];
    let mut ends = vec![option("never", "never")];
    ends.extend(KeyLifetime::DAYS.map(|days| {
        let words = if days == 365 { "in a year".to_owned() } else { format!("in {days} days") };
        (days.to_string(), words)
    }));
    ends.push(option(KeyLifetime::ON_A_DATE, "on a date"));
    view! {
        <PlainForm to=KeyCreate::PATH class="form form-row key-form">
            <Field name="name" label="Name" />
            <Choice name="may" label="It may" options=may />
            <Field name="models" label="Models (all if empty)" />
            <Choice name="expires" label="Expires" options=ends />
            <div class="key-date">
                <Field name="expires_at" label="Last day" kind="date" hint="It works to the end of this day, in UTC." />
            </div>
            <Submit label="Make a key" />
        </PlainForm>
    }
    .into_any()
}

/// Links that show the keys of one state, with how many there are.
#[component]
fn States(query: KeyQuery, counts: KeyCounts) -> impl IntoView {
    let states = [
        ("Active", Some(KeyState::Active)),
        ("Expired", Some(KeyState::Expired)),
        ("Revoked", Some(KeyState::Revoked)),
        ("All", None),
    ];
    let link = |(label, state): (&'static str, Option<KeyState>)| {
        let here = (state == query.state).then_some("true");
        let to = Address::from(KeyQuery { state, page: 1, ..query.clone() }).query();
        view! {
            <a class="chip" href=to rel="external" aria-current=here>
                {label} " " <span class="chip-count">{grouped(counts.of(state))}</span>
            </a>
        }
    };
    view! { <nav class="chips" aria-label="Which keys">{states.map(link).collect_view()}</nav> }
}

#[component]
fn Table(keys: Vec<KeyView>, query: KeyQuery, now: Timestamp) -> impl IntoView {
    let head = |label, up: KeyOrder, down: KeyOrder| view! { <SortHead label query=query.clone() up down /> };
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="List of keys">
            <table>
                <thead>
                    <tr>
                        {head("Name", KeyOrder::Name, KeyOrder::NameDown)}
                        <th>"May"</th>
                        {head("Made", KeyOrder::Created, KeyOrder::CreatedDown)}
                        {head("Last used", KeyOrder::Used, KeyOrder::UsedDown)}
                        {head("Expires", KeyOrder::Expires, KeyOrder::ExpiresDown)}
                        <th><span class="visually-hidden">"Acts"</span></th>
                    </tr>
                </thead>
                <tbody>{keys.into_iter().map(|key| row(key, now)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(key: KeyView, now: Timestamp) -> impl IntoView {
    let state = key.state(now);
    let may = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    let models = key.models.as_ref().map_or_else(|| "all models".to_owned(), |models| models.join(", "));
    let used = key.last_used_at.map(|at| view! { <time datetime=machine(at) title=absolute(at)>{ago(now, at)}</time> });
    view! {
        <tr class=(state != KeyState::Active).then_some("over")>
            <td class="cell-name">{key.name.clone()}<code class="below">{key.prefix.clone()}"…"</code></td>
            <td data-label="May">{may}<span class="hint below">{models}</span></td>
            <td data-label="Made"><OnDay at=key.created_at /><span class="hint below">"by "{key.created_by.clone()}</span></td>
            <td data-label="Last used">{used.map_or_else(|| Either::Left("never"), Either::Right)}</td>
            <td data-label="Expires">{end(&key, state, now)}</td>
            <td>{acts(key, state)}</td>
        </tr>
    }
}

/// When a key ends or ended, by which of the two ways.
fn end(key: &KeyView, state: KeyState, now: Timestamp) -> AnyView {
    let soon = |at: Timestamp| {
        let near = state == KeyState::Active && at.millis_since(now) < SOON_MILLIS;
        near.then(|| view! { <strong class="below">{until(now, at)}</strong> })
    };
    match (state, key.revoked_at, key.expires_at) {
        (KeyState::Revoked, Some(at), _) => view! { <span class="below">"revoked"</span><OnDay at /> }.into_any(),
        (KeyState::Expired, _, Some(at)) => view! { <span class="below">"expired"</span><OnDay at /> }.into_any(),
        (_, _, Some(at)) => view! { <OnDay at />{soon(at)} }.into_any(),
        (_, _, None) => "never".into_any(),
    }
}

fn acts(key: KeyView, state: KeyState) -> Option<impl IntoView> {
    let KeyView { id, name, .. } = key;
    (state == KeyState::Active).then(move || {
        view! {
            <Question
                id=format!("revoke-{id}")
                act="Revoke"
                consequence=format!("Programs that use “{name}” are refused from their next request on.")
                name=name.clone()
                to=KeyRevoke::PATH
            >
                <input r#type="hidden" name="key" value=id.to_string() />
                <input r#type="hidden" name="name" value=name />
            </Question>
        }
    })
}
