//! `/api/v1/users`: everybody who can sign in, whatever tenants they belong to.

use super::{
    WebState,
    caller::Operator,
    input::{Asked, Named, Sent, list_query, parsed, window},
    refusal::{Absent, Conflicting, Refusal, Refused},
    tenants::NoQuery,
    wire::PageOf,
};
use axum::{Json, extract::State};
use contract::{Email, Problem, Role, UserId, UserSummary};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tenancy::{OneTimeToken, RESET_LIFETIME, TenancyError};
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
pub(super) struct NewUserBody {
    /// What they sign in with
    #[schema(example = "dora@acme.test")]
    email: String,
    /// Whether they run the platform; no unless given
    #[serde(default)]
    operator: bool,
    /// The short name or id of a tenant to be a member of
    tenant: Option<String>,
    /// `admin`, `member` or `viewer` of that tenant; `member` unless given
    role: Option<String>,
}

/// A person who was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserMade {
    user: User,
    /// By which they choose their password: works once, within the hour, shown this once.
    link: String,
}

/// Make a person
///
/// They choose their password by the link, which is in the answer and is sent to nobody: hand it to the owner of the
/// address, whom you vouch for. Who runs the platform belongs to no tenant by it.
#[utoipa::path(post, path = "/api/v1/users", tag = "People", request_body = NewUserBody,
    security(("operator_key" = [])),
    responses((status = 201, description = "They can choose a password", body = UserMade), Refused, Conflicting))]
pub(super) async fn create(
    State(state): State<WebState>,
    Operator(operator): Operator,
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<NewUserBody>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<UserMade>), Refusal> {
    let tenancy = &state.platform().tenancy;
    let email: Email = parsed("email", &body.email)?;
    let role = body.role.as_deref().map(|role| parsed::<Role>("role", role)).transpose()?;
    let membership = match (&body.tenant, role) {
        (Some(named), role) => {
            let found = tenancy.tenant_find(&operator, named).await.map_err(|error| {
                // A mistake of the field, and not an address that leads nowhere.
                if matches!(error, TenancyError::NotFound { .. }) {
                    return Refusal::from(Problem::field("tenant", "There is no such tenant."));
                }
                error.into()
            })?;
            Some((found.id, role.unwrap_or(Role::Member)))
        }
        (None, Some(_)) => return Err(Problem::field("role", "A role is one in a tenant. Name the tenant.").into()),
        (None, None) => None,
    };
    let (user, token) = tenancy.user_open_by_link(&operator, &email, body.operator, membership).await?;
    let made = UserMade { user: tenancy.user_find(&operator, user).await?.into(), link: link(&state, &token) };
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/users/{user}"))], Json(made)))
}

/// Show a person
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "People",
    params(("id" = String, Path, description = "The person's id")),
    security(("operator_key" = [])),
    responses((status = 200, description = "The person", body = User), Refused, Absent))]
pub(super) async fn show(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<Json<User>, Refusal> {
    Ok(Json(state.platform().tenancy.user_find(&operator, id.id("such person")?).await?.into()))
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
    Asked(NoQuery {}): Asked<NoQuery>,
    Sent(body): Sent<UserChange>,
) -> Result<StatusCode, Refusal> {
    let user: UserId = id.id("such person")?;
    state.platform().tenancy.user_operator_set(&operator, user, body.operator).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AddressAgain {
    /// Their address once more
    #[param(example = "dora@acme.test")]
    confirm: String,
}

/// Delete a person
///
/// Their account with its memberships, sessions and sign-ins, for good. What they wrote in tenants stays theirs, and the
/// logs and ledgers stay as they are. Refused for operators, and for the last admin of a tenant.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "People",
    params(("id" = String, Path, description = "The person's id"), AddressAgain),
    security(("operator_key" = [])),
    responses((status = 204, description = "There is no such person any more"), Refused, Absent, Conflicting))]
pub(super) async fn remove(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Asked(AddressAgain { confirm }): Asked<AddressAgain>,
) -> Result<StatusCode, Refusal> {
    let user: UserId = id.id("such person")?;
    let deleted = state.platform().lifecycle.person_delete(&operator, user, &confirm).await;
    deleted.map_err(platform::IntoProblem::into_problem)?;
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

/// A way to a new password.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResetLink {
    /// Whose password it sets.
    email: String,
    /// Works once; shown this once.
    link: String,
    works_for_seconds: u64,
}

/// Make a link to a new password
///
/// Hand it to them: it works once, within the hour, and ends their sessions when it is used. Older links of theirs work
/// no more from now on. It stands in the log of every tenant that they belong to.
#[utoipa::path(post, path = "/api/v1/users/{id}/password-reset", tag = "People",
    params(("id" = String, Path, description = "The person's id")),
    security(("operator_key" = [])),
    responses((status = 201, description = "The link", body = ResetLink), Refused, Absent))]
pub(super) async fn password_reset(
    State(state): State<WebState>,
    Operator(operator): Operator,
    id: Named,
    Asked(NoQuery {}): Asked<NoQuery>,
) -> Result<(StatusCode, Json<ResetLink>), Refusal> {
    let (email, token) = state.platform().tenancy.user_reset_link(&operator, id.id("such person")?).await?;
    let made =
        ResetLink { email: email.to_string(), link: link(&state, &token), works_for_seconds: RESET_LIFETIME.as_secs() };
    Ok((StatusCode::CREATED, Json(made)))
}

fn link(state: &WebState, token: &OneTimeToken) -> String {
    format!("{}/reset/{token}", state.settings().public_url)
}
