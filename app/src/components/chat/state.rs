//! What the browser knows of the open conversation, and how it changes.
//!
//! The server's view is the truth: after every act the end of the conversation is read again and merged by
//! message id. Only the text of an answer in progress grows here, event by event, and at most once a frame.

use crate::{
    api::{
        ServerProblem,
        chat::{
            OpenConversation, answer_regenerate, branch_show, conversation_open, message_edit, message_send, run_stop,
        },
    },
    browser::{draft, prose, run_events},
    components::frame::HistoryVersion,
};
use contract::{
    ConversationId, MessageId, MessageRole, MessageStatus, MessageView, NewMessage, Problem, Role, RunEvent,
    RunEventRecord, RunId, RunStarted, TenantId, TenantMembership,
};
use leptos::{prelude::*, task::spawn_local};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// One message on the page. The view changes when its state does; the text of an answer in progress has a
/// signal of its own, so that a token touches nothing else.
#[derive(Clone)]
pub struct Entry {
    pub id: MessageId,
    pub role: MessageRole,
    pub view: ArcRwSignal<MessageView>,
    pub text: ArcRwSignal<String>,
    /// The words as the server rendered them; what comes while an answer grows goes to the page directly.
    pub html: ArcRwSignal<String>,
}

impl Entry {
    fn new((mut message, html): (MessageView, String)) -> Self {
        let text = std::mem::take(&mut message.text);
        #[cfg(feature = "ssr")]
        let html = if html.is_empty() { crate::markdown::to_html(&text) } else { html };
        Self {
            id: message.id,
            role: message.role,
            view: ArcRwSignal::new(message),
            text: ArcRwSignal::new(text),
            html: ArcRwSignal::new(html),
        }
    }

    fn refresh(&self, (mut message, html): (MessageView, String)) {
        let text = std::mem::take(&mut message.text);
        if self.text.with_untracked(|shown| *shown != text) {
            self.text.set(text);
            self.html.set(html);
        }
        if self.view.with_untracked(|shown| *shown != message) {
            self.view.set(message);
        }
    }

    pub fn is_streaming(&self) -> bool {
        self.view.with(|view| view.status == MessageStatus::Streaming)
    }
}

#[derive(Clone, Copy)]
pub struct ThreadState {
    pub conversation: StoredValue<Option<ConversationId>>,
    /// Whose page this is.
    pub tenant: Option<TenantId>,
    /// Viewers read.
    pub may_write: bool,
    pub entries: RwSignal<Vec<Entry>>,
    pub older_than: RwSignal<Option<MessageId>>,
    pub running: RwSignal<Option<RunId>>,
    /// A request is on its way.
    pub busy: RwSignal<bool>,
    pub problem: RwSignal<Option<Problem>>,
    /// The message that is being reworded.
    pub editing: RwSignal<Option<MessageId>>,
    pub model: RwSignal<String>,
    /// What a screen reader is told: the start and the end of an answer.
    pub announcement: RwSignal<&'static str>,
    history: RwSignal<u32>,
}

impl ThreadState {
    pub fn new(opened: Option<OpenConversation>, default_model: String, place: Option<&TenantMembership>) -> Self {
        let history = use_context::<HistoryVersion>().map_or_else(|| RwSignal::new(0), |version| version.0);
        let view = opened.as_ref().map(|opened| &opened.view);
        let running = view.and_then(crate::wording::running);
        let model = view.map(|view| view.model.clone()).filter(|model| !model.is_empty());
        let (conversation, older_than) = view.map_or((None, None), |view| (Some(view.id), view.older_than));
        Self {
            conversation: StoredValue::new(conversation),
            tenant: place.map(|place| place.tenant),
            may_write: place.is_none_or(|place| place.role != Role::Viewer),
            entries: RwSignal::new(opened.into_iter().flat_map(messages).map(Entry::new).collect()),
            older_than: RwSignal::new(older_than),
            running: RwSignal::new(running),
            busy: RwSignal::new(false),
            problem: RwSignal::new(None),
            editing: RwSignal::new(None),
            model: RwSignal::new(model.unwrap_or(default_model)),
            announcement: RwSignal::new(""),
            history,
        }
    }

    /// The last message that the member wrote, for the ↑ key.
    pub fn last_own(self) -> Option<MessageId> {
        self.entries.with_untracked(|entries| {
            entries.iter().rev().find(|entry| entry.role == MessageRole::User).map(|entry| entry.id)
        })
    }

    /// Sends `text`. `sent` runs once the server has it; until then nothing typed is taken away.
    pub fn send(self, text: String, sent: impl FnOnce(RunStarted) + 'static) {
        if text.trim().is_empty() || self.running.get_untracked().is_some() {
            return;
        }
        let conversation = self.conversation.get_value();
        let model = Some(self.model.get_untracked()).filter(|model| !model.is_empty());
        let message = NewMessage { conversation, text, model };
        let tenant = self.tenant;
        self.act(async move {
            let started = message_send(message, tenant).await?;
            draft::keep(conversation, "");
            sent(started);
            Ok(())
        });
    }

    pub fn regenerate(self, answer: MessageId) {
        let model = Some(self.model.get_untracked()).filter(|model| !model.is_empty());
        self.act(async move { answer_regenerate(answer, model).await.map(drop) });
    }

    pub fn edit(self, message: MessageId, text: String) {
        if text.trim().is_empty() {
            return;
        }
        self.act(async move {
            message_edit(message, text).await?;
            self.editing.try_set(None);
            Ok(())
        });
    }

    pub fn branch(self, message: MessageId, sibling: i64) {
        self.act(async move { branch_show(message, sibling).await });
    }

    /// Stops the running answer; the stream then ends by itself with what was said so far.
    pub fn stop(self) {
        let Some(run) = self.running.get_untracked() else { return };
        spawn_local(async move {
            if let Err(refused) = run_stop(run).await {
                self.problem.try_set(Some(refused.problem));
            }
        });
    }

    /// Does one thing at a time, then reads the end of the conversation again.
    fn act(self, deed: impl Future<Output = Result<(), ServerProblem>> + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        spawn_local(async move {
            let result = deed.await;
            // The reader may have left for another conversation meanwhile: then there is nothing to update.
            self.history.try_update(|version| *version = version.wrapping_add(1));
            match result {
                Ok(()) => self.reload().await,
                Err(refused) => drop(self.problem.try_set(Some(refused.problem))),
            }
            self.busy.try_set(false);
        });
    }

    /// Reads the end of the conversation again.
    async fn reload(self) {
        let Some(Some(id)) = self.conversation.try_get_value() else { return };
        match conversation_open(id.to_string(), None, false).await {
            Ok(opened) => self.merge(opened),
            Err(refused) => match self.streaming().filter(|_| refused.problem.code.is_refusal()) {
                Some(answer) => self.shut_out(&answer, refused.problem),
                None => drop(self.problem.try_set(Some(refused.problem))),
            },
        }
    }

    /// The answer in progress, if there is one.
    fn streaming(self) -> Option<Entry> {
        let running = |entry: &&Entry| entry.view.with_untracked(|view| view.status == MessageStatus::Streaming);
        self.entries.try_with_untracked(|entries| entries.iter().rev().find(running).cloned()).flatten()
    }

    /// Nothing more is heard of the answer: the page says why, and is no longer waiting.
    fn shut_out(self, answer: &Entry, problem: Problem) {
        answer.view.update(|view| {
            view.status = MessageStatus::Failed;
            view.problem = Some(problem);
        });
        self.running.try_set(None);
        self.announcement.try_set("The answer can no longer be followed");
        // Not from within the listener's own callback.
        set_timeout(run_events::leave, Duration::ZERO);
    }

    fn merge(self, opened: OpenConversation) {
        let view = &opened.view;
        let running = crate::wording::running(view);
        let Some(mut shown) = self.entries.try_get_untracked() else { return };
        // What was loaded before the first message of this page stays: a message's ancestors never change.
        let overlap = view.messages.first().and_then(|first| shown.iter().position(|entry| entry.id == first.id));
        let (kept, mut known) = match overlap {
            Some(at) => {
                let tail = shown.split_off(at);
                (shown, tail)
            }
            None => {
                self.older_than.set(view.older_than);
                (Vec::new(), shown)
            }
        };
        let mut entries = kept;
        for read in messages(opened) {
            match known.iter().position(|entry| entry.id == read.0.id) {
                Some(at) => {
                    let entry = known.swap_remove(at);
                    // An answer that is being listened to is further along than what was just read.
                    if !(entry.is_streaming() && run_events::listening() == read.0.run && read.0.run.is_some()) {
                        entry.refresh(read);
                    }
                    entries.push(entry);
                }
                None => entries.push(Entry::new(read)),
            }
        }
        self.entries.set(entries);
        self.running.set(running);
        self.follow();
    }

    /// Loads the page of messages before those shown.
    pub fn load_older(self) {
        let (Some(id), Some(before)) = (self.conversation.get_value(), self.older_than.get_untracked()) else { return };
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            match conversation_open(id.to_string(), Some(before.to_string()), false).await {
                Ok(opened) => {
                    self.older_than.try_set(opened.view.older_than);
                    let older: Vec<Entry> = messages(opened).map(Entry::new).collect();
                    self.entries.try_update(|entries| drop(entries.splice(0..0, older)));
                }
                Err(refused) => drop(self.problem.try_set(Some(refused.problem))),
            }
            self.busy.try_set(false);
        });
    }

    /// Listens to the running answer, from the last event that is already in its text.
    pub fn follow(self) {
        let Some(entry) = self.streaming() else { return run_events::leave() };
        let (Some(run), after) = entry.view.with_untracked(|view| (view.run, view.last_seq)) else { return };
        if run_events::listening() == Some(run) {
            return;
        }
        self.announcement.set("Answering");
        let pending = Rc::new(RefCell::new(String::new()));
        let (answer, waiting) = (entry.clone(), Rc::clone(&pending));
        let (shut, unsaid) = (entry.clone(), Rc::clone(&pending));
        let on_event = move |record| self.hear(&entry, &pending, record);
        let on_html = move |tail| {
            // What waits for the next frame is in it already.
            let words = std::mem::take(&mut *waiting.borrow_mut());
            answer.text.update(|shown| shown.push_str(&words));
            prose::replace(answer.id, &tail);
        };
        let on_refused = move |problem| {
            say(&shut, &unsaid);
            self.shut_out(&shut, problem);
        };
        let on_lost = move || {
            // Refused for good: signed out elsewhere, or the server has restarted. The page says which.
            set_timeout(move || spawn_local(async move { self.reload().await }), Duration::from_secs(2));
        };
        run_events::listen(run, after, on_event, on_html, on_refused, on_lost);
    }

    fn hear(self, entry: &Entry, pending: &Rc<RefCell<String>>, record: RunEventRecord) {
        let seq = record.seq;
        let ended = |change: &dyn Fn(&mut MessageView), announcement| {
            say(entry, pending);
            entry.view.update(|view| {
                view.last_seq = seq;
                change(view);
            });
            self.running.try_set(None);
            self.announcement.try_set(announcement);
            self.history.try_update(|version| *version = version.wrapping_add(1));
            // Not from within the listener's own callback.
            set_timeout(run_events::leave, Duration::ZERO);
        };
        match record.event {
            RunEvent::Started { .. } => {}
            RunEvent::Delta { text } => {
                let quiet = pending.borrow().is_empty();
                pending.borrow_mut().push_str(&text);
                entry.view.try_maybe_update(|view| {
                    view.last_seq = seq;
                    (false, ())
                });
                if quiet {
                    let (entry, pending) = (entry.clone(), pending.clone());
                    request_animation_frame(move || say(&entry, &pending));
                }
            }
            RunEvent::Finished { details, .. } => ended(
                &|view| (view.status, view.details) = (MessageStatus::Complete, Some(details.clone())),
                "The answer is complete",
            ),
            RunEvent::Stopped { details } => ended(
                &|view| (view.status, view.details) = (MessageStatus::Stopped, Some(details.clone())),
                "The answer was stopped",
            ),
            RunEvent::Failed { problem, details } => ended(
                &|view| {
                    (view.status, view.details) = (MessageStatus::Failed, details.clone());
                    view.problem = Some(problem.clone());
                },
                "The answer failed",
            ),
        }
    }
}

/// Puts what has arrived since the last frame on the page, as it is until the server has rendered it.
fn say(entry: &Entry, pending: &RefCell<String>) {
    let text = std::mem::take(&mut *pending.borrow_mut());
    if !text.is_empty() {
        entry.text.update(|shown| shown.push_str(&text));
        prose::append(entry.id, &text);
    }
}

/// Messages with their words as HTML.
fn messages(opened: OpenConversation) -> impl Iterator<Item = (MessageView, String)> {
    opened.view.messages.into_iter().zip(opened.html.into_iter().chain(std::iter::repeat(String::new())))
}
