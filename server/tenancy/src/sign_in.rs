//! Signing in, changing the password, signing out everywhere.
//!
//! What always holds: an attempt is bounded before it is judged (`throttle`), the answer is the same for an
//! unknown account and a wrong password and takes as long, and a new password ends all other sessions.

use crate::{
    Author, Client, PasswordHash, SessionClaims, SignedIn, Tenancy, TenancyError, account, history, impersonation,
    password::Verdict,
    password_reset::OTHERS_VOID,
    throttle::{self, Subject},
};
use contract::{Email, EmailDomain, Password, SignInHow, SignInOutcome, UserId};
use std::net::IpAddr;

/// Only over the hash that was checked: a password changed meanwhile stays changed.
const REHASH: &str = "UPDATE account SET password_hash = $3, updated_at = $4 WHERE id = $1 AND password_hash = $2";
const PASSWORD_CHANGE: &str = "
UPDATE account SET password_hash = $3, session_epoch = session_epoch + 1, updated_at = $4
WHERE id = $1 AND password_hash = $2
RETURNING session_epoch AS value";
const DEMANDED: &str = "
SELECT sign_in_domain.tenant_id AS value
FROM sign_in_domain
JOIN sign_in_setting ON sign_in_setting.tenant_id = sign_in_domain.tenant_id
WHERE sign_in_domain.domain = $1 AND sign_in_domain.confirmed_at IS NOT NULL
    AND sign_in_setting.enabled = TRUE AND sign_in_setting.required = TRUE";
pub(crate) const EPOCH_RAISE: &str =
    "UPDATE account SET session_epoch = session_epoch + 1, updated_at = $2 WHERE id = $1";

impl Tenancy {
    /// Signs in by e-mail address and password, from a network address.
    ///
    /// Errors: `SignInRefused`; `Throttled` after too many failures, also for the right password;
    /// `Overloaded` when too many wait.
    pub async fn sign_in(
        &self,
        email: &str,
        password: Password,
        client: impl Into<Client>,
    ) -> Result<SignedIn, TenancyError> {
        self.sign_in_by(SignInHow::Password, email, password, client).await
    }

    /// The same right after the password was chosen: the history tells by what link.
    pub async fn sign_in_by(
        &self,
        how: SignInHow,
        email: &str,
        password: Password,
        client: impl Into<Client>,
    ) -> Result<SignedIn, TenancyError> {
        let client = client.into();
        let address = client.address();
        // The place in line comes first: who is turned away here has not guessed.
        let place = self.passwords.admit()?;
        let parsed = email.parse::<Email>().ok();
        let typed = parsed.as_ref().map_or_else(|| email.trim().to_lowercase(), ToString::to_string);
        let subjects = [Subject::account(&typed), Subject::address(address)];
        let mut tx = self.control.begin().await?;
        let [by_account, by_address] = throttle::count_in(&mut tx, &*self.clock, subjects).await?;
        let attempt = history::attempt(&mut tx, self.now(), &typed, &by_account, &client, how).await?;
        tx.commit().await?;
        let account = match &parsed {
            Some(email) => self.account_by_email(email).await?,
            None => None,
        };
        let demanded = match &parsed {
            Some(email) => self.demanded(email).await?,
            None => None,
        };
        let refused = || refused(address, demanded.clone());
        let stored = account.as_ref().and_then(|account| account.password_hash.clone());
        let verdict = place.check(password, stored.clone()).await?;
        let (Some(account), Some(stored)) = (account, stored) else {
            return Err(refused());
        };
        let rehashed = match verdict {
            Verdict::Wrong => return Err(refused()),
            Verdict::Right => None,
            Verdict::Outdated(rehashed) => Some(rehashed),
        };

        let now = self.now();
        let mut claims = SessionClaims {
            user: account.id,
            epoch: account.session_epoch,
            signed_in_at: now,
            renewed_at: now,
            tenant: None,
            impersonation: None,
            vouched_by: None,
        };
        // The epoch is that of the hash which was checked: raised since then, the sign-in came too late.
        let principal = self.authenticate(&claims).await?.ok_or(TenancyError::SignInRefused)?;
        let turned_away = demanded.filter(|_| principal.memberships().is_empty() && !principal.is_operator());
        let outcome = match &turned_away {
            Some(_) => SignInOutcome::SingleSignOnRequired,
            None => SignInOutcome::Succeeded,
        };
        let mut tx = self.control.begin().await?;
        throttle::forget(&mut tx, &by_account).await?;
        throttle::take_back(&mut tx, &by_address).await?;
        history::correct(&mut tx, &attempt, outcome).await?;
        if let Some(rehashed) = rehashed {
            let rehash = tx.query(REHASH).bind(account.id).bind(stored.as_str());
            rehash.bind(rehashed.as_str()).bind(now).execute().await?;
        }
        tx.commit().await?;
        if let Some(domain) = turned_away {
            return Err(TenancyError::SingleSignOnRequired { domain });
        }
        let view = principal.view();
        claims.tenant = view.current.as_ref().map(|current| current.tenant);
        tracing::info!(user = %account.id, %address, "signed in");
        Ok(SignedIn { claims, view })
    }

    /// The address's domain, when its tenant demands single sign-on. Looks at no account.
    async fn demanded(&self, email: &Email) -> Result<Option<EmailDomain>, TenancyError> {
        let domain = EmailDomain::of(email);
        let demanded = self.control.read(DEMANDED).bind(domain.clone()).fetch_optional::<String>().await?;
        Ok(demanded.map(|_| domain))
    }

    /// Changes a password, knowing the old one. All sessions of the account end, except the one that puts
    /// the returned epoch into its claims.
    ///
    /// Errors: `WrongPassword`; `Throttled`, counted together with failed sign-ins of the account.
    pub async fn password_change(&self, user: UserId, old: Password, new: Password) -> Result<i64, TenancyError> {
        let (check_place, hash_place) = (self.passwords.admit()?, self.passwords.admit()?);
        let account = self.account_by_id(user).await?.ok_or(TenancyError::NotSignedIn)?;
        let subjects = [Subject::account(account.email.as_str())];
        let [by_account] = throttle::count(&self.control, &*self.clock, subjects).await?;
        let Some(stored) = account.password_hash else {
            return Err(TenancyError::WrongPassword);
        };
        match check_place.check(old, Some(stored.clone())).await? {
            Verdict::Wrong => return Err(TenancyError::WrongPassword),
            Verdict::Right | Verdict::Outdated(_) => {}
        }
        let hash = hash_place.hash(new).await?;

        let mut tx = self.control.begin().await?;
        throttle::forget(&mut tx, &by_account).await?;
        let change = tx.query(PASSWORD_CHANGE).bind(user).bind(stored.as_str()).bind(hash.as_str()).bind(self.now());
        // No row: the password was changed while this one was checked, so “old” is not the current one.
        let epoch = change.fetch_optional::<i64>().await?.ok_or(TenancyError::WrongPassword)?;
        // A link that somebody asked for earlier would undo the change.
        tx.query(OTHERS_VOID).bind(user).execute().await?;
        tx.commit().await?;
        tracing::info!(%user, "password changed, other sessions ended");
        Ok(epoch)
    }

    /// Ends every session of the account, this one included.
    pub async fn sign_out_everywhere(&self, user: UserId) -> Result<(), TenancyError> {
        let now = self.now();
        let mut tx = self.control.begin().await?;
        let account = account::by_id(&mut tx, user).await?.ok_or(TenancyError::NotSignedIn)?;
        tx.query(EPOCH_RAISE).bind(user).bind(now).execute().await?;
        let author = Author::user(user, &account.email, None);
        impersonation::end_all(&mut tx, now, (user, &account.email), &author).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Hashes a password, off the async threads. `Overloaded` when too many wait.
    pub async fn hash_password(&self, password: Password) -> Result<PasswordHash, TenancyError> {
        self.passwords.admit()?.hash(password).await
    }
}

/// The log has the address and no account: what was typed may be a password in the wrong field.
fn refused(address: IpAddr, demanded: Option<EmailDomain>) -> TenancyError {
    tracing::info!(%address, "sign-in refused");
    demanded.map_or(TenancyError::SignInRefused, |domain| TenancyError::SingleSignOnRequired { domain })
}
