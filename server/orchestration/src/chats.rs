//! The chat service: all that layers above may ask for.
//!
//! Every call takes the `Scope` of whoever asks. A member sees their own conversations; everybody else's
//! are not found. Starting a run needs the role of a member.

use crate::{
    ChatError, conversation,
    event_log::{self, RunState},
    hub::{EndCause, Hub, LiveRun},
    message,
    places::Places,
    search::Searches,
    start::{self, Begin, Start},
    subscription::{self, Source},
};
use contract::{
    ConversationId, ConversationSummary, ConversationView, MAX_TITLE_CHARS, MessageId, NewMessage, Role,
    RunEventRecord, RunId, RunStarted, TenantId, Timestamp, UserId,
};
use futures::stream::{BoxStream, StreamExt};
use gateway::{Gateway, conversation::ChatParameters};
use nodes::Nodes;
use registry::{PromptConfig, Registry};
use std::{sync::Arc, time::Duration};
use store::{TenantStore, TenantStores, share};
use tenancy::{Scope, SharedClock};
use tokio::sync::oneshot;

/// The prompt that chats resolve from the registry, with the model and parameters beside it.
pub const PROMPT_NAME: &str = "chat";
/// The label that says which of its versions is in force.
pub const PROMPT_LABEL: &str = "production";

/// A page of messages or conversations is never longer.
const MAX_PAGE: i64 = 500;
/// Searches longer than this find nothing that a shorter one would not.
const MAX_SEARCH_CHARS: usize = 200;
/// After the limit of a shutdown, for the gateway to settle and the end to be stored.
const END_GRACE: Duration = Duration::from_secs(10);

/// Conversations and the runs that answer in them. Cheap to clone; clones share the live runs.
#[derive(Clone)]
pub struct Chats {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub stores: TenantStores,
    pub gateway: Gateway,
    pub registry: Registry,
    pub clock: SharedClock,
    pub nodes: Nodes,
    pub hub: Hub,
    pub places: Places,
    pub searches: Searches,
}

impl Chats {
    pub fn new(stores: TenantStores, gateway: Gateway, registry: Registry, clock: SharedClock, nodes: Nodes) -> Self {
        Self {
            inner: Arc::new(Inner {
                stores,
                gateway,
                registry,
                clock,
                hub: Hub::new(nodes.hints().clone()),
                places: Places::new(nodes.clone()),
                nodes,
                searches: Searches::default(),
            }),
        }
    }

    /// Stores a message with its answer to be, and starts the run that writes it.
    ///
    /// # Errors
    /// `InvalidInput` naming the field and its limit, `Busy` while another run goes on in the conversation,
    /// `NotFound` for somebody else's, `ShuttingDown`.
    pub async fn send(&self, scope: &Scope, message: NewMessage) -> Result<RunStarted, ChatError> {
        let NewMessage { conversation, text, model } = message;
        let text = start::valid_text(text)?;
        self.start(scope, Begin::Send { conversation, text }, model).await
    }

    /// Answers the same message again; the new answer is a sibling of the old one and is shown.
    pub async fn regenerate(
        &self,
        scope: &Scope,
        answer: MessageId,
        model: Option<String>,
    ) -> Result<RunStarted, ChatError> {
        self.start(scope, Begin::Regenerate { answer }, model).await
    }

    /// Asks in other words: a sibling of the member's message, with an answer of its own.
    pub async fn edit(&self, scope: &Scope, message: MessageId, text: String) -> Result<RunStarted, ChatError> {
        let text = start::valid_text(text)?;
        self.start(scope, Begin::Edit { message, text }, None).await
    }

    /// Shows the branch of the `sibling`-th (from 1) among a message's siblings, down to its newest message.
    pub async fn show_branch(
        &self,
        scope: &Scope,
        message: MessageId,
        sibling: i64,
    ) -> Result<ConversationId, ChatError> {
        let (store, owner) = self.open(scope).await?;
        let tenant = store.tenant();
        let mut tx = store.begin().await?;
        let place = message::place(&mut tx, tenant, message, owner).await?;
        let leaf = message::leaf_of_sibling(&mut tx, tenant, place.conversation, message, sibling).await?;
        conversation::show(&mut tx, tenant, place.conversation, leaf).await?;
        tx.commit().await?;
        Ok(place.conversation)
    }

    /// Asks a run to end; what was said so far is kept. Asking again, or after its end, changes nothing.
    pub async fn stop(&self, scope: &Scope, run: RunId) -> Result<(), ChatError> {
        let (store, owner) = self.open(scope).await?;
        let state = self.state(&store, run, owner).await?;
        if state.running && !self.inner.hub.stop(store.tenant(), run, EndCause::Member) {
            match self.driven_elsewhere(state.node).await? {
                Some(node) => self.request_stop(node, store.tenant(), run).await?,
                None => drop(self.abandon(&store, run).await?),
            }
        }
        Ok(())
    }

    /// A member's conversations before a moment, the last used first; with `search`, those that hold the words.
    pub async fn conversations(
        &self,
        scope: &Scope,
        search: Option<&str>,
        before: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<ConversationSummary>, ChatError> {
        let words = search.map(str::trim).filter(|words| !words.is_empty());
        if words.is_some_and(|words| words.chars().count() > MAX_SEARCH_CHARS) {
            let detail = format!("The search is longer than {MAX_SEARCH_CHARS} characters. Use fewer words.");
            return Err(ChatError::invalid("search", detail));
        }
        let (store, owner) = self.open(scope).await?;
        let (before, limit) = (before.unwrap_or(Timestamp::from_millis(i64::MAX)), limit.clamp(1, MAX_PAGE));
        let Some(words) = words.map(str::to_owned) else {
            return Ok(conversation::list(&store, owner, None, before, limit).await?);
        };
        let search = async move { Ok(conversation::list(&store, owner, Some(&words), before, limit).await?) };
        self.inner.searches.in_turn(scope.tenant(), search).await
    }

    /// The end of the shown branch, or what is before the message `older_than`.
    pub async fn conversation(
        &self,
        scope: &Scope,
        id: ConversationId,
        older_than: Option<MessageId>,
        limit: i64,
    ) -> Result<ConversationView, ChatError> {
        let (store, owner) = self.open(scope).await?;
        let found = conversation::find(&store, id, owner).await?;
        let last = match older_than {
            None => found.head,
            Some(newer) => {
                let place = message::place_read(&store, newer, owner).await?;
                if place.conversation != id {
                    return Err(ChatError::NotFound { what: "message" });
                }
                place.parent
            }
        };
        let page = match last {
            Some(last) => message::branch(&store, id, last, limit.clamp(1, MAX_PAGE)).await?,
            None => message::Page { messages: Vec::new(), older_than: None },
        };
        let model = match found.model {
            Some(model) => model,
            None => self.inner.registry.resolve(PROMPT_NAME, PROMPT_LABEL).await?.model,
        };
        Ok(ConversationView { id, title: found.title, model, messages: page.messages, older_than: page.older_than })
    }

    pub async fn rename(&self, scope: &Scope, id: ConversationId, title: &str) -> Result<(), ChatError> {
        let title = title.trim();
        if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS || title.contains('\0') {
            let detail = format!("A title has 1 to {} characters.", MAX_TITLE_CHARS);
            return Err(ChatError::invalid("title", detail));
        }
        let (store, owner) = self.open(scope).await?;
        conversation::rename(&store, id, owner, title).await
    }

    /// Removes a conversation with all its messages; a run in it ends, and is in the ledger all the same.
    pub async fn delete(&self, scope: &Scope, id: ConversationId) -> Result<(), ChatError> {
        let (store, owner) = self.open(scope).await?;
        let tenant = store.tenant();
        let mut tx = store.begin().await?;
        conversation::find_within(&mut tx, tenant, id, owner).await?;
        let running = event_log::running_in_conversation(&mut tx, tenant, id).await?;
        conversation::delete(&mut tx, tenant, id).await?;
        tx.commit().await?;
        if let Some(running) = running
            && !self.inner.hub.stop(tenant, running.run, EndCause::Member)
            && let Some(node) = self.driven_elsewhere(running.node).await?
        {
            self.request_stop(node, tenant, running.run).await?;
        }
        Ok(())
    }

    /// A run's events after number `after`: first the stored ones, then each as soon as it is stored; ends
    /// after the terminal event.
    ///
    /// # Errors
    /// `NotFound` for somebody else's run; in the stream, `RunLost` when the end could not be stored.
    pub async fn subscribe(
        &self,
        scope: &Scope,
        run: RunId,
        after: i64,
    ) -> Result<BoxStream<'static, Result<RunEventRecord, ChatError>>, ChatError> {
        let (store, owner) = self.open(scope).await?;
        let source = self.source(&store, run, owner).await?;
        let last = event_log::last_event(&store, run).await?.map_or(0, |record| record.seq);
        Ok(subscription::follow(store, run, after.clamp(0, last), source).boxed())
    }

    /// Waits for the end of a run, at most `limit`; whether it has ended.
    pub async fn wait(&self, scope: &Scope, run: RunId, limit: Duration) -> Result<bool, ChatError> {
        let (store, owner) = self.open(scope).await?;
        match self.source(&store, run, owner).await? {
            Source::Over => Ok(true),
            Source::Here(mut progress) => {
                let ended = progress.wait_for(|progress| progress.ended);
                // An error inside means that the run's task is gone.
                Ok(tokio::time::timeout(limit, ended).await.is_ok())
            }
            Source::Elsewhere(mut looks) => {
                let ended = async {
                    while event_log::is_running(&store, run).await? == Some(true) {
                        looks.next().await;
                    }
                    Ok::<_, ChatError>(())
                };
                tokio::time::timeout(limit, ended).await.map_or(Ok(false), |ended| ended.map(|()| true))
            }
        }
    }

    /// Starts no more runs, lets those under way finish for `limit`, then ends them as `failed`; what they
    /// had said is kept.
    pub async fn shutdown(&self, limit: Duration) {
        let hub = &self.inner.hub;
        hub.close();
        if tokio::time::timeout(limit, hub.all_ended()).await.is_err() {
            hub.stop_all(EndCause::Shutdown);
            if tokio::time::timeout(END_GRACE, hub.all_ended()).await.is_err() {
                tracing::error!("some runs did not end; another node ends them, or the next start");
                return;
            }
        }
        if !hub.has_unended() {
            self.inner.places.clear().await;
        }
    }

    /// Ends every answer that this process is writing in a tenant, as a member's stop would.
    pub fn stop_all_of(&self, tenant: TenantId) {
        self.inner.hub.stop_tenant(tenant, EndCause::Member);
    }

    async fn start(&self, scope: &Scope, begin: Begin, model: Option<String>) -> Result<RunStarted, ChatError> {
        let (live, start) = self.prepare(scope, begin, model).await?;
        let (tell, told) = oneshot::channel();
        self.inner.hub.tasks().spawn(share::split(start::begin_and_drive(self.clone(), live, start, tell)));
        told.await.map_err(|_| ChatError::Panicked)?
    }

    /// Everything that can be refused before the database is written.
    pub(crate) async fn prepare(
        &self,
        scope: &Scope,
        begin: Begin,
        model: Option<String>,
    ) -> Result<(LiveRun, Start), ChatError> {
        scope.require(Role::Member)?;
        let owner = owner(scope)?;
        if let Some(name) = &model {
            self.known_model(name).await?;
        }
        let (prompt, parameters) = self.config().await?;
        let run = RunId::new();
        let place = self.inner.places.hold(scope.tenant()).await?;
        let live = self.inner.hub.register(scope.tenant(), run, place)?;
        Ok((live, Start { scope: scope.clone(), owner, run, begin, model, prompt, parameters }))
    }

    async fn config(&self) -> Result<(PromptConfig, ChatParameters), ChatError> {
        let prompt = self.inner.registry.resolve(PROMPT_NAME, PROMPT_LABEL).await?;
        let parameters = serde_json::from_value(prompt.parameters.clone())
            .map_err(|reason| ChatError::Config { config: prompt.label(), reason })?;
        Ok((prompt, parameters))
    }

    async fn known_model(&self, name: &str) -> Result<(), ChatError> {
        match self.inner.registry.model(name).await {
            Ok(_) => Ok(()),
            Err(registry::RegistryError::UnknownModel { .. }) => {
                let name: String = name.chars().take(60).collect();
                Err(ChatError::invalid("model", format!("There is no model named “{name}”. Choose another one.")))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn open(&self, scope: &Scope) -> Result<(TenantStore, UserId), ChatError> {
        let owner = owner(scope)?;
        Ok((scope.store(&self.inner.stores).await?, owner))
    }

    async fn state(&self, store: &TenantStore, run: RunId, owner: UserId) -> Result<RunState, ChatError> {
        event_log::state(store, run, owner).await?.ok_or(ChatError::NotFound { what: "run" })
    }

    /// Where news of a member's run come from. A run that nobody drives is ended.
    async fn source(&self, store: &TenantStore, run: RunId, owner: UserId) -> Result<Source, ChatError> {
        let state = self.state(store, run, owner).await?;
        if let Some(progress) = self.inner.hub.watch(store.tenant(), run) {
            return Ok(Source::Here(progress));
        }
        if !state.running {
            return Ok(Source::Over);
        }
        // Taken before the looks that follow, so that no hint is missed.
        let looks = self.looks_at(run);
        if self.driven_elsewhere(state.node).await?.is_some() {
            return Ok(Source::Elsewhere(looks));
        }
        // Unless it has ended between the two looks, which changes nothing then.
        self.abandon(store, run).await?;
        Ok(Source::Over)
    }
}

/// Conversations belong to a person; whoever acts as nobody has none.
fn owner(scope: &Scope) -> Result<UserId, ChatError> {
    scope.user().ok_or(ChatError::NotFound { what: "member" })
}
