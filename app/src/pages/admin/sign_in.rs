//! `/admin/sign-in`: the tenant's own identity provider, and the domains that it speaks for.

use crate::{
    api::single_sign_on::{
        DomainClaim, DomainRelease, SignInSettingsRemove, SignInSettingsSave, SignInView, sign_in_settings,
    },
    components::{
        console::{Console, Question, loaded},
        form::{Field, PlainForm, Submit},
    },
    wording::absolute,
};
use contract::{DomainView, Role};
use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

#[component]
pub fn SignInShow() -> impl IntoView {
    let found = Resource::new_blocking(|| (), |()| sign_in_settings());
    loaded(found, |found| view! { <Shown found /> }.into_any())
}

#[component]
fn Shown(found: SignInView) -> impl IntoView {
    let SignInView { setting, domains, callback } = found;
    let removal = setting.as_ref().map(|setting| view! { <Removal issuer=setting.issuer.clone() /> });
    view! {
        <Console
            title="Sign-in"
            lead="Single sign-on lets your organisation's identity provider (OpenID Connect) sign your people in."
        >
            <Domains domains />
            <section aria-labelledby="provider">
                <h2 id="provider">"Identity provider"</h2>
                <p>"Register Seam there as a web application with this redirect address:"</p>
                <p><code class="wrapping">{callback}</code></p>
                <Provider setting />
                {removal}
            </section>
        </Console>
    }
    .into_any()
}

#[component]
fn Provider(setting: Option<contract::SingleSignOnView>) -> impl IntoView {
    let kept = setting.is_some();
    let (issuer, client_id) =
        setting.as_ref().map(|setting| (setting.issuer.clone(), setting.client_id.clone())).unwrap_or_default();
    let role = setting.as_ref().map_or(Role::Member, |setting| setting.default_role);
    let enabled = setting.as_ref().is_some_and(|setting| setting.enabled);
    let required = setting.as_ref().is_some_and(|setting| setting.required);
    let secret = if kept { "Client secret (empty: stays as it is)" } else { "Client secret" };
    view! {
        <PlainForm to=SignInSettingsSave::PATH class="form form-narrow">
            <Field name="issuer" label="Issuer" hint="As your provider states it, such as https://login.example.com" value=issuer />
            <Field name="client_id" label="Client id" value=client_id />
            <Field name="client_secret" label=secret kind="password" />
            <div class="field">
                <label for="role">"New people become"</label>
                <select id="role" name="role">
                    <option value="member" selected=role == Role::Member>"members"</option>
                    <option value="viewer" selected=role == Role::Viewer>"viewers"</option>
                </select>
            </div>
            <label class="tick">
                <input r#type="checkbox" name="enabled" value="yes" checked=enabled />
                "Let people sign in with it"
            </label>
            <div class="field">
                <label class="tick" for="required">
                    <input id="required" r#type="checkbox" name="required" value="yes" checked=required aria-describedby="required-error required-hint" />
                    "Demand it of everybody in the confirmed domains"
                </label>
                <p class="hint" id="required-hint">"They then enter this tenant in no other way. Sign in with it once yourself first."</p>
                <p class="field-error" id="required-error" role="status" hidden=true></p>
            </div>
            <Submit label="Try and save" />
        </PlainForm>
    }
    .into_any()
}

#[component]
fn Removal(issuer: String) -> impl IntoView {
    view! {
        <div class="acts">
            <Question
                id="remove-provider".to_owned()
                act="Remove provider"
                consequence="Nobody signs in with it any more. Its people stay members: who has no password asks for a link to one."
                    .to_owned()
                name=issuer.clone()
                to=SignInSettingsRemove::PATH
            >
                <input r#type="hidden" name="issuer" value=issuer />
            </Question>
        </div>
    }
    .into_any()
}

#[component]
fn Domains(domains: Vec<DomainView>) -> impl IntoView {
    let list = if domains.is_empty() {
        Either::Left(view! { <p class="hint">"No domain is claimed yet."</p> })
    } else {
        Either::Right(view! {
            <div class="table-scroll" tabindex="0" role="region" aria-label="List of domains">
                <table>
                    <thead>
                        <tr><th>"Domain"</th><th>"State"</th><th><span class="visually-hidden">"Acts"</span></th></tr>
                    </thead>
                    <tbody>{domains.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        })
    };
    view! {
        <section aria-labelledby="domains">
            <h2 id="domains">"E-mail domains"</h2>
            <p class="hint">"The provider speaks for people whose addresses end with one of these, once whoever runs this server has confirmed that it is yours."</p>
            <PlainForm to=DomainClaim::PATH class="form form-row">
                <Field name="domain" label="Domain" />
                <Submit label="Claim" />
            </PlainForm>
            {list}
        </section>
    }
    .into_any()
}

fn row(domain: DomainView) -> impl IntoView {
    let name = domain.domain.to_string();
    let state = match domain.confirmed_at {
        Some(at) => format!("confirmed {}", absolute(at)),
        None => "waits for whoever runs this server".to_owned(),
    };
    view! {
        <tr>
            <td class="cell-name">{name.clone()}</td>
            <td data-label="State">{state}</td>
            <td>
                <Question
                    id=format!("release-{}", name.replace('.', "-"))
                    act="Remove"
                    consequence=format!("People at {name} can no longer sign in with single sign-on.")
                    name=name.clone()
                    to=DomainRelease::PATH
                >
                    <input r#type="hidden" name="domain" value=name />
                </Question>
            </td>
        </tr>
    }
}
