//! The known name that a misspelt one probably meant.

/// The nearest of `known`, if one is near enough to be meant.
pub(crate) fn nearest<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(unknown, name), name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// “; did you mean …?”, or nothing.
pub(crate) fn hint<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(unknown, known).map(|name| format!("; did you mean “{name}”?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["listen", "public_url", "data_dir"];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(nearest("datadir", known), Some("data_dir"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(hint("colour", known), "");
    }
}
