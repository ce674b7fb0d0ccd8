//! Sign-in history: who came into an account, or tried to, for its owner to read.
//!
//! What always holds: an attempt is written in the transaction that counts it, before the password is looked
//! at, as the wrong one; a right password corrects the line in the transaction that takes its count back. So
//! history costs no transaction of its own, and an address without an account takes the same statements, which
//! then find nobody. How many lines there are is bounded by the throttle, and by [`Tenancy::sign_ins_prune`].

use crate::{Client, Tenancy, TenancyError, clock::millis, throttle::Counted};
use contract::{EntranceView, RequestId, SignInHow, SignInOutcome, SignInView, TenantId, Timestamp, UserId};
use std::time::Duration;
use store::{FromRow, Row, StoreError, Transaction};

/// Lines kept of each account.
pub const SIGN_INS_KEPT: i64 = 200;
/// No line is kept for longer.
pub const SIGN_INS_KEPT_FOR: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// Lines shown.
const SHOWN: i64 = 20;
/// Pruning looks at accounts with lines as new as this; it runs more often.
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);

const ATTEMPT: &str = "
INSERT INTO sign_in_event (id, account_id, at, address, agent, how, outcome)
SELECT CAST($1 AS TEXT), account.id, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT),
    'wrong_password'
FROM account WHERE account.email = $6";
/// Only by the attempt that reaches the bound; those after it are refused before anything is written.
const LAST_ATTEMPT: &str = "
INSERT INTO sign_in_event (id, account_id, at, address, agent, how, outcome)
SELECT CAST($1 AS TEXT), account.id, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), 'throttled'
FROM account
JOIN sign_in_throttle ON sign_in_throttle.subject = $6 AND sign_in_throttle.failures >= $7
WHERE account.email = $8";
const CORRECT: &str = "UPDATE sign_in_event SET outcome = $2 WHERE id = $1";
const TAKE_BACK: &str = "DELETE FROM sign_in_event WHERE id = $1";
const INSERT: &str = "
INSERT INTO sign_in_event (id, account_id, at, address, agent, how, outcome, tenant_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const NEWEST: &str = "
SELECT
    sign_in_event.at, sign_in_event.address, sign_in_event.agent, sign_in_event.how, sign_in_event.outcome,
    tenant.display_name
FROM sign_in_event
LEFT JOIN tenant ON tenant.id = sign_in_event.tenant_id
WHERE sign_in_event.account_id = $1
ORDER BY sign_in_event.at DESC, sign_in_event.id DESC LIMIT $2";
const OLD_DELETE: &str = "DELETE FROM sign_in_event WHERE at <= $1";
const SURPLUS_DELETE: &str = "
DELETE FROM sign_in_event WHERE id IN (
    SELECT id FROM (
        SELECT id, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY at DESC, id DESC) AS place
        FROM sign_in_event
        WHERE account_id IN (SELECT account_id FROM sign_in_event WHERE at > $1)
    ) AS ranked
    WHERE place > $2
)";
const SESSIONS: &str = "
SELECT COUNT(*) AS value
FROM browser_session JOIN account ON account.id = browser_session.account_id
WHERE browser_session.account_id = $1 AND browser_session.expires_at > $2
    AND browser_session.session_epoch = account.session_epoch";

/// The two lines that one attempt may have written.
#[derive(Debug)]
pub(crate) struct Attempt {
    line: String,
    throttled_line: String,
}

/// Writes an attempt down, as one with the wrong password.
pub(crate) async fn attempt(
    tx: &mut Transaction,
    now: Timestamp,
    email: &str,
    by_account: &Counted,
    client: &Client,
    how: SignInHow,
) -> Result<Attempt, StoreError> {
    let attempt = Attempt { line: RequestId::new().to_string(), throttled_line: RequestId::new().to_string() };
    let address = client.address().to_string();
    let first = tx.query(ATTEMPT).bind(attempt.line.as_str()).bind(now).bind(address.as_str()).bind(client.agent());
    first.bind(how).bind(email).execute().await?;
    let last = tx.query(LAST_ATTEMPT).bind(attempt.throttled_line.as_str()).bind(now).bind(address);
    let last = last.bind(client.agent()).bind(how).bind(by_account.key()).bind(by_account.bound());
    last.bind(email).execute().await?;
    Ok(attempt)
}

/// After a right password.
pub(crate) async fn correct(tx: &mut Transaction, attempt: &Attempt, outcome: SignInOutcome) -> Result<(), StoreError> {
    tx.query(CORRECT).bind(attempt.line.as_str()).bind(outcome).execute().await?;
    tx.query(TAKE_BACK).bind(attempt.throttled_line.as_str()).execute().await?;
    Ok(())
}

/// A line of its own, for what is no attempt with a password.
pub(crate) async fn note(
    tx: &mut Transaction,
    now: Timestamp,
    user: UserId,
    client: &Client,
    how: SignInHow,
    tenant: Option<TenantId>,
) -> Result<(), StoreError> {
    let insert = tx.query(INSERT).bind(RequestId::new().to_string()).bind(user).bind(now);
    let insert = insert.bind(client.address().to_string()).bind(client.agent()).bind(how);
    insert.bind(SignInOutcome::Succeeded).bind(tenant).execute().await?;
    Ok(())
}

struct EventRow(SignInView);

impl FromRow for EventRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(SignInView {
            at: row.get("at")?,
            address: row.get("address")?,
            agent: row.get("agent")?,
            how: row.get("how")?,
            outcome: row.get("outcome")?,
            tenant: row.get("display_name")?,
        }))
    }
}

impl Tenancy {
    /// The newest lines of an account's history, and how many of its sessions are alive.
    pub async fn entrance_view(&self, user: UserId) -> Result<EntranceView, TenancyError> {
        let now = self.now();
        let account = self.account_by_id(user).await?.ok_or(TenancyError::NotSignedIn)?;
        let recent: Vec<EventRow> = self.control.read(NEWEST).bind(user).bind(SHOWN).fetch_all().await?;
        let sessions = self.control.read(SESSIONS).bind(user).bind(now).fetch_one().await?;
        let recent = recent.into_iter().map(|row| row.0).collect();
        Ok(EntranceView { now, recent, sessions, has_password: account.password_hash.is_some() })
    }

    /// Removes what is too old, and what is too much of accounts that were used lately. Returns how many lines.
    pub async fn sign_ins_prune(&self) -> Result<u64, TenancyError> {
        let now = self.now();
        let old = self.control.write(OLD_DELETE).bind(now.plus_millis(-millis(SIGN_INS_KEPT_FOR))).execute().await?;
        let surplus = self.control.write(SURPLUS_DELETE).bind(now.plus_millis(-millis(RECENT))).bind(SIGN_INS_KEPT);
        Ok(old + surplus.execute().await?)
    }
}
