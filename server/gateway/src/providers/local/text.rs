//! From tokens to text that may be shown: whole characters, and never a piece of a stop string.
//!
//! Pure; both types are fed in order and own what they hold back.

/// Joins the bytes of tokens into characters. A character may span several tokens; what is not yet a whole
/// one is kept (at most three bytes), and what can never become one turns into U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Utf8Assembler {
    tail: Vec<u8>,
}

impl Utf8Assembler {
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.tail.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            let (valid, invalid) = match std::str::from_utf8(&self.tail) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.tail.clear();
                    return text;
                }
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            let whole: Vec<u8> = self.tail.drain(..valid).collect();
            text.push_str(&String::from_utf8_lossy(&whole));
            match invalid {
                Some(length) => {
                    self.tail.drain(..length);
                    text.push(char::REPLACEMENT_CHARACTER);
                }
                None => return text,
            }
        }
    }

    /// What the end of the answer leaves of a character that never became whole.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.tail).into_owned();
        self.tail.clear();
        text
    }
}

/// Looks for stop strings in a text that arrives in pieces.
#[derive(Debug)]
pub(super) struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

/// What may be shown after a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// No stop string so far.
    More(String),
    /// The text before the first stop string; nothing follows.
    Stopped(String),
}

impl StopMatcher {
    /// Empty stop strings would match everywhere and are left out.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    pub fn push(&mut self, piece: &str) -> Shown {
        self.held.push_str(piece);
        let first = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = first {
            self.held.truncate(at);
            return Shown::Stopped(std::mem::take(&mut self.held));
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        Shown::More(std::mem::replace(&mut self.held, rest))
    }

    /// What was held back when the answer ends without a stop string.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// The length in bytes of the longest end of `text` that is a beginning of `stop`, but not all of it.
fn overlap(text: &str, stop: &str) -> usize {
    stop.char_indices()
        .map(|(at, _)| at)
        .rev()
        .find(|&length| stop.get(..length).is_some_and(|beginning| text.ends_with(beginning)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_split_over_tokens_comes_out_whole() {
        let text = "é🙂東";
        for size in 1..=4 {
            let mut assembler = Utf8Assembler::default();
            let pieces: Vec<String> = text.as_bytes().chunks(size).map(|bytes| assembler.push(bytes)).collect();
            assert_eq!(pieces.concat(), text);
            assert_eq!(assembler.finish(), "");
        }
    }

    #[test]
    fn bytes_that_are_no_character_are_replaced_and_lose_nothing_after_them() {
        let mut assembler = Utf8Assembler::default();
        assert_eq!(assembler.push(b"a\xffb"), "a\u{FFFD}b");
        assert_eq!(assembler.push(b"\xf0\x9f"), "");
        assert_eq!(assembler.push(b"c"), "\u{FFFD}c");
        assert_eq!(assembler.push(b"\xe6\x9d"), "");
        assert_eq!(assembler.finish(), "\u{FFFD}");
    }

    fn shown(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut matcher = StopMatcher::new(stops.iter().map(|&stop| stop.to_owned()));
        let mut text = String::new();
        for piece in pieces {
            match matcher.push(piece) {
                Shown::More(more) => text.push_str(&more),
                Shown::Stopped(more) => return (text + &more, true),
            }
            for stop in stops.iter().filter(|stop| !stop.is_empty()) {
                let leaked = (1..stop.len()).any(|n| stop.get(..n).is_some_and(|part| text.ends_with(part)));
                assert!(!leaked, "a part of {stop:?} leaked: {text:?}");
            }
        }
        (text + &matcher.finish(), false)
    }

    #[test]
    fn a_stop_string_never_leaks_even_in_parts() {
        assert_eq!(shown(&["\n\nUser:"], &["Hi", "\n", "\nUs", "er", ": x"]), ("Hi".to_owned(), true));
        assert_eq!(shown(&["##"], &["a#", "b#", "#c"]), ("a#b".to_owned(), true));
    }

    #[test]
    fn what_only_began_like_a_stop_string_is_shown_in_the_end() {
        assert_eq!(shown(&["STOP"], &["a S", "TO", "ne ST"]), ("a STOne ST".to_owned(), false));
        assert_eq!(shown(&["", "é!"], &["caf", "é", "."]), ("café.".to_owned(), false));
    }

    #[test]
    fn the_first_of_several_stop_strings_counts() {
        assert_eq!(shown(&["b", "ab"], &["xab"]), ("x".to_owned(), true));
    }
}
