//! A new password by a link: asking for one, and using it.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::context;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What `/login` offers beside the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntranceWays {
    /// Whether links to new passwords are sent by mail.
    pub mail: bool,
    /// Whether any tenant has an identity provider of its own.
    pub single_sign_on: bool,
    /// Who is signed in already.
    pub signed_in: Option<String>,
}

#[server(prefix = "/api/ui", endpoint = "ways-in", input = Json)]
pub async fn ways_in() -> Result<EntranceWays, ServerProblem> {
    let (platform, visitor) = (context::platform()?, context::visitor());
    Ok(EntranceWays {
        mail: platform.sends_mail(),
        single_sign_on: platform.tenancy.single_sign_on_exists().await?,
        signed_in: visitor.map(|visitor| visitor.view().email.to_string()),
    })
}

/// Answers the same for every address, at once: what happens then happens later.
#[server(prefix = "/api/ui", endpoint = "password-reset-ask")]
pub async fn password_reset_ask(email: String) -> Result<(), ServerProblem> {
    use contract::{Email, Problem};
    let (platform, client) = (context::platform()?, context::client());
    let kept = |problem: ServerProblem| problem.keep("email", &email);
    let address: Email = email.parse().map_err(|error| kept(Problem::field("email", format!("{error}")).into()))?;
    let asked = platform.password_reset_ask(&address, client, context::public_url()).await;
    asked.map_err(|error| kept(error.into()))?;
    context::go("/reset?sent=1");
    Ok(())
}

/// Whose password a link sets.
#[server(prefix = "/api/ui", endpoint = "password-reset-open", input = Json)]
pub async fn password_reset_open(token: String) -> Result<String, ServerProblem> {
    Ok(context::platform()?.tenancy.password_reset_check(&token).await?.to_string())
}

#[server(prefix = "/api/ui", endpoint = "password-reset")]
pub async fn password_reset(token: String, chosen: String) -> Result<(), ServerProblem> {
    use contract::{Password, Problem};
    let (platform, door, client) = (context::platform()?, context::door()?, context::client());
    let chosen = Password::chosen(chosen).map_err(|error| Problem::field("chosen", error.to_string()))?;
    platform.tenancy.password_reset(&token, chosen, &client).await?;
    door.close().await?;
    context::go("/login?ended=reset");
    Ok(())
}
