//! `/api/v1/invitations`: links with which people join a tenant.

use super::{
    WebState,
    caller::Caller,
    input::{Asked, Named, Sent, parsed, window},
    members::OfTenant,
    refusal::{Absent, Conflicting, Refusal, Refused},
    wire::PageOf,
};
use axum::{Json, extract::State};
use contract::{Email, InvitationView, Role};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tenancy::{Management, TenancyError};
use utoipa::{IntoParams, ToSchema};

/// An invitation that still works.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invitation {
    id: String,
    email: String,
    /// The role they will have: `admin`, `member` or `viewer`.
    role: String,
    invited_by: String,
    expires_at: i64,
}

impl From<InvitationView> for Invitation {
    fn from(invitation: InvitationView) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email.to_string(),
            role: invitation.role.to_string(),
            invited_by: invitation.invited_by,
            expires_at: invitation.expires_at.as_millis(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InvitationsQuery {
    /// The tenant's short name or id; an operator's key must name it
    tenant: Option<String>,
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
}

/// List invitations
#[utoipa::path(get, path = "/api/v1/invitations", tag = "Invitations", params(InvitationsQuery),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "A page of those that still work, newest first", body = PageOf<Invitation>),
        Refused, Absent))]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<InvitationsQuery>,
) -> Result<Json<PageOf<Invitation>>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let window = window(query.page, query.per_page)?;
    // There are never more than a thousand.
    let open = state.platform().tenancy.invitation_list(&manager).await?;
    Ok(Json(PageOf::cut(open, window, Invitation::from)))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewInvitation {
    /// Whom to invite; an earlier invitation of theirs stops working
    #[schema(example = "carol@acme.test")]
    email: String,
    /// `admin`, `member` or `viewer`
    #[schema(example = "member")]
    role: String,
}

/// An invitation that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvitationMade {
    invitation: Invitation,
    /// Works once, for seven days, for that address; shown this once.
    link: String,
}

/// Invite somebody
#[utoipa::path(post, path = "/api/v1/invitations", tag = "Invitations", params(OfTenant), request_body = NewInvitation,
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 201, description = "They can join", body = InvitationMade), Refused, Absent, Conflicting))]
pub(super) async fn create(
    State(state): State<WebState>,
    caller: Caller,
    Asked(query): Asked<OfTenant>,
    Sent(body): Sent<NewInvitation>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<InvitationMade>), Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    let (email, role): (Email, Role) = (parsed("email", &body.email)?, parsed("role", &body.role)?);
    let token = state.platform().tenancy.invitation_create(&manager, &email, role).await?;
    let link = format!("{}/invite/{token}", state.settings().public_url);
    let invitation = found(&state, &manager, |open| open.email == email).await?;
    let place = [(header::LOCATION, format!("/api/v1/invitations/{}", invitation.id))];
    Ok((StatusCode::CREATED, place, Json(InvitationMade { invitation, link })))
}

/// Show an invitation
#[utoipa::path(get, path = "/api/v1/invitations/{id}", tag = "Invitations",
    params(("id" = String, Path, description = "The invitation's id"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 200, description = "The invitation", body = Invitation), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<Json<Invitation>, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    Ok(Json(found(&state, &manager, |open| open.id == id.0).await?))
}

/// Withdraw an invitation
///
/// Its link stops working.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "Invitations",
    params(("id" = String, Path, description = "The invitation's id"), OfTenant),
    security(("operator_key" = []), ("tenant_key" = [])),
    responses((status = 204, description = "The link works no more"), Refused, Absent))]
pub(super) async fn withdraw(
    State(state): State<WebState>,
    caller: Caller,
    id: Named,
    Asked(query): Asked<OfTenant>,
) -> Result<StatusCode, Refusal> {
    let manager = caller.manager(&state, query.tenant.as_deref()).await?;
    state.platform().tenancy.invitation_withdraw(&manager, &id.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(
    state: &WebState,
    manager: &Management,
    wanted: impl Fn(&InvitationView) -> bool,
) -> Result<Invitation, Refusal> {
    let open = state.platform().tenancy.invitation_list(manager).await?.into_iter().find(wanted);
    Ok(open.ok_or_else(|| TenancyError::NotFound { what: "such invitation".to_owned() })?.into())
}
