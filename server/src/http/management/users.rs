//! `/api/v1/users`: everybody who can sign in, whatever tenants they belong to.

use super::{
    WebState,
    caller::Operator,
    input::{Asked, Named, Sent, list_query, window},
    refusal::{Absent, Conflicting, Refusal, Refused},
    tenants::NoQuery,
    wire::PageOf,
};
use axum::{Json, extract::State};
use contract::{UserId, UserSummary};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A person who can sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    id: String,
    email: String,
    /// Whether they run the platform.
    operator: bool,
    /// The first of their tenants by its short name.
    tenant: Option<String>,
    /// To how many tenants they belong.
    memberships: i64,
    created_at: i64,
}

impl From<UserSummary> for User {
    fn from(user: UserSummary) -> Self {
        Self {
            id: user.user.to_string(),
            email: user.email.to_string(),
            operator: user.operator,
            tenant: user.tenant.map(|slug| slug.to_string()),
            memberships: user.memberships,
            created_at: user.created_at.as_millis(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// Only people whose address contains this
    q: Option<String>,
    /// Which page, from 1
    page: Option<i64>,
    /// Rows of a page, at most 200; 50 unless given
    per_page: Option<i64>,
    /// `name` (their address), `-name`, `created` or `-created`
    sort: Option<String>,
}

/// List people
#[utoipa::path(get, path = "/api/v1/users", tag = "People", params(UsersQuery),
    security(("operator_key" = [])),
    responses((status = 200, description = "A page of people", body = PageOf<User>), Refused))]
pub(super) async fn list(
    State(state): State<WebState>,
    Operator(operator): Operator,
    Asked(query): Asked<UsersQuery>,
) -> Result<Json<PageOf<User>>, Refusal> {
    let (page, per_page) = window(query.page, query.per_page)?;
    let query = list_query(query.q, page, query.sort.as_deref())?;
    let users = state.platform().tenancy.user_page_sized(&operator, &query, per_page).await?;
    Ok(Json(PageOf::of(users, User::from)))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct UserChange {
    /// Whether they run the platform
    operator: bool,
}

/// Let somebody run the platform, or no more
///
/// The platform keeps an operator: the last one stays.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "People",
    params(("id" = String, Path, description = "The person's id")), request_body = UserChange,
    security(("operator_key" = [])),
    responses((status = 204, description = "It is so"), Refused, Absent, Conflicting))]
pub(super) async fn change(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Sent(body): Sent<UserChange>,
) -> Result<StatusCode, Refusal> {
    let user: UserId = id.id("such person")?;
    state.platform().tenancy.user_operator_set(&operator, user, body.operator).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign somebody out everywhere
///
/// Ends every session they have, from the next request on.
#[utoipa::path(post, path = "/api/v1/users/{id}/sign-out", tag = "People",
    params(("id" = String, Path, description = "The person's id")),
    security(("operator_key" = [])),
    responses((status = 204, description = "No session of theirs works any more"), Refused, Absent))]
pub(super) async fn sign_out(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<StatusCode, Refusal> {
    state.platform().tenancy.user_sign_out(&operator, id.id("such person")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
