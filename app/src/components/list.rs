//! Lists of the consoles: the address that holds their state, search, orders, pages, days.
//!
//! Rendered on the server only; everything is a link or a plain form, and works without a script.

use crate::wording::{absolute, grouped, machine};
use contract::{Day, KeyOrder, KeyQuery, KeyState, ListOrder, ListQuery, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What a list's address says: words, an order, a page, and which of its kinds is shown where it has kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    words: String,
    /// None: the order that a list has of itself.
    sort: Option<&'static str>,
    page: i64,
    state: Option<&'static str>,
}

impl From<ListQuery> for Address {
    fn from(query: ListQuery) -> Self {
        let ListQuery { words, page, order } = query;
        let sort = (order != ListOrder::default()).then_some(order.as_str());
        Self { words, sort, page, state: None }
    }
}

impl From<KeyQuery> for Address {
    fn from(query: KeyQuery) -> Self {
        let KeyQuery { words, page, order, state } = query;
        let sort = (order != KeyOrder::default()).then_some(order.as_str());
        Self { words, sort, page, state: Some(state.map_or(ALL, KeyState::as_str)) }
    }
}

/// What stands in an address for keys of every state.
pub const ALL: &str = "all";

/// An order of a list, as it stands in addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    name: &'static str,
    usual: bool,
}

impl From<ListOrder> for Order {
    fn from(order: ListOrder) -> Self {
        Self { name: order.as_str(), usual: order == ListOrder::default() }
    }
}

impl From<KeyOrder> for Order {
    fn from(order: KeyOrder) -> Self {
        Self { name: order.as_str(), usual: order == KeyOrder::default() }
    }
}

impl Address {
    fn sorted(&self, order: Order) -> bool {
        self.sort == Some(order.name) || (self.sort.is_none() && order.usual)
    }

    fn at(self, page: i64) -> Self {
        Self { page, ..self }
    }

    /// What follows the path: the same list, wherever it is linked from.
    pub fn query(&self) -> String {
        let mut query = format!("?q={}", form_encoded(&self.words));
        let page = (self.page > 1).then(|| self.page.to_string());
        for (name, value) in [("sort", self.sort), ("state", self.state), ("page", page.as_deref())] {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={value}"));
            }
        }
        query
    }
}

/// The words and the page that an address asks for.
fn asked() -> (String, i64) {
    use_query_map().with_untracked(|query| {
        let words = query.get("q").unwrap_or_default().chars().take(100).collect();
        (words, query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, 1_000_000))
    })
}

fn asked_order<O: std::str::FromStr + Default>() -> O {
    use_query_map().with_untracked(|query| query.get("sort").and_then(|order| order.parse().ok()).unwrap_or_default())
}

/// What a list's address asks for.
pub fn list_query() -> ListQuery {
    let (words, page) = asked();
    ListQuery { words, page, order: asked_order() }
}

/// What the address of the list of keys asks for: those that work, unless it says otherwise.
pub fn key_query() -> KeyQuery {
    let (words, page) = asked();
    let state = use_query_map().with_untracked(|query| match query.get("state").as_deref() {
        Some(ALL) => None,
        Some(state) => Some(state.parse().unwrap_or(KeyState::Active)),
        None => Some(KeyState::Active),
    });
    KeyQuery { words, page, order: asked_order(), state }
}

#[component]
pub fn Search(
    label: &'static str,
    words: String,
    /// What else of the list stays as it is.
    #[prop(optional, into)]
    keep: Option<Address>,
) -> impl IntoView {
    let hidden = |(name, value): (&'static str, Option<&'static str>)| {
        value.map(|value| view! { <input r#type="hidden" name=name value=value /> })
    };
    let kept = keep.map(|keep| [("sort", keep.sort), ("state", keep.state)].map(hidden).collect_view());
    view! {
        <form class="console-search" method="get" role="search">
            {kept}
            <input r#type="search" name="q" aria-label=label placeholder=label value=words autocomplete="off" maxlength="100" />
            <button class="button">"Search"</button>
        </form>
    }
    .into_any()
}

/// ‹ 2 of 7 ›, and how many there are in all.
#[component]
pub fn Pages(
    #[prop(into)] query: Address,
    number: i64,
    last: i64,
    total: i64,
    /// What one of them is called, and what several are.
    nouns: (&'static str, &'static str),
) -> impl IntoView {
    let noun = if total == 1 { nouns.0 } else { nouns.1 };
    let step = |page: i64, label: &'static str| {
        let to = query.clone().at(page).query();
        (1..=last).contains(&page).then(|| view! { <a class="button" href=to rel="external">{label}</a> })
    };
    let beyond = number > last;
    view! {
        <p class="console-pages">
            <span>{format!("{} {noun}", grouped(total))}</span>
            {step(number - 1, "Previous")}
            {(last > 1 && !beyond).then(|| view! { <span>{format!("page {number} of {last}")}</span> })}
            {beyond.then(|| step(1, "Back to the first page"))}
            {step(number + 1, "Next")}
        </p>
    }
}

/// Stands where a list's rows would be: why there are none here, and the way to where some are.
#[component]
pub fn NoRows(
    #[prop(into)] query: Address,
    total: i64,
    /// What is said where the list is empty of itself.
    none: &'static str,
) -> impl IntoView {
    let said = match (total, query.words.is_empty()) {
        (0, true) => none.to_owned(),
        (0, false) => format!("Nothing here matches “{}”.", query.words),
        (_, _) => format!("The list has no page {}.", query.page),
    };
    let all = Address { words: String::new(), page: 1, ..query.clone() }.query();
    let all = (total == 0 && !query.words.is_empty()).then(|| view! { <a href=all rel="external">"Show all"</a> });
    view! { <p class="hint">{said}" "{all}</p> }
}

/// A column's head that sorts the list by it, and the other way round when it does already.
#[component]
pub fn SortHead(
    label: &'static str,
    #[prop(into)] query: Address,
    #[prop(into)] up: Order,
    #[prop(into)] down: Order,
) -> impl IntoView {
    let (sorted, next) = if query.sorted(up) {
        (Some("ascending"), down)
    } else if query.sorted(down) {
        (Some("descending"), up)
    } else {
        (None, up)
    };
    let arrow = sorted.map(|sorted| if sorted == "ascending" { " ↑" } else { " ↓" });
    let to = Address { sort: (!next.usual).then_some(next.name), page: 1, ..query }.query();
    view! { <th aria-sort=sorted><a href=to rel="external">{label}<span aria-hidden="true">{arrow}</span></a></th> }
}

pub(super) fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A day in a table, which stays on one line; the moment is told on hover.
#[component]
pub fn OnDay(at: Timestamp) -> impl IntoView {
    let day = Day::of(at).to_string();
    view! { <time datetime=machine(at) title=absolute(at)>{day}</time> }
}
