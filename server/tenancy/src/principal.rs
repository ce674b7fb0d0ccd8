//! What a browser session says, and what it amounts to at the moment of a request.
//!
//! The session only claims; [`Tenancy::authenticate`] asks the database each time, so that a removed
//! membership, a raised epoch or an age that ran out counts from the next request on.

use crate::{
    Author, Needs, OperatorScope, Scope, Tenancy, TenancyError, clock::millis, impersonation::Impersonated, tenant,
};
use contract::{Email, ImpersonationId, ImpersonationNote, SessionView, TenantId, TenantMembership, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::Arc, time::Duration};
use store::{FromRow, Row, StoreError, share};

/// Where the claims stand in the session.
pub const SESSION_CLAIMS_KEY: &str = "claims";
/// A session that nobody used for this long is over.
pub const IDLE_EXPIRY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A session is over this long after signing in, used or not.
pub const ABSOLUTE_EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often use of a session is written down: the idle expiry is exact to this.
const RENEWAL: Duration = Duration::from_secs(60 * 60);

/// One query a request. The membership of the session's own tenant comes first, then the oldest; a
/// person in more tenants than the limit still works in the right one. Single sign-on opens its own tenant alone; a
/// password opens all but those which demand single sign-on of the person's domain.
const PRINCIPAL: &str = "
SELECT
    account.email, account.operator, tenant.id AS tenant_id, tenant.slug, tenant.display_name, membership.role,
    tenant.suspended_for
FROM account
LEFT JOIN membership ON membership.account_id = account.id
    AND (membership.tenant_id = $1 OR ($2 AND (account.operator OR NOT EXISTS (
        SELECT 1
        FROM sign_in_setting
        JOIN sign_in_domain ON sign_in_domain.tenant_id = sign_in_setting.tenant_id
        WHERE sign_in_setting.tenant_id = membership.tenant_id
            AND sign_in_setting.enabled AND sign_in_setting.required AND sign_in_domain.confirmed_at IS NOT NULL
            AND account.email LIKE '%@' || sign_in_domain.domain
    ))))
LEFT JOIN tenant ON tenant.id = membership.tenant_id
WHERE account.id = $3 AND account.session_epoch = $4
ORDER BY CASE WHEN membership.tenant_id = $5 THEN 0 ELSE 1 END, membership.created_at, membership.tenant_id
LIMIT 100";

/// What a session says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    pub user: UserId,
    /// The account's epoch at signing in; “sign out everywhere” raises the account's.
    pub epoch: i64,
    pub signed_in_at: Timestamp,
    /// When use of the session was last written down.
    pub renewed_at: Timestamp,
    /// The tenant this session works in; none: the oldest membership.
    pub tenant: Option<TenantId>,
    /// An operator's time inside another tenant; it takes the place of `tenant` until its user leaves, also when it
    /// is over: nobody is moved from one tenant to another silently.
    #[serde(default)]
    pub impersonation: Option<ImpersonationId>,
    /// Whose identity provider vouched, with single sign-on: this session acts in that tenant alone.
    #[serde(default)]
    pub vouched_by: Option<TenantId>,
}

impl SessionClaims {
    /// True at most once an hour: then write the session again, so that its expiry moves on.
    pub fn renew(&mut self, now: Timestamp) -> bool {
        let due = now.millis_since(self.renewed_at) >= millis(RENEWAL);
        if due {
            self.renewed_at = now;
        }
        due
    }
}

/// A sign-in that worked. Put the claims into a session with a new id.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub claims: SessionClaims,
    pub view: SessionView,
}

/// Who is signed in, as of this request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Principal {
    identity: Arc<Identity>,
    address: Option<IpAddr>,
}

#[derive(Debug)]
struct Identity {
    user: UserId,
    email: Email,
    operator: bool,
    memberships: Vec<TenantMembership>,
    current: Option<TenantMembership>,
    /// Why the current tenant is suspended, if it is.
    suspended_for: Option<String>,
    impersonation: Option<Impersonated>,
    vouched_by: Option<TenantId>,
}

impl Principal {
    /// Whether a tenant's identity provider vouched for this person, who then acts in that tenant alone.
    pub fn is_vouched_for(&self) -> bool {
        self.identity.vouched_by.is_some()
    }

    pub fn user(&self) -> UserId {
        self.identity.user
    }

    pub fn email(&self) -> &Email {
        &self.identity.email
    }

    pub fn is_operator(&self) -> bool {
        self.identity.operator
    }

    /// The tenants this person belongs to: the current one first, then from the oldest membership on; at most 100.
    pub fn memberships(&self) -> &[TenantMembership] {
        &self.identity.memberships
    }

    /// For the frame of every page.
    pub fn view(&self) -> SessionView {
        SessionView {
            user: self.identity.user,
            email: self.identity.email.clone(),
            operator: self.identity.operator,
            current: self.identity.current.clone(),
            others: self.others().cloned().collect(),
            impersonation: self.identity.impersonation.as_ref().map(|time| ImpersonationNote {
                id: time.id,
                tenant: time.membership.as_ref().map_or_else(String::new, |tenant| tenant.display_name.clone()),
                expires_at: time.expires_at,
                over: time.over,
            }),
        }
    }

    fn others(&self) -> impl Iterator<Item = &TenantMembership> {
        let current = self.identity.current.as_ref().map(|current| current.tenant);
        self.memberships().iter().filter(move |other| Some(other.tenant) != current)
    }

    /// A tenant that this person belongs to, to work in from now on.
    pub fn membership_of(&self, tenant: TenantId) -> Result<&TenantMembership, TenancyError> {
        let found = self.memberships().iter().find(|membership| membership.tenant == tenant);
        found.ok_or_else(tenant::missing)
    }

    /// The key to the current tenant's data; `NoTenant` when there is none, `Suspended` while nobody may enter it.
    pub fn scope(&self) -> Result<Scope, TenancyError> {
        if let Some(over) = self.identity.impersonation.as_ref().filter(|time| time.over) {
            let tenant = over.membership.as_ref().map_or("that tenant", |tenant| tenant.display_name.as_str());
            return Err(TenancyError::ImpersonationOver { tenant: tenant.to_owned() });
        }
        let current = self.identity.current.as_ref().ok_or(TenancyError::NoTenant)?;
        if let Some(reason) = &self.identity.suspended_for {
            return Err(TenancyError::Suspended { tenant: current.display_name.clone(), reason: reason.clone() });
        }
        let author = match self.identity.impersonation {
            None => self.author(),
            Some(_) => self.author().on_behalf(current.slug.as_str()),
        };
        Ok(Scope::mint(current.tenant, author, current.role))
    }

    /// The right to run the platform; refuses whoever does not.
    #[cfg_attr(feature = "mutants", track_caller)]
    pub fn operator_scope(&self) -> Result<OperatorScope, TenancyError> {
        #[cfg(feature = "mutants")]
        if store::mutants::check_is_off(std::panic::Location::caller()) {
            return Ok(OperatorScope::mint(self.author()));
        }
        self.require_operator()?;
        Ok(OperatorScope::mint(self.author()))
    }

    /// The same person, seen from this address: the audit log says it.
    #[must_use]
    pub fn from_address(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    pub(crate) fn author(&self) -> Author {
        Author::user(self.identity.user, &self.identity.email, self.address)
    }

    /// Refuses whoever does not run the platform.
    #[cfg_attr(feature = "mutants", track_caller)]
    pub fn require_operator(&self) -> Result<(), TenancyError> {
        #[cfg(feature = "mutants")]
        if store::mutants::check_is_off(std::panic::Location::caller()) {
            return Ok(());
        }
        if self.identity.operator { Ok(()) } else { Err(TenancyError::PermissionDenied { needs: Needs::Operator }) }
    }
}

struct PrincipalRow {
    email: Email,
    operator: bool,
    membership: Option<TenantMembership>,
    suspended_for: Option<String>,
}

impl FromRow for PrincipalRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let membership = match row.get::<Option<TenantId>>("tenant_id")? {
            Some(tenant) => Some(TenantMembership {
                tenant,
                slug: row.get("slug")?,
                display_name: row.get("display_name")?,
                role: row.get("role")?,
            }),
            None => None,
        };
        let suspended_for = row.get("suspended_for")?;
        Ok(Self { email: row.get("email")?, operator: row.get("operator")?, membership, suspended_for })
    }
}

impl Tenancy {
    /// What a request's session amounts to now. None: not signed in (unknown account, too old, epoch raised).
    pub async fn authenticate(&self, session: &SessionClaims) -> Result<Option<Principal>, TenancyError> {
        if self.now().millis_since(session.signed_in_at) >= millis(ABSOLUTE_EXPIRY) {
            return Ok(None);
        }
        if let Some(tenant) = session.tenant {
            share::belongs_to(tenant);
        }
        let rows: Vec<PrincipalRow> = self
            .control
            .read(PRINCIPAL)
            .bind(session.vouched_by)
            .bind(session.vouched_by.is_none())
            .bind(session.user)
            .bind(session.epoch)
            .bind(session.tenant)
            .fetch_all()
            .await?;
        let Some((email, operator)) = rows.first().map(|row| (row.email.clone(), row.operator)) else {
            return Ok(None);
        };
        // No tenant's identity provider speaks for an operator, whatever the account was when it did.
        if operator && session.vouched_by.is_some() {
            return Ok(None);
        }
        let suspended_for = rows.first().and_then(|row| row.suspended_for.clone());
        let memberships: Vec<_> = rows.into_iter().filter_map(|row| row.membership).collect();
        // No silent move to another tenant: what is typed for one would be stored in another.
        let is_current =
            |membership: &&TenantMembership| session.tenant.is_none_or(|tenant| membership.tenant == tenant);
        let mut current = memberships.first().filter(is_current).cloned();
        let mut suspended_for = suspended_for;
        let mut impersonation = match session.impersonation {
            Some(id) => Some(self.impersonated(id, session.user).await?),
            None => None,
        };
        if let Some(time) = &mut impersonation {
            // Who is no operator any more has no business in a tenant that is not theirs.
            time.over |= !operator;
            current = time.membership.clone().filter(|_| !time.over);
            suspended_for.clone_from(&time.suspended_for);
        }
        if let Some(tenant) = &current {
            share::belongs_to(tenant.tenant);
        }
        let vouched_by = session.vouched_by;
        let identity = Identity {
            user: session.user,
            email,
            operator,
            memberships,
            current,
            suspended_for,
            impersonation,
            vouched_by,
        };
        Ok(Some(Principal { identity: Arc::new(identity), address: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_of_a_session_is_written_down_once_an_hour() {
        let start = Timestamp::from_millis(0);
        let mut claims = SessionClaims {
            user: UserId::new(),
            epoch: 0,
            signed_in_at: start,
            renewed_at: start,
            tenant: None,
            impersonation: None,
            vouched_by: None,
        };
        let hour = millis(RENEWAL);
        assert!(!claims.renew(start.plus_millis(hour - 1)));
        assert!(claims.renew(start.plus_millis(hour)));
        assert!(!claims.renew(start.plus_millis(hour + 1)));
    }
}
