//! One attempt's answer, as it is heard: passed on to the reader bit by bit, and written down for the bill.
//!
//! Of an answer that is asked for whole nothing is passed on before its end: until then another attempt can be made.

use crate::{
    accounting::OpenAttempt,
    chat::Chat,
    provider::{ChatCall, ChatPart, ChatParts, NativePart, ProviderError, ToolPart},
    race::Turn,
    route::Leg,
};
use contract::{FinishReason, TokenUsage};
use futures::StreamExt;
use registry::Disconnect;
use serde_json::Value;
use std::{future::Future, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

/// A reader that takes nothing for so long has gone away: it holds the provider's connection.
const READER_PATIENCE: Duration = Duration::from_secs(60);
/// What may come before an answer begins: a role, an id, filters' remarks. After so much it has begun all the same.
const MOST_KEPT_BACK: usize = 16;
/// An answer that is asked for whole is kept until its end; one that is longer has none.
const LONGEST_WHOLE: usize = 32 << 20;

pub(crate) enum Said {
    /// Once, before the first text: who answers.
    Begun {
        route: String,
    },
    Text(String),
    Tool(ToolPart),
    Native(Value),
}

/// Why an answer did not get to its end.
pub(crate) enum Broken {
    /// Nobody wants it any more.
    Unwanted,
    /// Another attempt was heard first.
    Beaten,
    By(ProviderError),
}

impl From<ProviderError> for Broken {
    fn from(cause: ProviderError) -> Self {
        Self::By(cause)
    }
}

pub(crate) struct Hearing<'a> {
    chat: &'a Chat,
    reader: &'a mpsc::Sender<Said>,
    leg: &'a Leg,
    turn: Turn<'a>,
    pub open: OpenAttempt,
    /// What the model wrote, so far.
    pub said: String,
    /// Whether anything was passed on.
    pub heard: bool,
    /// Whether its first words are there.
    begun: bool,
    /// What is passed on once it may be.
    held: Vec<Said>,
    /// The reader has gone, and the rest is listened to for its bill alone.
    pub unread: bool,
}

impl<'a> Hearing<'a> {
    pub const fn new(
        chat: &'a Chat,
        reader: &'a mpsc::Sender<Said>,
        leg: &'a Leg,
        turn: Turn<'a>,
        open: OpenAttempt,
    ) -> Self {
        Self {
            chat,
            reader,
            leg,
            turn,
            open,
            said: String::new(),
            heard: false,
            begun: false,
            held: Vec::new(),
            unread: false,
        }
    }

    /// Passes on what the provider says, until its end.
    pub async fn listen(&mut self) -> Result<(FinishReason, TokenUsage), Broken> {
        let call = self.leg.call(self.chat.asked.tenant, &self.chat.request);
        // Whatever ends this attempt also ends the provider's work.
        let _end = call.cancel.clone().drop_guard();
        let whole = call.native.as_ref().is_some_and(|native| !native.streamed);
        let provider = &self.leg.provider;
        let own = self.open.dispatched() + if whole { provider.whole_timeout } else { provider.timeout };
        let begins_by = self.turn.deadline.map_or(own, |share| share.min(own));
        let (mut part, mut parts) = self.wait(begins_by, first_part(self.leg, call)).await?;
        let mut remarks = 0;
        loop {
            let over = matches!(part, ChatPart::Finished { .. });
            if let ChatPart::Native(NativePart { begins: false, .. }) = &part {
                remarks += 1;
                self.begun |= remarks > MOST_KEPT_BACK;
            } else {
                self.begun = true;
            }
            let may_be_heard = self.begun && (over || !self.chat.request.is_whole());
            if may_be_heard && !self.heard {
                if !self.turn.heard() {
                    return Err(Broken::Beaten);
                }
                self.heard = true;
                self.send(Said::Begun { route: self.leg.route() }).await?;
                for said in std::mem::take(&mut self.held) {
                    self.send(said).await?;
                }
            }
            match part {
                ChatPart::Finished { reason, usage } => return Ok((reason, usage)),
                ChatPart::Text(text) => {
                    self.open.text_came();
                    self.said.push_str(&text);
                    self.tell(Said::Text(text)).await?;
                }
                ChatPart::Tool(tool) => {
                    self.open.text_came();
                    match &tool {
                        ToolPart::Begins { name: more, .. } | ToolPart::Arguments(more) => self.said.push_str(more),
                    }
                    self.tell(Said::Tool(tool)).await?;
                }
                ChatPart::Native(NativePart { value, said: more, .. }) => {
                    if self.begun {
                        self.open.text_came();
                    }
                    self.said.push_str(&more);
                    self.tell(Said::Native(value)).await?;
                }
            }
            part = self.wait(begins_by, next_part(&mut parts)).await?;
        }
    }

    /// Waits for the provider: until the answer has begun only so long, and as long as somebody wants to know.
    async fn wait<T>(
        &mut self,
        begins_by: Instant,
        said: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, Broken> {
        let limit = begins_by - self.open.dispatched();
        let begun = self.begun;
        let bounded = async {
            if begun {
                return said.await;
            }
            timeout_at(begins_by, said).await.unwrap_or(Err(ProviderError::TimedOut(limit)))
        };
        tokio::pin!(bounded);
        loop {
            let gone = tokio::select! {
                biased;
                () = self.lost() => true,
                () = self.turn.beaten() => false,
                said = &mut bounded => return Ok(said?),
            };
            if !gone {
                return Err(Broken::Beaten);
            }
            self.listen_on()?;
        }
    }

    /// Passes something on, now or when it may be.
    async fn tell(&mut self, said: Said) -> Result<(), Broken> {
        if self.heard {
            return self.send(said).await;
        }
        if self.said.len() > LONGEST_WHOLE {
            let longer = format!("an answer of more than {LONGEST_WHOLE} bytes");
            return Err(Broken::By(ProviderError::Malformed(longer)));
        }
        self.held.push(said);
        Ok(())
    }

    async fn send(&mut self, said: Said) -> Result<(), Broken> {
        if self.unread {
            return Ok(());
        }
        let told = tokio::select! {
            biased;
            () = self.lost() => false,
            sent = timeout(READER_PATIENCE, self.reader.send(said)) => matches!(sent, Ok(Ok(()))),
        };
        if told { Ok(()) } else { self.listen_on() }
    }

    /// Returns when there is no more reason to listen.
    async fn lost(&self) {
        if self.unread { self.chat.interest.closing.cancelled().await } else { self.chat.interest.lost().await }
    }

    /// The reader has gone. Who stops an answer wants it to end; of one who went away the operator may want to know what the
    /// answer costs.
    fn listen_on(&mut self) -> Result<(), Broken> {
        let stopped = self.chat.request.cancel.is_cancelled() || self.chat.interest.closing.is_cancelled();
        if stopped || self.unread || self.chat.on_disconnect == Disconnect::Abort {
            return Err(Broken::Unwanted);
        }
        self.unread = true;
        Ok(())
    }
}

/// The first part that says something, with the stream it came from.
async fn first_part(leg: &Leg, call: ChatCall) -> Result<(ChatPart, ChatParts), ProviderError> {
    let mut parts = leg.provider.instance.chat(call).await?;
    let part = next_part(&mut parts).await?;
    Ok((part, parts))
}

/// The next part that says something. A stream that ends without `Finished` was cut.
async fn next_part(parts: &mut ChatParts) -> Result<ChatPart, ProviderError> {
    loop {
        match parts.next().await {
            Some(Ok(ChatPart::Text(text))) if text.is_empty() => {}
            Some(part) => return part,
            None => return Err(ProviderError::Cut),
        }
    }
}
