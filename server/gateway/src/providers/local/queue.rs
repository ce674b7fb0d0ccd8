//! What waits for the engine: chats for a slot, embeddings for their turn. Bounded, first come first served.
//!
//! Callers push from the runtime and never wait: the lock is held for a few instructions. The engine's
//! thread is the only one that takes and the only one that sleeps here.

use super::{delivery::PartSender, parameters::Generating};
use crate::provider::{Embeddings, ProviderError};
use contract::TenantId;
use llama_cpp_2::token::LlamaToken;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub(super) struct ChatJob {
    pub tenant: TenantId,
    pub prompt: Vec<LlamaToken>,
    pub generating: Generating,
    pub parts: PartSender,
    pub cancel: CancellationToken,
}

pub(super) struct EmbedJob {
    pub inputs: VecDeque<Vec<LlamaToken>>,
    pub vectors: Vec<Vec<f32>>,
    pub tokens: i64,
    pub reply: oneshot::Sender<Result<Embeddings, ProviderError>>,
    pub cancel: CancellationToken,
}

impl ChatJob {
    fn is_wanted(&self) -> bool {
        !self.cancel.is_cancelled() && !self.parts.is_closed()
    }
}

impl EmbedJob {
    fn is_wanted(&self) -> bool {
        !self.cancel.is_cancelled() && !self.reply.is_closed()
    }

    pub fn refuse(self, error: ProviderError) {
        // Fails only when nobody waits for it.
        let _ = self.reply.send(Err(error));
    }
}

#[derive(Default)]
struct Waiting {
    chats: VecDeque<ChatJob>,
    embeds: VecDeque<EmbedJob>,
    /// Slots that nobody uses; a burst may fill them on top of the queue's own limit.
    free_slots: usize,
    closed: bool,
}

pub(super) struct CallQueue {
    waiting: Mutex<Waiting>,
    pushed: Condvar,
    limit: usize,
}

/// The engine is asked to end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl CallQueue {
    pub fn new(limit: usize) -> Self {
        Self { waiting: Mutex::default(), pushed: Condvar::new(), limit }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while holding it, and if something did, a queue is still a queue.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `Saturated` when too many wait already, `NotReady` while shutting down.
    pub fn push_chat(&self, job: ChatJob) -> Result<(), ProviderError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(shutting_down());
        }
        let limit = self.limit + waiting.free_slots;
        if waiting.chats.len() >= limit {
            // Places of callers who have left are free.
            waiting.chats.retain(ChatJob::is_wanted);
        }
        if waiting.chats.len() >= limit {
            return Err(ProviderError::Saturated);
        }
        waiting.chats.push_back(job);
        drop(waiting);
        self.pushed.notify_one();
        Ok(())
    }

    /// # Errors
    /// Like [`Self::push_chat`].
    pub fn push_embed(&self, job: EmbedJob) -> Result<(), ProviderError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(shutting_down());
        }
        if waiting.embeds.len() >= self.limit {
            waiting.embeds.retain(EmbedJob::is_wanted);
        }
        if waiting.embeds.len() >= self.limit {
            return Err(ProviderError::Saturated);
        }
        waiting.embeds.push_back(job);
        drop(waiting);
        self.pushed.notify_one();
        Ok(())
    }

    /// The next chat that somebody still waits for, if a slot is free for it.
    pub fn take_chat(&self, free_slots: usize) -> Option<ChatJob> {
        let mut waiting = self.lock();
        waiting.free_slots = free_slots;
        if free_slots == 0 {
            return None;
        }
        while let Some(job) = waiting.chats.pop_front() {
            if job.is_wanted() {
                waiting.free_slots -= 1;
                return Some(job);
            }
        }
        None
    }

    pub fn take_embed(&self) -> Option<EmbedJob> {
        let mut waiting = self.lock();
        while let Some(job) = waiting.embeds.pop_front() {
            if job.is_wanted() {
                return Some(job);
            }
        }
        None
    }

    /// Puts an embedding that is not finished behind the others, so that a large one does not hold up a query.
    pub fn give_back(&self, job: EmbedJob) {
        self.lock().embeds.push_back(job);
    }

    /// Sleeps until something is pushed, the queue is closed or the time is over.
    pub fn wait(&self, at_most: Option<Duration>) {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.chats.is_empty() && waiting.embeds.is_empty() && !waiting.closed;
        match at_most {
            Some(time) => drop(self.pushed.wait_timeout_while(waiting, time, idle)),
            None => drop(self.pushed.wait_while(waiting, idle)),
        }
    }

    pub fn check_open(&self) -> Result<(), Closed> {
        if self.lock().closed { Err(Closed) } else { Ok(()) }
    }

    /// Refuses new calls, drops those that wait and wakes the engine so that it ends.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        for job in waiting.chats.drain(..) {
            job.parts.refuse(shutting_down());
        }
        for job in waiting.embeds.drain(..) {
            job.refuse(shutting_down());
        }
        drop(waiting);
        self.pushed.notify_all();
    }

    /// Chats and embeddings that wait.
    pub fn len(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.chats.len(), waiting.embeds.len())
    }
}

pub(super) fn shutting_down() -> ProviderError {
    ProviderError::NotReady("the local models are shutting down".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ChatParameters;
    use tokio::sync::mpsc;

    fn job() -> (ChatJob, mpsc::Receiver<super::super::delivery::Part>) {
        let (parts, receiver) = PartSender::new();
        let generating = Generating::parse(&ChatParameters::default()).unwrap();
        let job = ChatJob {
            tenant: TenantId::new(),
            prompt: Vec::new(),
            generating,
            parts,
            cancel: CancellationToken::new(),
        };
        (job, receiver)
    }

    #[test]
    fn the_queue_is_bounded_and_free_slots_count_on_top() {
        let queue = CallQueue::new(1);
        assert!(queue.take_chat(1).is_none());
        let (first, _first) = job();
        let (second, _second) = job();
        let (third, _third) = job();
        queue.push_chat(first).unwrap();
        queue.push_chat(second).unwrap();
        assert!(matches!(queue.push_chat(third), Err(ProviderError::Saturated)));
    }

    #[test]
    fn callers_who_left_make_room_and_are_not_served() {
        let queue = CallQueue::new(2);
        let (gone, receiver) = job();
        let (cancelled, _cancelled) = job();
        let (wanted, _wanted) = job();
        let cancel = cancelled.cancel.clone();
        let tenant = wanted.tenant;
        queue.push_chat(gone).unwrap();
        queue.push_chat(cancelled).unwrap();
        drop(receiver);
        cancel.cancel();
        queue.push_chat(wanted).unwrap();
        assert_eq!(queue.take_chat(1).map(|job| job.tenant), Some(tenant));
        assert!(queue.take_chat(1).is_none());
    }

    #[test]
    fn after_closing_nothing_is_accepted_and_those_who_wait_hear_of_it() {
        let queue = CallQueue::new(2);
        let (first, mut receiver) = job();
        let (second, _second) = job();
        queue.push_chat(first).unwrap();
        queue.close();
        assert!(matches!(queue.push_chat(second), Err(ProviderError::NotReady(_))));
        assert!(matches!(receiver.try_recv(), Ok(Err(ProviderError::NotReady(_)))));
        assert_eq!(queue.check_open(), Err(Closed));
    }
}
