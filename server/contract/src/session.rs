//! Who is signed in, as the interface may know it.

use crate::{Email, ImpersonationId, Slug, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What somebody may do inside a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads what is shared; starts no runs.
    Viewer,
    /// Chats.
    Member,
    /// Manages the tenant.
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a role; use admin, member or viewer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "member" => Ok(Self::Member),
            "admin" => Ok(Self::Admin),
            other => Err(UnknownRole(other.chars().take(40).collect())),
        }
    }
}

/// A tenant that the signed-in user belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantMembership {
    pub tenant: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub role: Role,
}

/// The signed-in user, for the frame of every page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    pub user: UserId,
    pub email: Email,
    pub operator: bool,
    /// The tenant this session works in; none until there is one.
    pub current: Option<TenantMembership>,
    /// The other tenants that the user belongs to, from the oldest membership on; at most 100.
    #[serde(default)]
    pub others: Vec<TenantMembership>,
    /// Set while an operator acts inside a tenant.
    #[serde(default)]
    pub impersonation: Option<ImpersonationNote>,
}

/// What an operator inside a tenant is reminded of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImpersonationNote {
    pub id: ImpersonationId,
    pub tenant: String,
    pub expires_at: Timestamp,
    /// It has expired or was ended: this session works in no tenant until its user says where to go.
    pub over: bool,
}
