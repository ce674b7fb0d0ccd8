//! Conversations of a member, newest first. Somebody else's conversation does not exist.

use crate::ChatError;
use contract::{ConversationId, ConversationSummary, MessageId, TenantId, Timestamp, UserId};
use store::{FromRow, Row, StoreError, TenantStore, Transaction};

/// Long enough to recognise a conversation by, short enough for a narrow list.
const TITLE_CHARS: usize = 60;

const INSERT: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, model, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)";

const OF_OWNER: &str = "
SELECT id, title, model, head_id FROM conversation
WHERE tenant_id = $1 AND id = $2 AND account_id = $3";

// The chosen model stays for the messages that follow; none keeps what was chosen before.
const ADVANCE: &str = "
UPDATE conversation SET head_id = $3, model = COALESCE($4, model), updated_at = $5
WHERE tenant_id = $1 AND id = $2";

const SHOW: &str = "
UPDATE conversation SET head_id = $3
WHERE tenant_id = $1 AND id = $2";

const RENAME: &str = "
UPDATE conversation SET title = $4
WHERE tenant_id = $1 AND id = $2 AND account_id = $3";

const NEWEST: &str = "
SELECT id, title, updated_at FROM conversation
WHERE tenant_id = $1 AND account_id = $2 AND updated_at < $3
ORDER BY updated_at DESC, id DESC
LIMIT $4";

const MATCHING: &str = "
SELECT id, title, updated_at FROM conversation
WHERE tenant_id = $1 AND account_id = $2 AND updated_at < $3
    AND (
        LOWER(title) LIKE $5 ESCAPE '\\'
        OR EXISTS (
            SELECT 1 FROM message
            WHERE message.tenant_id = $1 AND message.conversation_id = conversation.id
                AND LOWER(message.content) LIKE $5 ESCAPE '\\'
        )
    )
ORDER BY updated_at DESC, id DESC
LIMIT $4";

const DELETE_EVENTS: &str = "
DELETE FROM run_event
WHERE tenant_id = $1 AND run_id IN (
    SELECT message.run_id FROM message
    WHERE message.tenant_id = $1 AND message.conversation_id = $2 AND message.run_id IS NOT NULL
)";

const DELETE_RUNS: &str = "
DELETE FROM run
WHERE tenant_id = $1 AND id IN (
    SELECT message.run_id FROM message
    WHERE message.tenant_id = $1 AND message.conversation_id = $2 AND message.run_id IS NOT NULL
)";

const DELETE_MESSAGES: &str = "DELETE FROM message WHERE tenant_id = $1 AND conversation_id = $2";

const DELETE: &str = "DELETE FROM conversation WHERE tenant_id = $1 AND id = $2";

/// A conversation without its messages.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub id: ConversationId,
    pub title: String,
    pub model: Option<String>,
    /// The last message of the branch that is shown.
    pub head: Option<MessageId>,
}

impl FromRow for Conversation {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, title: row.get("title")?, model: row.get("model")?, head: row.get("head_id")? })
    }
}

struct Summary(ConversationSummary);

impl FromRow for Summary {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(ConversationSummary {
            id: row.get("id")?,
            title: row.get("title")?,
            updated_at: row.get("updated_at")?,
        }))
    }
}

/// The first words of the first message.
pub(crate) fn title_of(text: &str) -> String {
    let mut title = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let chars = word.chars().count();
        if length + chars > TITLE_CHARS {
            if title.is_empty() {
                title.extend(word.chars().take(TITLE_CHARS));
            }
            title.push('…');
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
        length += chars + 1;
    }
    title
}

pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: TenantId,
    owner: UserId,
    new: &Conversation,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.query(INSERT)
        .bind(tenant)
        .bind(new.id)
        .bind(owner)
        .bind(new.title.as_str())
        .bind(new.model.as_deref())
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// The member's conversation.
pub(crate) async fn find(store: &TenantStore, id: ConversationId, owner: UserId) -> Result<Conversation, ChatError> {
    let found = store.read(OF_OWNER).bind(store.tenant()).bind(id).bind(owner).fetch_optional().await?;
    found.ok_or(ChatError::NotFound { what: "conversation" })
}

/// The same inside a transaction.
pub(crate) async fn find_within(
    tx: &mut Transaction,
    tenant: TenantId,
    id: ConversationId,
    owner: UserId,
) -> Result<Conversation, ChatError> {
    let found = tx.query(OF_OWNER).bind(tenant).bind(id).bind(owner).fetch_optional().await?;
    found.ok_or(ChatError::NotFound { what: "conversation" })
}

/// Makes `head` the end of the shown branch, because something was written there now.
pub(crate) async fn advance(
    tx: &mut Transaction,
    tenant: TenantId,
    id: ConversationId,
    head: MessageId,
    chosen_model: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.query(ADVANCE).bind(tenant).bind(id).bind(head).bind(chosen_model).bind(now).execute().await?;
    Ok(())
}

/// Makes `head` the end of the shown branch, without moving the conversation up in the list.
pub(crate) async fn show(
    tx: &mut Transaction,
    tenant: TenantId,
    id: ConversationId,
    head: MessageId,
) -> Result<(), StoreError> {
    tx.query(SHOW).bind(tenant).bind(id).bind(head).execute().await?;
    Ok(())
}

pub(crate) async fn rename(
    store: &TenantStore,
    id: ConversationId,
    owner: UserId,
    title: &str,
) -> Result<(), ChatError> {
    match store.write(RENAME).bind(store.tenant()).bind(id).bind(owner).bind(title).execute().await? {
        0 => Err(ChatError::NotFound { what: "conversation" }),
        _ => Ok(()),
    }
}

/// Removes the conversation with everything in it.
pub(crate) async fn delete(tx: &mut Transaction, tenant: TenantId, id: ConversationId) -> Result<(), StoreError> {
    for statement in [DELETE_EVENTS, DELETE_RUNS, DELETE_MESSAGES, DELETE] {
        tx.query(statement).bind(tenant).bind(id).execute().await?;
    }
    Ok(())
}

/// A member's conversations before a moment, newest first; with `search`, those whose title or messages hold it.
pub(crate) async fn list(
    store: &TenantStore,
    owner: UserId,
    search: Option<&str>,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<ConversationSummary>, StoreError> {
    let sql = if search.is_some() { MATCHING } else { NEWEST };
    let mut statement = store.read(sql).bind(store.tenant()).bind(owner).bind(before).bind(limit);
    if let Some(words) = search {
        statement = statement.bind(store::containing(words));
    }
    Ok(statement.fetch_all::<Summary>().await?.into_iter().map(|row| row.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_words() {
        assert_eq!(title_of("  What is\n a  tokamak? "), "What is a tokamak?");
        let long = title_of(&"word ".repeat(100));
        assert!(long.ends_with("word…") && long.chars().count() <= TITLE_CHARS + 1, "{long}");
        let single = title_of(&"é".repeat(1000));
        assert_eq!(single.chars().count(), TITLE_CHARS + 1);
    }
}
