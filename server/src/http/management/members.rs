//! `/api/v1/members`: a tenant's people.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, Named, Sent, list_query, parsed, window},
    refusal::{Absent, Conflicting, Refusal, Refused},
    wire::PageOf,
};
use axum::{Json, extract::State};
use contract::{MemberView, Role, UserId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Somebody who belongs to the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Member {
    /// The person's id.
    id: String,
    email: String,
    /// `admin`, `member` or `viewer`.
    role: String,
    joined_at: i64,
}

impl From<MemberView> for Member {
    fn from(member: MemberView) -> Self {
        Self {
            id: member.user.to_string(),
            email: member.email.to_string(),
            role: member.role.to_string(),
            joined_at: member.joined_at.as_millis(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MembersQuery {
    /// The tenant's short name or id; an operator's key must name it
    tenant: Option<String>,
    /// Only people whose address contains this
    q: Option<String>,
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
    /// `name` (their address), `-name`, `created` (when they joined) or `-created`
    sort: Option<String>,
}

/// For what is about one thing of a tenant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OfTenant {
    /// The tenant's short name or id; an operator's key must name it
    pub tenant: Option<String>,
}

/// List members
#[utoipa::path(get, path = "/api/v1/members", tag = "Members", params(MembersQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "A page of members", body = PageOf<Member>), Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<MembersQuery>,
) -> Result<Json<PageOf<Member>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (page, per_page) = window(query.page, query.per_page)?;
    let query = list_query(query.q, page, query.sort.as_deref())?;
    let members = state.platform().tenancy.member_page(&manager, &query, per_page).await?;
    Ok(Json(PageOf::of(members, Member::from)))
}

/// Show a member
#[utoipa::path(get, path = "/api/v1/members/{id}", tag = "Members",
    params(("id" = String, Path, description = "The person's id"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The member", body = Member), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<Json<Member>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    Ok(Json(state.platform().tenancy.member_find(&manager, id.id("such member")?).await?.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct MemberChange {
    /// `admin`, `member` or `viewer`
    #[schema(example = "viewer")]
    role: String,
}

/// Give a member another role
///
/// It counts from their next request on. A tenant keeps an admin: the last one stays.
#[utoipa::path(patch, path = "/api/v1/members/{id}", tag = "Members",
    params(("id" = String, Path, description = "The person's id"), OfTenant), request_body = MemberChange,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The member as they are now", body = Member), Refused, Absent, Conflicting))]
pub(super) async fn change(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<MemberChange>,
) -> Result<Json<Member>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (user, role): (UserId, Role) = (id.id("such member")?, parsed("role", &body.role)?);
    state.platform().tenancy.member_role_set(&manager, user, role).await?;
    Ok(Json(state.platform().tenancy.member_find(&manager, user).await?.into()))
}

/// Remove a member
///
/// Their membership ends with their next request; what they wrote stays the tenant's.
#[utoipa::path(delete, path = "/api/v1/members/{id}", tag = "Members",
    params(("id" = String, Path, description = "The person's id"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "They are no member any more"), Refused, Absent, Conflicting))]
pub(super) async fn remove(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    state.platform().tenancy.member_remove(&manager, id.id("such member")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
