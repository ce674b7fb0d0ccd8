//! Runs and their events in the database.
//!
//! The end of a run is one transaction: terminal event, the answer's text and state, the run's state.
//! Nothing is ever written to a run that has ended, whoever tries: every statement asks for `running`.

use crate::ChatError;
use contract::{
    AnswerDetails, ConversationId, FinishReason, MessageId, MessageStatus, NodeId, Problem, RequestId, RunEvent,
    RunEventRecord, RunId, TenantId, Timestamp, UserId,
};
use store::{FromRow, Row, StoreError, TenantStore, Transaction};

/// How many events a reader fetches at once.
pub(crate) const PAGE: i64 = 256;

const RUN_INSERT: &str = "
INSERT INTO run (tenant_id, id, conversation_id, message_id, request_id, account_id, status, started_at, node_id)
VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8)";

const FIRST_EVENT_INSERT: &str = "
INSERT INTO run_event (tenant_id, run_id, seq, event, created_at)
VALUES ($1, $2, 1, $3, $4)";

const EVENT_APPEND: &str = "
INSERT INTO run_event (tenant_id, run_id, seq, event, created_at)
SELECT run.tenant_id, run.id, $3, $4, $5
FROM run
WHERE run.tenant_id = $1 AND run.id = $2 AND run.status = 'running'";

const RUN_END: &str = "
UPDATE run SET status = $3, ended_at = $4
WHERE tenant_id = $1 AND id = $2 AND status = 'running'
RETURNING message_id AS value";

const REQUEST_REPLACE: &str = "
UPDATE run SET request_id = $3
WHERE tenant_id = $1 AND id = $2 AND status = 'running'";

const LAST_SEQ: &str = "
SELECT COALESCE(MAX(seq), 0) AS value FROM run_event
WHERE tenant_id = $1 AND run_id = $2";

const EVENTS_ALL: &str = "
SELECT seq, event FROM run_event
WHERE tenant_id = $1 AND run_id = $2
ORDER BY seq";

const EVENTS_AFTER: &str = "
SELECT seq, event FROM run_event
WHERE tenant_id = $1 AND run_id = $2 AND seq > $3
ORDER BY seq
LIMIT $4";

const EVENT_LAST: &str = "
SELECT seq, event FROM run_event
WHERE tenant_id = $1 AND run_id = $2
ORDER BY seq DESC
LIMIT 1";

const ANSWER_END: &str = "
UPDATE message SET content = $3, status = $4, details = $5, problem = $6
WHERE tenant_id = $1 AND id = $2";

const RUN_OF_OWNER: &str = "
SELECT status, node_id FROM run
WHERE tenant_id = $1 AND id = $2 AND account_id = $3";

const RUNNING_IN_CONVERSATION: &str = "
SELECT id, node_id FROM run
WHERE tenant_id = $1 AND conversation_id = $2 AND status = 'running'";

const RUNNING: &str = "
SELECT id, node_id FROM run
WHERE tenant_id = $1 AND status = 'running' AND node_id = $2
ORDER BY started_at";

const IS_RUNNING: &str = "
SELECT status AS value FROM run
WHERE tenant_id = $1 AND id = $2";

/// A run about to begin.
#[derive(Debug, Clone)]
pub(crate) struct NewRun {
    pub run: RunId,
    pub conversation: ConversationId,
    pub answer: MessageId,
    pub request: RequestId,
    pub owner: UserId,
    /// What was asked for.
    pub model: String,
    /// Who drives it.
    pub node: NodeId,
}

/// How a run ends; each becomes one terminal event.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    Finished { reason: FinishReason, details: AnswerDetails },
    Stopped { details: AnswerDetails },
    Failed { problem: Problem, details: Option<AnswerDetails> },
}

impl Ending {
    /// As the column `run.status` and the metric name it.
    pub(crate) const fn run_status(&self) -> &'static str {
        match self {
            Self::Finished { .. } => "finished",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
        }
    }

    const fn message_status(&self) -> MessageStatus {
        match self {
            Self::Finished { .. } => MessageStatus::Complete,
            Self::Stopped { .. } => MessageStatus::Stopped,
            Self::Failed { .. } => MessageStatus::Failed,
        }
    }

    const fn details(&self) -> Option<&AnswerDetails> {
        match self {
            Self::Finished { details, .. } | Self::Stopped { details } => Some(details),
            Self::Failed { details, .. } => details.as_ref(),
        }
    }

    const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Finished { .. } | Self::Stopped { .. } => None,
            Self::Failed { problem, .. } => Some(problem),
        }
    }

    fn event(&self) -> RunEvent {
        match self.clone() {
            Self::Finished { reason, details } => RunEvent::Finished { reason, details },
            Self::Stopped { details } => RunEvent::Stopped { details },
            Self::Failed { problem, details } => RunEvent::Failed { problem, details },
        }
    }
}

struct EventRow(RunEventRecord);

impl FromRow for EventRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(RunEventRecord { seq: row.get("seq")?, event: from_json("event", &row.get::<String>("event")?)? }))
    }
}

/// A run that is `running`, and who drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub run: RunId,
    /// None: an earlier version of Seam, which is no more.
    pub node: Option<NodeId>,
}

impl FromRow for Running {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { run: row.get("id")?, node: row.get("node_id")? })
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunState {
    pub running: bool,
    pub node: Option<NodeId>,
}

impl FromRow for RunState {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { running: row.get::<String>("status")? == "running", node: row.get("node_id")? })
    }
}

/// A stored JSON value in its type.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Column { column: column.to_owned(), reason: error.to_string() })
}

pub(crate) fn to_json<T: serde::Serialize>(column: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Column { column: column.to_owned(), reason: error.to_string() })
}

/// Inserts the run and its first event, `started`, number 1.
pub(crate) async fn begin(
    tx: &mut Transaction,
    tenant: TenantId,
    new: &NewRun,
    now: Timestamp,
) -> Result<(), ChatError> {
    let inserted = tx
        .query(RUN_INSERT)
        .bind(tenant)
        .bind(new.run)
        .bind(new.conversation)
        .bind(new.answer)
        .bind(new.request)
        .bind(new.owner)
        .bind(now)
        .bind(new.node)
        .execute()
        .await;
    match inserted {
        // The index of one running run a conversation: another node was faster.
        Err(StoreError::Constraint(_)) => return Err(ChatError::Busy),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    let started = RunEvent::Started { message: new.answer, model: new.model.clone() };
    tx.query(FIRST_EVENT_INSERT)
        .bind(tenant)
        .bind(new.run)
        .bind(to_json("event", &started)?)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Appends text as event `seq`. False: the run has ended meanwhile, nothing was written.
pub(crate) async fn append_text(
    store: &TenantStore,
    run: RunId,
    seq: i64,
    text: String,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let event = to_json("event", &RunEvent::Delta { text })?;
    let tenant = store.tenant();
    let written = store.write(EVENT_APPEND).bind(tenant).bind(run).bind(seq).bind(event).bind(now).execute().await?;
    Ok(written == 1)
}

/// Ends a run with what its events hold. None: it had ended before, and nothing was changed.
/// Returns the number of the terminal event.
pub(crate) async fn end(
    store: &TenantStore,
    run: RunId,
    ending: &Ending,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let mut tx = store.begin().await?;
    let seq = end_within(&mut tx, store.tenant(), run, ending, now).await?;
    tx.commit().await?;
    Ok(seq)
}

/// The same inside a transaction that does more.
pub(crate) async fn end_within(
    tx: &mut Transaction,
    tenant: TenantId,
    run: RunId,
    ending: &Ending,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    // The event first: it still asks for `running`, and the state it leaves is only seen at commit.
    let seq = tx.query(LAST_SEQ).bind(tenant).bind(run).fetch_one::<i64>().await? + 1;
    let event = to_json("event", &ending.event())?;
    if tx.query(EVENT_APPEND).bind(tenant).bind(run).bind(seq).bind(event).bind(now).execute().await? == 0 {
        return Ok(None);
    }
    let events = tx.query(EVENTS_ALL).bind(tenant).bind(run).fetch_all::<EventRow>().await?;
    let text = text_of(events.into_iter().map(|row| row.0.event));
    let answer: String =
        tx.query(RUN_END).bind(tenant).bind(run).bind(ending.run_status()).bind(now).fetch_one().await?;
    tx.query(ANSWER_END)
        .bind(tenant)
        .bind(answer)
        .bind(text)
        .bind(crate::message::status_name(ending.message_status()))
        .bind(ending.details().map(|details| to_json("details", details)).transpose()?)
        .bind(ending.problem().map(|problem| to_json("problem", problem)).transpose()?)
        .execute()
        .await?;
    Ok(Some(seq))
}

/// Notes under which request the ledger bills the run from now on.
pub(crate) async fn replace_request(store: &TenantStore, run: RunId, request: RequestId) -> Result<(), StoreError> {
    store.write(REQUEST_REPLACE).bind(store.tenant()).bind(run).bind(request).execute().await?;
    Ok(())
}

/// The text that events add up to.
pub(crate) fn text_of(events: impl Iterator<Item = RunEvent>) -> String {
    let mut whole = String::new();
    for event in events {
        match event {
            RunEvent::Delta { text } => whole.push_str(&text),
            RunEvent::Started { .. } => {}
            RunEvent::Finished { .. } | RunEvent::Stopped { .. } | RunEvent::Failed { .. } => {}
        }
    }
    whole
}

/// The text of a run that may still be going on, and the number of the last event in it. A terminal
/// event does not count: whoever resumes after this number is still told how it ended.
pub(crate) async fn text_so_far(store: &TenantStore, run: RunId) -> Result<(String, i64), StoreError> {
    let rows = store.read(EVENTS_ALL).bind(store.tenant()).bind(run).fetch_all::<EventRow>().await?;
    let shown = rows.into_iter().map(|row| row.0).filter(|record| !record.event.is_terminal());
    let mut last = 0;
    let text = text_of(shown.inspect(|record| last = record.seq).map(|record| record.event));
    Ok((text, last))
}

/// The next page of events after `seq`.
pub(crate) async fn events_after(store: &TenantStore, run: RunId, seq: i64) -> Result<Vec<RunEventRecord>, StoreError> {
    let rows =
        store.read(EVENTS_AFTER).bind(store.tenant()).bind(run).bind(seq).bind(PAGE).fetch_all::<EventRow>().await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

pub(crate) async fn last_event(store: &TenantStore, run: RunId) -> Result<Option<RunEventRecord>, StoreError> {
    let row = store.read(EVENT_LAST).bind(store.tenant()).bind(run).fetch_optional::<EventRow>().await?;
    Ok(row.map(|row| row.0))
}

/// How the member's run stands in the database; none when there is no such run of theirs.
pub(crate) async fn state(store: &TenantStore, run: RunId, owner: UserId) -> Result<Option<RunState>, StoreError> {
    store.read(RUN_OF_OWNER).bind(store.tenant()).bind(run).bind(owner).fetch_optional().await
}

/// Whether a run is still `running`; none when there is no such run.
pub(crate) async fn is_running(store: &TenantStore, run: RunId) -> Result<Option<bool>, StoreError> {
    let status = store.read(IS_RUNNING).bind(store.tenant()).bind(run).fetch_optional::<String>().await?;
    Ok(status.map(|status| status == "running"))
}

pub(crate) async fn running_in_conversation(
    tx: &mut Transaction,
    tenant: TenantId,
    conversation: ConversationId,
) -> Result<Option<Running>, StoreError> {
    tx.query(RUNNING_IN_CONVERSATION).bind(tenant).bind(conversation).fetch_optional().await
}

/// What a node drives in this tenant.
pub(crate) async fn running(store: &TenantStore, node: NodeId) -> Result<Vec<RunId>, StoreError> {
    let rows = store.read(RUNNING).bind(store.tenant()).bind(node).fetch_all::<Running>().await?;
    Ok(rows.into_iter().map(|row| row.run).collect())
}
