//! A run's events for a page: between the words, what they look like.
//!
//! Markdown is rendered here so that no browser carries a parser for it (docs/adr/0006). An `html` event takes
//! the place of what follows the blocks that are whole. Large blocks are sent less often, so that an answer
//! costs a reader a bounded number of bytes a second however long its last block is; between two of them the
//! page shows the words as they are. The last one comes before the terminal event and is the answer as a
//! reload would show it.

use app::markdown::Growing;
use async_stream::stream;
use contract::{RenderedTail, RunEvent, RunEventRecord};
use futures::{Stream, StreamExt, pin_mut};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// So many bytes of HTML a millisecond, and so long at least from one to the next.
const BYTES_PER_MS: u64 = 24;
const SHORTEST: Duration = Duration::from_millis(50);

/// What a page is told.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // They are passed on one by one, and most are events.
pub(super) enum Told {
    Event(RunEventRecord),
    /// The words up to the event of this number.
    Html(i64, RenderedTail),
}

/// The events after number `after`, with `html` among them. `events` starts at the run's first event: what
/// came before is needed to render what follows.
pub(super) fn rendered<E: Send>(
    events: impl Stream<Item = Result<RunEventRecord, E>> + Send,
    after: i64,
) -> impl Stream<Item = Result<Told, E>> + Send {
    stream! {
        pin_mut!(events);
        let (mut answer, mut seen, mut due, mut unshown) = (Growing::default(), 0, Instant::now(), false);
        loop {
            let next = tokio::select! {
                // A reader that lags behind gets them too.
                biased;
                () = sleep_until(due), if unshown && seen >= after => {
                    let tail = answer.tail();
                    due = Instant::now() + pause(&tail);
                    unshown = false;
                    yield Ok(Told::Html(seen, tail));
                    continue;
                }
                next = events.next() => next,
            };
            match next {
                None => break,
                Some(Err(error)) => yield Err(error),
                Some(Ok(record)) => {
                    if let RunEvent::Delta { text } = &record.event {
                        answer.push(text);
                        unshown = true;
                    }
                    seen = record.seq;
                    if record.seq <= after {
                        continue;
                    }
                    if record.event.is_terminal() && !answer.is_empty() {
                        yield Ok(Told::Html(seen - 1, std::mem::take(&mut answer).end()));
                    }
                    yield Ok(Told::Event(record));
                }
            }
        }
    }
}

fn pause(tail: &RenderedTail) -> Duration {
    Duration::from_millis(tail.html.len() as u64 / BYTES_PER_MS).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    fn delta(seq: i64, text: &str) -> Result<RunEventRecord, ()> {
        Ok(RunEventRecord { seq, event: RunEvent::Delta { text: text.to_owned() } })
    }

    fn end(seq: i64) -> Result<RunEventRecord, ()> {
        let details = contract::AnswerDetails {
            model: "m".into(),
            route: "r".into(),
            usage: contract::TokenUsage::default(),
            cost: None,
            measured: false,
            first_token_ms: None,
            total_ms: 1,
            config: "chat@1".into(),
        };
        Ok(RunEventRecord { seq, event: RunEvent::Stopped { details } })
    }

    async fn told(events: Vec<Result<RunEventRecord, ()>>, pace: Duration, after: i64) -> Vec<Told> {
        let events = stream::iter(events).then(move |event| async move {
            tokio::time::sleep(pace).await;
            event
        });
        rendered(events, after).map(Result::unwrap).collect().await
    }

    fn html(told: &[Told]) -> Vec<(i64, u32, &str)> {
        let html = |told| match told {
            &Told::Html(seq, ref tail) => Some((seq, tail.keep, tail.html.as_str())),
            Told::Event(_) => None,
        };
        told.iter().filter_map(html).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn words_are_rendered_as_they_come_and_whole_blocks_once() {
        let events = vec![delta(1, "One"), delta(2, " *two*\n\nthree\n\nfo"), delta(3, "ur"), end(4)];
        let told = told(events, Duration::from_millis(100), 0).await;
        assert_eq!(
            html(&told),
            [
                (1, 0, "<p>One</p>\n"),
                (2, 0, "<p>One <em>two</em></p>\n<p>three</p>\n<p>fo</p>\n"),
                (3, 1, "<p>three</p>\n<p>four</p>\n"),
                (3, 1, "<p>three</p>\n<p>four</p>\n"),
            ]
        );
        assert!(matches!(told.last(), Some(Told::Event(record)) if record.event.is_terminal()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_rendered_once_and_nothing_of_it_is_left_out() {
        let mut events: Vec<_> = (1..=200).map(|seq| delta(seq, "word ")).collect();
        events.push(end(201));
        let told = told(events, Duration::ZERO, 0).await;
        assert!(html(&told).len() <= 3, "{:?}", html(&told).len());
        assert_eq!(html(&told).last().unwrap().2.matches("word").count(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_block_is_sent_less_often() {
        let events = |text: &str| (1..=100).map(|seq| delta(seq, text)).chain([end(101)]).collect::<Vec<_>>();
        let pace = Duration::from_millis(20);
        let (short, long) = (told(events("a "), pace, 0).await, told(events(&"a ".repeat(500)), pace, 0).await);
        assert!(html(&long).len() * 4 < html(&short).len(), "{} {}", html(&long).len(), html(&short).len());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_gets_all_of_it_once_and_then_what_follows() {
        let events = vec![delta(1, "one\n\n"), delta(2, "two"), delta(3, " three"), end(4)];
        let told = told(events, Duration::from_millis(100), 2).await;
        assert_eq!(html(&told)[0], (2, 0, "<p>one</p>\n<p>two</p>\n"));
        let numbers: Vec<_> = told
            .iter()
            .filter_map(|told| match told {
                Told::Event(record) => Some(record.seq),
                Told::Html(..) => None,
            })
            .collect();
        assert_eq!(numbers, [3, 4]);
    }
}
