//! API keys: how programs act in a tenant, or for the operator.
//!
//! What always holds: a key is stored as the SHA-256 of its secret (256 random bits) and shown once; a revocation counts
//! from the next request on, and for calls of models, on other nodes, within half a second (`recent`); what a key
//! may do is bounded by its scopes, and a key of a tenant never leaves its tenant. How they are listed is in `list`.

mod list;
mod recent;

pub(crate) use recent::RecentKeys;

use crate::{
    Author, Manages, OperatorScope, Scope, Secret, Tenancy, TenancyError,
    audit::{self, Chain, Deed},
    change::{self, Fault},
    clock::millis,
    digest,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{DisplayName, KeyId, KeyScope, KeyView, NameError, Role, TenantId, Timestamp};
use serde_json::{Value, json};
use std::{net::IpAddr, sync::Arc, time::Duration};
use store::{FromRow, Row, StoreError, Transaction, share};

/// What every secret begins with: people and secret scanners recognise it.
pub const KEY_PREFIX: &str = "sk-seam-";
pub const OPERATOR_KEY_PREFIX: &str = "sk-seam-op-";
/// So much of a secret is kept to recognise it by.
pub(crate) const SHOWN_CHARS: usize = 16;
const MAX_MODEL_CHARS: usize = 200;
const MAX_KEYS: i64 = 1_000;
/// Use is written down this often.
const USE_NOTED: Duration = Duration::from_secs(60);

const ONE_OF_TENANT: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key WHERE tenant_id = $1 AND id = $2";
const ONE_OF_OPERATOR: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key WHERE tenant_id IS NULL AND id = $1";
const WORKING: &str = "
SELECT COUNT(*) AS value FROM api_key
WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
const WORKING_OF_NAME: &str = "
SELECT id AS value FROM api_key
WHERE tenant_id = $1 AND name = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) LIMIT 1";
const WORKING_OF_OPERATOR: &str = "
SELECT id AS value FROM api_key
WHERE tenant_id IS NULL AND name = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) LIMIT 1";
const INSERT: &str = "
INSERT INTO api_key
    (tenant_id, id, name, secret_hash, prefix, scopes, models, expires_at, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const REVOKE_OF_TENANT: &str = "
UPDATE api_key SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
RETURNING id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at";
const REVOKE_OF_OPERATOR: &str = "
UPDATE api_key SET revoked_at = $2 WHERE tenant_id IS NULL AND id = $1 AND revoked_at IS NULL
RETURNING id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at";
const AUTHENTICATE: &str = "
SELECT api_key.id, api_key.tenant_id, api_key.name, api_key.scopes, api_key.models, api_key.last_used_at, api_key.expires_at,
    tenant.display_name, tenant.suspended_for
FROM api_key LEFT JOIN tenant ON tenant.id = api_key.tenant_id
WHERE api_key.secret_hash = $1 AND api_key.revoked_at IS NULL
    AND (api_key.expires_at IS NULL OR api_key.expires_at > $2)";
const USED: &str = "UPDATE api_key SET last_used_at = $2 WHERE id = $1";

/// A key to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    pub name: String,
    pub scopes: Vec<KeyScope>,
    /// The models it may ask for; none: all.
    pub models: Option<Vec<String>>,
    pub expires_at: Option<Timestamp>,
}

/// Who a key's request comes from.
#[derive(Debug, Clone)]
pub enum KeyHolder {
    /// A program of a tenant: bounded by the key's scopes and models.
    Tenant {
        scope: Scope,
        may: Vec<KeyScope>,
        models: Option<Vec<String>>,
    },
    Operator(OperatorScope),
}

struct KeyRow(KeyView);

impl FromRow for KeyRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(KeyView {
            id: row.get("id")?,
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            scopes: scopes(row)?,
            models: models(row)?,
            created_by: row.get("created_by")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            last_used_at: row.get("last_used_at")?,
            revoked_at: row.get("revoked_at")?,
        }))
    }
}

struct HolderRow {
    id: KeyId,
    tenant: Option<TenantId>,
    name: String,
    scopes: Vec<KeyScope>,
    models: Option<Vec<String>>,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    suspended: Option<(String, String)>,
}

impl FromRow for HolderRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let name: Option<String> = row.get("display_name")?;
        Ok(Self {
            id: row.get("id")?,
            tenant: row.get("tenant_id")?,
            name: row.get("name")?,
            scopes: scopes(row)?,
            models: models(row)?,
            last_used_at: row.get("last_used_at")?,
            expires_at: row.get("expires_at")?,
            suspended: name.zip(row.get("suspended_for")?),
        })
    }
}

fn unreadable(column: &str, reason: impl ToString) -> StoreError {
    StoreError::Column { column: column.to_owned(), reason: reason.to_string() }
}

fn scopes(row: &Row) -> Result<Vec<KeyScope>, StoreError> {
    let names: String = row.get("scopes")?;
    names.split_whitespace().map(|name| name.parse().map_err(|error| unreadable("scopes", error))).collect()
}

fn models(row: &Row) -> Result<Option<Vec<String>>, StoreError> {
    let models: Option<String> = row.get("models")?;
    models.map(|json| serde_json::from_str(&json).map_err(|error| unreadable("models", error))).transpose()
}

/// The same for one that never was, and one that works no more.
fn unknown() -> TenancyError {
    TenancyError::NotFound { what: "such key that works".to_owned() }
}

fn refuse_taken(name: &str, by: Option<String>) -> Result<(), TenancyError> {
    match by {
        Some(_) => Err(TenancyError::AlreadyExists { what: "key", name: name.to_owned() }),
        None => Ok(()),
    }
}

impl NewKey {
    /// Everything about it that cannot be, whenever it is made, by the name of the field.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        match DisplayName::new(&self.name, DisplayName::MOST_OF_KEY) {
            Ok(_) => {}
            Err(error @ NameError::DisplayName { .. }) => faults.push(("name", format!("{error}, such as production"))),
            Err(error) => faults.push(("name", error.to_string())),
        }
        let mut invalid = |field, reason: &str| faults.push((field, reason.to_owned()));
        if self.scopes.is_empty() {
            invalid("scopes", "choose at least one thing that the key may do");
        }
        if self.models.as_ref().is_some_and(Vec::is_empty) {
            invalid("models", "name at least one model, or leave it out for all");
        }
        let models = self.models.as_deref().unwrap_or_default();
        let named = |model: &String| {
            !model.trim().is_empty() && model.chars().count() <= MAX_MODEL_CHARS && !model.chars().any(char::is_control)
        };
        if !models.iter().all(named) {
            invalid("models", "each name of a model has 1 to 200 characters on one line");
        }
        if (1..models.len()).any(|at| models[at..].contains(&models[at - 1])) {
            invalid("models", "name each model once");
        }
        faults
    }

    pub(crate) fn validate(&self, now: Timestamp) -> Result<(), TenancyError> {
        change::none_of(self.faults())?;
        if self.expires_at.is_some_and(|at| at <= now) {
            let reason = "choose a time that lies in the future".to_owned();
            return Err(TenancyError::Invalid { field: "expires_at", reason });
        }
        Ok(())
    }
}

/// A secret of 256 random bits.
pub(crate) fn new_secret(prefix: &str) -> Result<Secret, TenancyError> {
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(digest::random_bytes::<32>()?))))
}

/// Makes a key with a secret that nothing else has, inside a transaction that may do more.
pub(crate) async fn insert(
    tx: &mut Transaction,
    now: Timestamp,
    tenant: Option<TenantId>,
    author: &Author,
    secret: &Secret,
    new: &NewKey,
) -> Result<KeyId, TenancyError> {
    new.validate(now)?;
    let shown: String = secret.expose().chars().take(SHOWN_CHARS).collect();
    let names: Vec<_> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let models = new.models.as_ref().map(|models| json!(models).to_string());
    let (id, name) = (KeyId::new(), new.name.trim());
    let insert = tx.query(INSERT).bind(tenant).bind(id).bind(name).bind(digest::sha256(secret.expose()));
    let insert = insert.bind(shown.as_str()).bind(names.join(" ")).bind(models).bind(new.expires_at);
    insert.bind(author.name()).bind(now).execute().await?;
    let after = json!({ "prefix": shown, "scopes": names, "models": new.models, "expires_at": new.expires_at });
    let deed = Deed { action: "key.create", target: name, before: Value::Null, after };
    audit::record(tx, now, tenant.map_or(Chain::Platform, Chain::Tenant), author, deed).await?;
    Ok(id)
}

impl Tenancy {
    /// Makes a key of the tenant. The secret is returned this once.
    ///
    /// Errors: `AlreadyExists` while a key of this name works; `Invalid`.
    pub async fn key_create(&self, scope: &impl Manages, new: &NewKey) -> Result<(KeyId, Secret), TenancyError> {
        scope.require_manager()?;
        scope.require_lasting("a key")?;
        let mut tx = self.control.begin().await?;
        if tx.query(WORKING).bind(scope.tenant()).bind(self.now()).fetch_one::<i64>().await? >= MAX_KEYS {
            let reason = format!("there are {MAX_KEYS} keys that work; revoke some first");
            return Err(TenancyError::Invalid { field: "name", reason });
        }
        // Two of one name could not be told apart, in lists and by `seam apply`.
        let name = new.name.trim();
        let taken = tx.query(WORKING_OF_NAME).bind(scope.tenant()).bind(name).bind(self.now());
        refuse_taken(name, taken.fetch_optional().await?)?;
        let made = self.key_insert(&mut tx, Some(scope.tenant()), scope.author(), KEY_PREFIX, new).await?;
        tx.commit().await?;
        self.forget_keys();
        Ok(made)
    }

    /// Makes a key that may do what the operator may.
    ///
    /// Errors: `AlreadyExists` while a key of this name works; `Invalid`.
    pub async fn operator_key_create(
        &self,
        operator: &OperatorScope,
        new: &NewKey,
    ) -> Result<(KeyId, Secret), TenancyError> {
        let mut tx = self.control.begin().await?;
        let name = new.name.trim();
        let taken = tx.query(WORKING_OF_OPERATOR).bind(name).bind(self.now());
        refuse_taken(name, taken.fetch_optional().await?)?;
        let made = self.key_insert(&mut tx, None, operator.author(), OPERATOR_KEY_PREFIX, new).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn key_insert(
        &self,
        tx: &mut Transaction,
        tenant: Option<TenantId>,
        author: &Author,
        prefix: &str,
        new: &NewKey,
    ) -> Result<(KeyId, Secret), TenancyError> {
        let secret = new_secret(prefix)?;
        Ok((insert(tx, self.now(), tenant, author, &secret, new).await?, secret))
    }

    /// One of the tenant's keys, whether it works or not.
    pub async fn key_find(&self, scope: &impl Manages, key: KeyId) -> Result<KeyView, TenancyError> {
        scope.require_manager()?;
        let found = self.control.read(ONE_OF_TENANT).bind(scope.tenant()).bind(key);
        found.fetch_optional::<KeyRow>().await?.map(|row| row.0).ok_or_else(unknown)
    }

    /// One of the operator's own keys, whether it works or not.
    pub async fn operator_key_find(&self, _operator: &OperatorScope, key: KeyId) -> Result<KeyView, TenancyError> {
        let found = self.control.read(ONE_OF_OPERATOR).bind(key).fetch_optional::<KeyRow>().await?;
        found.map(|row| row.0).ok_or_else(unknown)
    }

    /// The key works no more, from the next request on.
    ///
    /// Errors: `NotFound` for a key of another tenant, one that never was, and one that is revoked already.
    pub async fn key_revoke(&self, scope: &impl Manages, key: KeyId) -> Result<(), TenancyError> {
        scope.require_manager()?;
        let mut tx = self.control.begin().await?;
        let revoke = tx.query(REVOKE_OF_TENANT).bind(scope.tenant()).bind(key).bind(self.now());
        let revoked = revoke.fetch_optional::<KeyRow>().await?;
        self.note_revoked(&mut tx, Chain::Tenant(scope.tenant()), scope.author(), revoked).await?;
        tx.commit().await?;
        self.forget_keys();
        Ok(())
    }

    pub async fn operator_key_revoke(&self, operator: &OperatorScope, key: KeyId) -> Result<(), TenancyError> {
        let mut tx = self.control.begin().await?;
        let revoked = tx.query(REVOKE_OF_OPERATOR).bind(key).bind(self.now()).fetch_optional::<KeyRow>().await?;
        self.note_revoked(&mut tx, Chain::Platform, operator.author(), revoked).await?;
        tx.commit().await?;
        self.forget_keys();
        Ok(())
    }

    async fn note_revoked(
        &self,
        tx: &mut Transaction,
        chain: Chain,
        author: &Author,
        revoked: Option<KeyRow>,
    ) -> Result<(), TenancyError> {
        let KeyRow(revoked) = revoked.ok_or_else(unknown)?;
        let before = json!({
            "prefix": revoked.prefix, "scopes": revoked.scopes, "models": revoked.models,
            "expires_at": revoked.expires_at, "last_used_at": revoked.last_used_at,
        });
        let deed = Deed { action: "key.revoke", target: &revoked.name, before, after: Value::Null };
        Ok(audit::record(tx, self.now(), chain, author, deed).await?)
    }

    /// Who a secret belongs to, as of this request. None: it opens nothing (unknown, revoked, expired).
    ///
    /// Errors: `Suspended` while the tenant is.
    pub async fn authenticate_key(&self, secret: &str, address: IpAddr) -> Result<Option<KeyHolder>, TenancyError> {
        let Some(hash) = hash_of(secret) else { return Ok(None) };
        match self.holder(hash).await? {
            Some(row) => self.opens(&row, address).map(Some),
            None => Ok(None),
        }
    }

    /// The same as of the last half second, for calls of models: a revocation by another process may count that much
    /// later.
    pub async fn authenticate_call(&self, secret: &str, address: IpAddr) -> Result<Option<KeyHolder>, TenancyError> {
        let Some(hash) = hash_of(secret) else { return Ok(None) };
        let known = match self.recent_keys.get(&hash) {
            Some(known) => known,
            // On the heap, so that those who need no look are small.
            None => Box::pin(self.looked(hash)).await?,
        };
        let Some(row) = known else { return Ok(None) };
        if row.expires_at.is_some_and(|at| at <= self.now()) {
            return Ok(None);
        }
        self.opens(&row, address).map(Some)
    }

    async fn looked(&self, hash: String) -> Result<Option<Arc<HolderRow>>, TenancyError> {
        let look = self.recent_keys.look();
        let found = self.holder(hash.clone()).await?.map(Arc::new);
        self.recent_keys.remember(look, hash, found.clone());
        Ok(found)
    }

    /// Every key is looked up again at its next call: what it opens has changed.
    pub fn forget_keys(&self) {
        self.recent_keys.forget();
    }

    /// What the database says of a secret, and that it is in use.
    async fn holder(&self, hash: String) -> Result<Option<HolderRow>, TenancyError> {
        let now = self.now();
        let found = self.control.read(AUTHENTICATE).bind(hash).bind(now);
        let Some(row) = found.fetch_optional::<HolderRow>().await? else { return Ok(None) };
        let unused = row.last_used_at.is_none_or(|last| now.millis_since(last) >= millis(USE_NOTED));
        if unused && row.suspended.is_none() {
            self.control.write(USED).bind(row.id).bind(now).execute().await?;
        }
        Ok(Some(row))
    }

    fn opens(&self, row: &HolderRow, address: IpAddr) -> Result<KeyHolder, TenancyError> {
        if let Some((tenant, reason)) = row.suspended.clone() {
            return Err(TenancyError::Suspended { tenant, reason });
        }
        let author = Author::key(row.id, &row.name, Some(address));
        let Some(tenant) = row.tenant else {
            return Ok(KeyHolder::Operator(OperatorScope::mint(author)));
        };
        share::belongs_to(tenant);
        let role = if row.scopes.contains(&KeyScope::Manage) { Role::Admin } else { Role::Member };
        let scope = Scope::mint(tenant, author, role);
        Ok(KeyHolder::Tenant { scope, may: row.scopes.clone(), models: row.models.clone() })
    }
}

/// Nothing that cannot be a key costs a query.
fn hash_of(secret: &str) -> Option<String> {
    (secret.starts_with(KEY_PREFIX) && secret.len() <= 100).then(|| digest::sha256(secret))
}
