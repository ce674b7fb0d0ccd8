//! Identifiers: one newtype a thing, all UUIDv7, so that ids sort by creation time.
//!
//! In the database and on the wire they are lower-case hyphenated text.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not an identifier; expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct ParseIdError(String);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier, later than all made before it on this machine.
            #[cfg(not(target_arch = "wasm32"))]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| ParseIdError(text.chars().take(60).collect()))
            }
        }
    )+};
}

ids! {
    /// A customer of the operator.
    TenantId,
    /// A person who can sign in.
    UserId,
    /// An API key.
    KeyId,
    /// An operator's time inside a tenant.
    ImpersonationId,
    /// A browser session.
    SessionId,
    /// A conversation of one member.
    ConversationId,
    /// One message of a conversation.
    MessageId,
    /// The making of one answer; owns the stream of events.
    RunId,
    /// What the ledger bills: one request to the gateway, with one or more attempts.
    RequestId,
    /// A process that serves, from its start to its end.
    NodeId,
}

impl TenantId {
    /// The operator's own account in the ledger, for what nobody else asked for. No tenant has this id, and it has no data.
    pub const PLATFORM: Self = Self(Uuid::nil());
}

/// The ordinal of an attempt within its request, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub i64);
