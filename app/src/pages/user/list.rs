//! `/operator/users`: everybody who can sign in.

use crate::{
    api::customer::{UserDelete, UserOperatorSet, UserResetLink, UserSignOut, UsersView, users},
    components::{
        console::{Consent, Console, Once, Question, loaded},
        list::{NoRows, OnDay, Pages, Search, SortHead, list_query},
    },
};
use contract::{ListOrder, ListQuery, UserSummary};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn UserList() -> impl IntoView {
    let query = list_query();
    let asked = query.clone();
    let found = Resource::new_blocking(|| (), move |()| users(asked.clone()));
    loaded(found, move |found| view! { <Shown found query=query.clone() /> }.into_any())
}

#[component]
fn Shown(found: UsersView, query: ListQuery) -> impl IntoView {
    let UsersView { users, link } = found;
    let (number, last, total) = (users.number, users.last(), users.total);
    let once = link.map(|(link, email)| {
        let about = format!(
            "Hand this link to {email}, and make sure that it is them. It works once, within the hour, and is shown only now."
        );
        view! { <Once text=link about /> }
    });
    let rows = if users.items.is_empty() {
        Either::Left(view! { <NoRows query=query.clone() total none="Nobody can sign in yet." /> })
    } else {
        Either::Right(view! { <Table users=users.items query=query.clone() /> })
    };
    view! {
        <Console title="Users" lead="Everybody who can sign in, whichever tenant they belong to. What they write is not here.">
            {once}
            <section aria-label="Users">
                <Search label="Search by e-mail" words=query.words.clone() keep=query.clone() />
                {rows}
                <Pages query number last total nouns=("person", "people") />
            </section>
        </Console>
    }
    .into_any()
}

#[component]
fn Table(users: Vec<UserSummary>, query: ListQuery) -> impl IntoView {
    view! {
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
                <tbody>{users.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
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
    let of_link = user.clone();
    let (act, consequence) = if person.operator {
        ("Take operator’s rights", format!("{email} no longer runs the platform. Their tenants stay theirs."))
    } else {
        ("Make operator", format!("{email} may do everything that you may: see all tenants, suspend and delete them."))
    };
    // Who runs the platform is let go of first.
    let deletion = (!person.operator).then(|| deletion(user.clone(), email.clone()));
    view! {
        <tr>
            <td class="cell-name">{email.clone()}{person.operator.then(|| view! { <span class="hint">" · operator"</span> })}</td>
            <td data-label="Belongs to">{belongs}</td>
            <td data-label="Since"><OnDay at=person.created_at /></td>
            <td>
                <div class="acts">
                    {sign_out(user.clone(), email.clone())}
                    <Consent
                        id=format!("reset-{user}")
                        act="New password"
                        label=format!("New password … for {email}")
                        consequence=format!(
                            "Makes a link by which {email} sets a new password. Links that were made before open nothing any \
                             more; the password of now works until it is used. It stands in the log of their tenants too.",
                        )
                        to=UserResetLink::PATH
                    >
                        <input r#type="hidden" name="user" value=of_link.clone() />
                    </Consent>
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
                    {deletion}
                </div>
            </td>
        </tr>
    }
}

fn deletion(user: String, email: String) -> impl IntoView {
    let consequence = format!(
        "Deletes the account of {email} for good, with its memberships, sessions and sign-ins. What they wrote stays their \
         tenants’; logs and ledgers stay as they are."
    );
    view! {
        <Question id=format!("delete-{user}") act="Delete" consequence name=email.clone() to=UserDelete::PATH>
            <input r#type="hidden" name="user" value=user />
            <input r#type="hidden" name="email" value=email />
        </Question>
    }
}

fn sign_out(user: String, email: String) -> impl IntoView {
    let consequence =
        format!("Ends every session of {email}, from the next request on. They can sign in again with their password.");
    view! {
        <Question id=format!("sign-out-{user}") act="Sign out" consequence name=email.clone() to=UserSignOut::PATH>
            <input r#type="hidden" name="user" value=user />
            <input r#type="hidden" name="email" value=email />
        </Question>
    }
}
