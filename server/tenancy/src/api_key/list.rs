//! Lists of API keys: a tenant's in pages, searched and sorted; the operator's own; all at once for the command line.
//!
//! What always holds: a page is found by walking one index that has all it is searched by, whichever order is asked for, so
//! that a hundred thousand keys cost no more than their index (migration 0010); only its own rows are then read.

use super::KeyRow;
use crate::{Manages, OperatorScope, Scope, Tenancy, TenancyError, audit::pattern, member::PAGE_SIZE};
use contract::{KeyCounts, KeyOrder, KeyQuery, KeyView, Page};
use store::{FromRow, Row, StoreError};

const COLUMNS_OF_TENANT: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key WHERE tenant_id = $1 ORDER BY revoked_at IS NOT NULL, created_at DESC, id";
const COLUMNS_OF_OPERATOR: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key WHERE tenant_id IS NULL ORDER BY revoked_at IS NOT NULL, created_at DESC, id";
const PAGE_OF_OPERATOR: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key WHERE tenant_id IS NULL ORDER BY revoked_at IS NOT NULL, created_at DESC, id LIMIT $1 OFFSET $2";
const ALL_OF_OPERATOR: &str = "SELECT COUNT(*) AS value FROM api_key WHERE tenant_id IS NULL";

const BY_NAME: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY LOWER(name), id LIMIT $5 OFFSET $6)
ORDER BY LOWER(name), id";
const BY_NAME_DOWN: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY LOWER(name) DESC, id DESC LIMIT $5 OFFSET $6)
ORDER BY LOWER(name) DESC, id DESC";
const BY_CREATION: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY created_at, id LIMIT $5 OFFSET $6)
ORDER BY created_at, id";
const BY_CREATION_DOWN: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6)
ORDER BY created_at DESC, id DESC";
const BY_USE: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY COALESCE(last_used_at, 0), id LIMIT $5 OFFSET $6)
ORDER BY COALESCE(last_used_at, 0), id";
const BY_USE_DOWN: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY COALESCE(last_used_at, 0) DESC, id DESC LIMIT $5 OFFSET $6)
ORDER BY COALESCE(last_used_at, 0) DESC, id DESC";
const BY_EXPIRY: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY COALESCE(expires_at, 9223372036854775807), id LIMIT $5 OFFSET $6)
ORDER BY COALESCE(expires_at, 9223372036854775807), id";
const BY_EXPIRY_DOWN: &str = "
SELECT id, name, prefix, scopes, models, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_key
WHERE id IN (
    SELECT id FROM api_key
    WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')
        AND ($4 = '' OR $4 = CASE
            WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $3 THEN 'expired' ELSE 'active' END)
    ORDER BY COALESCE(expires_at, 9223372036854775807) DESC, id DESC LIMIT $5 OFFSET $6)
ORDER BY COALESCE(expires_at, 9223372036854775807) DESC, id DESC";
/// The same states as [`KeyView::state`] tells.
const COUNTS: &str = "
SELECT
    COUNT(CASE WHEN revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) THEN 1 END) AS active,
    COUNT(CASE WHEN revoked_at IS NULL AND expires_at <= $3 THEN 1 END) AS expired,
    COUNT(revoked_at) AS revoked
FROM api_key
WHERE tenant_id = $1 AND ($2 = '' OR LOWER(name || ' ' || prefix) LIKE $2 ESCAPE '\\')";

struct CountsRow(KeyCounts);

impl FromRow for CountsRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(KeyCounts { active: row.get("active")?, expired: row.get("expired")?, revoked: row.get("revoked")? }))
    }
}

const fn statement(order: KeyOrder) -> &'static str {
    match order {
        KeyOrder::Name => BY_NAME,
        KeyOrder::NameDown => BY_NAME_DOWN,
        KeyOrder::Created => BY_CREATION,
        KeyOrder::CreatedDown => BY_CREATION_DOWN,
        KeyOrder::Used => BY_USE,
        KeyOrder::UsedDown => BY_USE_DOWN,
        KeyOrder::Expires => BY_EXPIRY,
        KeyOrder::ExpiresDown => BY_EXPIRY_DOWN,
    }
}

impl Tenancy {
    /// A page of the tenant's keys, and how many of each state the words are found in.
    pub async fn key_search(
        &self,
        scope: &Scope,
        query: &KeyQuery,
    ) -> Result<(Page<KeyView>, KeyCounts), TenancyError> {
        self.key_page(scope, query, PAGE_SIZE).await
    }

    /// The same in pages of `size`.
    pub async fn key_page(
        &self,
        scope: &impl Manages,
        query: &KeyQuery,
        size: i64,
    ) -> Result<(Page<KeyView>, KeyCounts), TenancyError> {
        scope.require_manager()?;
        let (words, number, now) = (pattern(&query.words), query.page.max(1), self.now());
        let counts = self.control.read(COUNTS).bind(scope.tenant()).bind(words.as_str()).bind(now);
        let state = query.state.map_or("", |state| state.as_str());
        let list = self.control.read(statement(query.order)).bind(scope.tenant()).bind(words.as_str()).bind(now);
        let list = list.bind(state).bind(size).bind((number - 1).saturating_mul(size));
        // Both walk all that there is when words are looked for: side by side, they take as long as one.
        let (counts, rows) = tokio::try_join!(counts.fetch_one::<CountsRow>(), list.fetch_all::<KeyRow>())?;
        let total = counts.0.of(query.state);
        Ok((Page { items: rows.into_iter().map(|row| row.0).collect(), total, number, size }, counts.0))
    }

    /// All of the tenant's keys, those that are not revoked first.
    pub async fn key_list(&self, scope: &impl Manages) -> Result<Vec<KeyView>, TenancyError> {
        scope.require_manager()?;
        let rows: Vec<KeyRow> = self.control.read(COLUMNS_OF_TENANT).bind(scope.tenant()).fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    pub async fn operator_key_list(&self, _operator: &OperatorScope) -> Result<Vec<KeyView>, TenancyError> {
        let rows: Vec<KeyRow> = self.control.read(COLUMNS_OF_OPERATOR).fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// The operator's own keys in pages of `size`, from page 1 on.
    pub async fn operator_key_page(
        &self,
        _operator: &OperatorScope,
        number: i64,
        size: i64,
    ) -> Result<Page<KeyView>, TenancyError> {
        let total = self.control.read(ALL_OF_OPERATOR).fetch_one().await?;
        let list = self.control.read(PAGE_OF_OPERATOR).bind(size);
        let rows: Vec<KeyRow> = list.bind((number.max(1) - 1).saturating_mul(size)).fetch_all().await?;
        Ok(Page { items: rows.into_iter().map(|row| row.0).collect(), total, number: number.max(1), size })
    }
}
