//! The price book as the hot path reads it: every version of a place's price, at most a second old.

use crate::{AttemptPrice, price};
use contract::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use store::{ControlStore, StoreError};

/// A price holds for what is settled a second after it was written, on every node.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Places that are remembered; all are read again when there are more.
const MOST: usize = 10_000;

/// From when on which price holds, the latest first.
pub(crate) type Versions = Arc<[(Timestamp, AttemptPrice)]>;

/// A provider and its model.
type Place = (String, String);

#[derive(Clone)]
pub(crate) struct PriceBook {
    control: ControlStore,
    /// With the moment at which they were read. Held for an assignment, never across an await.
    known: Arc<RwLock<HashMap<Place, (Instant, Versions)>>>,
}

impl PriceBook {
    pub fn new(control: ControlStore) -> Self {
        Self { control, known: Arc::default() }
    }

    /// What is dispatched at a moment is billed by this; none when nobody knows.
    pub async fn at(&self, provider: &str, model: &str, at: Timestamp) -> Result<Option<AttemptPrice>, StoreError> {
        let place = (provider.to_owned(), model.to_owned());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        let versions = match known {
            Some((read, versions)) if read.elapsed() < MAX_AGE => versions,
            // On the heap, so that those who need no look are small.
            Some((_, last)) => Box::pin(self.read(place)).await.unwrap_or_else(|error| {
                // An attempt that could not be settled would cost nothing at all.
                tracing::warn!(%error, provider, model, "prices cannot be read; the last known ones are used");
                last
            }),
            None => Box::pin(self.read(place)).await?,
        };
        Ok(versions.iter().find(|(from, _)| *from <= at).map(|(_, price)| *price))
    }

    /// Reads all prices anew at the next look.
    pub fn invalidate(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn read(&self, place: Place) -> Result<Versions, StoreError> {
        // From before it was read: what is committed after that is not in it.
        let now = Instant::now();
        let versions: Versions = price::versions(&self.control, &place.0, &place.1).await?.into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(place, (now, Arc::clone(&versions)));
        Ok(versions)
    }
}
