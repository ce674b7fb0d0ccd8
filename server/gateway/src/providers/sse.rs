//! Server-sent events as providers send them, read strictly and within bounds.
//!
//! The parser does no input or output: bytes go in as they arrive, whole events come out, however the
//! network cut them. An event over the limit, or one that is not UTF-8, is an error and not a guess.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use crate::provider::ProviderError;
use async_stream::try_stream;
use futures::{Stream, StreamExt};
use std::{collections::VecDeque, time::Duration};
use tokio_util::sync::CancellationToken;

/// An event holds a few tokens; this much without an end is no event.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// One event; `name` is `message` where the stream does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub name: String,
    pub data: String,
}

/// Collects bytes into events.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    bytes: usize,
    seen_line: bool,
    after_carriage_return: bool,
    ready: VecDeque<Event>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) -> Result<(), ProviderError> {
        for &byte in bytes {
            let follows_carriage_return = std::mem::take(&mut self.after_carriage_return);
            match byte {
                // The second half of a CRLF; its line has ended already.
                b'\n' if follows_carriage_return => {}
                b'\n' => self.end_line()?,
                b'\r' => {
                    self.after_carriage_return = true;
                    self.end_line()?;
                }
                other => {
                    self.bytes += 1;
                    if self.bytes > MAX_EVENT_BYTES {
                        return Err(malformed(format!("an event is longer than {MAX_EVENT_BYTES} bytes")));
                    }
                    self.line.push(other);
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), ProviderError> {
        let line = String::from_utf8(std::mem::take(&mut self.line))
            .map_err(|_| malformed("an event is not UTF-8".to_owned()))?;
        let line = if std::mem::replace(&mut self.seen_line, true) {
            line.as_str()
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(&line)
        };
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.name),
            // `id`, `retry` and comments mean nothing to us; the standard says to ignore the rest.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        self.bytes = 0;
        let name = std::mem::take(&mut self.name);
        if let Some(data) = self.data.take() {
            let name = if name.is_empty() { "message".to_owned() } else { name };
            self.ready.push_back(Event { name, data });
        }
    }
}

fn malformed(what: String) -> ProviderError {
    ProviderError::Malformed(what)
}

/// The events of a response. Silence of `idle` between two of them is `TimedOut`, a broken connection is
/// `Cut`, and so is an event without its end; the stream ends where the connection does.
pub(super) fn events<B, E>(
    body: impl Stream<Item = Result<B, E>> + Send + 'static,
    idle: Duration,
    cancel: CancellationToken,
) -> impl Stream<Item = Result<Event, ProviderError>> + Send + 'static
where
    B: AsRef<[u8]> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    try_stream! {
        let mut body = Box::pin(body);
        let mut parser = Parser::default();
        let mut deadline = tokio::time::Instant::now() + idle;
        loop {
            while let Some(event) = parser.ready.pop_front() {
                yield event;
                deadline = tokio::time::Instant::now() + idle;
            }
            let chunk = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(ProviderError::Cancelled),
                chunk = tokio::time::timeout_at(deadline, body.next()) => {
                    chunk.map_err(|_| ProviderError::TimedOut(idle))
                }
            }?;
            match chunk {
                Some(Ok(bytes)) => parser.push(bytes.as_ref())?,
                Some(Err(error)) => {
                    tracing::debug!(%error, "a provider's stream broke");
                    Err(ProviderError::Cut)?;
                }
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(chunks: &[&[u8]]) -> Result<Vec<Event>, ProviderError> {
        let mut parser = Parser::default();
        for chunk in chunks {
            parser.push(chunk)?;
        }
        Ok(parser.ready.into())
    }

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_comments_names_and_joined_lines_are_read_as_the_standard_says() {
        let text = b"\xef\xbb\xbf: hello\n\nevent: ping\ndata: {}\n\ndata:a\ndata: b\r\n\r\nid: 7\n\ndata: open";
        assert_eq!(parse(&[text]).unwrap(), [event("ping", "{}"), event("message", "a\nb")]);
    }

    #[test]
    fn an_endless_event_and_broken_text_are_errors() {
        let endless = vec![b'x'; MAX_EVENT_BYTES + 1];
        assert!(matches!(parse(&[&endless]), Err(ProviderError::Malformed(_))));
        assert!(matches!(parse(&[b"data: \xff\xfe\n\n"]), Err(ProviderError::Malformed(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_between_events_times_out_though_comments_arrive() {
        let chatter = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            Some((Ok::<_, std::io::Error>(b": still here\n".to_vec()), ()))
        });
        let events: Vec<_> = events(chatter, Duration::from_secs(1), CancellationToken::new()).collect().await;
        assert!(matches!(events.as_slice(), [Err(ProviderError::TimedOut(_))]), "{events:?}");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_network_cuts(cuts in proptest::collection::vec(0usize..60, 0..8)) {
            let text = "event: delta\r\ndata: “größe” 🦀\r\n\r\ndata: one\ndata: two\n\n".as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&chunks).unwrap(), [event("delta", "“größe” 🦀"), event("message", "one\ntwo")]);
        }
    }
}
