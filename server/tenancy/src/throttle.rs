//! How often somebody may guess: failed sign-ins per account and per address.
//!
//! An attempt is counted before the password is looked at, in one transaction, so that no number of
//! attempts at once gets past the bound. A right password takes its own count back: only failures stay.
//! A window begins with the first failure and forgets all of them at its end.

use crate::{Clock, TenancyError, clock::millis, digest};
use contract::Email;
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};
use store::{ControlStore, Transaction};

/// The length of a window.
pub const THROTTLE_WINDOW: Duration = Duration::from_secs(15 * 60);
/// Guesses at one account, from wherever, within a window.
pub const FAILURES_PER_ACCOUNT: i64 = 5;
/// Guesses from one address, at whatever account, within a window. Offices share an address.
pub const FAILURES_PER_ADDRESS: i64 = 30;

/// Letters to one address with a link to a new password, within a window: its owner is not to be pestered.
pub const RESETS_PER_ACCOUNT: i64 = 3;
/// Links asked for from one address, for whatever account, within a window.
pub const RESETS_PER_ADDRESS: i64 = 10;

/// Ways to an identity provider begun from one address within a window. Offices share an address.
const SIGN_ONS_PER_ADDRESS: i64 = 100;

/// Also keeps the table as small as the attempts of one window.
const ENDED_DELETE: &str = "DELETE FROM sign_in_throttle WHERE window_start <= $1";
/// No row comes back when the bound is reached.
const COUNT: &str = "
INSERT INTO sign_in_throttle (subject, failures, window_start) VALUES ($1, 1, $2)
ON CONFLICT (subject) DO UPDATE SET failures = sign_in_throttle.failures + 1
WHERE sign_in_throttle.failures < $3
RETURNING window_start AS value";
const WINDOW_START: &str = "SELECT window_start AS value FROM sign_in_throttle WHERE subject = $1";
const FORGET: &str = "DELETE FROM sign_in_throttle WHERE subject = $1";
/// Names the window: a count taken in one that has ended is forgotten already.
const TAKE_BACK: &str = "
UPDATE sign_in_throttle SET failures = failures - 1
WHERE subject = $1 AND window_start = $2 AND failures > 0";

/// What attempts are counted against.
#[derive(Debug)]
pub(crate) struct Subject {
    key: String,
    bound: i64,
}

impl Subject {
    /// An account, existing or not, by what was typed. Hashed: the table is no list of who has an account.
    pub(crate) fn account(email: &str) -> Self {
        Self { key: format!("account:{}", digest::sha256(email)), bound: FAILURES_PER_ACCOUNT }
    }

    /// Whoever asks for a link to a new password of this account, existing or not.
    pub(crate) fn reset_of(email: &Email) -> Self {
        Self { key: format!("reset:{}", digest::sha256(email.as_str())), bound: RESETS_PER_ACCOUNT }
    }

    /// Where such a link is asked for from.
    pub(crate) fn reset_from(address: IpAddr) -> Self {
        Self { key: format!("reset-{}", Self::address(address).key), bound: RESETS_PER_ADDRESS }
    }

    /// Who makes this server ask identity providers.
    pub(crate) fn single_sign_on(address: IpAddr) -> Self {
        Self { key: format!("sign-on-{}", Self::address(address).key), bound: SIGN_ONS_PER_ADDRESS }
    }

    /// An IPv4 address, or the /64 that an IPv6 address belongs to: whoever has one of those has all of it.
    pub(crate) fn address(address: IpAddr) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        };
        Self { key: format!("address:{address}"), bound: FAILURES_PER_ADDRESS }
    }
}

/// Under which name attempts at an account are counted, for its removal.
pub fn account_subject(email: &Email) -> String {
    Subject::account(email.as_str()).key
}

/// One attempt that was counted against a subject.
#[derive(Debug)]
pub(crate) struct Counted {
    key: String,
    bound: i64,
    window_start: i64,
}

impl Counted {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) const fn bound(&self) -> i64 {
        self.bound
    }
}

/// Counts an attempt against all subjects, or against none of them and says when to come back.
pub(crate) async fn count<const N: usize>(
    control: &ControlStore,
    clock: &dyn Clock,
    subjects: [Subject; N],
) -> Result<[Counted; N], TenancyError> {
    let mut tx = control.begin().await?;
    let counted = count_in(&mut tx, clock, subjects).await?;
    tx.commit().await?;
    Ok(counted)
}

/// The same in a transaction of the caller's, who drops it when the attempt is refused.
pub(crate) async fn count_in<const N: usize>(
    tx: &mut Transaction,
    clock: &dyn Clock,
    subjects: [Subject; N],
) -> Result<[Counted; N], TenancyError> {
    let now = clock.now().as_millis();
    tx.query(ENDED_DELETE).bind(now.saturating_sub(millis(THROTTLE_WINDOW))).execute().await?;
    let mut refused_until = None;
    let mut counted = subjects.map(|Subject { key, bound }| Counted { key, bound, window_start: now });
    for attempt in &mut counted {
        let key = attempt.key.as_str();
        match tx.query(COUNT).bind(key).bind(now).bind(attempt.bound).fetch_optional::<i64>().await? {
            Some(window_start) => attempt.window_start = window_start,
            None => {
                let window_start = tx.query(WINDOW_START).bind(key).fetch_one::<i64>().await?;
                refused_until = refused_until.max(Some(window_start.saturating_add(millis(THROTTLE_WINDOW))));
            }
        }
    }
    match refused_until {
        None => Ok(counted),
        // Dropped without commit: an attempt that is refused counts against nobody.
        Some(until) => Err(TenancyError::Throttled { retry_after_seconds: whole_seconds(until.saturating_sub(now)) }),
    }
}

/// Forgives the failures of a subject whose owner has proved themself in another way.
pub(crate) async fn forgive(tx: &mut Transaction, subject: Subject) -> Result<(), TenancyError> {
    tx.query(FORGET).bind(subject.key).execute().await?;
    Ok(())
}

/// After a right password: the failures of this subject are forgiven.
pub(crate) async fn forget(tx: &mut Transaction, counted: &Counted) -> Result<(), TenancyError> {
    tx.query(FORGET).bind(counted.key.as_str()).execute().await?;
    Ok(())
}

/// After a right password: this attempt was no failure; earlier ones stay.
pub(crate) async fn take_back(tx: &mut Transaction, counted: &Counted) -> Result<(), TenancyError> {
    tx.query(TAKE_BACK).bind(counted.key.as_str()).bind(counted.window_start).execute().await?;
    Ok(())
}

/// Rounded up: coming back after this long, to the second, must work.
fn whole_seconds(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or(0).div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_an_ipv6_network_are_one_address() {
        let key = |address: &str| Subject::address(address.parse().unwrap()).key;
        assert_eq!(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }

    #[test]
    fn the_wait_is_rounded_up_and_never_nothing() {
        assert_eq!([0, 1, 1_000, 1_001].map(whole_seconds), [1, 1, 1, 2]);
    }
}
