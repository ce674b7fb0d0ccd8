//! What a signed-in user changes about their own account and this browser.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::context;
use contract::EntranceView;
use leptos::prelude::*;
use server_fn::codec::Json;

/// Who came into the account lately, and how many of its sessions are alive.
#[server(prefix = "/api/ui", endpoint = "entrance", input = Json)]
pub async fn entrance() -> Result<EntranceView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    Ok(platform.tenancy.entrance_view(principal.user()).await?)
}

#[server(prefix = "/api/ui", endpoint = "password-change")]
pub async fn password_change(current: String, chosen: String) -> Result<(), ServerProblem> {
    use contract::{Password, Problem};
    let (platform, principal, door) = (context::platform()?, context::principal()?, context::door()?);
    let current = Password::offered(current).map_err(|error| Problem::field("current", error.to_string()))?;
    let chosen = Password::chosen(chosen).map_err(|error| Problem::field("chosen", error.to_string()))?;
    door.epoch_follow(platform.tenancy.password_change(principal.user(), current, chosen).await?).await?;
    context::go("/settings?done=password");
    Ok(())
}

/// Remembers how this browser shows Seam. It belongs to the screen rather than to the account.
#[server(prefix = "/api/ui", endpoint = "theme-choose")]
pub async fn theme_choose(theme: String) -> Result<(), ServerProblem> {
    context::header_append(http::header::SET_COOKIE, &crate::theme::Theme::cookie(&theme));
    context::go("/settings");
    Ok(())
}
