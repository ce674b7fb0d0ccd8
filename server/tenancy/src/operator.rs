//! The first operator: by a link that works once, or from the environment.
//!
//! What always holds: a link is used up in the transaction that makes the account, so that it makes one
//! account however often it is opened at once; it expires; making an operator voids every other link.

use crate::{
    Author, PasswordHash, Tenancy, TenancyError,
    account::{self, Address},
    audit::{self, Chain, Deed},
    clock::millis,
    digest,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Email, Password, Timestamp, UserId};
use serde_json::{Value, json};
use std::{fmt, net::IpAddr, time::Duration};
use store::{StoreError, Transaction};

/// How long a link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(60 * 60);
const PURPOSE: &str = "operator-setup";

const OPERATOR_ANY: &str = "SELECT id AS value FROM account WHERE operator = TRUE LIMIT 1";
const LINK_VOID_UNUSED: &str = "DELETE FROM one_time_link WHERE purpose = $1 AND used_at IS NULL";
const LINK_DELETE_EXPIRED: &str = "DELETE FROM one_time_link WHERE purpose = $1 AND expires_at <= $2";
const LINK_INSERT: &str = "INSERT INTO one_time_link (token_hash, purpose, expires_at) VALUES ($1, $2, $3)";
const LINK_CHECK: &str = "
SELECT token_hash AS value FROM one_time_link
WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3";
const LINK_USE: &str = "
UPDATE one_time_link SET used_at = $3
WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3";
/// Sessions and password of whoever had the account before end with the promotion.
const ACCOUNT_TAKE: &str = "
UPDATE account SET operator = TRUE, password_hash = $2, session_epoch = session_epoch + 1, address_proved = TRUE,
    updated_at = $3
WHERE id = $1";

/// The secret part of a one-time link: 32 random bytes in base64url. Shown once, to whoever starts Seam.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeToken(String);

impl OneTimeToken {
    pub(crate) fn random() -> Result<Self, TenancyError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(digest::random_bytes::<32>()?)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For the link; a log line would use `Debug`, which shows nothing.
impl fmt::Display for OneTimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OneTimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeToken(…)")
    }
}

async fn void_unused_links(tx: &mut Transaction) -> Result<(), StoreError> {
    tx.query(LINK_VOID_UNUSED).bind(PURPOSE).execute().await?;
    Ok(())
}

/// Writes into the platform's log that there is an operator, and where the right to be one came from.
async fn note(
    tx: &mut Transaction,
    now: Timestamp,
    author: &Author,
    email: &Email,
    by: &str,
) -> Result<(), StoreError> {
    let deed =
        Deed { action: "operator.create", target: email.as_str(), before: Value::Null, after: json!({ "by": by }) };
    audit::record(tx, now, Chain::Platform, author, deed).await
}

impl Tenancy {
    pub async fn operator_exists(&self) -> Result<bool, TenancyError> {
        Ok(self.control.read(OPERATOR_ANY).fetch_optional::<String>().await?.is_some())
    }

    /// Makes a link that creates an operator account. Links made earlier go on working: each of several nodes that
    /// start on an empty database prints one of its own, and the first that is used voids the others.
    pub async fn operator_link_create(&self) -> Result<OneTimeToken, TenancyError> {
        let token = OneTimeToken::random()?;
        let expires_at = self.now().plus_millis(millis(LINK_LIFETIME));
        let mut tx = self.control.begin().await?;
        tx.query(LINK_DELETE_EXPIRED).bind(PURPOSE).bind(self.now()).execute().await?;
        let insert = tx.query(LINK_INSERT).bind(digest::sha256(token.as_str())).bind(PURPOSE);
        insert.bind(expires_at).execute().await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Whether a link would work now, without using it up. `LinkExpired` otherwise.
    pub async fn operator_link_check(&self, token: &str) -> Result<(), TenancyError> {
        let check = self.control.read(LINK_CHECK).bind(digest::sha256(token)).bind(PURPOSE).bind(self.now());
        check.fetch_optional::<String>().await?.map(|_| ()).ok_or(TenancyError::LinkExpired)
    }

    /// Uses a link up and creates the operator account, both or neither.
    pub async fn operator_create_with_link(
        &self,
        token: &str,
        email: Email,
        password: Password,
        address: IpAddr,
    ) -> Result<UserId, TenancyError> {
        // Looked at first as well: nobody without a link gets to make this machine hash passwords.
        self.operator_link_check(token).await?;
        let hash = self.hash_password(password).await?;
        let mut tx = self.control.begin().await?;
        let now = self.now();
        let link = tx.query(LINK_USE).bind(digest::sha256(token)).bind(PURPOSE).bind(now);
        if link.execute().await? != 1 {
            return Err(TenancyError::LinkExpired);
        }
        let created = account::insert(&mut tx, now, &email, Some(&hash), true, Address::Proved).await?;
        let user = created.ok_or_else(|| account::taken(&email))?;
        void_unused_links(&mut tx).await?;
        let author = Author::user(user, &email, Some(address));
        note(&mut tx, now, &author, &email, "one-time link").await?;
        tx.commit().await?;
        tracing::info!(%user, "operator account created with the one-time link");
        Ok(user)
    }

    /// Makes sure that the operator from the environment exists; does nothing when this one is there already.
    ///
    /// Another person's account under this address becomes the operator's, with this password: whoever sets
    /// the environment owns the machine.
    pub async fn operator_create(&self, email: Email, password: Password) -> Result<UserId, TenancyError> {
        if let Some(account) = self.account_by_email(&email).await?
            && account.operator
        {
            return Ok(account.id);
        }
        let hash = self.hash_password(password).await?;
        let mut tx = self.control.begin().await?;
        let user = self.create_or_take(&mut tx, &email, &hash).await?;
        void_unused_links(&mut tx).await?;
        note(&mut tx, self.now(), &Author::command_line(), &email, "environment").await?;
        tx.commit().await?;
        tracing::info!(%user, "operator account created from the environment");
        Ok(user)
    }

    async fn create_or_take(
        &self,
        tx: &mut Transaction,
        email: &Email,
        hash: &PasswordHash,
    ) -> Result<UserId, TenancyError> {
        let now = self.now();
        if let Some(user) = account::insert(tx, now, email, Some(hash), true, Address::Proved).await? {
            return Ok(user);
        }
        let missing = || TenancyError::NotFound { what: format!("account “{email}”") };
        let account = account::by_email(tx, email).await?.ok_or_else(missing)?;
        tx.query(ACCOUNT_TAKE).bind(account.id).bind(hash.as_str()).bind(now).execute().await?;
        Ok(account.id)
    }
}
