//! How a run begins: what the member wrote, the empty answer, the run and its first event are stored in one
//! transaction; then the same task drives the run.
//!
//! The task is owned by the hub from before the first write. A browser that goes away while its message is
//! being stored therefore leaves either nothing or a run that somebody drives.

use crate::{
    ChatError, Chats,
    conversation::{self, Conversation},
    event_log::{self, Ending, NewRun},
    hub::LiveRun,
    message::{self, NewRow},
    problem,
    run::{self, Run},
};
use contract::{
    ConversationId, MAX_MESSAGE_CHARS, MessageId, MessageRole, MessageStatus, NodeId, RequestId, RunId, RunStarted,
    TenantId, Timestamp, UserId,
};
use gateway::conversation::ChatParameters;
use registry::PromptConfig;
use store::{StoreError, TenantStore, Transaction};
use tenancy::Scope;
use tokio::sync::oneshot;

/// What a run is to answer.
pub(crate) enum Begin {
    Send { conversation: Option<ConversationId>, text: String },
    Regenerate { answer: MessageId },
    Edit { message: MessageId, text: String },
}

/// A run that may begin: the input is valid, the config is resolved.
pub(crate) struct Start {
    pub scope: Scope,
    pub owner: UserId,
    pub run: RunId,
    pub begin: Begin,
    /// What the member chose now; it stays for the messages that follow.
    pub model: Option<String>,
    pub prompt: PromptConfig,
    pub parameters: ChatParameters,
}

/// Where the new messages go.
struct Ground {
    conversation: Conversation,
    question: Question,
}

enum Question {
    New { text: String, parent: Option<MessageId> },
    Existing(MessageId),
}

/// A message that can be stored and answered.
pub(crate) fn valid_text(text: String) -> Result<String, ChatError> {
    if text.trim().is_empty() {
        return Err(ChatError::invalid("text", "The message is empty. Write something, then send it."));
    }
    if text.contains('\0') {
        let detail = "The message holds a NUL character (U+0000), which is no text. Remove it, then send again.";
        return Err(ChatError::invalid("text", detail));
    }
    let chars = text.chars().count();
    if chars > MAX_MESSAGE_CHARS {
        let detail = format!(
            "The message has {chars} characters, and {MAX_MESSAGE_CHARS} is the most that can be sent at once. \
             Shorten it, or send it in parts."
        );
        return Err(ChatError::invalid("text", detail));
    }
    Ok(text)
}

/// The body of a run's task. `tell` hears whether it began; from then on readers hear the rest.
pub(crate) async fn begin_and_drive(
    chats: Chats,
    live: LiveRun,
    start: Start,
    tell: oneshot::Sender<Result<RunStarted, ChatError>>,
) {
    // Whoever asked may have gone; a run that began goes on without them.
    match begin(&chats, live, start).await {
        Ok(run) => {
            let _ = tell.send(Ok(RunStarted {
                conversation: run.new.conversation,
                message: run.question,
                answer: run.new.answer,
                run: run.new.run,
            }));
            run::drive(run).await;
        }
        Err(error) => {
            let _ = tell.send(Err(error));
        }
    }
}

/// Stores the beginning of a run. Dropped instead of driven, the run is one that nobody drives.
pub(crate) async fn begin(chats: &Chats, live: LiveRun, start: Start) -> Result<Run, ChatError> {
    let store = start.scope.store(&chats.inner.stores).await?;
    let (new, question) = store_beginning(chats, &store, &start, live.node()).await?;
    live.stored(1);
    Ok(Run {
        scope: start.scope,
        new,
        question,
        prompt: start.prompt,
        parameters: start.parameters,
        store,
        gateway: chats.inner.gateway.clone(),
        clock: chats.inner.clock.clone(),
        live,
    })
}

async fn store_beginning(
    chats: &Chats,
    store: &TenantStore,
    start: &Start,
    node: NodeId,
) -> Result<(NewRun, MessageId), ChatError> {
    let (tenant, now) = (store.tenant(), chats.inner.clock.now());
    let mut tx = store.begin().await?;
    let Ground { conversation, question } = ground(chats, &mut tx, tenant, start, now).await?;
    let question = match question {
        Question::Existing(id) => id,
        Question::New { text, parent } => {
            let id = MessageId::new();
            let row = NewRow {
                id,
                conversation: conversation.id,
                parent,
                role: MessageRole::User,
                status: MessageStatus::Complete,
                content: text,
                run: None,
            };
            message::insert(&mut tx, tenant, row, now).await?;
            id
        }
    };
    let new = NewRun {
        run: start.run,
        conversation: conversation.id,
        answer: MessageId::new(),
        request: RequestId::new(),
        owner: start.owner,
        model: start.model.clone().or(conversation.model).unwrap_or_else(|| start.prompt.model.clone()),
        node,
    };
    let row = NewRow {
        id: new.answer,
        conversation: conversation.id,
        parent: Some(question),
        role: MessageRole::Assistant,
        status: MessageStatus::Streaming,
        content: String::new(),
        run: Some(new.run),
    };
    message::insert(&mut tx, tenant, row, now).await?;
    event_log::begin(&mut tx, tenant, &new, now).await?;
    conversation::advance(&mut tx, tenant, conversation.id, new.answer, start.model.as_deref(), now).await?;
    tx.commit().await?;
    Ok((new, question))
}

/// Finds, or makes, the conversation and the place in it, and sees to it that no other run is under way.
async fn ground(
    chats: &Chats,
    tx: &mut Transaction,
    tenant: TenantId,
    start: &Start,
    now: Timestamp,
) -> Result<Ground, ChatError> {
    let ground = match &start.begin {
        Begin::Send { conversation: None, text } => {
            let conversation = Conversation {
                id: ConversationId::new(),
                title: conversation::title_of(text),
                model: start.model.clone(),
                head: None,
            };
            conversation::insert(tx, tenant, start.owner, &conversation, now).await?;
            return Ok(Ground { conversation, question: Question::New { text: text.clone(), parent: None } });
        }
        Begin::Send { conversation: Some(id), text } => {
            let conversation = conversation::find_within(tx, tenant, *id, start.owner).await?;
            let question = Question::New { text: text.clone(), parent: conversation.head };
            Ground { conversation, question }
        }
        Begin::Regenerate { answer } => {
            let place = message::place(tx, tenant, *answer, start.owner).await?;
            let (MessageRole::Assistant, Some(question)) = (place.role, place.parent) else {
                return Err(ChatError::invalid("message", "Only an answer can be given again."));
            };
            let conversation = conversation::find_within(tx, tenant, place.conversation, start.owner).await?;
            Ground { conversation, question: Question::Existing(question) }
        }
        Begin::Edit { message, text } => {
            let place = message::place(tx, tenant, *message, start.owner).await?;
            let MessageRole::User = place.role else {
                return Err(ChatError::invalid("message", "Only your own messages can be edited."));
            };
            let conversation = conversation::find_within(tx, tenant, place.conversation, start.owner).await?;
            Ground { conversation, question: Question::New { text: text.clone(), parent: place.parent } }
        }
    };
    if let Some(other) = event_log::running_in_conversation(tx, tenant, ground.conversation.id).await? {
        if chats.inner.hub.is_live(tenant, other.run) || chats.driven_elsewhere(other.node).await?.is_some() {
            return Err(ChatError::Busy);
        }
        abandon(tx, tenant, other.run, now).await?;
    }
    Ok(ground)
}

/// Ends a run that nobody drives any more; false when it has ended already. Whoever calls has seen that it does not
/// live in the hub, and that its node is this one or no more.
pub(crate) async fn abandon(
    tx: &mut Transaction,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ending = Ending::Failed { problem: problem::interrupted().trace_id(run.to_string()), details: None };
    let ended = event_log::end_within(tx, tenant, run, &ending, now).await?.is_some();
    if ended {
        tracing::warn!(%run, "a run was left without its task and is ended now");
        run::counted(&ending);
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match valid_text(text.to_owned()) {
            Err(ChatError::InvalidInput { field: "text", detail }) => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_text_of_bounded_length() {
        assert!(refused(" \n\t").contains("empty"));
        assert!(refused("a\0b").contains("NUL"));
        assert!(refused(&"x".repeat(MAX_MESSAGE_CHARS + 1)).contains("100000"));
        assert!(valid_text("é".repeat(MAX_MESSAGE_CHARS)).is_ok());
    }
}
