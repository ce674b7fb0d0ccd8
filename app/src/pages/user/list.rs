//! `/operator/users`: everybody who can sign in.

use crate::{
    api::customer::{UserOperatorSet, UserSignOut, users},
    components::console::{Console, Pages, Question, Search, SortHead, list_query, loaded},
    wording::absolute,
};
use contract::{ListOrder, ListQuery, Page, UserSummary};
use leptos::prelude::*;
use server_fn::ServerFn;

#[component]
pub fn UserList() -> impl IntoView {
    let query = list_query();
    let asked = query.clone();
    let found = Resource::new_blocking(|| (), move |()| users(asked.clone()));
    loaded(found, move |page| view! { <Shown page query=query.clone() /> }.into_any())
}

#[component]
fn Shown(page: Page<UserSummary>, query: ListQuery) -> impl IntoView {
    let (number, last, total) = (page.number, page.last(), page.total);
    view! {
        <Console title="Users" lead="Everybody who can sign in, whichever tenant they belong to. What they write is not here.">
            <section aria-label="Users">
                <Search label="Search by e-mail" words=query.words.clone() order=query.order />
                <div class="table-scroll" tabindex="0" role="region" aria-label="List of users">
                    <table>
                        <thead>
                            <tr>
                                <SortHead label="E-mail" query=query.clone() up=ListOrder::Name down=ListOrder::NameDown />
                                <th>"Belongs to"</th>
                                <SortHead label="Since" query=query.clone() up=ListOrder::Created down=ListOrder::CreatedDown />
                                <th><span class="visually-hidden">"Acts"</span></th>
                            </tr>
                        </thead>
                        <tbody>{page.items.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
                <Pages query number last total nouns=("person", "people") />
            </section>
        </Console>
    }
    .into_any()
}

fn row(person: UserSummary) -> impl IntoView {
    let (user, email) = (person.user.to_string(), person.email.to_string());
    let others = person.memberships.saturating_sub(1);
    let belongs = match (&person.tenant, others) {
        (None, _) => "no tenant".to_owned(),
        (Some(tenant), 0) => tenant.to_string(),
        (Some(tenant), _) => format!("{tenant} and {others} more"),
    };
    let (act, consequence) = if person.operator {
        ("Take operator’s rights", format!("{email} no longer runs the platform. Their tenants stay theirs."))
    } else {
        ("Make operator", format!("{email} may do everything that you may: see all tenants, suspend and delete them."))
    };
    view! {
        <tr>
            <td>{email.clone()}{person.operator.then(|| view! { <span class="hint">" · operator"</span> })}</td>
            <td>{belongs}</td>
            <td>{absolute(person.created_at)}</td>
            <td>
                <div class="acts">
                    <form method="post" action=UserSignOut::PATH>
                        <input r#type="hidden" name="user" value=user.clone() />
                        <button class="button button-small" aria-label=format!("Sign out {email} everywhere")>"Sign out"</button>
                    </form>
                    <Question
                        id=format!("operator-{user}")
                        act
                        consequence
                        name=email.clone()
                        to=UserOperatorSet::PATH
                    >
                        <input r#type="hidden" name="user" value=user.clone() />
                        <input r#type="hidden" name="email" value=email.clone() />
                        <input r#type="hidden" name="may" value=(!person.operator).to_string() />
                    </Question>
                </div>
            </td>
        </tr>
    }
}
