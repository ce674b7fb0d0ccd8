//! How numbers, times and states are put into words. Pure, the same on the server and in the browser.

use contract::{AnswerDetails, ConversationView, Day, MessageStatus, RunId, Timestamp};

/// The run that is still making an answer of this conversation.
pub fn running(view: &ConversationView) -> Option<RunId> {
    view.messages.iter().filter(|message| message.status == MessageStatus::Streaming).find_map(|message| message.run)
}

/// A part of the quiet line under an answer, and what it says in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietPart {
    pub text: String,
    pub full: String,
}

/// The quiet line: model · tokens · cost · first token · config.
pub fn quiet_line(details: &AnswerDetails) -> Vec<QuietPart> {
    let about = if details.measured { "" } else { "≈ " };
    let part = |text: String, full: String| QuietPart { text, full };
    let mut line = vec![part(details.model.clone(), format!("answered by {}", details.route))];
    line.push(match (details.usage.input, details.usage.output) {
        (None, None) => part("tokens unknown".into(), "the provider did not say how many tokens it used".into()),
        (read, written) => part(
            format!("{about}{} tokens", grouped(read.unwrap_or(0).saturating_add(written.unwrap_or(0)))),
            tokens_in_full(details),
        ),
    });
    line.push(match details.cost {
        Some(cost) => part(format!("{about}{}", cost.display_short()), format!("{about}{cost} US dollars")),
        None => part("cost unknown".into(), "no price is on record for this model, or its usage is unknown".into()),
    });
    if let Some(first) = details.first_token_ms {
        line.push(part(
            format!("{} to first token", duration(first)),
            format!("{} until the answer was whole", duration(details.total_ms)),
        ));
    }
    line.push(part(details.config.clone(), "prompt and parameters that made this answer".into()));
    line
}

fn tokens_in_full(details: &AnswerDetails) -> String {
    let count = |tokens: Option<i64>| tokens.map_or_else(|| "unknown".to_owned(), grouped);
    let mut full = format!("{} read, {} written", count(details.usage.input), count(details.usage.output));
    if let Some(cached) = details.usage.cached_input.filter(|&cached| cached > 0) {
        full.push_str(&format!(", {} of those read from the cache", grouped(cached)));
    }
    full.push_str(if details.measured { "; measured" } else { "; estimated" });
    full
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds for people: `420 ms`, `1.3 s`, `2 min 5 s`.
pub fn duration(millis: i64) -> String {
    match millis {
        i64::MIN..1_000 => format!("{} ms", millis.max(0)),
        1_000..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        10_000..60_000 => format!("{} s", millis / 1_000),
        60_000..=i64::MAX => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

/// The heading under which the history lists a conversation. Spans rather than calendar days: the server
/// does not know the reader's time zone, and both renderings must agree.
pub fn age(now: Timestamp, then: Timestamp) -> &'static str {
    const DAY: i64 = 86_400_000;
    match now.millis_since(then) / DAY {
        i64::MIN..1 => "Last 24 hours",
        1..7 => "Last 7 days",
        7..30 => "Last 30 days",
        30..=i64::MAX => "Earlier",
    }
}

/// A moment as `2026-11-23 20:15 UTC`.
pub fn absolute(time: Timestamp) -> String {
    let minutes = time.as_millis().div_euclid(60_000);
    format!("{} {:02}:{:02} UTC", Day::of(time), minutes.rem_euclid(1_440) / 60, minutes.rem_euclid(60))
}

/// How long ago a moment was: `just now`, `5 minutes ago`, `3 days ago`; the moment itself belongs beside it.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let minutes = now.millis_since(then) / 60_000;
    let said = |number: i64, unit: &str| format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" });
    match minutes {
        i64::MIN..1 => "just now".to_owned(),
        1..60 => said(minutes, "minute"),
        60..1_440 => said(minutes / 60, "hour"),
        1_440..=i64::MAX => said(minutes / 1_440, "day"),
    }
}

/// In how long a moment will be: `in 5 minutes`, `in 3 days`; the moment itself belongs beside it.
pub fn until(now: Timestamp, then: Timestamp) -> String {
    let minutes = then.millis_since(now) / 60_000;
    let said = |number: i64, unit: &str| format!("in {number} {unit}{}", if number == 1 { "" } else { "s" });
    match minutes {
        i64::MIN..1 => "now".to_owned(),
        1..60 => said(minutes, "minute"),
        60..1_440 => said(minutes / 60, "hour"),
        1_440..=i64::MAX => said(minutes / 1_440, "day"),
    }
}

/// An id on a page, for a thing whose name may hold anything.
pub fn anchor(kind: &str, name: &str) -> String {
    let mut id = format!("{kind}-");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            id.push(char::from(byte));
        } else {
            id.push_str(&format!("_{byte:02x}"));
        }
    }
    id
}

/// What the ledger's codes of failures mean, for operators.
pub fn failure(code: &str) -> &'static str {
    match code {
        "unreachable" => "could not be reached",
        "timed_out" => "took too long",
        "rate_limited" => "asked to slow down",
        "unauthorised" => "refused its key",
        "forbidden" => "does not let its key do this",
        "unknown_model" => "does not know this model, or not for chats",
        "rejected" => "refused the request",
        "context_exceeded" => "cannot read so much at once",
        "failed" => "had a fault of its own",
        "malformed" => "sent something that is not its protocol",
        "cut" => "broke off in the middle of its answer",
        "gave_up" => "broke off its answer by itself",
        "saturated" => "had no place left",
        "not_ready" => "was not ready",
        "cancelled" => "was stopped",
        _ => "failed",
    }
}

/// A moment for the `datetime` attribute.
pub fn machine(time: Timestamp) -> String {
    absolute(time).replace(' ', "T").replace("TUTC", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{NanoUsd, TokenUsage};

    fn details() -> AnswerDetails {
        AnswerDetails {
            model: "assistant".into(),
            route: "local/smollm2-135m-instruct".into(),
            usage: TokenUsage {
                input: Some(1_200),
                cached_input: Some(1_000),
                output: Some(34),
                ..TokenUsage::default()
            },
            cost: Some(NanoUsd::from_nanos(15_300)),
            measured: true,
            first_token_ms: Some(420),
            total_ms: 3_250,
            config: "chat@1".into(),
        }
    }

    fn texts(details: &AnswerDetails) -> Vec<String> {
        quiet_line(details).into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn the_quiet_line_names_model_tokens_cost_first_token_and_config() {
        assert_eq!(texts(&details()), ["assistant", "1,234 tokens", "$0.000015", "420 ms to first token", "chat@1"]);
        assert_eq!(
            quiet_line(&details())[1].full,
            "1,200 read, 34 written, 1,000 of those read from the cache; measured"
        );
    }

    #[test]
    fn what_is_unknown_is_said_to_be_unknown_and_what_is_estimated_to_be_about() {
        let unknown = AnswerDetails { usage: TokenUsage::default(), cost: None, first_token_ms: None, ..details() };
        assert_eq!(texts(&unknown), ["assistant", "tokens unknown", "cost unknown", "chat@1"]);
        let estimated = AnswerDetails { measured: false, ..details() };
        assert_eq!(texts(&estimated)[1], "≈ 1,234 tokens");
    }

    #[test]
    fn durations_and_numbers_read_well() {
        assert_eq!(duration(0), "0 ms");
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1_250), "1.2 s");
        assert_eq!(duration(59_999), "59 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(grouped(-1_234_567), "−1,234,567");
        assert_eq!(grouped(100), "100");
    }

    #[test]
    fn ages_are_told_in_the_largest_unit() {
        let minutes = |count: i64| ago(Timestamp::from_millis(count * 60_000), Timestamp::from_millis(0));
        assert_eq!([0, 1, 59].map(minutes), ["just now", "1 minute ago", "59 minutes ago"]);
        assert_eq!([60, 1_439, 1_440, 90_000].map(minutes), ["1 hour ago", "23 hours ago", "1 day ago", "62 days ago"]);
    }

    #[test]
    fn what_is_to_come_is_told_in_the_largest_unit() {
        let minutes = |count: i64| until(Timestamp::from_millis(0), Timestamp::from_millis(count * 60_000));
        assert_eq!([-5, 0, 1, 59].map(minutes), ["now", "now", "in 1 minute", "in 59 minutes"]);
        assert_eq!([60, 1_439, 1_440, 43_200].map(minutes), ["in 1 hour", "in 23 hours", "in 1 day", "in 30 days"]);
    }

    #[test]
    fn anchors_hold_no_odd_letters_and_differ() {
        assert_eq!(anchor("model", "gpt-4o"), "model-gpt-4o");
        assert_eq!(anchor("model", "qwen3:4b/x y"), "model-qwen3_3a4b_2fx_20y");
        assert_ne!(anchor("model", "a.b"), anchor("model", "a-b"));
    }

    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(absolute(Timestamp::from_millis(0)), "1970-01-01 00:00 UTC");
        assert_eq!(absolute(Timestamp::from_millis(1_709_210_096_000)), "2024-02-29 12:34 UTC");
        assert_eq!(absolute(Timestamp::from_millis(-60_000)), "1969-12-31 23:59 UTC");
        assert_eq!(machine(Timestamp::from_millis(1_709_210_096_000)), "2024-02-29T12:34Z");
    }
}
