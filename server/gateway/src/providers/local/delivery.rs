//! From the engine's thread to whoever reads an answer, without ever waiting for them.

use crate::provider::{ChatPart, ProviderError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, error::TrySendError};

pub(super) type Part = Result<ChatPart, ProviderError>;

/// Parts that a reader may be behind. At a hundred tokens a second this is half a second; a slot whose
/// reader is further behind pauses.
const PARTS: usize = 64;

/// A slot is too precious for a reader that does not read: after this long its answer is cut.
const PATIENCE: Duration = Duration::from_secs(30);

/// The engine's end of an answer.
#[derive(Debug)]
pub(super) struct PartSender(mpsc::Sender<Part>);

impl PartSender {
    pub fn new() -> (Self, mpsc::Receiver<Part>) {
        let (sender, receiver) = mpsc::channel(PARTS);
        (Self(sender), receiver)
    }

    /// Whether the reader has gone.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Ends an answer that has not begun.
    pub fn refuse(self, error: ProviderError) {
        // The channel is empty, so this fails only when nobody listens.
        let _ = self.0.try_send(Err(error));
    }
}

/// An answer on its way, with what the reader has no room for yet.
#[derive(Debug)]
pub(super) struct Delivery {
    parts: PartSender,
    text: String,
    end: Option<Part>,
    blocked_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// Everything is with the reader, and more may come.
    Open,
    /// The reader is behind.
    Blocked,
    /// Nothing more can or need be sent.
    Over,
}

impl Delivery {
    pub fn new(parts: PartSender) -> Self {
        Self { parts, text: String::new(), end: None, blocked_since: None }
    }

    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The last part; text that is still waiting goes first.
    pub fn end(&mut self, part: Part) {
        self.end.get_or_insert(part);
    }

    /// Hands over as much as the reader has room for.
    pub fn flush(&mut self) -> Delivered {
        if self.parts.is_closed() {
            return Delivered::Over;
        }
        if !self.text.is_empty() {
            match self.parts.0.try_send(Ok(ChatPart::Text(std::mem::take(&mut self.text)))) {
                Ok(()) => {}
                Err(TrySendError::Full(Ok(ChatPart::Text(text)))) => {
                    self.text = text;
                    return self.blocked();
                }
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => return Delivered::Over,
            }
        }
        match self.end.take() {
            None => {
                self.blocked_since = None;
                Delivered::Open
            }
            Some(end) => match self.parts.0.try_send(end) {
                Ok(()) | Err(TrySendError::Closed(_)) => Delivered::Over,
                Err(TrySendError::Full(end)) => {
                    self.end = Some(end);
                    self.blocked()
                }
            },
        }
    }

    fn blocked(&mut self) -> Delivered {
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE { Delivered::Over } else { Delivered::Blocked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{FinishReason, TokenUsage};

    fn finished() -> Part {
        Ok(ChatPart::Finished { reason: FinishReason::Stop, usage: TokenUsage::default() })
    }

    #[test]
    fn what_a_slow_reader_has_no_room_for_comes_later_in_order_and_whole() {
        let (sender, mut receiver) = PartSender::new();
        let mut delivery = Delivery::new(sender);
        for _ in 0..PARTS {
            delivery.text("a");
            assert_eq!(delivery.flush(), Delivered::Open);
        }
        delivery.text("b");
        assert_eq!(delivery.flush(), Delivered::Blocked);
        delivery.text("c");
        delivery.end(finished());
        assert_eq!(delivery.flush(), Delivered::Blocked);

        let mut parts = Vec::new();
        while let Ok(part) = receiver.try_recv() {
            parts.push(part.unwrap());
        }
        assert_eq!(delivery.flush(), Delivered::Over);
        drop(delivery);
        while let Ok(part) = receiver.try_recv() {
            parts.push(part.unwrap());
        }
        let text: String = parts
            .iter()
            .filter_map(|part| match part {
                ChatPart::Text(text) => Some(text.as_str()),
                ChatPart::Tool(_) | ChatPart::Native(_) | ChatPart::Finished { .. } => None,
            })
            .collect();
        assert_eq!(text, "a".repeat(PARTS) + "bc");
        assert!(matches!(parts.last(), Some(ChatPart::Finished { .. })));
    }

    #[test]
    fn a_reader_that_left_ends_the_delivery() {
        let (sender, receiver) = PartSender::new();
        let mut delivery = Delivery::new(sender);
        drop(receiver);
        delivery.text("a");
        assert_eq!(delivery.flush(), Delivered::Over);
    }
}
