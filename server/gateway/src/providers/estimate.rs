//! Counting tokens without the model's own tokenizer: an estimate for billing what was said before a cut.

/// About four characters of English make a token; other scripts are closer to one token a character.
pub(super) fn tokens(text: &str) -> i64 {
    let all = text.chars().count();
    let ascii = text.chars().filter(char::is_ascii).count();
    i64::try_from(ascii.div_ceil(4) + (all - ascii)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn an_estimate_is_never_zero_for_some_text() {
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("a"), 1);
        assert_eq!(tokens("The capital of France is Paris."), 8);
        assert_eq!(tokens("東京"), 2);
    }
}
