//! What becomes of every table when a tenant is exported, imported or deleted: one line each.
//!
//! A table that is not named here makes exporting and deleting fail, and a test (`tests/lifecycle/coverage.rs`) before
//! that: nothing is ever left out silently. Columns are not named at all: those of the schema are carried, whatever
//! they are, but for the few that [`meaning`] and [`is_left_to_the_target`] single out.

use crate::LifecycleError;
use store::Table;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plane {
    Control,
    Tenant,
}

impl Plane {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Tenant => "tenant",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Control, Self::Tenant].into_iter().find(|plane| plane.as_str() == name)
    }
}

/// Which rows of a table are concerned, as conditions in which `$1` is an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The tenant's own (`$1`): carried in archives, deleted with it.
    Tenants(&'static str),
    /// Of its members: carried for all members of the tenant `$1`, deleted with each account `$1` that leaves.
    Accounts { of_members: &'static str, of_account: &'static str },
    /// The operator's, which the tenant's rows point at (`$1` is the tenant): carried, so that they can be made where
    /// they are missing; never deleted.
    PointedAt(&'static str),
    /// Carried nowhere, for the reason given; deleted with the tenant, and with each account that leaves.
    Fleeting { of_tenant: Option<&'static str>, of_account: Option<&'static str>, why: &'static str },
    /// As the one above; `$1` is the name under which attempts at an account are counted.
    Throttle { of_subject: &'static str, why: &'static str },
    /// Neither carried nor deleted, for the reason given.
    Operators(&'static str),
}

/// What becomes of one table.
#[derive(Debug, Clone, Copy)]
pub struct Covered {
    pub plane: Plane,
    pub table: &'static str,
    pub rows: Rows,
}

const fn control(table: &'static str, rows: Rows) -> Covered {
    Covered { plane: Plane::Control, table, rows }
}

const fn tenant(table: &'static str) -> Covered {
    Covered { plane: Plane::Tenant, table, rows: Rows::Tenants(OF_TENANT) }
}

const OF_TENANT: &str = "tenant_id = $1";
const OF_ACCOUNT: &str = "account_id = $1";

/// Every table of both planes.
pub const COVERAGE: &[Covered] = &[
    control(
        "account",
        Rows::Accounts {
            of_members: "id IN (SELECT account_id FROM membership WHERE tenant_id = $1)",
            of_account: "id = $1",
        },
    ),
    control("api_key", Rows::Tenants(OF_TENANT)),
    control("audit_entry", Rows::Tenants("chain = $1")),
    control(
        "audit_seal",
        Rows::Operators("hashes over the logs of this installation, by which it is noticed that one was cut off"),
    ),
    control(
        "browser_session",
        Rows::Fleeting {
            of_tenant: Some("data LIKE '%' || $1 || '%'"),
            of_account: Some("data LIKE '%' || $1 || '%'"),
            why: "sessions end with the move: people sign in again",
        },
    ),
    control(
        "external_identity",
        Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: Some(OF_ACCOUNT),
            why: "where the tenant moves to, its identity provider introduces its people anew",
        },
    ),
    control(
        "impersonation",
        Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: Some(OF_ACCOUNT),
            why: "an operator's time in the tenant ends with the move; the tenant's audit log tells of it",
        },
    ),
    control("invitation", Rows::Tenants(OF_TENANT)),
    control("ledger_attempt", Rows::Tenants(OF_TENANT)),
    control("membership", Rows::Tenants(OF_TENANT)),
    control("master_key_check", Rows::Operators("one row, by which nodes know that they have the same master key")),
    control("model", Rows::Operators("what clients may ask for is the installation's business")),
    control("node", Rows::Operators("the processes that serve from this database")),
    control("one_time_link", Rows::Operators("the links that make the first operator")),
    control(
        "password_reset",
        Rows::Fleeting { of_tenant: None, of_account: Some(OF_ACCOUNT), why: "links of an hour, to this installation" },
    ),
    control("plan", Rows::PointedAt("name = (SELECT plan FROM tenant WHERE id = $1)")),
    control("price_version", Rows::PointedAt("id IN (SELECT price_version FROM ledger_attempt WHERE tenant_id = $1)")),
    control("prompt_label", Rows::Operators("the registry is the operator's")),
    control("prompt_version", Rows::Operators("the registry is the operator's; the ledger and answers name versions")),
    control("provider", Rows::Operators("the operator's, with the operator's keys")),
    control(
        "run_place",
        Rows::Fleeting { of_tenant: Some(OF_TENANT), of_account: None, why: "where nodes write answers just now" },
    ),
    control(
        "run_stop",
        Rows::Fleeting { of_tenant: Some(OF_TENANT), of_account: None, why: "answers that are to end just now" },
    ),
    control(
        "sign_in_domain",
        Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: None,
            why: "whose a domain is, is confirmed by each installation's operator",
        },
    ),
    control(
        "sign_in_event",
        Rows::Fleeting { of_tenant: None, of_account: Some(OF_ACCOUNT), why: "who signed in to this installation" },
    ),
    control(
        "sign_in_setting",
        Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: None,
            why: "holds a secret that is sealed under this installation's master key, and points back at its address",
        },
    ),
    control(
        "sign_in_throttle",
        Rows::Throttle { of_subject: "subject = $1", why: "counts of a quarter of an hour, under hashes" },
    ),
    control("tenant", Rows::Tenants("id = $1")),
    control("tenant_operation", Rows::Operators("imports and deletions under way; a row goes with the operation")),
    control(
        "tenant_data_key",
        Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: None,
            why: "sealed under this installation's master key; without it what it sealed opens no more",
        },
    ),
    control(
        "tenant_provider_key",
        Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: None,
            why: "the tenant's own keys at this installation's providers, sealed under its data key; they are entered anew",
        },
    ),
    Covered {
        plane: Plane::Tenant,
        table: "answer_cache",
        rows: Rows::Fleeting {
            of_tenant: Some(OF_TENANT),
            of_account: None,
            why: "answers that would be given again; they are made anew",
        },
    },
    tenant("conversation"),
    tenant("message"),
    tenant("response"),
    tenant("run"),
    tenant("run_event"),
];

/// What a column's values stand for, where importing has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Plain,
    TenantId,
    AccountId,
    /// A price version, which has another number in each installation.
    Price,
    /// Never true of an account that comes with an archive, nor said of one in it.
    Operator,
}

pub(crate) fn meaning(table: &str, column: &str) -> Meaning {
    match (table, column) {
        ("tenant", "id") | (_, "tenant_id") | ("audit_entry", "chain") => Meaning::TenantId,
        ("account", "id") | (_, "account_id") => Meaning::AccountId,
        (_, "price_version") => Meaning::Price,
        ("account", "operator") => Meaning::Operator,
        _ => Meaning::Plain,
    }
}

/// Columns that the target fills by itself.
pub(crate) fn is_left_to_the_target(table: &str, column: &str) -> bool {
    matches!((table, column), ("price_version", "id") | ("membership", "email"))
}

/// What others are mapped to stands before them in an archive.
pub(crate) fn comes_early(table: &str) -> bool {
    matches!(table, "account" | "plan" | "price_version")
}

/// A table together with what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) table: Table,
    pub(crate) rows: Rows,
}

/// Pairs a plane's tables with their lines above, in the order of the tables.
pub(crate) fn pair(plane: Plane, tables: Vec<Table>) -> Result<Vec<Known>, LifecycleError> {
    tables
        .into_iter()
        .map(|table| {
            let line = COVERAGE.iter().find(|line| line.plane == plane && line.table == table.name());
            let line = line.ok_or_else(|| LifecycleError::Uncovered { plane, table: table.name().to_owned() })?;
            Ok(Known { table, rows: line.rows })
        })
        .collect()
}
