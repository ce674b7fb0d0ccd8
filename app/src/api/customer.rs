//! The operator's customers: the list, and closing one for a while.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::{context, once};
use contract::{ListQuery, Page, TenantId, TenantSummary};
use leptos::prelude::*;
use server_fn::codec::Json;

#[server(prefix = "/api/ui", endpoint = "tenants", input = Json)]
pub async fn tenants(query: ListQuery) -> Result<Page<TenantSummary>, ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    Ok(platform.tenancy.tenant_page(&principal.operator_scope()?, &query).await?)
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
    context::go("/operator/tenants");
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "tenant-resume")]
pub async fn tenant_resume(tenant: TenantId) -> Result<(), ServerProblem> {
    let (platform, principal) = (context::platform()?, context::principal()?);
    platform.tenancy.tenant_resume(&principal.operator_scope()?, tenant).await?;
    context::go("/operator/tenants");
    Ok(())
}
