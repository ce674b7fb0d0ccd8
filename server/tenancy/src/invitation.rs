//! Invitations by link: an admin names an address and a role, whoever has the link joins.
//!
//! What always holds: a link works once, for seven days, and only for the address it was made for; it is
//! stored as its hash; using it up, making the account and the membership are one transaction. A link that
//! does not work says the same whether it never was, was used, withdrawn or ran out.

use crate::{
    Author, Manages, OneTimeToken, Principal, Tenancy, TenancyError,
    account::{self, Address},
    audit::{self, Chain, Deed},
    clock::millis,
    customer::refuse_going,
    digest, membership, tenant,
};
use contract::{Email, InvitationOffer, InvitationView, MailState, Password, Role, TenantId, Timestamp, UserId};
use serde_json::{Value, json};
use std::{net::IpAddr, time::Duration};
use store::{FromRow, Row, StoreError, Transaction};

/// How long a link works.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Nobody has more open invitations than this; it bounds what an admin's mistake can do.
const MOST_OPEN: i64 = 1_000;

const IS_MEMBER: &str = "
SELECT account.email AS value
FROM membership JOIN account ON account.id = membership.account_id
WHERE membership.tenant_id = $1 AND account.email = $2";
const OPEN_COUNT: &str = "SELECT COUNT(*) AS value FROM invitation WHERE tenant_id = $1 AND expires_at > $2";
const EARLIER: &str = "SELECT role AS value FROM invitation WHERE tenant_id = $1 AND email = $2";
/// The earlier invitation of this address stops working.
const INSERT: &str = "
INSERT INTO invitation (tenant_id, id, token_hash, email, role, invited_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id, email) DO UPDATE SET
    id = excluded.id, token_hash = excluded.token_hash, role = excluded.role, invited_by = excluded.invited_by,
    created_at = excluded.created_at, expires_at = excluded.expires_at, mail_state = NULL";
const MAIL_NOTE: &str = "UPDATE invitation SET mail_state = $2 WHERE token_hash = $1";
const LIST: &str = "
SELECT id, email, role, invited_by, expires_at, mail_state FROM invitation
WHERE tenant_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id";
const WITHDRAW: &str = "DELETE FROM invitation WHERE tenant_id = $1 AND id = $2 RETURNING email, role";
const OFFER: &str = "
SELECT
    invitation.tenant_id, invitation.email, invitation.role, invitation.invited_by, tenant.display_name,
    (account.id IS NOT NULL AND account.password_hash IS NOT NULL) AS has_account
FROM invitation
JOIN tenant ON tenant.id = invitation.tenant_id
LEFT JOIN account ON account.email = invitation.email
WHERE invitation.token_hash = $1 AND invitation.expires_at > $2 AND tenant.suspended_at IS NULL";
const USE: &str = "DELETE FROM invitation WHERE token_hash = $1 AND expires_at > $2";
/// Never over an account that opens something already: whoever invites an address need not be its owner.
const PASSWORD_FIRST: &str = "
UPDATE account SET password_hash = $2, address_proved = FALSE, updated_at = $3
WHERE id = $1 AND password_hash IS NULL AND operator = FALSE
    AND NOT EXISTS (SELECT 1 FROM membership WHERE membership.account_id = $1)";

struct InvitationRow(InvitationView);

impl FromRow for InvitationRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(InvitationView {
            id: row.get("id")?,
            email: row.get("email")?,
            role: row.get("role")?,
            invited_by: row.get("invited_by")?,
            expires_at: row.get("expires_at")?,
            mail: row.get("mail_state")?,
        }))
    }
}

struct OfferRow {
    tenant: TenantId,
    offer: InvitationOffer,
}

impl FromRow for OfferRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let offer = InvitationOffer {
            tenant: row.get("display_name")?,
            email: row.get("email")?,
            role: row.get("role")?,
            invited_by: row.get("invited_by")?,
            has_account: row.get("has_account")?,
        };
        Ok(Self { tenant: row.get("tenant_id")?, offer })
    }
}

/// Who opens a link.
#[derive(Debug)]
pub enum Invited<'p> {
    /// Somebody who is signed in already.
    SignedIn(&'p Principal),
    /// Somebody new, who chooses a password.
    New { password: Password, address: IpAddr },
}

/// Invites an address into a tenant, inside a transaction that may do more.
pub(crate) async fn put(
    tx: &mut Transaction,
    now: Timestamp,
    tenant: TenantId,
    author: &Author,
    email: &Email,
    role: Role,
) -> Result<OneTimeToken, TenancyError> {
    let token = OneTimeToken::random()?;
    let member = tx.query(IS_MEMBER).bind(tenant).bind(email.clone()).fetch_optional::<String>().await?;
    if member.is_some() {
        return Err(TenancyError::AlreadyExists { what: "member", name: email.to_string() });
    }
    if tx.query(OPEN_COUNT).bind(tenant).bind(now).fetch_one::<i64>().await? >= MOST_OPEN {
        let reason = format!("there are {MOST_OPEN} open invitations; withdraw some first");
        return Err(TenancyError::Invalid { field: "email", reason });
    }
    let earlier = tx.query(EARLIER).bind(tenant).bind(email.clone()).fetch_optional::<String>().await?;
    let insert = tx.query(INSERT).bind(tenant).bind(contract::RequestId::new().to_string());
    let insert = insert.bind(digest::sha256(token.as_str())).bind(email.clone()).bind(role).bind(author.name());
    insert.bind(now).bind(now.plus_millis(millis(INVITATION_LIFETIME))).execute().await?;
    let before = earlier.map_or(Value::Null, |role| json!({ "role": role }));
    let deed = Deed { action: "member.invite", target: email.as_str(), before, after: json!({ "role": role }) };
    audit::record(tx, now, Chain::Tenant(tenant), author, deed).await?;
    Ok(token)
}

struct Withdrawn {
    email: String,
    role: Role,
}

impl FromRow for Withdrawn {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { email: row.get("email")?, role: row.get("role")? })
    }
}

impl Tenancy {
    /// Invites an address into the tenant. The token goes into the link and is never shown again.
    ///
    /// Errors: `AlreadyExists` for who is a member already.
    pub async fn invitation_create(
        &self,
        scope: &impl Manages,
        email: &Email,
        role: Role,
    ) -> Result<OneTimeToken, TenancyError> {
        scope.require_manager()?;
        scope.require_lasting("an invitation")?;
        let mut tx = self.control.begin().await?;
        if scope.is_operators() && account::by_email(&mut tx, email).await?.is_some_and(|account| account.operator) {
            let reason =
                "runs the platform, and enters a tenant for a while, with a reason that its admins see".to_owned();
            return Err(TenancyError::Invalid { field: "email", reason });
        }
        let token = put(&mut tx, self.now(), scope.tenant(), scope.author(), email, role).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Invitations that still work, newest first.
    pub async fn invitation_list(&self, scope: &impl Manages) -> Result<Vec<InvitationView>, TenancyError> {
        scope.require_manager()?;
        let list = self.control.read(LIST).bind(scope.tenant()).bind(self.now());
        Ok(list.fetch_all::<InvitationRow>().await?.into_iter().map(|row| row.0).collect())
    }

    /// The link stops working.
    pub async fn invitation_withdraw(&self, scope: &impl Manages, id: &str) -> Result<(), TenancyError> {
        scope.require_manager()?;
        let mut tx = self.control.begin().await?;
        let withdrawn = tx.query(WITHDRAW).bind(scope.tenant()).bind(id).fetch_optional::<Withdrawn>().await?;
        let Withdrawn { email, role } =
            withdrawn.ok_or_else(|| TenancyError::NotFound { what: "such invitation".to_owned() })?;
        let before = json!({ "role": role });
        let deed = Deed { action: "member.invite_withdraw", target: &email, before, after: Value::Null };
        audit::record(&mut tx, self.now(), Chain::Tenant(scope.tenant()), scope.author(), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes what became of the mail with a link; nothing when the invitation is gone meanwhile.
    pub async fn invitation_mail_note(&self, token: &OneTimeToken, state: MailState) -> Result<(), TenancyError> {
        self.control.write(MAIL_NOTE).bind(digest::sha256(token.as_str())).bind(state).execute().await?;
        Ok(())
    }

    /// What a link offers, without using it up. `LinkExpired` when it does not work.
    pub async fn invitation_offer(&self, token: &str) -> Result<InvitationOffer, TenancyError> {
        Ok(self.offer(token).await?.offer)
    }

    async fn offer(&self, token: &str) -> Result<OfferRow, TenancyError> {
        let offer = self.control.read(OFFER).bind(digest::sha256(token)).bind(self.now());
        offer.fetch_optional().await?.ok_or(TenancyError::InvitationExpired)
    }

    /// Uses a link up: its address becomes a member, and has an account if it had none.
    ///
    /// Errors: `InvitationExpired`; `InvitationForAnother` when somebody else is signed in, and when the address
    /// has an account that is not signed in: a link that was passed on opens nobody's account.
    pub async fn invitation_accept(&self, token: &str, who: Invited<'_>) -> Result<(UserId, TenantId), TenancyError> {
        // Looked at first: nobody without a link gets to make this machine hash passwords.
        let OfferRow { tenant, offer } = self.offer(token).await?;
        let another = || TenancyError::InvitationForAnother { email: offer.email.clone() };
        let (hash, known, address) = match who {
            // A tenant's identity provider takes nobody into another tenant.
            Invited::SignedIn(principal) if principal.is_vouched_for() => {
                return Err(TenancyError::NotWithSingleSignOn);
            }
            Invited::SignedIn(principal) if *principal.email() == offer.email => (None, Some(principal.user()), None),
            Invited::SignedIn(_) => return Err(another()),
            Invited::New { .. } if offer.has_account => return Err(another()),
            Invited::New { password, address } => (Some(self.hash_password(password).await?), None, Some(address)),
        };
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let record = tenant::present(&mut tx, tenant).await?;
        refuse_going(&mut tx, &record, "takes nobody in any more").await?;
        if tx.query(USE).bind(digest::sha256(token)).bind(now).execute().await? != 1 {
            return Err(TenancyError::InvitationExpired);
        }
        let user = match (known, &hash) {
            (Some(user), _) => user,
            (None, hash) => {
                match account::insert(&mut tx, now, &offer.email, hash.as_ref(), false, Address::Claimed).await? {
                    Some(user) => user,
                    // Made without a password, by `seam apply` say: now it gets one.
                    None => {
                        let account = account::by_email(&mut tx, &offer.email).await?.ok_or_else(another)?;
                        let first = tx.query(PASSWORD_FIRST).bind(account.id);
                        let first = first.bind(hash.as_ref().map(|hash| hash.as_str())).bind(now);
                        if first.execute().await? != 1 {
                            return Err(another());
                        }
                        account.id
                    }
                }
            }
        };
        membership::put(&mut tx, now, tenant, user, offer.role).await?;
        let author = Author::user(user, &offer.email, address);
        let deed = Deed {
            action: "member.join",
            target: offer.email.as_str(),
            before: Value::Null,
            after: json!({ "role": offer.role }),
        };
        audit::record(&mut tx, now, Chain::Tenant(tenant), &author, deed).await?;
        tx.commit().await?;
        Ok((user, tenant))
    }
}
