//! People who can sign in.

use crate::{
    Change, PasswordHash, Tenancy, TenancyError,
    change::note_difference,
    membership::{self, MembershipChange},
    password_reset, tenant,
};
use contract::{Email, Password, Role, Slug, TenantId, Timestamp, UserId};
use serde_json::{Value, json};
use store::{FromRow, Row, StoreError, Transaction};

const BY_EMAIL: &str = "
SELECT id, email, password_hash, operator, session_epoch, address_proved, created_at FROM account WHERE email = $1";
const BY_ID: &str = "
SELECT id, email, password_hash, operator, session_epoch, address_proved, created_at FROM account WHERE id = $1";
const INSERT: &str = "
INSERT INTO account (id, email, password_hash, operator, address_proved, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (email) DO NOTHING";
const SET_FIRST_PASSWORD: &str = "
UPDATE account SET password_hash = $2, address_proved = TRUE, updated_at = $3 WHERE id = $1 AND password_hash IS NULL";
/// Whoever chose the password may have been somebody else: it opens nothing any more, and no session lasts.
const PROVE: &str = "
UPDATE account SET password_hash = NULL, session_epoch = session_epoch + 1, address_proved = TRUE, updated_at = $2
WHERE id = $1 AND address_proved = FALSE";
const PROMOTE: &str = "UPDATE account SET operator = TRUE, updated_at = $2 WHERE id = $1";

/// An account, as listings show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    pub id: UserId,
    pub email: Email,
    pub operator: bool,
    pub created_at: Timestamp,
}

/// An account as `seam apply` declares it.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The tenant to be a member of; operators may have none.
    pub tenant: Option<Slug>,
    pub email: Email,
    /// The role in that tenant.
    pub role: Role,
    /// The first password. One that the person has already is theirs and stays.
    pub password_hash: Option<PasswordHash>,
    /// True makes an operator; false leaves one alone.
    pub operator: bool,
}

/// With what only this crate may see.
#[derive(Debug)]
pub(crate) struct AccountRow {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) password_hash: Option<PasswordHash>,
    pub(crate) operator: bool,
    pub(crate) session_epoch: i64,
    pub(crate) address_proved: bool,
    created_at: Timestamp,
}

/// Whose an account's address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    /// An operator, or the identity provider of its domain, says that it is theirs.
    Proved,
    /// They say so themselves.
    Claimed,
}

impl FromRow for AccountRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let password_hash =
            row.get::<Option<String>>("password_hash")?.map(PasswordHash::parse).transpose().map_err(|error| {
                StoreError::Column { column: "password_hash".to_owned(), reason: error.to_string() }
            })?;
        Ok(Self {
            id: row.get("id")?,
            email: row.get("email")?,
            password_hash,
            operator: row.get("operator")?,
            session_epoch: row.get("session_epoch")?,
            address_proved: row.get("address_proved")?,
            created_at: row.get("created_at")?,
        })
    }
}

impl From<AccountRow> for UserRecord {
    fn from(row: AccountRow) -> Self {
        Self { id: row.id, email: row.email, operator: row.operator, created_at: row.created_at }
    }
}

/// Inserts an account. None: the address is taken.
pub(crate) async fn insert(
    tx: &mut Transaction,
    now: Timestamp,
    email: &Email,
    password: Option<&PasswordHash>,
    operator: bool,
    address: Address,
) -> Result<Option<UserId>, StoreError> {
    let id = UserId::new();
    let insert = tx.query(INSERT).bind(id).bind(email.clone()).bind(password.map(PasswordHash::as_str));
    let inserted = insert.bind(operator).bind(address == Address::Proved).bind(now).execute().await?;
    Ok((inserted == 1).then_some(id))
}

/// From now on the address is known to be this person's. If it was not before, a password that somebody chose for it is
/// gone, with its sessions and links; returns whether there was one.
pub(crate) async fn prove(tx: &mut Transaction, now: Timestamp, account: &AccountRow) -> Result<bool, StoreError> {
    if account.address_proved {
        return Ok(false);
    }
    tx.query(PROVE).bind(account.id).bind(now).execute().await?;
    tx.query(password_reset::OTHERS_VOID).bind(account.id).execute().await?;
    Ok(account.password_hash.is_some())
}

pub(crate) async fn by_email(tx: &mut Transaction, email: &Email) -> Result<Option<AccountRow>, StoreError> {
    tx.query(BY_EMAIL).bind(email.clone()).fetch_optional().await
}

pub(crate) async fn by_id(tx: &mut Transaction, user: UserId) -> Result<Option<AccountRow>, StoreError> {
    tx.query(BY_ID).bind(user).fetch_optional().await
}

/// Refuses a declared role that would leave a tenant which nobody could manage any more.
async fn keep_an_admin(
    tx: &mut Transaction,
    tenant: TenantId,
    account: UserId,
    user: &NewUser,
    slug: &Slug,
) -> Result<(), TenancyError> {
    let role = membership::role_in(tx, tenant, account).await?;
    if user.role == Role::Admin || !membership::is_last_admin(tx, tenant, account, role).await? {
        return Ok(());
    }
    let reason = format!(
        "{} is the last admin of “{slug}”; make somebody else one by a [[user]] with role = \"admin\" above this one",
        user.email
    );
    Err(TenancyError::Invalid { field: "role", reason })
}

pub(crate) fn taken(email: &Email) -> TenancyError {
    TenancyError::AlreadyExists { what: "account", name: email.to_string() }
}

impl Tenancy {
    /// The account is its address's owner's from now on, as whoever runs the platform says; whether a password that somebody
    /// else may have chosen is gone.
    pub async fn account_prove(tx: &mut Transaction, now: Timestamp, user: UserId) -> Result<bool, StoreError> {
        match by_id(tx, user).await? {
            Some(account) => prove(tx, now, &account).await,
            None => Ok(false),
        }
    }

    /// Creates an account. Without a password nobody can sign in to it yet.
    pub async fn user_create(
        &self,
        email: Email,
        password: Option<Password>,
        operator: bool,
    ) -> Result<UserId, TenancyError> {
        let hash = match password {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let mut tx = self.control.begin().await?;
        let created = insert(&mut tx, self.now(), &email, hash.as_ref(), operator, Address::Proved).await?;
        let user = created.ok_or_else(|| taken(&email))?;
        tx.commit().await?;
        Ok(user)
    }

    pub async fn user_by_email(&self, email: &Email) -> Result<Option<UserRecord>, TenancyError> {
        Ok(self.account_by_email(email).await?.map(UserRecord::from))
    }

    /// Makes an account what was declared, and a member of the declared tenant; inside `seam apply`'s transaction.
    ///
    /// Errors: `NotFound` for the tenant; `Invalid` for one that is being deleted, and for a role that would take the
    /// last admin from it.
    pub async fn apply_user(tx: &mut Transaction, now: Timestamp, user: &NewUser) -> Result<Change, TenancyError> {
        let hash = user.password_hash.as_ref();
        let mut differences = Vec::new();
        let tenant = match &user.tenant {
            Some(slug) => Some((tenant::declared(tx, slug).await?.id, slug)),
            None => None,
        };
        let created = insert(tx, now, &user.email, hash, user.operator, Address::Proved).await?;
        let account = by_email(tx, &user.email)
            .await?
            .ok_or_else(|| TenancyError::NotFound { what: format!("account “{}”", user.email) })?;
        if created.is_none() {
            let gains = match tenant {
                Some((tenant, _)) => membership::role_in(tx, tenant, account.id).await? != Some(user.role),
                None => false,
            };
            let promoted = user.operator && !account.operator;
            // Whoever joined under this address by somebody else's invitation must not gain what is declared for its owner.
            let removed = (gains || promoted) && prove(tx, now, &account).await?;
            if let Some(hash) = hash
                && tx.query(SET_FIRST_PASSWORD).bind(account.id).bind(hash.as_str()).bind(now).execute().await? == 1
            {
                differences.push(if removed { "password: replaced" } else { "password: none → set" }.to_owned());
            } else if removed {
                differences.push("password: set → none, since nobody had proved the address".to_owned());
            }
            if user.operator {
                note_difference(&mut differences, "operator", &account.operator, &true);
                tx.query(PROMOTE).bind(account.id).bind(now).execute().await?;
            }
        }
        if let Some((tenant, slug)) = tenant {
            keep_an_admin(tx, tenant, account.id, user, slug).await?;
            match membership::put(tx, now, tenant, account.id, user.role).await? {
                MembershipChange::Added => differences.push(format!("role in {slug}: none → {}", user.role)),
                MembershipChange::Moved { from } => {
                    differences.push(format!("role in {slug}: {from} → {}", user.role));
                }
                MembershipChange::Unchanged => {}
            }
        }
        if created.is_none() {
            return Ok(Change::from_differences(differences));
        }
        let mut told =
            vec![("operator", user.operator.then(|| "true".to_owned())), ("password", hash.map(|_| "set".to_owned()))];
        told.extend(user.tenant.as_ref().map(|slug| ("role", Some(format!("{} in {slug}", user.role)))));
        Ok(Change::created(told))
    }

    /// What is told of a declared account as it is now, without what is of other tenants; none where there is none.
    pub async fn user_told(tx: &mut Transaction, user: &NewUser) -> Result<Option<Value>, StoreError> {
        let Some(account) = by_email(tx, &user.email).await? else { return Ok(None) };
        let password = account.password_hash.map(|_| "set");
        Ok(Some(match &user.tenant {
            // Whether somebody also runs the platform is nothing for a tenant's log.
            Some(slug) => {
                let role = match tenant::by_slug(tx, slug).await? {
                    Some(tenant) => membership::role_in(tx, tenant.id, account.id).await?,
                    None => None,
                };
                json!({ "password": password, "role": role })
            }
            None => json!({ "password": password, "operator": account.operator }),
        }))
    }

    pub(crate) async fn account_by_email(&self, email: &Email) -> Result<Option<AccountRow>, StoreError> {
        self.control.read(BY_EMAIL).bind(email.clone()).fetch_optional().await
    }

    pub(crate) async fn account_by_id(&self, user: UserId) -> Result<Option<AccountRow>, StoreError> {
        self.control.read(BY_ID).bind(user).fetch_optional().await
    }
}
