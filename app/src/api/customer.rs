//! The operator's customers and everybody who can sign in: the lists, and what operators do about them.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
use contract::{
    AuditEntry, DomainClaimView, ImpersonationId, ListQuery, Page, TenantId, TenantSummary, Timestamp, UserId,
    UserSummary,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// What the page of tenants shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantsView {
    pub tenants: Page<TenantSummary>,
    /// The names of all plans.
    pub plans: Vec<String>,
    /// The link by which a new tenant's first admin joins, shown this once.
    pub link: Option<String>,
}

/// What the page of one tenant shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantView {
    pub tenant: TenantSummary,
    pub plans: Vec<String>,
    /// The e-mail domains that it claims.
    pub domains: Vec<DomainClaimView>,
}

/// What the page of users shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsersView {
    pub users: Page<UserSummary>,
    /// A link by which somebody sets a new password, and their address; shown this once.
    pub link: Option<(String, String)>,
}

/// What the page of the platform's log shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformAuditView {
    pub entries: Vec<AuditEntry>,
    pub now: Timestamp,
}

#[server(prefix = "/api/ui", endpoint = "tenants", input = Json)]
pub async fn tenants(query: ListQuery) -> Result<TenantsView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let tenants = platform.tenancy.tenant_page(&principal.operator_scope()?, &query).await?;
    Ok(TenantsView { tenants, plans: plan_names(&platform).await?, link: once::take(&platform, "admin") })
}

#[server(prefix = "/api/ui", endpoint = "tenant", input = Json)]
pub async fn tenant(slug: String) -> Result<TenantView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    let slug: contract::Slug = slug.parse().map_err(|_| ServerProblem::not_found("tenant"))?;
    let tenant = platform.tenancy.tenant_summary(&operator, &slug).await?;
    let domains = platform.tenancy.domain_claims(&operator, tenant.id).await?;
    Ok(TenantView { tenant, plans: plan_names(&platform).await?, domains })
}

/// Opens a tenant. Its first admin, if one is named, is invited by a link.
#[server(prefix = "/api/ui", endpoint = "tenant-open")]
pub async fn tenant_open(name: String, slug: String, plan: String, admin: String) -> Result<(), ServerProblem> {
    use contract::{Email, Problem, Slug};
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    let kept = |problem: ServerProblem| problem.keep("name", &name).keep("slug", &slug).keep("admin", &admin);
    let short = if slug.trim().is_empty() { Slug::suggest(&name) } else { slug.trim().parse().ok() };
    let short = short.ok_or_else(|| kept(Problem::field("slug", contract::NameError::Slug.to_string()).into()))?;
    let admin_of: Option<Email> = match admin.trim() {
        "" => None,
        typed => Some(typed.parse().map_err(|error| kept(Problem::field("admin", format!("{error}")).into()))?),
    };
    let new = tenancy::NewTenant {
        slug: short,
        display_name: name.trim().to_owned(),
        plan: (!plan.is_empty()).then_some(plan.clone()),
        monthly_budget: None,
        soft_budget: None,
        region: None,
        zero_retention: false,
    };
    let opened = platform.tenancy.tenant_open(&operator, &new, admin_of.as_ref()).await;
    let (_, token) = opened.map_err(|error| kept(error.into()))?;
    match token {
        Some(token) => once::show(&platform, "admin", &format!("{}/invite/{token}", context::public_url()))?,
        None => once::say(&platform, &format!("{} is open. Nobody belongs to it yet.", new.display_name))?,
    }
    context::go_back("/operator/tenants");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "tenant-plan-set")]
pub async fn tenant_plan_set(tenant: TenantId, slug: String, plan: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let plan = (!plan.is_empty()).then_some(plan);
    let said =
        plan.as_ref().map_or_else(|| "It has no plan now.".to_owned(), |plan| format!("Its plan is now {plan}."));
    let patch = tenancy::TenantPatch { plan: Some(plan), ..Default::default() };
    platform.tenancy.tenant_change(&principal.operator_scope()?, tenant, patch).await?;
    once::say(&platform, &said)?;
    context::go(&page_of(&slug));
    Ok(())
}

/// From now on the tenant's identity provider speaks for the people of this domain.
#[server(prefix = "/api/ui", endpoint = "tenant-domain-confirm")]
pub async fn tenant_domain_confirm(tenant: TenantId, slug: String, domain: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let (operator, domain) = (principal.operator_scope()?, email_domain(&domain)?);
    platform.tenancy.domain_confirm(&operator, tenant, &domain).await?;
    once::say(&platform, &format!("{domain} is confirmed for {slug}."))?;
    context::go(&page_of(&slug));
    Ok(())
}

/// Asks for the domain, so that nobody is sent back to passwords by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "tenant-domain-withdraw")]
pub async fn tenant_domain_withdraw(
    tenant: TenantId,
    slug: String,
    domain: String,
    typed: String,
) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    once::require_same(&domain, &typed)?;
    platform.tenancy.domain_withdraw(&operator, tenant, &email_domain(&domain)?).await?;
    once::say(&platform, &format!("{domain} is taken away from {slug}."))?;
    context::go(&page_of(&slug));
    Ok(())
}

/// Asks for the short name, so that nobody is shut out by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "tenant-suspend")]
pub async fn tenant_suspend(
    tenant: TenantId,
    slug: String,
    typed: String,
    reason: String,
) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    once::require_same(&slug, &typed)?;
    platform.tenancy.tenant_suspend(&operator, tenant, &reason).await?;
    once::say(&platform, &format!("{slug} is suspended. Nobody enters it until you resume it."))?;
    context::go(&page_of(&slug));
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "tenant-resume")]
pub async fn tenant_resume(tenant: TenantId, slug: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    platform.tenancy.tenant_resume(&principal.operator_scope()?, tenant).await?;
    once::say(&platform, &format!("{slug} is open again."))?;
    context::go(&page_of(&slug));
    Ok(())
}

/// Deletes a tenant and everything of it, for good. The certificate stands in the platform's log.
#[server(prefix = "/api/ui", endpoint = "tenant-delete")]
pub async fn tenant_delete(tenant: TenantId, slug: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    once::require_same(&slug, &typed)?;
    platform.tenant_delete(&operator, tenant, typed.trim()).await?;
    once::say(&platform, &format!("{slug} was deleted. What was removed where is certified below."))?;
    context::go("/operator/audit?q=tenant.delete");
    Ok(())
}

/// Acts inside a tenant for a while, in its people's sight.
#[server(prefix = "/api/ui", endpoint = "impersonation-begin")]
pub async fn impersonation_begin(
    tenant: TenantId,
    role: String,
    reason: String,
    minutes: u64,
) -> Result<(), ServerProblem> {
    use contract::{Problem, Role};
    let (platform, principal, door) = (context::platform()?, context::principal()?, context::door()?);
    let kept = |problem: ServerProblem| problem.keep("reason", &reason);
    let role: Role = role.parse().map_err(|error| kept(Problem::field("role", format!("{error}")).into()))?;
    let lasting = std::time::Duration::from_secs(minutes.saturating_mul(60));
    let new = tenancy::NewImpersonation { tenant, role, reason: reason.clone(), lasting };
    let begun = platform.tenancy.impersonation_begin(&principal, &new).await;
    door.impersonation_set(Some(begun.map_err(|error| kept(error.into()))?)).await?;
    context::go("/chat");
    Ok(())
}

/// Back to where this session was before.
#[server(prefix = "/api/ui", endpoint = "impersonation-end")]
pub async fn impersonation_end(id: ImpersonationId) -> Result<(), ServerProblem> {
    let (platform, principal, door) = (context::platform()?, context::principal()?, context::door()?);
    platform.tenancy.impersonation_end(&principal, id).await?;
    door.impersonation_set(None).await?;
    once::say(&platform, "You left the tenant, and are back at your own work.")?;
    context::go("/operator/tenants");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "users", input = Json)]
pub async fn users(query: ListQuery) -> Result<UsersView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let users = platform.tenancy.user_page(&principal.operator_scope()?, &query).await?;
    let link = once::take(&platform, "reset");
    let link = link.and_then(|both| both.split_once(' ').map(|(link, email)| (link.to_owned(), email.to_owned())));
    Ok(UsersView { users, link })
}

/// Makes a link by which somebody sets a new password, for the operator to hand on.
#[server(prefix = "/api/ui", endpoint = "user-reset-link")]
pub async fn user_reset_link(user: UserId) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let (email, token) = platform.tenancy.user_reset_link(&principal.operator_scope()?, user).await?;
    once::show(&platform, "reset", &format!("{}/reset/{token} {email}", context::public_url()))?;
    context::go_back("/operator/users");
    Ok(())
}

/// Asks for the address, so that nobody is put out by a slip of the hand.
#[server(prefix = "/api/ui", endpoint = "user-sign-out")]
pub async fn user_sign_out(user: UserId, email: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    once::require_same(&email, &typed)?;
    platform.tenancy.user_sign_out(&operator, user).await?;
    once::say(&platform, &format!("{email} is signed out everywhere."))?;
    context::go_back("/operator/users");
    Ok(())
}

/// Asks for the address, so that nobody runs the platform by a slip of the hand, or no longer does.
#[server(prefix = "/api/ui", endpoint = "user-operator-set")]
pub async fn user_operator_set(user: UserId, email: String, may: bool, typed: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    once::require_same(&email, &typed)?;
    platform.tenancy.user_operator_set(&operator, user, may).await?;
    let said = if may { "is an operator now" } else { "is no operator any more" };
    once::say(&platform, &format!("{email} {said}."))?;
    context::go_back("/operator/users");
    Ok(())
}

/// Deletes an account for good; asks for the address. What its person wrote stays where it is.
#[server(prefix = "/api/ui", endpoint = "user-delete")]
pub async fn user_delete(user: UserId, email: String, typed: String) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let operator = principal.operator_scope()?;
    once::require_same(&email, &typed)?;
    let gone = platform.lifecycle.person_delete(&operator, user, &typed).await?;
    once::say(&platform, &format!("{} was deleted.", gone.email))?;
    context::go_back("/operator/users");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "platform-audit", input = Json)]
pub async fn platform_audit(before: Option<i64>, words: String) -> Result<PlatformAuditView, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    let entries = platform.tenancy.audit_list_of_platform(&principal.operator_scope()?, before, &words).await?;
    Ok(PlatformAuditView { entries, now: platform.tenancy.clock().now() })
}

#[cfg(feature = "ssr")]
fn email_domain(text: &str) -> Result<contract::EmailDomain, ServerProblem> {
    text.parse().map_err(|error| contract::Problem::field("domain", format!("{error}")).into())
}

/// The page of a tenant. What was posted as its name may be anything: then it is the list.
#[cfg(feature = "ssr")]
fn page_of(slug: &str) -> String {
    match slug.parse::<contract::Slug>() {
        Ok(slug) => format!("/operator/tenants/{slug}"),
        Err(_) => "/operator/tenants".to_owned(),
    }
}

#[cfg(feature = "ssr")]
async fn plan_names(platform: &platform::Platform) -> Result<Vec<String>, ServerProblem> {
    Ok(platform.metering.plan_list().await?.into_iter().map(|plan| plan.name.to_string()).collect())
}
