//! Which of two attempts at once is heard: the first whose words come. The other one ends.

use crate::health::Admission;
use contract::AttemptNo;
use tokio::{sync::watch, time::Instant};

/// Decided once, by the attempt that is heard.
#[derive(Debug)]
pub(crate) struct Race {
    winner: watch::Sender<Option<AttemptNo>>,
}

impl Race {
    pub fn new() -> Self {
        Self { winner: watch::Sender::new(None) }
    }

    pub fn is_decided(&self) -> bool {
        self.winner.borrow().is_some()
    }

    /// Returns when some attempt is heard.
    pub async fn decided(&self) {
        // Its sender lives as long as the race.
        let _ = self.winner.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether this attempt is, or was, the first one.
    fn win(&self, number: AttemptNo) -> bool {
        let mut won = false;
        self.winner.send_if_modified(|winner| {
            let first = winner.is_none();
            won = *winner.get_or_insert(number) == number;
            first
        });
        won
    }
}

/// What an attempt knows of itself.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub number: AttemptNo,
    pub admission: &'a Admission,
    pub race: &'a Race,
    /// When its first words must have come; none: when the place's own limit is over.
    pub deadline: Option<Instant>,
}

impl Turn<'_> {
    /// Its first words are there. Whether they are the first of all.
    pub fn heard(&self) -> bool {
        let won = self.race.win(self.number);
        if won {
            self.admission.heard();
        }
        won
    }

    /// Returns when another attempt was heard.
    pub async fn beaten(&self) {
        let _ = self.race.winner.subscribe().wait_for(|winner| winner.is_some_and(|by| by != self.number)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_wins_and_stays_the_first() {
        let race = Race::new();
        assert!(!race.is_decided());
        assert!(race.win(AttemptNo(2)) && race.win(AttemptNo(2)));
        assert!(!race.win(AttemptNo(1)) && race.is_decided());
        race.decided().await;
    }
}
