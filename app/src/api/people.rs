//! A tenant's people, keys and log, as its admins manage them; invitations, as those invited answer them.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
use contract::{
    AuditEntry, ImpersonationId, ImpersonationView, InvitationOffer, InvitationView, KeyCounts, KeyId, KeyQuery,
    KeyView, ListQuery, MemberView, Page, Timestamp, UserId,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What the page of members shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersView {
    pub members: Page<MemberView>,
    pub invitations: Vec<InvitationView>,
    /// The link of an invitation that was made just now, shown this once.
    pub link: Option<String>,
    /// Whether invitations are sent by mail as well.
    pub mail: bool,
    /// Who reads it.
    pub reader: UserId,
}

/// What the page of keys shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysView {
    pub keys: Page<KeyView>,
    /// How many of each state the words are found in.
    pub counts: KeyCounts,
    /// The secret of a key that was made just now, shown this once.
    pub secret: Option<String>,
    pub now: Timestamp,
}

#[server(prefix = "/api/ui", endpoint = "members", input = Json)]
pub async fn members(query: ListQuery) -> Result<MembersView, ServerProblem> {
    let (platform, scope, reader) = (context::platform()?, context::scope()?, context::principal()?.user());
    let link = once::take(&platform, "invitation");
    Ok(MembersView {
        members: platform.tenancy.member_list(&scope, &query).await?,
        invitations: platform.tenancy.invitation_list(&scope).await?,
        link,
        mail: platform.sends_mail(),
        reader,
    })
}

#[server(prefix = "/api/ui", endpoint = "member-invite")]
pub async fn member_invite(email: String, role: String) -> Result<(), ServerProblem> {
    use contract::{Email, Problem, Role};
    let (platform, scope) = (context::platform()?, context::scope()?);
    let kept = |problem: ServerProblem| problem.keep("email", &email);
    let address: Email = email.parse().map_err(|error| kept(Problem::field("email", format!("{error}")).into()))?;
    let role: Role = role.parse().map_err(|error| kept(Problem::field("role", format!("{error}")).into()))?;
    let url = context::public_url();
    let sent = platform.invitation_send(&scope, &address, role, url.clone()).await;
    let token = sent.map_err(|error| kept(error.into()))?;
    once::show(&platform, "invitation", &format!("{url}/invite/{token}"))?;
    context::go_back("/admin/members");
    Ok(())
}

/// Asks for the address, so that no link is taken back by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "invitation-withdraw")]
pub async fn invitation_withdraw(id: String, email: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    once::require_same(&email, &typed)?;
    platform.tenancy.invitation_withdraw(&scope, &id).await?;
    once::say(&platform, "The invitation is withdrawn. Its link opens nothing any more.")?;
    context::go_back("/admin/members");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "member-role-set")]
pub async fn member_role_set(user: UserId, role: String, email: Option<String>) -> Result<(), ServerProblem> {
    let (platform, scope, reader) = (context::platform()?, context::scope()?, context::principal()?.user());
    let role: contract::Role = role.parse().map_err(|error| contract::Problem::field("role", format!("{error}")))?;
    platform.tenancy.member_role_set(&scope, user, role).await?;
    // Whoever gave up being an admin has no place on that page.
    if user == reader && role != contract::Role::Admin {
        context::go("/chat");
        return Ok(());
    }
    once::say(&platform, &format!("{} is now {}.", email.as_deref().unwrap_or("This person"), a_role(role)))?;
    context::go_back("/admin/members");
    Ok(())
}

/// Asks for the address, so that nobody is removed by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "member-remove")]
pub async fn member_remove(user: UserId, email: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    once::require_same(&email, &typed)?;
    platform.tenancy.member_remove(&scope, user).await?;
    once::say(&platform, &format!("{email} no longer belongs to this tenant."))?;
    context::go_back("/admin/members");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "keys", input = Json)]
pub async fn keys(query: KeyQuery) -> Result<KeysView, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let secret = once::take(&platform, "key");
    let (keys, counts) = platform.tenancy.key_search(&scope, &query).await?;
    Ok(KeysView { keys, counts, secret, now: platform.tenancy.clock().now() })
}

#[server(prefix = "/api/ui", endpoint = "key-create")]
pub async fn key_create(
    name: String,
    may: String,
    models: String,
    expires: Option<String>,
    expires_at: Option<String>,
) -> Result<(), ServerProblem> {
    use contract::{KeyLifetime, KeyScope, Problem, UnknownKeyLifetime};
    let (platform, scope) = (context::platform()?, context::scope()?);
    let (lasting, date) = (expires.unwrap_or_default(), expires_at.unwrap_or_default());
    let kept = |problem: ServerProblem| {
        let problem = problem.keep("name", &name).keep("may", &may).keep("models", &models);
        problem.keep("expires", &lasting).keep("expires_at", &date)
    };
    let lifetime = KeyLifetime::parse(&lasting, &date).map_err(|error| {
        let field = match error {
            UnknownKeyLifetime::Choice => "expires",
            UnknownKeyLifetime::Date(_) => "expires_at",
        };
        kept(Problem::field(field, error.to_string()).into())
    })?;
    let most: KeyScope = may.parse().map_err(|error| kept(Problem::field("may", format!("{error}")).into()))?;
    let scopes = KeyScope::ALL.into_iter().filter(|one| *one <= most).collect();
    let named: Vec<String> = models.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let new = tenancy::NewKey {
        name: name.clone(),
        scopes,
        models: (!named.is_empty()).then_some(named),
        expires_at: lifetime.end(platform.tenancy.clock().now()),
    };
    let (_, secret) = platform.key_create(&scope, &new).await.map_err(|problem| kept(problem.into()))?;
    once::show(&platform, "key", secret.expose())?;
    context::go_back("/admin/keys");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "key-revoke")]
pub async fn key_revoke(key: KeyId, name: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    once::require_same(&name, &typed)?;
    platform.tenancy.key_revoke(&scope, key).await?;
    once::say(&platform, &format!("“{name}” is revoked. Programs that use it are refused from now on."))?;
    context::go_back("/admin/keys");
    Ok(())
}

/// What the page of the log shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    pub entries: Vec<AuditEntry>,
    /// Operators' times inside the tenant, newest first.
    pub visits: Vec<ImpersonationView>,
    pub now: Timestamp,
}

#[server(prefix = "/api/ui", endpoint = "audit", input = Json)]
pub async fn audit(before: Option<i64>, words: String) -> Result<AuditView, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let entries = platform.tenancy.audit_list(&scope, before, &words).await?;
    let visits = platform.tenancy.impersonation_list(&scope).await?;
    Ok(AuditView { entries, visits, now: platform.tenancy.clock().now() })
}

#[server(prefix = "/api/ui", endpoint = "impersonation-revoke")]
pub async fn impersonation_revoke(id: ImpersonationId) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    platform.tenancy.impersonation_revoke(&scope, id).await?;
    once::say(&platform, "The operator’s time in this tenant has ended.")?;
    context::go("/admin/audit");
    Ok(())
}

#[cfg(feature = "ssr")]
const fn a_role(role: contract::Role) -> &'static str {
    match role {
        contract::Role::Viewer => "a viewer",
        contract::Role::Member => "a member",
        contract::Role::Admin => "an admin",
    }
}

#[server(prefix = "/api/ui", endpoint = "invitation-open", input = Json)]
pub async fn invitation_open(token: String) -> Result<(InvitationOffer, Option<String>), ServerProblem> {
    let offer = context::platform()?.tenancy.invitation_offer(&token).await?;
    Ok((offer, context::visitor().map(|principal| principal.email().to_string())))
}

/// Joins: as whoever is signed in, or with a password that makes the account.
#[server(prefix = "/api/ui", endpoint = "invitation-accept")]
pub async fn invitation_accept(token: String, password: Option<String>) -> Result<(), ServerProblem> {
    use contract::{Password, Problem};
    use tenancy::Invited;
    let (platform, door, client) = (context::platform()?, context::door()?, context::client());
    let tenancy = &platform.tenancy;
    if let Some(principal) = context::visitor() {
        let (_, tenant) = tenancy.invitation_accept(&token, Invited::SignedIn(&principal)).await?;
        door.tenant_enter(tenant).await?;
    } else {
        let chosen = Password::chosen(password.unwrap_or_default())
            .map_err(|error| Problem::field("password", error.to_string()))?;
        let offer = tenancy.invitation_offer(&token).await?;
        let who = Invited::New { password: chosen.clone(), address: client.address() };
        let (_, tenant) = tenancy.invitation_accept(&token, who).await?;
        let how = contract::SignInHow::Invitation;
        let signed_in = tenancy.sign_in_by(how, offer.email.as_str(), chosen, client).await?;
        door.open(&signed_in.claims).await?;
        door.tenant_enter(tenant).await?;
    }
    context::go("/chat");
    Ok(())
}
