//! How people come in: the history of their sign-ins, and a tenant's single sign-on.

use crate::{Email, NameError, Role, Slug, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The text names none of the values of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not known here")]
pub struct UnknownWord(String);

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $value),+ }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$value),)+
                    other => Err(UnknownWord(other.chars().take(40).collect())),
                }
            }
        }
    };
}

words! {
    /// By what somebody came in.
    SignInHow {
        Password = "password",
        /// By the link of an invitation, where the password was chosen.
        Invitation = "invitation",
        /// By the one-time link that makes the first operator.
        FirstRun = "first_run",
        /// A new password was set with a link; nobody came in by it.
        Reset = "reset",
        SingleSignOn = "single_sign_on",
    }
}

words! {
    /// What an attempt came to.
    SignInOutcome {
        Succeeded = "succeeded",
        WrongPassword = "wrong_password",
        /// From here on further attempts were refused for a while.
        Throttled = "throttled",
        /// The password was right, and the tenant asks for single sign-on.
        SingleSignOnRequired = "single_sign_on_required",
    }
}

words! {
    /// What became of the mail with an invitation's link.
    MailState {
        /// Waits for its turn, or is being handed over.
        Queued = "queued",
        /// The relay has taken it.
        Sent = "sent",
        /// The relay did not take it; the log says why.
        Failed = "failed",
    }
}

/// One line of an account's sign-in history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInView {
    pub at: Timestamp,
    pub address: String,
    /// What the browser called itself, shortened.
    pub agent: Option<String>,
    pub how: SignInHow,
    pub outcome: SignInOutcome,
    /// Whose identity provider vouched.
    pub tenant: Option<String>,
}

/// What the settings show of an account's way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntranceView {
    /// The server's time, against which ages are told.
    pub now: Timestamp,
    /// Newest first.
    pub recent: Vec<SignInView>,
    /// Sessions that are alive, this one included.
    pub sessions: i64,
    /// False for whoever came by single sign-on and has no password here.
    pub has_password: bool,
}

/// The part of an e-mail address after the “@”, lower-cased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailDomain(String);

impl EmailDomain {
    pub fn of(email: &Email) -> Self {
        Self(email.as_str().rsplit('@').next().unwrap_or_default().to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailDomain {
    type Err = NameError;
    /// ASCII host names only: a domain in another script is written as its `xn--` name, which cannot be mistaken.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().trim_start_matches('@').to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let well_formed = text.len() <= 253 && text.split('.').count() >= 2 && text.split('.').all(label);
        if well_formed { Ok(Self(text)) } else { Err(NameError::Domain) }
    }
}

impl fmt::Display for EmailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EmailDomain {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EmailDomain> for String {
    fn from(domain: EmailDomain) -> Self {
        domain.0
    }
}

/// A domain that a tenant says is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    pub domain: EmailDomain,
    pub claimed_at: Timestamp,
    /// When the operator confirmed it; until then it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
}

/// The same as the operator sees it, who decides whether it is the tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainClaimView {
    pub domain: EmailDomain,
    /// What they were called who claimed it: an address of the tenant's admin, or the operator.
    pub claimed_by: String,
    pub claimed_at: Timestamp,
    pub confirmed_by: Option<String>,
    pub confirmed_at: Option<Timestamp>,
    /// The other tenant that it is confirmed for: there can be one.
    pub held_by: Option<Slug>,
    /// How many other tenants claim it.
    pub other_claims: i64,
}

/// A tenant's identity provider as its admins see it. The secret is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SingleSignOnView {
    pub issuer: String,
    pub client_id: String,
    pub default_role: Role,
    pub enabled: bool,
    pub required: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_host_name_with_a_dot() {
        assert_eq!(" @Acme.Test ".parse::<EmailDomain>().unwrap().as_str(), "acme.test");
        assert_eq!(EmailDomain::of(&"ada@acme.test".parse().unwrap()).as_str(), "acme.test");
        for bad in ["", "acme", "a_b.test", "-a.test", "a..test", "ada@acme.test", "%.test", "ácme.test", "acme.test/x"]
        {
            assert!(bad.parse::<EmailDomain>().is_err(), "{bad}");
        }
    }

    #[test]
    fn words_come_back_as_they_went() {
        for outcome in [SignInOutcome::Succeeded, SignInOutcome::Throttled, SignInOutcome::SingleSignOnRequired] {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert!("admin".parse::<SignInHow>().is_err());
    }
}
