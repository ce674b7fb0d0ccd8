//! People as the operator manages them: the list, ending sessions, who runs the platform.
//!
//! What always holds: only an [`OperatorScope`] gets here, every change is in the platform's audit log, and the
//! platform never loses its last operator.

use crate::{
    Actor, OneTimeToken, OperatorScope, PasswordHash, Tenancy, TenancyError,
    account::{self, AccountRow, Address},
    audit::{self, Chain, Deed, pattern},
    customer::refuse_going,
    impersonation,
    member::PAGE_SIZE,
    membership, sign_in, tenant,
};
use contract::{Email, ListOrder, ListQuery, Page, Password, Role, TenantId, UserId, UserSummary};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

/// Memberships are looked up for the rows of the page alone.
const BY_EMAIL: &str = "
SELECT
    account.id, account.email, account.operator, account.created_at,
    (SELECT COUNT(*) FROM membership WHERE membership.account_id = account.id) AS memberships,
    (SELECT MIN(tenant.slug) FROM membership JOIN tenant ON tenant.id = membership.tenant_id
        WHERE membership.account_id = account.id) AS slug
FROM account
WHERE $1 = '' OR account.email LIKE $1 ESCAPE '\\'
ORDER BY account.email LIMIT $2 OFFSET $3";
const BY_EMAIL_DOWN: &str = "
SELECT
    account.id, account.email, account.operator, account.created_at,
    (SELECT COUNT(*) FROM membership WHERE membership.account_id = account.id) AS memberships,
    (SELECT MIN(tenant.slug) FROM membership JOIN tenant ON tenant.id = membership.tenant_id
        WHERE membership.account_id = account.id) AS slug
FROM account
WHERE $1 = '' OR account.email LIKE $1 ESCAPE '\\'
ORDER BY account.email DESC LIMIT $2 OFFSET $3";
const BY_CREATION: &str = "
SELECT
    account.id, account.email, account.operator, account.created_at,
    (SELECT COUNT(*) FROM membership WHERE membership.account_id = account.id) AS memberships,
    (SELECT MIN(tenant.slug) FROM membership JOIN tenant ON tenant.id = membership.tenant_id
        WHERE membership.account_id = account.id) AS slug
FROM account
WHERE $1 = '' OR account.email LIKE $1 ESCAPE '\\'
ORDER BY account.created_at, account.email LIMIT $2 OFFSET $3";
const BY_CREATION_DOWN: &str = "
SELECT
    account.id, account.email, account.operator, account.created_at,
    (SELECT COUNT(*) FROM membership WHERE membership.account_id = account.id) AS memberships,
    (SELECT MIN(tenant.slug) FROM membership JOIN tenant ON tenant.id = membership.tenant_id
        WHERE membership.account_id = account.id) AS slug
FROM account
WHERE $1 = '' OR account.email LIKE $1 ESCAPE '\\'
ORDER BY account.created_at DESC, account.email DESC LIMIT $2 OFFSET $3";
const COUNT: &str = "SELECT COUNT(*) AS value FROM account WHERE $1 = '' OR account.email LIKE $1 ESCAPE '\\'";
const ONE: &str = "
SELECT
    account.id, account.email, account.operator, account.created_at,
    (SELECT COUNT(*) FROM membership WHERE membership.account_id = account.id) AS memberships,
    (SELECT MIN(tenant.slug) FROM membership JOIN tenant ON tenant.id = membership.tenant_id
        WHERE membership.account_id = account.id) AS slug
FROM account WHERE account.id = $1";
const OPERATOR_SET: &str = "UPDATE account SET operator = $2, updated_at = $3 WHERE id = $1";
/// Who never chose a password cannot sign in: operators come in no other way.
const OTHER_OPERATORS: &str = "
SELECT COUNT(*) AS value FROM account WHERE operator AND id <> $1 AND password_hash IS NOT NULL";

struct SummaryRow(UserSummary);

impl FromRow for SummaryRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(UserSummary {
            user: row.get("id")?,
            email: row.get("email")?,
            operator: row.get("operator")?,
            tenant: row.get("slug")?,
            memberships: row.get("memberships")?,
            created_at: row.get("created_at")?,
        }))
    }
}

impl Tenancy {
    /// A page of all people, those whose address contains the words if any.
    pub async fn user_page(
        &self,
        operator: &OperatorScope,
        query: &ListQuery,
    ) -> Result<Page<UserSummary>, TenancyError> {
        self.user_page_sized(operator, query, PAGE_SIZE).await
    }

    /// The same in pages of `size`.
    pub async fn user_page_sized(
        &self,
        _operator: &OperatorScope,
        query: &ListQuery,
        size: i64,
    ) -> Result<Page<UserSummary>, TenancyError> {
        let (words, number) = (pattern(&query.words), query.page.max(1));
        let total = self.control.read(COUNT).bind(words.as_str()).fetch_one().await?;
        let list = match query.order {
            ListOrder::Name => BY_EMAIL,
            ListOrder::NameDown => BY_EMAIL_DOWN,
            ListOrder::Created => BY_CREATION,
            ListOrder::CreatedDown => BY_CREATION_DOWN,
        };
        let list = self.control.read(list).bind(words).bind(size);
        let rows: Vec<SummaryRow> = list.bind((number - 1).saturating_mul(size)).fetch_all().await?;
        Ok(Page { items: rows.into_iter().map(|row| row.0).collect(), total, number, size })
    }

    /// One person, as the list shows them.
    ///
    /// Errors: `NotFound`.
    pub async fn user_find(&self, _operator: &OperatorScope, user: UserId) -> Result<UserSummary, TenancyError> {
        let row = self.control.read(ONE).bind(user).fetch_optional::<SummaryRow>().await?;
        row.map(|row| row.0).ok_or_else(unknown)
    }

    /// Creates an account, and makes it a member of a tenant where one is named: both or neither.
    ///
    /// Errors: `AlreadyExists`; `NotFound` for the tenant.
    pub async fn user_open(
        &self,
        operator: &OperatorScope,
        email: &Email,
        password: Option<Password>,
        runs_the_platform: bool,
        membership: Option<(TenantId, Role)>,
    ) -> Result<UserId, TenancyError> {
        let hash = match password {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let mut tx = self.control.begin().await?;
        let user = self.open(&mut tx, operator, email, hash.as_ref(), runs_the_platform, membership).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// The same for who chooses a password by a link, which is shown once: account and link, or neither.
    pub async fn user_open_by_link(
        &self,
        operator: &OperatorScope,
        email: &Email,
        runs_the_platform: bool,
        membership: Option<(TenantId, Role)>,
    ) -> Result<(UserId, OneTimeToken), TenancyError> {
        let mut tx = self.control.begin().await?;
        let user = self.open(&mut tx, operator, email, None, runs_the_platform, membership).await?;
        let token = self.link_hand_out(&mut tx, operator, (user, email)).await?;
        tx.commit().await?;
        Ok((user, token))
    }

    async fn open(
        &self,
        tx: &mut Transaction,
        operator: &OperatorScope,
        email: &Email,
        password: Option<&PasswordHash>,
        runs_the_platform: bool,
        membership: Option<(TenantId, Role)>,
    ) -> Result<UserId, TenancyError> {
        let (now, author) = (self.now(), operator.author());
        // Who may run commands here owns the data in any case.
        if runs_the_platform && membership.is_some() && author.actor() != Actor::CommandLine {
            let reason = "who runs the platform enters a tenant for a while only; leave out one of both".to_owned();
            return Err(TenancyError::Invalid { field: "operator", reason });
        }
        let created = account::insert(tx, now, email, password, runs_the_platform, Address::Proved).await?;
        let user = created.ok_or_else(|| account::taken(email))?;
        let after = json!({ "operator": runs_the_platform });
        let id = user.to_string();
        // The platform's log outlives tenants, and does not name their people.
        let target = if membership.is_some() { id.as_str() } else { email.as_str() };
        let deed = Deed { action: "user.create", target, before: Value::Null, after };
        audit::record(tx, now, Chain::Platform, author, deed).await?;
        if let Some((tenant, role)) = membership {
            let record = tenant::present(tx, tenant).await?;
            refuse_going(tx, &record, "takes nobody in any more").await?;
            membership::put(tx, now, tenant, user, role).await?;
            let after = json!({ "role": role });
            let deed = Deed { action: "member.add", target: email.as_str(), before: Value::Null, after };
            audit::record(tx, now, Chain::Tenant(tenant), author, deed).await?;
        }
        Ok(user)
    }

    /// Ends every session of somebody, from the next request on.
    pub async fn user_sign_out(&self, operator: &OperatorScope, user: UserId) -> Result<(), TenancyError> {
        let mut tx = self.control.begin().await?;
        let account = account(&mut tx, user).await?;
        tx.query(sign_in::EPOCH_RAISE).bind(user).bind(self.now()).execute().await?;
        impersonation::end_all(&mut tx, self.now(), (user, &account.email), operator.author()).await?;
        let id = user.to_string();
        let target = if account.operator { account.email.as_str() } else { id.as_str() };
        let deed = Deed { action: "user.sign_out", target, before: Value::Null, after: json!({ "sessions": "ended" }) };
        audit::record(&mut tx, self.now(), Chain::Platform, operator.author(), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets somebody run the platform, or no more.
    ///
    /// Errors: `LastOperator`.
    pub async fn user_operator_set(
        &self,
        operator: &OperatorScope,
        user: UserId,
        may: bool,
    ) -> Result<(), TenancyError> {
        let mut tx = self.control.begin().await?;
        let account = account(&mut tx, user).await?;
        if account.operator == may {
            return Ok(());
        }
        if may && !account.address_proved {
            let reason =
                "nobody has shown that the address is theirs: make a link to a new password, and let them use it";
            return Err(TenancyError::Invalid { field: "operator", reason: reason.to_owned() });
        }
        if !may && tx.query(OTHER_OPERATORS).bind(user).fetch_one::<i64>().await? == 0 {
            return Err(TenancyError::LastOperator { email: account.email });
        }
        tx.query(OPERATOR_SET).bind(user).bind(may).bind(self.now()).execute().await?;
        if !may {
            impersonation::end_all(&mut tx, self.now(), (user, &account.email), operator.author()).await?;
        }
        let (before, after) = (json!({ "operator": !may }), json!({ "operator": may }));
        let deed = Deed { action: "user.operator_set", target: account.email.as_str(), before, after };
        audit::record(&mut tx, self.now(), Chain::Platform, operator.author(), deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(crate) async fn account(tx: &mut Transaction, user: UserId) -> Result<AccountRow, TenancyError> {
    account::by_id(tx, user).await?.ok_or_else(unknown)
}

fn unknown() -> TenancyError {
    TenancyError::NotFound { what: "such person".to_owned() }
}
