//! A new password by a link: asked for by its owner and sent by mail, or made by an operator and handed on.
//!
//! What always holds: a link works once, for an hour, and is stored as its hash; setting the password, ending
//! every session and voiding all other links of the account are one transaction. An operator's link voids the
//! account's older ones, and stands in the log of every tenant that the person belongs to: it is a way in. Asking tells nobody whether
//! an address has an account: [`Tenancy::password_reset_admit`] looks at none, and what follows happens after
//! the answer.

use crate::{
    Author, Chain, Client, OneTimeToken, OperatorScope, Tenancy, TenancyError, account,
    audit::{self, Deed},
    clock::millis,
    digest, history, membership,
    throttle::{self, Subject},
    user,
};
use contract::{Email, Password, SignInHow, Timestamp, UserId};
use serde_json::{Value, json};
use std::{net::IpAddr, time::Duration};
use store::{FromRow, Row, StoreError, Transaction};

/// How long a link works.
pub const RESET_LIFETIME: Duration = Duration::from_secs(60 * 60);

const EXPIRED_DELETE: &str = "DELETE FROM password_reset WHERE expires_at <= $1";
const INSERT: &str =
    "INSERT INTO password_reset (token_hash, account_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
const CHECK: &str = "
SELECT account.id, account.email
FROM password_reset JOIN account ON account.id = password_reset.account_id
WHERE password_reset.token_hash = $1 AND password_reset.expires_at > $2";
const USE: &str = "DELETE FROM password_reset WHERE token_hash = $1 AND expires_at > $2";
pub(crate) const OTHERS_VOID: &str = "DELETE FROM password_reset WHERE account_id = $1";
const PASSWORD_SET: &str = "
UPDATE account SET password_hash = $2, session_epoch = session_epoch + 1, address_proved = TRUE, updated_at = $3
WHERE id = $1";

struct Owner {
    user: UserId,
    email: Email,
}

impl FromRow for Owner {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { user: row.get("id")?, email: row.get("email")? })
    }
}

async fn link(tx: &mut Transaction, now: Timestamp, user: UserId) -> Result<OneTimeToken, TenancyError> {
    let token = OneTimeToken::random()?;
    tx.query(EXPIRED_DELETE).bind(now).execute().await?;
    let insert = tx.query(INSERT).bind(digest::sha256(token.as_str())).bind(user).bind(now);
    insert.bind(now.plus_millis(millis(RESET_LIFETIME))).execute().await?;
    Ok(token)
}

impl Tenancy {
    /// Counts somebody's asking for a link, by the address typed and by where they ask from; the same whether
    /// or not there is such an account. `Throttled` when it was asked too often.
    pub async fn password_reset_admit(&self, email: &Email, address: IpAddr) -> Result<(), TenancyError> {
        let subjects = [Subject::reset_of(email), Subject::reset_from(address)];
        throttle::count(&self.control, &*self.clock, subjects).await?;
        Ok(())
    }

    /// Makes the link that is sent to the account's own address. None: there is no such account.
    pub async fn password_reset_begin(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<Option<OneTimeToken>, TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let Some(account) = account::by_email(&mut tx, email).await? else { return Ok(None) };
        let token = link(&mut tx, now, account.id).await?;
        // Asked for by whoever knows the address: the log says from where, and names nobody as the author.
        let author = Author::nobody(client.address());
        let deed = Deed {
            action: "user.reset_ask",
            target: email.as_str(),
            before: Value::Null,
            after: json!({ "link": "sent" }),
        };
        audit::record(&mut tx, now, Chain::Platform, &author, deed).await?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// Makes a link for somebody, to be handed to them; shown once. Older links of theirs are void from now on.
    ///
    /// Errors: `NotFound` without such an account.
    pub async fn password_reset_link_create(
        &self,
        operator: &OperatorScope,
        email: &Email,
    ) -> Result<OneTimeToken, TenancyError> {
        let mut tx = self.control.begin().await?;
        let account = account::by_email(&mut tx, email).await?;
        let account = account.ok_or_else(|| TenancyError::NotFound { what: format!("account “{email}”") })?;
        let token = self.link_hand_out(&mut tx, operator, (account.id, &account.email)).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// The same for the person with this id, and the address that they sign in with.
    pub async fn user_reset_link(
        &self,
        operator: &OperatorScope,
        user: UserId,
    ) -> Result<(Email, OneTimeToken), TenancyError> {
        let mut tx = self.control.begin().await?;
        let account = user::account(&mut tx, user).await?;
        let token = self.link_hand_out(&mut tx, operator, (account.id, &account.email)).await?;
        tx.commit().await?;
        Ok((account.email, token))
    }

    /// Makes a link in the transaction of whoever hands it out, and voids the older ones.
    pub(crate) async fn link_hand_out(
        &self,
        tx: &mut Transaction,
        operator: &OperatorScope,
        (user, email): (UserId, &Email),
    ) -> Result<OneTimeToken, TenancyError> {
        let now = self.now();
        tx.query(OTHERS_VOID).bind(user).execute().await?;
        let token = link(tx, now, user).await?;
        let tenants = membership::of_account(tx, user).await?;
        for chain in std::iter::once(Chain::Platform).chain(tenants.into_iter().map(Chain::Tenant)) {
            let after = json!({ "link": "made" });
            let deed = Deed { action: "user.reset_link", target: email.as_str(), before: Value::Null, after };
            audit::record(tx, now, chain, operator.author(), deed).await?;
        }
        Ok(token)
    }

    /// Whose password a link would set, without using it up. `ResetExpired` when it does not work.
    pub async fn password_reset_check(&self, token: &str) -> Result<Email, TenancyError> {
        Ok(self.owner(token).await?.email)
    }

    async fn owner(&self, token: &str) -> Result<Owner, TenancyError> {
        let check = self.control.read(CHECK).bind(digest::sha256(token)).bind(self.now());
        check.fetch_optional().await?.ok_or(TenancyError::ResetExpired)
    }

    /// Uses a link up: the account has this password, every session of it ends, every other link is void, and
    /// failed attempts are forgiven.
    pub async fn password_reset(&self, token: &str, new: Password, client: &Client) -> Result<(), TenancyError> {
        // Looked at first: nobody without a link gets to make this machine hash passwords.
        let Owner { user, email } = self.owner(token).await?;
        let hash = self.hash_password(new).await?;
        let now = self.now();
        let mut tx = self.control.begin().await?;
        if tx.query(USE).bind(digest::sha256(token)).bind(now).execute().await? != 1 {
            return Err(TenancyError::ResetExpired);
        }
        tx.query(PASSWORD_SET).bind(user).bind(hash.as_str()).bind(now).execute().await?;
        tx.query(OTHERS_VOID).bind(user).execute().await?;
        throttle::forgive(&mut tx, Subject::account(email.as_str())).await?;
        history::note(&mut tx, now, user, client, SignInHow::Reset, None).await?;
        let deed = Deed {
            action: "user.password_reset",
            target: email.as_str(),
            before: Value::Null,
            after: json!({ "sessions": "ended" }),
        };
        audit::record(&mut tx, now, Chain::Platform, &Author::user(user, &email, Some(client.address())), deed).await?;
        tx.commit().await?;
        tracing::info!(%user, "password set with a link, all sessions ended");
        Ok(())
    }
}
