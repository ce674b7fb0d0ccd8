//! From the one-time link to the first chat: the operator's account, the first tenant, a model.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::context;
#[cfg(feature = "ssr")]
use contract::ListQuery;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// Where the first run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartView {
    /// Whether there is no tenant yet.
    pub first: bool,
    /// The tenant this session works in, once it has a name.
    pub tenant: Option<String>,
    /// Why the local model cannot answer yet.
    pub local_unavailable: Option<String>,
}

/// Whether the link still works, without using it up.
#[server(prefix = "/api/ui", endpoint = "operator-link-check", input = Json)]
pub async fn operator_link_check(token: String) -> Result<(), ServerProblem> {
    Ok(context::platform()?.tenancy.operator_link_check(&token).await?)
}

#[server(prefix = "/api/ui", endpoint = "operator-create")]
pub async fn operator_create(token: String, email: String, password: String) -> Result<(), ServerProblem> {
    use contract::{Email, Password, Problem};
    let (platform, door, client) = (context::platform()?, context::door()?, context::client());
    let kept = |problem: ServerProblem| problem.keep("email", &email);
    let address_of: Email = email.parse().map_err(|error| kept(Problem::field("email", format!("{error}")).into()))?;
    let chosen =
        Password::chosen(password).map_err(|error| kept(Problem::field("password", error.to_string()).into()))?;
    let tenancy = &platform.tenancy;
    let created = tenancy.operator_create_with_link(&token, address_of, chosen.clone(), client.address()).await;
    created.map_err(|error| kept(error.into()))?;
    let how = contract::SignInHow::FirstRun;
    door.open(&tenancy.sign_in_by(how, &email, chosen, client).await?.claims).await?;
    context::go("/start");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "start", input = Json)]
pub async fn start() -> Result<StartView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    let local = platform.gateway.models().await?.into_iter().find(|model| model.route.starts_with("local/"));
    let tenant = principal.view().current.map(|membership| membership.display_name);
    let first = platform.tenancy.tenant_page(&operator, &ListQuery::default()).await?.total == 0;
    Ok(StartView { first, tenant, local_unavailable: local.and_then(|model| model.unavailable_reason) })
}

#[server(prefix = "/api/ui", endpoint = "tenant-create")]
pub async fn tenant_create(name: String, slug: String) -> Result<(), ServerProblem> {
    use contract::{Problem, Slug};
    let (platform, principal, door) = (context::platform()?, context::principal()?, context::door()?);
    let kept = |problem: ServerProblem| problem.keep("name", &name).keep("slug", &slug);
    if name.trim().is_empty() || name.chars().count() > 80 {
        return Err(kept(Problem::field("name", "give it a name of 1 to 80 characters").into()));
    }
    let short = if slug.trim().is_empty() { Slug::suggest(&name) } else { slug.trim().parse().ok() };
    let short = short.ok_or_else(|| kept(Problem::field("slug", contract::NameError::Slug.to_string()).into()))?;
    let tenant = platform.tenant_found(&principal, name.trim().to_owned(), short).await;
    door.tenant_enter(tenant.map_err(|error| kept(error.into()))?).await?;
    context::go("/start/model");
    Ok(())
}

/// Chooses the model to begin with: the local one, or a provider by its key, which is tried before it is kept.
#[server(prefix = "/api/ui", endpoint = "model-choose")]
pub async fn model_choose(provider: String, api_key: Option<String>) -> Result<(), ServerProblem> {
    use contract::{Problem, ProviderKind};
    let (platform, principal) = (context::platform()?, context::principal()?);
    principal.require_operator()?;
    let kept = |problem: ServerProblem| problem.keep("provider", &provider);
    let kind: ProviderKind =
        provider.parse().map_err(|_| kept(Problem::field("provider", "choose one of the three").into()))?;
    if kind != ProviderKind::Local {
        let key = api_key.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| kept(Problem::field("api_key", format!("paste the key of {kind}")).into()))?;
        platform.provider_connect(&principal, kind, key).await.map_err(|error| kept(error.into()))?;
    }
    context::go("/chat");
    Ok(())
}
