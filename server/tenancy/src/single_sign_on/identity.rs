//! Which account a person of an identity provider is.
//!
//! What always holds: once known, a person is known by the provider's subject, whatever address they come with
//! later. An address leads to an account only the first time, only inside the tenant's confirmed domains, never to
//! an operator's, and never to an account that another person of the provider holds already. Who was removed from
//! the tenant stays outside until they are invited. Who came under the address before its owner is out with the
//! owner's first coming: their password and their sessions end.

use super::SingleSignOnError;
use crate::{
    Author, Chain, Client, SessionClaims, Tenancy, TenancyError,
    account::{self, AccountRow, Address},
    audit::{self, Deed},
    history, membership,
};
use contract::{Email, EmailDomain, Role, SignInHow, TenantId, Timestamp, UserId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

const LINKED: &str = "
SELECT account_id FROM external_identity WHERE tenant_id = $1 AND issuer = $2 AND subject = $3";
const HELD: &str = "
SELECT subject AS value FROM external_identity WHERE tenant_id = $1 AND issuer = $2 AND account_id = $3";
const LINK: &str = "
INSERT INTO external_identity (tenant_id, issuer, subject, account_id, created_at, last_used_at)
VALUES ($1, $2, $3, $4, $5, $5)";
const USED: &str = "
UPDATE external_identity SET last_used_at = $4 WHERE tenant_id = $1 AND issuer = $2 AND subject = $3";
const CONFIRMED: &str = "
SELECT domain AS value FROM sign_in_domain WHERE tenant_id = $1 AND domain = $2 AND confirmed_at IS NOT NULL";
const MEMBER: &str = "SELECT role AS value FROM membership WHERE tenant_id = $1 AND account_id = $2";
const INVITED: &str = "
DELETE FROM invitation WHERE tenant_id = $1 AND email = $2 AND expires_at > $3 RETURNING role";

struct AccountOf(UserId);

impl FromRow for AccountOf {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("account_id")?))
    }
}

struct RoleOf(Role);

impl FromRow for RoleOf {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("role")?))
    }
}

/// Whom a provider vouches for.
#[derive(Debug)]
pub(super) struct Vouched {
    pub tenant: TenantId,
    pub tenant_name: String,
    pub issuer: String,
    pub subject: String,
    /// Verified by the provider.
    pub email: Email,
    pub default_role: Role,
}

impl Tenancy {
    /// Finds or makes the account and the membership, and the claims of the session that follows.
    pub(super) async fn identity_enter(
        &self,
        vouched: &Vouched,
        client: &Client,
    ) -> Result<SessionClaims, TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let domain = EmailDomain::of(&vouched.email);
        let confirmed = tx.query(CONFIRMED).bind(vouched.tenant).bind(domain.clone());
        if confirmed.fetch_optional::<String>().await?.is_none() {
            let tenant = vouched.tenant_name.clone();
            return Err(SingleSignOnError::ForeignDomain { domain, tenant }.into());
        }
        let known = tx.query(LINKED).bind(vouched.tenant).bind(vouched.issuer.as_str()).bind(vouched.subject.as_str());
        let known = known.fetch_optional::<AccountOf>().await?.map(|row| row.0);
        let mut account = account_of(&mut tx, now, vouched, known).await?;
        // Whoever came first under this address, by an invitation of another tenant say, is not in it any more.
        let removed = account::prove(&mut tx, now, &account).await?;
        if !account.address_proved {
            account = account::by_id(&mut tx, account.id).await?.ok_or(SingleSignOnError::NotThisAddress)?;
        }
        let author = Author::user(account.id, &account.email, Some(client.address()));
        if known.is_none() {
            let link = tx.query(LINK).bind(vouched.tenant).bind(vouched.issuer.as_str());
            link.bind(vouched.subject.as_str()).bind(account.id).bind(now).execute().await?;
            let deed = Deed {
                action: "identity.link",
                target: account.email.as_str(),
                before: Value::Null,
                after: json!({ "issuer": vouched.issuer, "subject": vouched.subject }),
            };
            audit::record(&mut tx, now, Chain::Tenant(vouched.tenant), &author, deed).await?;
        } else {
            let used = tx.query(USED).bind(vouched.tenant).bind(vouched.issuer.as_str());
            used.bind(vouched.subject.as_str()).bind(now).execute().await?;
        }
        if removed {
            let (before, after) =
                (json!({ "password": "set by whoever came first" }), json!({ "password": Value::Null }));
            let deed = Deed { action: "identity.prove", target: account.email.as_str(), before, after };
            audit::record(&mut tx, now, Chain::Tenant(vouched.tenant), &author, deed).await?;
        }
        join(&mut tx, now, vouched, known.is_some(), &account, &author).await?;
        history::note(&mut tx, now, account.id, client, SignInHow::SingleSignOn, Some(vouched.tenant)).await?;
        tx.commit().await?;
        tracing::info!(user = %account.id, tenant = %vouched.tenant, address = %client.address(), "signed in by single sign-on");
        Ok(SessionClaims {
            user: account.id,
            epoch: account.session_epoch,
            signed_in_at: now,
            renewed_at: now,
            tenant: Some(vouched.tenant),
            impersonation: None,
            vouched_by: Some(vouched.tenant),
        })
    }
}

async fn account_of(
    tx: &mut Transaction,
    now: Timestamp,
    vouched: &Vouched,
    known: Option<UserId>,
) -> Result<AccountRow, TenancyError> {
    let unusable = || TenancyError::from(SingleSignOnError::NotThisAddress);
    let account = match known {
        Some(user) => account::by_id(tx, user).await?.ok_or_else(unusable)?,
        None => {
            account::insert(tx, now, &vouched.email, None, false, Address::Proved).await?;
            let account = account::by_email(tx, &vouched.email).await?.ok_or_else(unusable)?;
            let held = tx.query(HELD).bind(vouched.tenant).bind(vouched.issuer.as_str()).bind(account.id);
            if held.fetch_optional::<String>().await?.is_some() {
                return Err(unusable());
            }
            account
        }
    };
    if account.operator { Err(unusable()) } else { Ok(account) }
}

/// Makes a member of who is none: by their open invitation, or at their first coming.
async fn join(
    tx: &mut Transaction,
    now: Timestamp,
    vouched: &Vouched,
    known: bool,
    account: &AccountRow,
    author: &Author,
) -> Result<(), TenancyError> {
    let member = tx.query(MEMBER).bind(vouched.tenant).bind(account.id);
    if member.fetch_optional::<String>().await?.is_some() {
        return Ok(());
    }
    let invited = tx.query(INVITED).bind(vouched.tenant).bind(account.email.clone()).bind(now);
    let role = match invited.fetch_optional::<RoleOf>().await? {
        Some(RoleOf(role)) => role,
        None if known => {
            return Err(SingleSignOnError::Removed { tenant: vouched.tenant_name.clone() }.into());
        }
        None => vouched.default_role,
    };
    membership::put(tx, now, vouched.tenant, account.id, role).await?;
    let deed = Deed {
        action: "member.join",
        target: account.email.as_str(),
        before: Value::Null,
        after: json!({ "role": role, "by": "single sign-on" }),
    };
    audit::record(tx, now, Chain::Tenant(vouched.tenant), author, deed).await?;
    Ok(())
}
