//! Who does something, as the audit log will name them.

use contract::{Email, KeyId, UserId};
use std::{fmt, net::IpAddr};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A signed-in person.
    User(UserId),
    /// A program with an API key.
    Key(KeyId),
    /// Whoever may run commands where the data is.
    CommandLine,
    /// The platform itself, ending what a crash left open.
    Upkeep,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Key(key) => write!(f, "key:{key}"),
            Self::CommandLine => f.write_str("command-line"),
            Self::Upkeep => f.write_str("upkeep"),
        }
    }
}

/// An actor with what it is called now, and where it acts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    actor: Actor,
    name: String,
    on_behalf_of: Option<String>,
    from: Option<String>,
}

impl Author {
    pub(crate) fn user(user: UserId, email: &Email, address: Option<IpAddr>) -> Self {
        Self { actor: Actor::User(user), name: email.to_string(), on_behalf_of: None, from: address.map(told) }
    }

    pub(crate) fn key(key: KeyId, name: &str, address: Option<IpAddr>) -> Self {
        Self { actor: Actor::Key(key), name: name.to_owned(), on_behalf_of: None, from: address.map(told) }
    }

    /// Whoever may run commands here owns the data. From where: which user of which machine that was.
    pub fn command_line() -> Self {
        Self { actor: Actor::CommandLine, name: "command line".to_owned(), on_behalf_of: None, from: Some(here()) }
    }

    /// Somebody who is not signed in, and whose word for who they are is all there is.
    pub(crate) fn nobody(address: IpAddr) -> Self {
        Self {
            actor: Actor::Upkeep,
            name: "nobody signed in".to_owned(),
            from: Some(told(address)),
            on_behalf_of: None,
        }
    }

    pub(crate) fn upkeep() -> Self {
        Self { actor: Actor::Upkeep, name: "Seam".to_owned(), on_behalf_of: None, from: None }
    }

    /// The same, acting for somebody else.
    #[must_use]
    pub(crate) fn on_behalf(self, of: &str) -> Self {
        Self { on_behalf_of: Some(of.to_owned()), ..self }
    }

    pub const fn actor(&self) -> Actor {
        self.actor
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// For whom they act, where that is not themself.
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.on_behalf_of.as_deref()
    }

    /// From where: a network address, or a user of the machine where the data is.
    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }
}

fn told(address: IpAddr) -> String {
    // One address, one way to write it.
    address.to_canonical().to_string()
}

/// Such as `user 1000 of host1`.
fn here() -> String {
    let user = rustix::process::getuid().as_raw();
    format!("user {user} of {}", rustix::system::uname().nodename().to_string_lossy())
}
