//! Single sign-on: beginning it, and how a tenant's admins set it up.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
use contract::{DomainView, SingleSignOnView};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What the page of a tenant's sign-in shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInView {
    pub setting: Option<SingleSignOnView>,
    pub domains: Vec<DomainView>,
    /// What is registered at the provider.
    pub callback: String,
}

/// Where the form that begins single sign-on posts to.
#[cfg(feature = "ssr")]
pub fn begin_path() -> &'static str {
    <SingleSignOnBegin as server_fn::ServerFn>::PATH
}

/// From an address to the provider of its domain; whether there is an account plays no part.
#[server(prefix = "/api/ui", endpoint = "single-sign-on-begin")]
pub async fn single_sign_on_begin(email: String, next: Option<String>) -> Result<(), ServerProblem> {
    use contract::{Email, EmailDomain, Problem};
    let platform = context::platform()?;
    let kept = |problem: ServerProblem| problem.keep("email", &email);
    let address: Email = email.parse().map_err(|error| kept(Problem::field("email", format!("{error}")).into()))?;
    let domain = EmailDomain::of(&address);
    platform.tenancy.single_sign_on_check(&domain).await.map_err(|error| kept(error.into()))?;
    let next = context::own_path(next.as_deref());
    let next = if next.contains(['&', '#', '+']) { "/chat" } else { next };
    context::go(&format!("/oidc/start?domain={domain}&next={next}"));
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "sign-in-settings", input = Json)]
pub async fn sign_in_settings() -> Result<SignInView, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let callback = format!("{}{}", context::public_url(), crate::CALLBACK_PATH);
    let (setting, domains) = platform.tenancy.single_sign_on_view(&scope).await?;
    Ok(SignInView { setting, domains, callback })
}

#[server(prefix = "/api/ui", endpoint = "sign-in-settings-save")]
pub async fn sign_in_settings_save(
    issuer: String,
    client_id: String,
    client_secret: String,
    role: String,
    enabled: Option<String>,
    required: Option<String>,
) -> Result<(), ServerProblem> {
    use contract::{Problem, Role};
    use tenancy::{NewSingleSignOn, Secret};
    let (platform, scope) = (context::platform()?, context::scope()?);
    let kept = |problem: ServerProblem| problem.keep("issuer", &issuer).keep("client_id", &client_id);
    let default_role: Role = role.parse().map_err(|error| kept(Problem::field("role", format!("{error}")).into()))?;
    let secret = client_secret.trim();
    let new = NewSingleSignOn {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        client_secret: (!secret.is_empty()).then(|| Secret::new(secret.to_owned())),
        default_role,
        enabled: enabled.is_some(),
        required: required.is_some(),
    };
    let tried = platform.tenancy.single_sign_on_save(&scope, new).await.map_err(|error| kept(error.into()))?;
    let said = match (enabled.is_some(), tried) {
        (true, _) => "Saved. The provider was asked and can be used.".to_owned(),
        (false, Ok(())) => {
            "Saved. The provider was asked and can be used; it is switched off, so nobody signs in with it yet."
                .to_owned()
        }
        (false, Err(unusable)) => format!("Saved, and switched off. It was tried: {unusable}."),
    };
    once::say(&platform, &said)?;
    context::go("/admin/sign-in");
    Ok(())
}

/// Asks for the issuer, so that nobody is locked out by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "sign-in-settings-remove")]
pub async fn sign_in_settings_remove(issuer: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    once::require_same(&issuer, &typed)?;
    platform.tenancy.single_sign_on_remove(&scope).await?;
    once::say(&platform, "The identity provider is removed. People sign in with their passwords.")?;
    context::go("/admin/sign-in");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "domain-claim")]
pub async fn domain_claim(domain: String) -> Result<(), ServerProblem> {
    use contract::{EmailDomain, Problem};
    use tenancy::Claim;
    let (platform, scope) = (context::platform()?, context::scope()?);
    let kept = |problem: ServerProblem| problem.keep("domain", &domain);
    let parsed: EmailDomain =
        domain.parse().map_err(|error| kept(Problem::field("domain", format!("{error}")).into()))?;
    let claim = platform.tenancy.domain_claim(&scope, &parsed).await.map_err(|error| kept(error.into()))?;
    let said = match claim {
        Claim::Made => "is claimed. It counts once whoever runs this server has confirmed it.",
        Claim::MadeBefore => "was claimed before. It counts once whoever runs this server has confirmed it.",
        Claim::ConfirmedBefore => "is yours already, and confirmed.",
    };
    once::say(&platform, &format!("{parsed} {said}"))?;
    context::go("/admin/sign-in");
    Ok(())
}

/// Asks for the domain, so that nobody is sent back to passwords by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "domain-release")]
pub async fn domain_release(domain: String, typed: String) -> Result<(), ServerProblem> {
    use contract::{EmailDomain, Problem};
    let (platform, scope) = (context::platform()?, context::scope()?);
    once::require_same(&domain, &typed)?;
    let parsed: EmailDomain = domain.parse().map_err(|error| Problem::field("typed", format!("{error}")))?;
    platform.tenancy.domain_release(&scope, &parsed).await?;
    once::say(&platform, &format!("{parsed} is removed."))?;
    context::go("/admin/sign-in");
    Ok(())
}
