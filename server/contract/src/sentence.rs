//! What a layer says at the end of a line, as a sentence of its own.

/// With a capital and a full stop. A name at its beginning, such as an address, a field or a host, stays as it is
/// written.
///
/// ```
/// assert_eq!(contract::sentence("enter an address"), "Enter an address.");
/// assert_eq!(contract::sentence("bob@acme.test is a member already"), "bob@acme.test is a member already.");
/// ```
pub fn sentence(said: &str) -> String {
    let word = said.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ':', ';']);
    let is_name = word.chars().any(|letter| !letter.is_alphabetic() && !matches!(letter, '-' | '’' | '\''));
    let mut letters = said.chars();
    let mut text: String = if is_name {
        said.to_owned()
    } else {
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
    };
    if !text.is_empty() && !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn names_are_left_as_they_are_written() {
        for (said, expected) in [
            ("use 1 to 60 characters", "Use 1 to 60 characters."),
            ("name: use 1 to 60 characters", "Name: use 1 to 60 characters."),
            ("so-called names!", "So-called names!"),
            ("acme.test is confirmed for another tenant", "acme.test is confirmed for another tenant."),
            ("soft_budget is above the other", "soft_budget is above the other."),
            ("“acme” is being deleted", "“acme” is being deleted."),
            ("it's late", "It's late."),
            ("", ""),
        ] {
            assert_eq!(sentence(said), expected);
        }
    }
}
