//! Conversations: reading, sending, and what can be done to an answer.

use crate::api::ServerProblem;
#[cfg(feature = "ssr")]
use crate::api::context;
use contract::{
    ConversationId, ConversationSummary, ConversationView, MessageId, NewMessage, RunId, RunStarted, TenantId,
};
#[cfg(feature = "ssr")]
use contract::{MessageRole, MessageView};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

/// Messages in one page of a conversation.
#[cfg(feature = "ssr")]
const MESSAGES_PER_PAGE: i64 = 40;
#[cfg(feature = "ssr")]
const CONVERSATIONS_SHOWN: i64 = 100;
/// How long a page without JavaScript waits for its answer before it shows what there is.
#[cfg(feature = "ssr")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(45);

#[server(prefix = "/api/ui", endpoint = "conversation-list", input = Json)]
pub async fn conversation_list(search: Option<String>) -> Result<Vec<ConversationSummary>, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    let search = search.map(|words| words.trim().to_owned()).filter(|words| !words.is_empty());
    Ok(platform.chats.conversations(&scope, search.as_deref(), None, CONVERSATIONS_SHOWN).await?)
}

/// A page of a conversation as the interface gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenConversation {
    pub view: ConversationView,
    /// The words of each message as HTML, in the order of the messages. None while a page is being rendered:
    /// they are in the page already.
    pub html: Vec<String>,
}

impl OpenConversation {
    #[cfg(feature = "ssr")]
    fn of(view: ConversationView, for_page: bool) -> Self {
        let html = |message: &MessageView| match message.role {
            MessageRole::User => String::new(),
            MessageRole::Assistant => crate::markdown::to_html(&message.text),
        };
        let html = if for_page { Vec::new() } else { view.messages.iter().map(html).collect() };
        Self { view, html }
    }
}

/// A page of a conversation, its end unless `older_than` says otherwise. With `wait`, an answer in progress
/// is waited for: that is how a browser without JavaScript sees it.
#[server(prefix = "/api/ui", endpoint = "conversation-open", input = Json)]
pub async fn conversation_open(
    id: String,
    older_than: Option<String>,
    wait: bool,
) -> Result<OpenConversation, ServerProblem> {
    let (platform, scope, page) = (context::platform()?, context::scope()?, context::renders_page());
    let id: ConversationId = id.parse().map_err(|_| ServerProblem::not_found("conversation"))?;
    let older_than: Option<MessageId> = older_than.and_then(|text| text.parse().ok());
    let view = platform.chats.conversation(&scope, id, older_than, MESSAGES_PER_PAGE).await?;
    let Some(run) = crate::wording::running(&view).filter(|_| wait) else {
        return Ok(OpenConversation::of(view, page));
    };
    platform.chats.wait(&scope, run, PATIENCE).await?;
    let view = platform.chats.conversation(&scope, id, older_than, MESSAGES_PER_PAGE).await?;
    Ok(OpenConversation::of(view, page))
}

#[server(prefix = "/api/ui", endpoint = "message-send", input = Json)]
pub async fn message_send(message: NewMessage, tenant: Option<TenantId>) -> Result<RunStarted, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope_of_page(tenant)?);
    Ok(platform.chats.send(&scope, message).await?)
}

/// The same from a plain form: goes to the conversation and waits there for the answer.
#[server(prefix = "/api/ui", endpoint = "message-post")]
pub async fn message_post(
    conversation: Option<String>,
    text: String,
    model: Option<String>,
    tenant: Option<TenantId>,
) -> Result<(), ServerProblem> {
    let platform = context::platform()?;
    let kept = |problem: ServerProblem| problem.keep("text", &text);
    let scope = context::scope_of_page(tenant).map_err(kept)?;
    let conversation = conversation.filter(|id| !id.is_empty()).map(|id| id.parse()).transpose();
    let conversation = conversation.map_err(|_| ServerProblem::not_found("conversation"))?;
    let message = NewMessage { conversation, text: text.clone(), model: model.filter(|name| !name.is_empty()) };
    let started = platform.chats.send(&scope, message).await.map_err(|error| kept(error.into()))?;
    context::go(&format!("/chat/{}?wait=1", started.conversation));
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "answer-regenerate", input = Json)]
pub async fn answer_regenerate(answer: MessageId, model: Option<String>) -> Result<RunStarted, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    Ok(platform.chats.regenerate(&scope, answer, model).await?)
}

#[server(prefix = "/api/ui", endpoint = "message-edit", input = Json)]
pub async fn message_edit(message: MessageId, text: String) -> Result<RunStarted, ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    Ok(platform.chats.edit(&scope, message, text).await?)
}

#[server(prefix = "/api/ui", endpoint = "branch-show", input = Json)]
pub async fn branch_show(message: MessageId, sibling: i64) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    platform.chats.show_branch(&scope, message, sibling).await?;
    Ok(())
}

#[server(prefix = "/api/ui", endpoint = "run-stop", input = Json)]
pub async fn run_stop(run: RunId) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    platform.chats.stop(&scope, run).await?;
    Ok(())
}

/// From a plain form: back to the conversation under its new title.
#[server(prefix = "/api/ui", endpoint = "conversation-rename")]
pub async fn conversation_rename(id: ConversationId, title: String) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    platform.chats.rename(&scope, id, &title).await?;
    context::go(&format!("/chat/{id}"));
    Ok(())
}

/// From a plain form: on to a new chat.
#[server(prefix = "/api/ui", endpoint = "conversation-delete")]
pub async fn conversation_delete(id: ConversationId) -> Result<(), ServerProblem> {
    let (platform, scope) = (context::platform()?, context::scope()?);
    platform.chats.delete(&scope, id).await?;
    context::go("/chat");
    Ok(())
}
