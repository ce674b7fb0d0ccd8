//! A tenant's identity provider, as its admins set it.
//!
//! What always holds: it is tried before anybody can come in by it; its secret is sealed for this tenant and this issuer, and is
//! asked for again when the issuer changes, so that no other server is ever sent it; nobody demands single sign-on
//! who has not come in by it, so that a tenant cannot lock itself out by a slip.

use super::flow::discover;
use crate::{
    Actor, Chain, Manages, Secret, Tenancy, TenancyError,
    audit::{self, Deed},
};
use contract::{DomainView, Role, SingleSignOnView, TenantId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError};

const MOST_CHARS: usize = 500;

const OF_TENANT: &str = "
SELECT issuer, client_id, client_secret_sealed, default_role, enabled, required
FROM sign_in_setting WHERE tenant_id = $1";
const PUT: &str = "
INSERT INTO sign_in_setting (
    tenant_id, issuer, client_id, client_secret_sealed, default_role, enabled, required, updated_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id) DO UPDATE SET
    issuer = excluded.issuer, client_id = excluded.client_id, client_secret_sealed = excluded.client_secret_sealed,
    default_role = excluded.default_role, enabled = excluded.enabled, required = excluded.required,
    updated_at = excluded.updated_at";
const REMOVE: &str = "DELETE FROM sign_in_setting WHERE tenant_id = $1";
const CAME_BY_IT: &str = "
SELECT account_id AS value FROM external_identity WHERE tenant_id = $1 AND issuer = $2 AND account_id = $3";
const ADMIN_CAME_BY_IT: &str = "
SELECT external_identity.account_id AS value
FROM external_identity
JOIN membership ON membership.tenant_id = external_identity.tenant_id
    AND membership.account_id = external_identity.account_id AND membership.role = 'admin'
WHERE external_identity.tenant_id = $1 AND external_identity.issuer = $2 LIMIT 1";
const ANY: &str = "SELECT tenant_id AS value FROM sign_in_setting WHERE enabled = TRUE LIMIT 1";

/// What an admin writes.
#[derive(Debug, Clone)]
pub struct NewSingleSignOn {
    pub issuer: String,
    pub client_id: String,
    /// None: the one that is kept stays.
    pub client_secret: Option<Secret>,
    /// What a person becomes who signs in for the first time: a member or a viewer.
    pub default_role: Role,
    pub enabled: bool,
    /// People of the tenant's domains enter it in no other way.
    pub required: bool,
}

/// Why nobody could sign in by a provider as it is set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this provider cannot be used: {cause}")]
pub struct ProviderUnusable {
    cause: String,
}

#[derive(Debug)]
pub(super) struct SettingRow {
    pub view: SingleSignOnView,
    pub sealed: Vec<u8>,
}

impl FromRow for SettingRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let view = SingleSignOnView {
            issuer: row.get("issuer")?,
            client_id: row.get("client_id")?,
            default_role: row.get("default_role")?,
            enabled: row.get("enabled")?,
            required: row.get("required")?,
        };
        Ok(Self { view, sealed: row.get("client_secret_sealed")? })
    }
}

/// What a secret is sealed for.
pub(super) fn context(tenant: TenantId, issuer: &str) -> String {
    secret_context(&tenant.to_string(), issuer)
}

pub(crate) fn secret_context(tenant: &str, issuer: &str) -> String {
    format!("sign-in:{tenant}:{issuer}")
}

fn told(view: &SingleSignOnView) -> Value {
    json!({
        "issuer": view.issuer, "client_id": view.client_id, "default_role": view.default_role,
        "enabled": view.enabled, "required": view.required,
    })
}

fn invalid(field: &'static str, reason: impl Into<String>) -> TenancyError {
    TenancyError::Invalid { field, reason: reason.into() }
}

impl Tenancy {
    /// Whether anybody here can come in by single sign-on at all.
    pub async fn single_sign_on_exists(&self) -> Result<bool, TenancyError> {
        Ok(self.control.read(ANY).fetch_optional::<String>().await?.is_some())
    }

    /// The tenant's provider, if there is one, and its domains.
    pub async fn single_sign_on_view(
        &self,
        scope: &impl Manages,
    ) -> Result<(Option<SingleSignOnView>, Vec<DomainView>), TenancyError> {
        scope.require_manager()?;
        let row = self.setting(scope.tenant()).await?;
        Ok((row.map(|row| row.view), self.domains(scope.tenant()).await?))
    }

    pub(super) async fn setting(&self, tenant: TenantId) -> Result<Option<SettingRow>, StoreError> {
        self.control.read(OF_TENANT).bind(tenant).fetch_optional().await
    }

    /// Tries a provider, and keeps it when its discovery document can be read. One that is switched off is kept
    /// either way, so that it can be switched off while it does not answer: then what came of the trial is told.
    ///
    /// Errors: `Invalid` with the field and what is wrong there.
    pub async fn single_sign_on_save(
        &self,
        scope: &impl Manages,
        new: NewSingleSignOn,
    ) -> Result<Result<(), ProviderUnusable>, TenancyError> {
        scope.require_manager()?;
        scope.require_lasting("an identity provider")?;
        let tenant = scope.tenant();
        let before = self.setting(tenant).await?;
        let view = checked(&new)?;
        let sealed = match (&new.client_secret, &before) {
            (Some(secret), _) => self.vault().seal(&context(tenant, &view.issuer), secret.expose())?,
            (None, Some(before)) if before.view.issuer == view.issuer => before.sealed.clone(),
            (None, Some(_)) => {
                return Err(invalid("client_secret", "enter the new provider's secret; the old one's stays with it"));
            }
            (None, None) => return Err(invalid("client_secret", "enter the secret that belongs to the client id")),
        };
        let tried = discover(self.wire(), &view.issuer).await.map(drop).map_err(|cause| ProviderUnusable { cause });
        if view.enabled {
            tried.as_ref().map_err(|unusable| invalid("issuer", unusable.to_string()))?;
        }
        let now = self.now();
        let mut tx = self.control.begin().await?;
        if view.required && !before.as_ref().is_some_and(|before| before.view.required) {
            let came = match scope.author().actor() {
                Actor::User(user) => tx.query(CAME_BY_IT).bind(tenant).bind(view.issuer.as_str()).bind(user),
                // A program signs in nowhere: it is an admin who has to know that it works.
                Actor::Key(_) | Actor::CommandLine | Actor::Upkeep => {
                    tx.query(ADMIN_CAME_BY_IT).bind(tenant).bind(view.issuer.as_str())
                }
            };
            if came.fetch_optional::<String>().await?.is_none() {
                let who = if matches!(scope.author().actor(), Actor::User(_)) { "yourself" } else { "as an admin" };
                let reason =
                    format!("sign in once with single sign-on {who}; then switch this on, knowing that it works");
                return Err(invalid("required", reason));
            }
        }
        let put = tx.query(PUT).bind(tenant).bind(view.issuer.as_str()).bind(view.client_id.as_str()).bind(sealed);
        let put = put.bind(view.default_role).bind(view.enabled).bind(view.required).bind(now);
        put.execute().await?;
        // That there is another secret is told, and no secret.
        let mut after = told(&view);
        if new.client_secret.is_some() {
            after["client_secret"] = if before.is_some() { "replaced" } else { "set" }.into();
        }
        let before = before.map_or(Value::Null, |before| told(&before.view));
        let deed = Deed { action: "sign_in.configure", target: &view.issuer, before, after };
        audit::record(&mut tx, now, Chain::Tenant(tenant), scope.author(), deed).await?;
        tx.commit().await?;
        Ok(tried)
    }

    /// Forgets the provider with its secret: from now on the tenant's people sign in with passwords alone. Whom it
    /// introduced stays known: who was removed from the tenant does not come back by setting the same one again.
    ///
    /// Errors: `NotFound` where there is none.
    pub async fn single_sign_on_remove(&self, scope: &impl Manages) -> Result<(), TenancyError> {
        scope.require_manager()?;
        let tenant = scope.tenant();
        let mut tx = self.control.begin().await?;
        let before = tx.query(OF_TENANT).bind(tenant).fetch_optional::<SettingRow>().await?;
        let Some(SettingRow { view, .. }) = before else {
            return Err(TenancyError::NotFound { what: "identity provider".to_owned() });
        };
        tx.query(REMOVE).bind(tenant).execute().await?;
        let deed = Deed { action: "sign_in.remove", target: &view.issuer, before: told(&view), after: Value::Null };
        audit::record(&mut tx, self.now(), Chain::Tenant(tenant), scope.author(), deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn checked(new: &NewSingleSignOn) -> Result<SingleSignOnView, TenancyError> {
    let (issuer, client_id) = (new.issuer.trim(), new.client_id.trim());
    let plain =
        |text: &str| !text.is_empty() && text.chars().count() <= MOST_CHARS && !text.chars().any(char::is_control);
    if !plain(issuer) || issuer.contains(['?', '#']) {
        return Err(invalid("issuer", "write it like https://login.example.com, as your provider states it"));
    }
    if !plain(client_id) {
        return Err(invalid("client_id", "enter the client id that your provider gave to Seam"));
    }
    if new.client_secret.as_ref().is_some_and(|secret| !plain(secret.expose())) {
        return Err(invalid("client_secret", "this is longer than a secret may be, or holds what cannot be typed"));
    }
    if new.default_role == Role::Admin {
        return Err(invalid("role", "new people become members or viewers; make somebody an admin by hand"));
    }
    if new.required && !new.enabled {
        return Err(invalid("required", "switch single sign-on on before you demand it"));
    }
    Ok(SingleSignOnView {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        default_role: new.default_role,
        enabled: new.enabled,
        required: new.required,
    })
}
