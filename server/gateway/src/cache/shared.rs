//! One answer with several readers: those who ask the same at the same time share one call.
//!
//! Nobody reads on behalf of the others: whoever needs the next part fetches it for all. The provider is told to stop when
//! the last reader has gone.

use crate::{AnswerPart, Answering, GatewayError, Outcome};
use contract::TenantId;
use futures::{StreamExt, stream::BoxStream};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak},
};
use tokio_util::sync::CancellationToken;

type At = (TenantId, String);
type Open = Mutex<HashMap<At, Weak<Shared>>>;

/// The answers that are being made.
#[derive(Default)]
pub(crate) struct UnderWay {
    open: Arc<Open>,
}

impl UnderWay {
    /// The answer to a question that is being made, or one that is to be.
    pub fn join(&self, tenant: TenantId, question: &str) -> Arc<Shared> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (tenant, question.to_owned());
        if let Some(shared) = open.get(&at).and_then(Weak::upgrade)
            && shared.broken.get().is_none()
        {
            return shared;
        }
        let shared = Arc::new(Shared {
            at: at.clone(),
            all: Arc::clone(&self.open),
            source: tokio::sync::Mutex::new(Source::None),
            parts: RwLock::default(),
            route: OnceLock::new(),
            broken: OnceLock::new(),
            stop: CancellationToken::new(),
        });
        open.insert(at, Arc::downgrade(&shared));
        shared
    }
}

/// Where the parts come from.
enum Source {
    /// Nobody has asked yet.
    None,
    Answer(BoxStream<'static, Result<AnswerPart, GatewayError>>),
    /// It came to its end.
    Over,
    /// It never began.
    Refused,
}

/// What somebody who joins is to the others.
pub(crate) enum Joined {
    /// It asked for all of them.
    Leads,
    Follows,
    /// The others' call came to nothing: each asks by itself.
    Alone,
}

pub(crate) struct Shared {
    at: At,
    all: Arc<Open>,
    source: tokio::sync::Mutex<Source>,
    parts: RwLock<Vec<AnswerPart>>,
    route: OnceLock<String>,
    /// Why it ended before its end.
    broken: OnceLock<GatewayError>,
    /// Ends the call at once: its last reader did not go away but was stopped.
    stop: CancellationToken,
}

impl Shared {
    /// Asks, unless somebody did; then waits until that answer has begun.
    pub async fn begin(
        &self,
        ask: impl Future<Output = Result<Answering, GatewayError>>,
    ) -> Result<Joined, GatewayError> {
        let mut source = self.source.lock().await;
        match *source {
            Source::Answer(_) | Source::Over => Ok(Joined::Follows),
            Source::Refused => Ok(Joined::Alone),
            // Whoever led before has gone away while it waited.
            Source::None => match ask.await {
                Ok(answering) => {
                    // Nobody has begun before.
                    let _ = self.route.set(answering.route);
                    *source = Source::Answer(answering.parts);
                    Ok(Joined::Leads)
                }
                Err(error) => {
                    *source = Source::Refused;
                    Err(error)
                }
            },
        }
    }

    /// Fires when the call is to end at once.
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// A reader is stopped. The others read on.
    pub fn stopped(self: &Arc<Self>) {
        if Arc::strong_count(self) == 1 {
            self.stop.cancel();
        }
    }

    /// Who answers; empty before that is known.
    pub fn route(&self) -> String {
        self.route.get().cloned().unwrap_or_default()
    }

    /// The part at a place, for whoever gets there first and for those who come later. None after the end.
    ///
    /// `whole` is told of the end by the one reader that comes upon it, before that reader sees it.
    pub async fn part(
        &self,
        place: usize,
        whole: impl AsyncFnOnce(&[AnswerPart], &Outcome),
    ) -> Option<Result<AnswerPart, GatewayError>> {
        if let Some(part) = self.told(place) {
            return Some(Ok(part));
        }
        let mut source = self.source.lock().await;
        if let Some(part) = self.told(place) {
            return Some(Ok(part));
        }
        let Source::Answer(answer) = &mut *source else {
            return self.broken.get().map(|cause| Err(repeated(cause)));
        };
        match answer.next().await {
            Some(Ok(part)) => {
                self.parts.write().unwrap_or_else(PoisonError::into_inner).push(part.clone());
                if let AnswerPart::Finished(outcome) = &part {
                    *source = Source::Over;
                    let said = self.parts.read().unwrap_or_else(PoisonError::into_inner).clone();
                    whole(&said, outcome).await;
                }
                Some(Ok(part))
            }
            Some(Err(cause)) => {
                *source = Source::Over;
                let told = repeated(&cause);
                let _ = self.broken.set(told);
                Some(Err(cause))
            }
            None => {
                *source = Source::Over;
                let _ = self.broken.set(GatewayError::Abandoned);
                Some(Err(GatewayError::Abandoned))
            }
        }
    }

    fn told(&self, place: usize) -> Option<AnswerPart> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut open = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer one may have taken the place.
        if open.get(&self.at).is_some_and(|shared| shared.strong_count() == 0) {
            open.remove(&self.at);
        }
    }
}

/// The same to another reader.
fn repeated(cause: &GatewayError) -> GatewayError {
    if let GatewayError::Interrupted { outcome, cause } = cause {
        return GatewayError::Interrupted { outcome: outcome.clone(), cause: cause.clone() };
    }
    GatewayError::Abandoned
}
