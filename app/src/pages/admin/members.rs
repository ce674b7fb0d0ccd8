//! `/admin/members`: who belongs to the tenant, and who is invited.

use crate::{
    api::people::{InvitationWithdraw, MemberInvite, MemberRemove, MemberRoleSet, MembersView, members},
    components::{
        console::{Consent, Console, Once, Question, loaded},
        form::{Field, PlainForm, Submit, of_page},
        list::{NoRows, OnDay, Pages, Search, SortHead, list_query},
    },
    wording::absolute,
};
use contract::{InvitationView, ListOrder, ListQuery, MailState, MemberView, Role, UserId};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

const ROLES: [Role; 3] = [Role::Member, Role::Admin, Role::Viewer];

#[component]
pub fn MembersShow() -> impl IntoView {
    let query = list_query();
    let asked = query.clone();
    let found = Resource::new_blocking(|| (), move |()| members(asked.clone()));
    loaded(found, move |found| view! { <Shown found query=query.clone() /> }.into_any())
}

#[component]
fn Shown(found: MembersView, query: ListQuery) -> impl IntoView {
    let MembersView { members, invitations, link, mail, reader } = found;
    let about = if mail {
        "A mail with this link is on its way. You may also hand it on yourself: it works once, within seven days, and is shown only now."
    } else {
        "Send this link to the person you invited. It works once, within seven days, and is shown only now."
    };
    let invite = if mail { "Invite" } else { "Make a link" };
    let (number, last, total) = (members.number, members.last(), members.total);
    let rows = if members.items.is_empty() {
        Either::Left(view! { <NoRows query=query.clone() total none="Nobody belongs to this tenant yet." /> })
    } else {
        Either::Right(view! { <Table members=members.items query=query.clone() reader /> })
    };
    view! {
        <Console title="Members" lead="Admins manage the tenant, members chat, viewers read what is shared.">
            {link.map(|link| view! {
                <Once text=link about />
            })}
            <section aria-labelledby="invite">
                <h2 id="invite">"Invite somebody"</h2>
                <PlainForm to=MemberInvite::PATH class="form form-row">
                    <Field name="email" label="E-mail" kind="email" />
                    <div class="field">
                        <label for="role">"Role"</label>
                        <select id="role" name="role">{options(Role::Member)}</select>
                    </div>
                    <Submit label=invite />
                </PlainForm>
                {(!invitations.is_empty()).then(|| view! { <Invitations invitations /> })}
            </section>
            <section aria-labelledby="people">
                <h2 id="people">"People"</h2>
                <Search label="Search by e-mail" words=query.words.clone() keep=query.clone() />
                {rows}
                <Pages query number last total nouns=("person", "people") />
            </section>
        </Console>
    }
    .into_any()
}

#[component]
fn Table(members: Vec<MemberView>, query: ListQuery, reader: UserId) -> impl IntoView {
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="List of people">
            <table>
                <thead><tr>
                    <SortHead label="E-mail" query=query.clone() up=ListOrder::Name down=ListOrder::NameDown />
                    <th>"Role"</th>
                    <SortHead label="Since" query=query.clone() up=ListOrder::Created down=ListOrder::CreatedDown />
                    <th><span class="visually-hidden">"Acts"</span></th></tr></thead>
                <tbody>{members.into_iter().map(|member| row(member, reader)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn options(chosen: Role) -> impl IntoView {
    ROLES
        .map(|role| view! { <option value=role.as_str() selected=role == chosen>{role.as_str()}</option> })
        .collect_view()
}

/// A role is set at once, but for one's own: whoever is no admin any more cannot take that back.
fn role(member: &MemberView, reader: UserId) -> impl IntoView + use<> {
    let (user, email, role) = (member.user.to_string(), member.email.to_string(), member.role);
    if member.user == reader {
        return view! {
            <span class="row-form">
                {role.as_str()}
                <Consent
                    id="own-role".to_owned()
                    act="Change"
                    label="Change your own role".to_owned()
                    consequence="Once you are no admin you no longer manage this tenant, and only another admin can make you one again.".to_owned()
                    to=MemberRoleSet::PATH
                >
                    <input r#type="hidden" name="user" value=user />
                    <input r#type="hidden" name="email" value=email />
                    <div class="field">
                        <label for="own-role-chosen">"Your role"</label>
                        <select id="own-role-chosen" name="role">{options(role)}</select>
                    </div>
                </Consent>
            </span>
        }
        .into_any();
    }
    let label = format!("Role of {email}");
    view! {
        <form method="post" action=of_page(MemberRoleSet::PATH) class="row-form">
            <input r#type="hidden" name="user" value=user />
            <input r#type="hidden" name="email" value=email />
            <select name="role" aria-label=label>{options(role)}</select>
            <button class="button button-small">"Set"</button>
        </form>
    }
    .into_any()
}

fn row(member: MemberView, reader: UserId) -> impl IntoView {
    let role = role(&member, reader);
    let (user, email) = (member.user.to_string(), member.email.to_string());
    view! {
        <tr>
            <td class="cell-name">{email.clone()}</td>
            <td data-label="Role">{role}</td>
            <td data-label="Since"><OnDay at=member.joined_at /></td>
            <td>
                <Question
                    id=format!("remove-{user}")
                    act="Remove"
                    consequence=format!("{email} can no longer enter this tenant. What they wrote stays.")
                    name=email.clone()
                    to=MemberRemove::PATH
                >
                    <input r#type="hidden" name="user" value=user />
                    <input r#type="hidden" name="email" value=email />
                </Question>
            </td>
        </tr>
    }
}

#[component]
fn Invitations(invitations: Vec<InvitationView>) -> impl IntoView {
    let line = |invitation: InvitationView| {
        let email = invitation.email.to_string();
        let mail = invitation.mail.map(|state| match state {
            MailState::Queued => view! { <span class="hint">" · mail is on its way"</span> }.into_any(),
            MailState::Sent => view! { <span class="hint">" · mail was sent"</span> }.into_any(),
            MailState::Failed => view! {
                <strong class="failed">" · the mail could not be sent; invite again for a new link to hand on"</strong>
            }
            .into_any(),
        });
        view! {
            <li>
                <span>
                    {invitation.email.to_string()} " as " {invitation.role.as_str()}
                    <span class="hint">" · by "{invitation.invited_by}", until "{absolute(invitation.expires_at)}</span>
                    {mail}
                </span>
                <Question
                    id=format!("withdraw-{}", invitation.id)
                    act="Withdraw"
                    consequence=format!("The link that invites {email} opens nothing any more.")
                    name=email.clone()
                    to=InvitationWithdraw::PATH
                >
                    <input r#type="hidden" name="id" value=invitation.id />
                    <input r#type="hidden" name="email" value=email />
                </Question>
            </li>
        }
    };
    view! {
        <h3>"Invited"</h3>
        <ul class="lines" role="list">{invitations.into_iter().map(line).collect_view()}</ul>
    }
}
