//! Responses that are kept, so that a program's next request can follow on one without sending it all again.
//!
//! What always holds: a response is its tenant's, and of no other tenant's chain; a chain is read whole or not at all.
//! Nothing of it is kept at a provider, where all tenants look alike.

use contract::Timestamp;
use serde_json::Value;
use store::{FromRow, Row, StoreError, TenantStore, TenantStores};
use tenancy::{Scope, SharedClock};

/// As long as OpenAI keeps them.
const KEPT_FOR_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// The longest chain that is read, in responses and in bytes: as much as a request may say at once.
const LONGEST_CHAIN: usize = 500;
const MOST_CHAIN_BYTES: i64 = 32 << 20;

const KEEP: &str = "
INSERT INTO response (tenant_id, id, previous_id, input, response, created_at)
VALUES ($1, $2, $3, $4, $5, $6)";
const PRUNE: &str = "DELETE FROM response WHERE tenant_id = $1 AND created_at < $2";
const FIND: &str = "
SELECT id, previous_id, input, response FROM response WHERE tenant_id = $1 AND id = $2 AND created_at >= $3";
const FORGET: &str = "DELETE FROM response WHERE tenant_id = $1 AND id = $2";
const CHAIN: &str = "
WITH RECURSIVE chain (id, previous_id, height, bytes) AS (
    SELECT
        response.id, response.previous_id, 1,
        CAST(OCTET_LENGTH(response.input) + OCTET_LENGTH(response.response) AS BIGINT)
    FROM response WHERE response.tenant_id = $1 AND response.id = $2 AND response.created_at >= $3
    UNION ALL
    SELECT
        response.id, response.previous_id, chain.height + 1,
        CAST(chain.bytes + OCTET_LENGTH(response.input) + OCTET_LENGTH(response.response) AS BIGINT)
    FROM chain
    JOIN response ON response.tenant_id = $1 AND response.id = chain.previous_id
    WHERE chain.height < $4 AND chain.bytes <= $5
)
SELECT response.id, response.previous_id, response.input, response.response, chain.bytes
FROM chain JOIN response ON response.tenant_id = $1 AND response.id = chain.id
ORDER BY chain.height DESC";

/// A response with what was sent for it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptResponse {
    pub id: String,
    /// The one that it follows on.
    pub previous: Option<String>,
    /// The items of its own request.
    pub input: Vec<Value>,
    /// As it was told, whole.
    pub response: Value,
}

impl FromRow for KeptResponse {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let unreadable = |column: &str, error: serde_json::Error| StoreError::Column {
            column: format!("response.{column}"),
            reason: error.to_string(),
        };
        let (input, response): (String, String) = (row.get("input")?, row.get("response")?);
        Ok(Self {
            id: row.get("id")?,
            previous: row.get("previous_id")?,
            input: serde_json::from_str(&input).map_err(|error| unreadable("input", error))?,
            response: serde_json::from_str(&response).map_err(|error| unreadable("response", error))?,
        })
    }
}

/// What was said before a response that follows on another.
#[derive(Debug, Clone, PartialEq)]
pub enum SaidBefore {
    /// As items, the oldest first; and how many bytes they are.
    Whole { said: Vec<Value>, bytes: usize },
    /// The response, or one before it, is not there any more.
    Missing,
    /// More than a request may say.
    TooLong,
}

/// A response in a chain, with the bytes of all from it to the newest.
struct Link {
    kept: KeptResponse,
    bytes: i64,
}

impl FromRow for Link {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { kept: KeptResponse::from_row(row)?, bytes: row.get("bytes")? })
    }
}

/// An item of an answer as it is sent along later: no provider has kept it, so none knows its id, and a model's notes say
/// nothing without their sealed content.
fn said_before(mut item: Value) -> Option<Value> {
    if let Some(fields) = item.as_object_mut() {
        fields.remove("id");
        let notes = fields.get("type").is_some_and(|kind| kind == "reasoning");
        if notes && fields.get("encrypted_content").is_none_or(Value::is_null) {
            return None;
        }
    }
    Some(item)
}

/// The responses of all tenants, each tenant's by its scope. Cheap to clone.
#[derive(Clone)]
pub struct Responses {
    stores: TenantStores,
    clock: SharedClock,
}

impl Responses {
    pub fn new(stores: TenantStores, clock: SharedClock) -> Self {
        Self { stores, clock }
    }

    /// Keeps a response; durable when this returns. Those that are too old go.
    pub async fn keep(&self, scope: &Scope, kept: &KeptResponse) -> Result<(), StoreError> {
        let store = scope.store(&self.stores).await?;
        let (input, response) = (Value::from(kept.input.clone()).to_string(), kept.response.to_string());
        let mut tx = store.begin().await?;
        tx.query(PRUNE).bind(store.tenant()).bind(self.oldest()).execute().await?;
        let insert = tx.query(KEEP).bind(store.tenant()).bind(kept.id.as_str()).bind(kept.previous.as_deref());
        insert.bind(input).bind(response).bind(self.clock.now()).execute().await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn find(&self, scope: &Scope, id: &str) -> Result<Option<KeptResponse>, StoreError> {
        let store = scope.store(&self.stores).await?;
        store.read(FIND).bind(store.tenant()).bind(id).bind(self.oldest()).fetch_optional().await
    }

    /// All that was said up to a response and by it.
    pub async fn said_until(&self, scope: &Scope, id: &str) -> Result<SaidBefore, StoreError> {
        let store = scope.store(&self.stores).await?;
        let chain = self.chain(&store, id).await?;
        let Some(oldest) = chain.first() else { return Ok(SaidBefore::Missing) };
        let goes_on = oldest.kept.previous.is_some();
        if oldest.bytes > MOST_CHAIN_BYTES || goes_on && chain.len() >= LONGEST_CHAIN {
            return Ok(SaidBefore::TooLong);
        }
        if goes_on {
            return Ok(SaidBefore::Missing);
        }
        let bytes = usize::try_from(oldest.bytes).unwrap_or(usize::MAX);
        let said = chain.into_iter().flat_map(|Link { kept, .. }| {
            let output = kept.response.get("output").and_then(Value::as_array).cloned().unwrap_or_default();
            kept.input.into_iter().chain(output.into_iter().filter_map(said_before))
        });
        Ok(SaidBefore::Whole { said: said.collect(), bytes })
    }

    /// Whether there was one.
    pub async fn forget(&self, scope: &Scope, id: &str) -> Result<bool, StoreError> {
        let store = scope.store(&self.stores).await?;
        let mut tx = store.begin().await?;
        let gone = tx.query(FORGET).bind(store.tenant()).bind(id).execute().await? == 1;
        tx.commit().await?;
        Ok(gone)
    }

    async fn chain(&self, store: &TenantStore, id: &str) -> Result<Vec<Link>, StoreError> {
        let longest = i64::try_from(LONGEST_CHAIN).unwrap_or(i64::MAX);
        let chain = store.read(CHAIN).bind(store.tenant()).bind(id).bind(self.oldest()).bind(longest);
        chain.bind(MOST_CHAIN_BYTES).fetch_all().await
    }

    fn oldest(&self) -> Timestamp {
        self.clock.now().plus_millis(-KEPT_FOR_MS)
    }
}
