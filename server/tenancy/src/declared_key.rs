//! A key of a tenant as `seam apply` declares it: by tenant and name, with a secret that is given or made.
//!
//! What always holds: of a tenant's keys that work, the declared one is the only one of its name; a secret that
//! was another key's, also one that was revoked, is never taken again; a given secret is long enough that its
//! plain SHA-256 gives nothing away.

use crate::{
    Author, Change, KEY_PREFIX, NewKey, OPERATOR_KEY_PREFIX, Secret, Tenancy, TenancyError,
    api_key::{self, SHOWN_CHARS},
    change::{note_difference, note_optional_difference},
    digest, tenant,
};
use contract::{KeyId, Slug, TenantId, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{FromRow, Row, StoreError, Transaction};

/// Of what comes after the prefix: as much as 18 random bytes in base64.
const LEAST_CHARS: usize = 24;
/// Fewer different characters are a pattern and no secret.
const LEAST_DIFFERENT: usize = 10;
/// As long as [`Tenancy::authenticate_key`] takes them.
const MOST_CHARS: usize = 100;

const OF_NAME: &str = "
SELECT id, secret_hash, scopes, models, expires_at
FROM api_key WHERE tenant_id = $1 AND name = $2 AND revoked_at IS NULL ORDER BY created_at LIMIT 2";
const OF_SECRET: &str = "SELECT id AS value FROM api_key WHERE secret_hash = $1";
const CHANGE: &str = "
UPDATE api_key SET secret_hash = $2, prefix = $3, scopes = $4, models = $5, expires_at = $6 WHERE id = $1";
const KEEP_SECRET: &str = "UPDATE api_key SET scopes = $2, models = $3, expires_at = $4 WHERE id = $1";

/// A secret that was chosen outside, fit to be a tenant's key.
#[derive(Debug, Clone)]
pub struct GivenSecret(Secret);

/// For the two of a file that are the same: whoever compares them gave both.
impl PartialEq for GivenSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

/// Why a text cannot be a key's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitSecret {
    #[error("it does not begin with {KEY_PREFIX}; make one with: echo {KEY_PREFIX}$(openssl rand -hex 32)")]
    Prefix,
    #[error("{OPERATOR_KEY_PREFIX} begins the operator's own keys, which are made by: seam key create --operator")]
    Operators,
    #[error(
        "what follows {KEY_PREFIX} must be {LEAST_CHARS} to {} random letters, digits, - and _; \
         make one with: echo {KEY_PREFIX}$(openssl rand -hex 32)",
        MOST_CHARS - KEY_PREFIX.len()
    )]
    Weak,
}

impl GivenSecret {
    /// Takes a text that could not be guessed.
    pub fn new(text: String) -> Result<Self, UnfitSecret> {
        let rest = text.strip_prefix(KEY_PREFIX).ok_or(UnfitSecret::Prefix)?;
        if text.starts_with(OPERATOR_KEY_PREFIX) {
            return Err(UnfitSecret::Operators);
        }
        let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let different = rest.bytes().collect::<BTreeSet<_>>().len();
        if !plain || rest.len() < LEAST_CHARS || text.len() > MOST_CHARS || different < LEAST_DIFFERENT {
            return Err(UnfitSecret::Weak);
        }
        Ok(Self(Secret::new(text)))
    }
}

/// A key as it is to be.
#[derive(Debug, Clone)]
pub struct DeclaredKey {
    pub tenant: Slug,
    pub key: NewKey,
    /// None: one is made where there is no such key yet.
    pub secret: Option<GivenSecret>,
}

struct Stored {
    id: KeyId,
    secret_hash: String,
    scopes: String,
    models: Option<String>,
    expires_at: Option<Timestamp>,
}

impl FromRow for Stored {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            secret_hash: row.get("secret_hash")?,
            scopes: row.get("scopes")?,
            models: row.get("models")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

impl Tenancy {
    /// Makes a tenant's key what was declared; inside `seam apply`'s transaction. A secret that was made is
    /// returned this once.
    ///
    /// Errors: `NotFound` for the tenant; `Invalid`, also where several keys have this name, and for a tenant that is
    /// being deleted.
    pub async fn apply_key(
        tx: &mut Transaction,
        now: Timestamp,
        declared: &DeclaredKey,
    ) -> Result<(Change, Option<Secret>), TenancyError> {
        let DeclaredKey { tenant: slug, key, secret } = declared;
        let tenant = tenant::declared(tx, slug).await?.id;
        let name = key.name.trim();
        let found: Vec<Stored> = tx.query(OF_NAME).bind(tenant).bind(name).fetch_all().await?;
        if found.len() > 1 {
            let reason = format!("“{slug}” has several keys called “{name}”; revoke all but one, then apply again");
            return Err(TenancyError::Invalid { field: "name", reason });
        }
        match found.into_iter().next() {
            None => create(tx, now, tenant, key, secret.as_ref()).await,
            Some(stored) => Ok((change(tx, now, &stored, key, secret.as_ref()).await?, None)),
        }
    }

    /// What is told of a declared key as it is now; none where there is none.
    pub async fn key_told(tx: &mut Transaction, declared: &DeclaredKey) -> Result<Option<Value>, StoreError> {
        let Some(tenant) = tenant::by_slug(tx, &declared.tenant).await? else { return Ok(None) };
        let found: Vec<Stored> = tx.query(OF_NAME).bind(tenant.id).bind(declared.key.name.trim()).fetch_all().await?;
        let Some(stored) = found.into_iter().next() else { return Ok(None) };
        let models: Option<Value> =
            stored.models.as_deref().map(serde_json::from_str).transpose().map_err(|error| StoreError::Column {
                column: "api_key.models".to_owned(),
                reason: error.to_string(),
            })?;
        let scopes: Vec<&str> = stored.scopes.split_whitespace().collect();
        Ok(Some(json!({ "scopes": scopes, "models": models, "expires_at": stored.expires_at, "secret": "set" })))
    }
}

async fn create(
    tx: &mut Transaction,
    now: Timestamp,
    tenant: TenantId,
    key: &NewKey,
    given: Option<&GivenSecret>,
) -> Result<(Change, Option<Secret>), TenancyError> {
    let made = given.is_none();
    let secret = match given {
        Some(GivenSecret(secret)) => secret.clone(),
        None => api_key::new_secret(KEY_PREFIX)?,
    };
    require_new(tx, &secret).await?;
    api_key::insert(tx, now, Some(tenant), &Author::command_line(), &secret, key).await?;
    let models = key.models.as_ref().map(|models| models.join(", "));
    let told = vec![
        ("scopes", Some(key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "))),
        ("models", models),
        ("expires_at", key.expires_at.map(|at| at.as_millis().to_string())),
    ];
    Ok((Change::created(told), made.then_some(secret)))
}

async fn change(
    tx: &mut Transaction,
    now: Timestamp,
    stored: &Stored,
    key: &NewKey,
    given: Option<&GivenSecret>,
) -> Result<Change, TenancyError> {
    let scopes = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
    let models = key.models.as_ref().map(|models| json!(models).to_string());
    let mut differences = Vec::new();
    note_difference(&mut differences, "scopes", &stored.scopes, &scopes);
    note_optional_difference(&mut differences, "models", stored.models.as_ref(), models.as_ref());
    let moment = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let (old, new) = (moment(stored.expires_at), moment(key.expires_at));
    note_optional_difference(&mut differences, "expires_at", old.as_ref(), new.as_ref());
    let replaced = given.filter(|GivenSecret(secret)| digest::sha256(secret.expose()) != stored.secret_hash);
    if replaced.is_some() {
        differences.push("secret: replaced".to_owned());
    }
    if differences.is_empty() {
        // Also one whose expiry has come meanwhile: the declaration is what it was.
        return Ok(Change::Unchanged);
    }
    key.validate(now)?;
    match replaced {
        Some(GivenSecret(secret)) => {
            require_new(tx, secret).await?;
            let shown: String = secret.expose().chars().take(SHOWN_CHARS).collect();
            let change = tx.query(CHANGE).bind(stored.id).bind(digest::sha256(secret.expose())).bind(shown);
            change.bind(scopes).bind(models).bind(key.expires_at).execute().await?;
        }
        None => {
            let change = tx.query(KEEP_SECRET).bind(stored.id).bind(scopes).bind(models);
            change.bind(key.expires_at).execute().await?;
        }
    }
    Ok(Change::Updated(differences))
}

/// Errors: `Invalid` for a secret that is or was another key's.
async fn require_new(tx: &mut Transaction, secret: &Secret) -> Result<(), TenancyError> {
    match tx.query(OF_SECRET).bind(digest::sha256(secret.expose())).fetch_optional::<String>().await? {
        None => Ok(()),
        Some(_) => {
            let reason = "it is another key's, or was that of one that was revoked; make a new one".to_owned();
            Err(TenancyError::Invalid { field: "secret_env", reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_not_be_guessed_is_taken() {
        let refused = |text: &str| GivenSecret::new(text.to_owned()).map(|_| ());
        assert_eq!(refused("sk-seam-Zm9vYmFyYmF6cXV4cXV1eDEyMzQ"), Ok(()));
        assert_eq!(refused("sk-Zm9vYmFyYmF6cXV4cXV1eDEyMzQ"), Err(UnfitSecret::Prefix));
        assert_eq!(refused("sk-seam-op-Zm9vYmFyYmF6cXV4cXV1eDEyMzQ"), Err(UnfitSecret::Operators));
        for weak in ["", "secret", &"a".repeat(40), "with blanks 0123456789 abcdefgh", &"0123456789abcdef".repeat(6)] {
            assert_eq!(refused(&format!("sk-seam-{weak}")), Err(UnfitSecret::Weak), "{weak}");
        }
    }
}
