//! A tenant's people, and what was changed by whom, as the consoles see them. Its keys are in `api_key`.

use crate::{Email, ImpersonationId, MailState, NanoUsd, Role, Slug, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A page of a list that is searched and cut on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: i64,
    /// From 1.
    pub number: i64,
    /// How many a page holds.
    pub size: i64,
}

impl<T> Page<T> {
    /// The last page's number; an empty list has one page.
    pub const fn last(&self) -> i64 {
        if self.total <= self.size { 1 } else { (self.total + self.size - 1) / self.size }
    }
}

/// Which page of which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListQuery {
    /// Only what contains these words.
    pub words: String,
    /// From 1; 0 counts as 1.
    pub page: i64,
    #[serde(default)]
    pub order: ListOrder,
}

/// In which order a list is read: by what its rows are called, or by when they came, up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum ListOrder {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "created")]
    Created,
    #[serde(rename = "-created")]
    CreatedDown,
}

impl ListOrder {
    pub const ALL: [Self; 4] = [Self::Name, Self::NameDown, Self::Created, Self::CreatedDown];

    /// As it stands in an address: `-` is down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::NameDown => "-name",
            Self::Created => "created",
            Self::CreatedDown => "-created",
        }
    }
}

/// The text names no order of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no order of a list; use name, -name, created or -created")]
pub struct UnknownListOrder(String);

impl FromStr for ListOrder {
    type Err = UnknownListOrder;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|order| order.as_str() == text);
        known.ok_or_else(|| UnknownListOrder(text.chars().take(40).collect()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    pub user: UserId,
    pub email: Email,
    pub role: Role,
    pub joined_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    pub id: String,
    pub email: Email,
    pub role: Role,
    pub invited_by: String,
    pub expires_at: Timestamp,
    /// What became of the mail with the link; none: no mail was sent.
    pub mail: Option<MailState>,
}

/// What an invitation's link offers to whoever opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationOffer {
    pub tenant: String,
    pub email: Email,
    pub role: Role,
    pub invited_by: String,
    /// The address has an account already, which has to be signed in.
    pub has_account: bool,
}

/// A tenant as the operator's list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSummary {
    pub id: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub plan: Option<String>,
    pub members: i64,
    pub created_at: Timestamp,
    /// Why, if it is suspended.
    pub suspended_for: Option<String>,
    /// Begun and not at its end: nobody enters it, and all that is left to do is to complete that.
    pub being_deleted: bool,
    pub monthly_budget: Option<NanoUsd>,
    pub soft_budget: Option<NanoUsd>,
    pub region: Option<String>,
    pub zero_retention: bool,
}

/// A person who can sign in, as the operator's list shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSummary {
    pub user: UserId,
    pub email: Email,
    pub operator: bool,
    /// The first of the tenants they belong to, by its short name.
    pub tenant: Option<Slug>,
    /// To how many they belong in all.
    pub memberships: i64,
    pub created_at: Timestamp,
}

/// An operator's time inside a tenant, as its people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImpersonationView {
    pub id: ImpersonationId,
    pub operator: Email,
    pub role: Role,
    /// Why, in the operator's words.
    pub reason: String,
    pub started_at: Timestamp,
    pub expires_at: Timestamp,
    /// When it was ended before it expired.
    pub ended_at: Option<Timestamp>,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub seq: i64,
    pub at: Timestamp,
    /// `user:<id>`, `key:<id>`, `command-line`, `upkeep`.
    pub actor: String,
    /// What the actor was called then.
    pub name: String,
    /// For whom they acted, where that was not themself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    pub address: Option<String>,
    /// `noun.verb`, such as `member.invite`.
    pub action: String,
    pub target: String,
    /// JSON: `{"before": …, "after": …}`.
    pub change: String,
}
