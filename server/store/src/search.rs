//! Words that somebody typed, as a pattern for LIKE.

/// The LIKE pattern of everything that holds these words, which are taken literally. In small letters, like what it is
/// compared with: of ASCII alone, since that is what LOWER does to our columns on either engine.
pub fn containing(words: &str) -> String {
    let mut pattern = String::from("%");
    for c in words.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_wildcards_literally() {
        assert_eq!(containing("100%_\\"), "%100\\%\\_\\\\%");
        assert_eq!(containing("ÉCOLE"), "%École%");
    }
}
