//! Hashing and checking passwords: argon2id, off the async threads, a bounded number at a time.
//!
//! What always holds: as many hashes run as there are cores, a bounded number waits behind them and the
//! rest is refused; an account that does not exist costs the same as a wrong password.

use crate::TenancyError;
use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Params, Version,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc},
};
use contract::Password;
use std::{fmt, hint::black_box, num::NonZero, sync::Arc, thread};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

/// OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A hash takes about 20 ms of one core, so the last in line waits about a second.
const WAITING: usize = 64;
/// What a password is hashed with when there is no account to compare it with.
const NOBODYS_SALT: [u8; 16] = *b"nobody has this.";

/// An argon2 hash in PHC format. Not a secret like the password, but not for showing either.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash that was made elsewhere, in PHC format (`$argon2id$v=19$m=…`).
    pub fn parse(phc: String) -> Result<Self, TenancyError> {
        let parsed = phc::PasswordHash::new(&phc).map_err(password_hash::Error::from)?;
        Algorithm::try_from(parsed.algorithm.as_str())?;
        Ok(Self(phc))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What checking a password came to.
#[derive(Debug)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, but hashed with other parameters than today's; here is the hash to store instead.
    Outdated(PasswordHash),
}

/// The door to argon2.
#[derive(Clone)]
pub(crate) struct Passwords {
    /// Places at work and in line; who finds none is refused at once.
    admission: Arc<Semaphore>,
    /// Places at work.
    at_work: Arc<Semaphore>,
}

/// A place in line, taken before anything is counted against whoever signs in.
pub(crate) struct Place {
    admission: OwnedSemaphorePermit,
    at_work: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn for_this_machine() -> Self {
        Self::bounded(thread::available_parallelism().map_or(1, NonZero::get), WAITING)
    }

    fn bounded(at_work: usize, waiting: usize) -> Self {
        Self { admission: Arc::new(Semaphore::new(at_work + waiting)), at_work: Arc::new(Semaphore::new(at_work)) }
    }

    /// A place in line, or `Overloaded`.
    pub(crate) fn admit(&self) -> Result<Place, TenancyError> {
        let admission = Arc::clone(&self.admission).try_acquire_owned().map_err(|_| TenancyError::Overloaded)?;
        Ok(Place { admission, at_work: Arc::clone(&self.at_work) })
    }
}

impl Place {
    pub(crate) async fn hash(self, password: Password) -> Result<PasswordHash, TenancyError> {
        self.work(move || hash(&password)).await
    }

    /// Compares with the stored hash. Without one the work is done all the same, and the verdict is `Wrong`.
    pub(crate) async fn check(self, password: Password, stored: Option<PasswordHash>) -> Result<Verdict, TenancyError> {
        self.work(move || match stored {
            Some(stored) => check(&password, &stored),
            None => {
                black_box(argon2()?.hash_password_with_salt(password.expose().as_bytes(), &NOBODYS_SALT)?);
                Ok(Verdict::Wrong)
            }
        })
        .await
    }

    /// Runs on a thread that may block. The thread keeps both places until it is done, also when nobody
    /// awaits the result any more: the bound is on the work, not on the waiting.
    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, TenancyError> + Send + 'static,
    ) -> Result<T, TenancyError> {
        let at_work = self.at_work.acquire_owned().await.map_err(|_| TenancyError::Overloaded)?;
        let places = (self.admission, at_work);
        task::spawn_blocking(move || {
            let result = work();
            drop(places);
            result
        })
        .await?
    }
}

fn argon2() -> Result<Argon2<'static>, TenancyError> {
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(password_hash::Error::from)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

fn hash(password: &Password) -> Result<PasswordHash, TenancyError> {
    let hash: phc::PasswordHash = argon2()?.hash_password(password.expose().as_bytes())?;
    Ok(PasswordHash(hash.to_string()))
}

fn check(password: &Password, stored: &PasswordHash) -> Result<Verdict, TenancyError> {
    let parsed = phc::PasswordHash::new(stored.as_str()).map_err(password_hash::Error::from)?;
    match argon2()?.verify_password(password.expose().as_bytes(), &parsed) {
        Ok(()) if is_todays(&parsed)? => Ok(Verdict::Right),
        Ok(()) => Ok(Verdict::Outdated(hash(password)?)),
        Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(broken) => Err(broken.into()),
    }
}

fn is_todays(hash: &phc::PasswordHash) -> Result<bool, TenancyError> {
    let parameters = Params::try_from(hash)?;
    Ok(hash.algorithm == ARGON2ID_IDENT
        && hash.version == Some(Version::V0x13.into())
        && (parameters.m_cost(), parameters.t_cost(), parameters.p_cost()) == (MEMORY_KIB, PASSES, LANES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::{Duration, Instant},
    };
    use tokio::task::JoinSet;

    fn offered(text: &str) -> Password {
        Password::offered(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_with_the_parameters_above_and_its_own_salt() {
        let passwords = Passwords::for_this_machine();
        let first = passwords.admit().unwrap().hash(offered("correct horse")).await.unwrap();
        let second = passwords.admit().unwrap().hash(offered("correct horse")).await.unwrap();
        assert!(first.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", first.as_str());
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let passwords = Passwords::for_this_machine();
        let stored = passwords.admit().unwrap().hash(offered("correct horse")).await.unwrap();
        for (tried, right) in [("correct horse", true), ("correct horsf", false), ("", false)] {
            let verdict = passwords.admit().unwrap().check(offered(tried), Some(stored.clone())).await.unwrap();
            assert_eq!(matches!(verdict, Verdict::Right), right, "{tried}: {verdict:?}");
        }
        let nobody = passwords.admit().unwrap().check(offered("correct horse"), None).await.unwrap();
        assert!(matches!(nobody, Verdict::Wrong), "{nobody:?}");
    }

    #[tokio::test]
    async fn comparing_with_nobodys_hash_takes_as_long() {
        let passwords = Passwords::for_this_machine();
        let stored = passwords.admit().unwrap().hash(offered("correct horse")).await.unwrap();
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..12 {
            for (fastest, stored) in fastest.iter_mut().zip([Some(stored.clone()), None]) {
                let begun = Instant::now();
                passwords.admit().unwrap().check(offered("wrong"), stored).await.unwrap();
                *fastest = begun.elapsed().min(*fastest);
            }
        }
        let [somebody, nobody] = fastest;
        assert!(nobody > somebody / 2, "somebody {somebody:?}, nobody {nobody:?}");
    }

    #[tokio::test]
    async fn a_full_line_refuses_and_a_place_given_up_is_free_again() {
        let passwords = Passwords::bounded(1, 1);
        let (first, second) = (passwords.admit(), passwords.admit());
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(passwords.admit(), Err(TenancyError::Overloaded)));
        drop(first);
        assert!(passwords.admit().is_ok());
    }

    #[tokio::test]
    async fn no_more_work_at_once_than_allowed() {
        let passwords = Passwords::bounded(2, 10);
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (place, running, peak) = (passwords.admit().unwrap(), Arc::clone(&running), Arc::clone(&peak));
            tasks.spawn(place.work(move || {
                peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(10));
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }));
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(peak.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn work_that_nobody_awaits_any_more_still_counts() {
        let passwords = Passwords::bounded(1, 1);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let abandoned = tokio::spawn(passwords.admit().unwrap().work(move || {
            let _ = started.send(());
            let _ = released.recv();
            Ok(())
        }));
        has_started.await.unwrap();
        abandoned.abort();
        assert!(abandoned.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.at_work.available_permits(), 0);
        release.send(()).unwrap();
        passwords.admit().unwrap().work(|| Ok(())).await.unwrap();
    }

    /// On this runtime's one thread nothing else would be polled while argon2 ran inline.
    #[tokio::test(flavor = "current_thread")]
    async fn other_tasks_run_on_while_a_password_is_hashed() {
        let passwords = Passwords::for_this_machine();
        let turns = Arc::new(AtomicUsize::new(0));
        let counter = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            }
        });
        passwords.admit().unwrap().hash(offered("correct horse")).await.unwrap();
        counter.abort();
        assert!(turns.load(Ordering::SeqCst) > 100, "{} turns", turns.load(Ordering::SeqCst));
    }
}
