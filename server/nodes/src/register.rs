//! The table of nodes as others read it.

use contract::{NodeId, Timestamp};
use store::{Database, FromRow, Row, StoreError};

const NODES: &str = "SELECT id, name, version, started_at, beat, seen_at FROM node ORDER BY started_at, id";

/// A node that has joined and not left; whether it lives is seen by its beat going up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    pub id: NodeId,
    /// Such as `db-2:3000`.
    pub name: String,
    pub version: String,
    pub started_at: Timestamp,
    pub beat: i64,
    /// The last beat, by the node's own clock.
    pub seen_at: Timestamp,
}

impl FromRow for NodeView {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            version: row.get("version")?,
            started_at: row.get("started_at")?,
            beat: row.get("beat")?,
            seen_at: row.get("seen_at")?,
        })
    }
}

/// All nodes, the oldest first.
pub async fn list(control: &Database) -> Result<Vec<NodeView>, StoreError> {
    control.read(NODES).fetch_all().await
}
