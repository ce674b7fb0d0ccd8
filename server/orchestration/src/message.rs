//! Messages: a tree in which answers to the same message are siblings, and so are two wordings of one
//! question. A conversation shows one branch of it, from its head up.
//!
//! Reading walks up from a given message and stops at a limit, so that opening a conversation costs the
//! same whether it holds ten messages or ten thousand.

use crate::{ChatError, event_log};
use contract::{
    AnswerDetails, ConversationId, MessageId, MessageRole, MessageStatus, MessageView, Problem, RunId, TenantId,
    Timestamp, UserId,
};
use store::{FromRow, Row, StoreError, TenantStore, Transaction};

const INSERT: &str = "
INSERT INTO message (tenant_id, id, conversation_id, parent_id, role, status, content, run_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const OF_OWNER: &str = "
SELECT message.conversation_id, message.parent_id, message.role
FROM message
JOIN conversation ON conversation.tenant_id = message.tenant_id AND conversation.id = message.conversation_id
WHERE message.tenant_id = $1 AND message.id = $2 AND conversation.account_id = $3";

// Siblings of the first message have no parent: a case of its own, because no engine looks up
// “equal, or both absent” in an index.
const BRANCH: &str = "
WITH RECURSIVE branch (id, parent_id, height) AS (
    SELECT message.id, message.parent_id, 1
    FROM message
    WHERE message.tenant_id = $1 AND message.conversation_id = $2 AND message.id = $3
    UNION ALL
    SELECT parent.id, parent.parent_id, branch.height + 1
    FROM branch
    JOIN message AS parent ON parent.tenant_id = $1 AND parent.id = branch.parent_id
    WHERE branch.height < $4
),
family (id, parent_id) AS (
    SELECT message.id, message.parent_id
    FROM branch
    JOIN message
        ON message.tenant_id = $1 AND message.conversation_id = $2 AND message.parent_id = branch.parent_id
    UNION ALL
    SELECT message.id, message.parent_id
    FROM branch
    JOIN message ON message.tenant_id = $1 AND message.conversation_id = $2 AND message.parent_id IS NULL
    WHERE branch.parent_id IS NULL
),
numbered (id, sibling, siblings) AS (
    SELECT
        family.id,
        ROW_NUMBER() OVER (PARTITION BY family.parent_id ORDER BY family.id),
        COUNT(*) OVER (PARTITION BY family.parent_id)
    FROM family
)
SELECT
    message.id, message.parent_id, message.role, message.status, message.content, message.run_id,
    message.details, message.problem, message.created_at, numbered.sibling, numbered.siblings,
    (
        SELECT COALESCE(MAX(run_event.seq), 0) FROM run_event
        WHERE run_event.tenant_id = $1 AND run_event.run_id = message.run_id
    ) AS last_seq
FROM branch
JOIN message ON message.tenant_id = $1 AND message.id = branch.id
JOIN numbered ON numbered.id = branch.id
ORDER BY branch.height DESC";

// The walk down ends with a row without an id below the last message.
const LEAF_OF_SIBLING: &str = "
WITH RECURSIVE chosen (id) AS (
    SELECT sibling.id FROM message
    JOIN message AS sibling
        ON sibling.tenant_id = message.tenant_id AND sibling.conversation_id = message.conversation_id
        AND (sibling.parent_id = message.parent_id OR (sibling.parent_id IS NULL AND message.parent_id IS NULL))
    WHERE message.tenant_id = $1 AND message.id = $2
    ORDER BY sibling.id
    LIMIT 1 OFFSET $3
),
down (id, depth) AS (
    SELECT chosen.id, 0 FROM chosen
    UNION ALL
    SELECT
        (
            SELECT MAX(child.id) FROM message AS child
            WHERE child.tenant_id = $1 AND child.conversation_id = $4 AND child.parent_id = down.id
        ),
        down.depth + 1
    FROM down
    WHERE down.id IS NOT NULL
)
SELECT down.id FROM down
WHERE down.id IS NOT NULL
ORDER BY down.depth DESC
LIMIT 1";

/// A message about to be stored.
#[derive(Debug)]
pub(crate) struct NewRow {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub parent: Option<MessageId>,
    pub role: MessageRole,
    pub status: MessageStatus,
    pub content: String,
    pub run: Option<RunId>,
}

/// Where a message stands.
#[derive(Debug)]
pub(crate) struct Place {
    pub conversation: ConversationId,
    pub parent: Option<MessageId>,
    pub role: MessageRole,
}

impl FromRow for Place {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            conversation: row.get("conversation_id")?,
            parent: row.get("parent_id")?,
            role: role_from(&row.get::<String>("role")?)?,
        })
    }
}

struct BranchRow {
    parent: Option<MessageId>,
    view: MessageView,
}

impl FromRow for BranchRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let details: Option<String> = row.get("details")?;
        let problem: Option<String> = row.get("problem")?;
        Ok(Self {
            parent: row.get("parent_id")?,
            view: MessageView {
                id: row.get("id")?,
                role: role_from(&row.get::<String>("role")?)?,
                status: status_from(&row.get::<String>("status")?)?,
                text: row.get("content")?,
                created_at: row.get("created_at")?,
                run: row.get("run_id")?,
                last_seq: row.get("last_seq")?,
                details: details.map(|json| event_log::from_json::<AnswerDetails>("details", &json)).transpose()?,
                problem: problem.map(|json| event_log::from_json::<Problem>("problem", &json)).transpose()?,
                sibling: row.get("sibling")?,
                siblings: row.get("siblings")?,
            },
        })
    }
}

struct IdRow(MessageId);

impl FromRow for IdRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

pub(crate) const fn role_name(role: MessageRole) -> &'static str {
    match role {
        MessageRole::User => "user",
        MessageRole::Assistant => "assistant",
    }
}

pub(crate) fn role_from(name: &str) -> Result<MessageRole, StoreError> {
    match name {
        "user" => Ok(MessageRole::User),
        "assistant" => Ok(MessageRole::Assistant),
        other => Err(unknown("role", other)),
    }
}

pub(crate) const fn status_name(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Streaming => "streaming",
        MessageStatus::Complete => "complete",
        MessageStatus::Stopped => "stopped",
        MessageStatus::Failed => "failed",
    }
}

fn status_from(name: &str) -> Result<MessageStatus, StoreError> {
    match name {
        "streaming" => Ok(MessageStatus::Streaming),
        "complete" => Ok(MessageStatus::Complete),
        "stopped" => Ok(MessageStatus::Stopped),
        "failed" => Ok(MessageStatus::Failed),
        other => Err(unknown("status", other)),
    }
}

fn unknown(column: &str, value: &str) -> StoreError {
    StoreError::Column { column: column.to_owned(), reason: format!("“{value}” is not one of its values") }
}

pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: TenantId,
    new: NewRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.query(INSERT)
        .bind(tenant)
        .bind(new.id)
        .bind(new.conversation)
        .bind(new.parent)
        .bind(role_name(new.role))
        .bind(status_name(new.status))
        .bind(new.content)
        .bind(new.run)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Where the member's message stands; somebody else's is not found.
pub(crate) async fn place(
    tx: &mut Transaction,
    tenant: TenantId,
    id: MessageId,
    owner: UserId,
) -> Result<Place, ChatError> {
    let place = tx.query(OF_OWNER).bind(tenant).bind(id).bind(owner).fetch_optional::<Place>().await?;
    place.ok_or(ChatError::NotFound { what: "message" })
}

/// The same outside a transaction.
pub(crate) async fn place_read(store: &TenantStore, id: MessageId, owner: UserId) -> Result<Place, ChatError> {
    let place = store.read(OF_OWNER).bind(store.tenant()).bind(id).bind(owner).fetch_optional::<Place>().await?;
    place.ok_or(ChatError::NotFound { what: "message" })
}

/// Among the messages with the same parent as `id` takes the one with the given ordinal, from 1, and goes on to the last
/// message of its branch, at each fork the newest.
pub(crate) async fn leaf_of_sibling(
    tx: &mut Transaction,
    tenant: TenantId,
    conversation: ConversationId,
    id: MessageId,
    ordinal: i64,
) -> Result<MessageId, ChatError> {
    let nobody = ChatError::NotFound { what: "message" };
    if ordinal < 1 {
        return Err(nobody);
    }
    let leaf = tx.query(LEAF_OF_SIBLING).bind(tenant).bind(id).bind(ordinal - 1).bind(conversation);
    leaf.fetch_optional::<IdRow>().await?.map(|row| row.0).ok_or(nobody)
}

/// A page of a branch.
pub(crate) struct Page {
    /// Oldest first, `last` at the end.
    pub messages: Vec<MessageView>,
    /// The page's first message, when there are messages before it.
    pub older_than: Option<MessageId>,
}

/// The messages from `last` up, at most `limit`. The text of an answer in progress is what is stored of it so far.
pub(crate) async fn branch(
    store: &TenantStore,
    conversation: ConversationId,
    last: MessageId,
    limit: i64,
) -> Result<Page, StoreError> {
    let rows = store
        .read(BRANCH)
        .bind(store.tenant())
        .bind(conversation)
        .bind(last)
        .bind(limit)
        .fetch_all::<BranchRow>()
        .await?;
    let older_than = rows.first().and_then(|first| first.parent.map(|_| first.view.id));
    let mut messages = Vec::with_capacity(rows.len());
    for BranchRow { mut view, .. } in rows {
        if let (MessageStatus::Streaming, Some(run)) = (view.status, view.run) {
            (view.text, view.last_seq) = event_log::text_so_far(store, run).await?;
        }
        messages.push(view);
    }
    Ok(Page { messages, older_than })
}
