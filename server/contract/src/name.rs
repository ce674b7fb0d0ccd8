//! Names that people type, parsed once: addresses of people, short names of things, what things are called, passwords.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Why a name is refused, in words for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("enter an e-mail address such as ada@example.com")]
    Email,
    #[error("use 1 to 40 lower-case letters, digits and hyphens, starting with a letter, such as acme-labs")]
    Slug,
    #[error("enter a domain such as example.com")]
    Domain,
    #[error("use at least {} characters; a few words make a good password", Password::MIN_CHARS)]
    PasswordTooShort,
    #[error("use at most {} characters", Password::MAX_CHARS)]
    PasswordTooLong,
    #[error("use 1 to {most} characters on one line")]
    DisplayName { most: usize },
    #[error("leave out the character U+{:04X}, which nobody sees and which makes a text read as another", u32::from(*.0))]
    Unseen(char),
}

/// The first character that nobody sees, or that turns the direction of what stands around it: with these a name reads
/// as another. Blanks and what joins emoji to one picture's colour are no such.
pub fn unseen(text: &str) -> Option<char> {
    text.chars().find(|c| is_unseen(*c))
}

const fn is_unseen(c: char) -> bool {
    matches!(c,
        // Soft hyphen, Arabic letter mark, and letters that are drawn as nothing.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        // Of no width, and marks of direction.
        | '\u{200b}'..='\u{200f}'
        // Separators of lines; embeddings and overrides.
        | '\u{2028}'..='\u{202e}'
        // Joiners, invisible operators, isolates, and what is deprecated.
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        // Tags.
        | '\u{e0000}'..='\u{e007f}')
}

/// The same for what people call a thing: Persian and the scripts of India are spelled with joiners, and many emoji are
/// made with them. Between letters that stand alone in any case, as ours do, they only make a name read as another.
fn unseen_in_name(text: &str) -> Option<char> {
    let joined = |c: &char| *c >= '\u{590}' && !is_unseen(*c);
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
        let spells = is_joiner && before.as_ref().is_some_and(joined) && chars.peek().is_some_and(joined);
        if is_unseen(c) && !spells {
            return Some(c);
        }
        before = Some(c);
    }
    None
}

/// What people call a thing: one line, trimmed, and nothing in it that nobody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Of a tenant, in characters.
    pub const MOST_OF_TENANT: usize = 100;
    /// Of a key.
    pub const MOST_OF_KEY: usize = 60;

    /// Takes at most so many characters.
    pub fn new(text: &str, most: usize) -> Result<Self, NameError> {
        if let Some(unseen) = unseen_in_name(text) {
            return Err(NameError::Unseen(unseen));
        }
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.chars().count() > most || text.chars().any(char::is_control) {
            return Err(NameError::DisplayName { most });
        }
        Ok(Self(trimmed.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address, lower-cased: how a person signs in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_lowercase();
        if let Some(unseen) = unseen(&text) {
            return Err(NameError::Unseen(unseen));
        }
        // Deliverability is proved by a mail, not by a pattern; this only catches slips of the hand.
        let well_formed = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c))
            && text.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty()
                    && local.len() <= 64
                    && !domain.contains('@')
                    && domain.len() >= 3
                    && domain.split('.').count() >= 2
                    && domain.split('.').all(|label| !label.is_empty())
            });
        if well_formed { Ok(Self(text)) } else { Err(NameError::Email) }
    }
}

/// The short name of a tenant, provider, model or plan, as it stands in URLs and files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A slug made from a person's words: “Acme Labs, Inc.” becomes `acme-labs-inc`, “Größe” `grosse`. `forms.js` suggests
    /// the same while they are typed.
    pub fn suggest(words: &str) -> Option<Self> {
        let mut slug = String::new();
        let plain = words.to_lowercase().replace('ß', "ss");
        for c in plain.nfkd().filter(|c| !is_combining_mark(*c)) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(40);
        slug.trim_end_matches('-').parse().ok()
    }
}

impl FromStr for Slug {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NameError::Slug) }
    }
}

macro_rules! text_conversions {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )+};
}
text_conversions!(Email, Slug);

/// A password as typed. Never serialised, never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub const MIN_CHARS: usize = 10;
    pub const MAX_CHARS: usize = 200;

    /// A password somebody chooses now: it must meet today's rules.
    pub fn chosen(text: String) -> Result<Self, NameError> {
        match text.chars().count() {
            n if n < Self::MIN_CHARS => Err(NameError::PasswordTooShort),
            n if n > Self::MAX_CHARS => Err(NameError::PasswordTooLong),
            _ => Ok(Self(text)),
        }
    }

    /// A password offered at sign-in: only its length is bounded, rules may have changed since it was chosen.
    pub fn offered(text: String) -> Result<Self, NameError> {
        if text.chars().count() > Self::MAX_CHARS { Err(NameError::PasswordTooLong) } else { Ok(Self(text)) }
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_and_slips_refused() {
        assert_eq!(" Ada@Acme.Test ".parse::<Email>().unwrap().as_str(), "ada@acme.test");
        for slip in ["", "ada", "ada@", "@acme.test", "ada@acme", "a b@acme.test", "ada@@acme.test", "ada@acme..test"] {
            assert_eq!(slip.parse::<Email>(), Err(NameError::Email), "{slip}");
        }
    }

    #[test]
    fn slugs_are_strict_and_can_be_suggested() {
        assert!("acme-labs".parse::<Slug>().is_ok());
        for bad in ["", "Acme", "-acme", "acme-", "1acme", "a_b", &"a".repeat(41)] {
            assert_eq!(bad.parse::<Slug>(), Err(NameError::Slug), "{bad}");
        }
        assert_eq!(Slug::suggest(" Acme Labs, Inc. ").unwrap().as_str(), "acme-labs-inc");
        assert_eq!(Slug::suggest("Größe & Söhne Åland").unwrap().as_str(), "grosse-sohne-aland");
        assert_eq!(Slug::suggest("???"), None);
    }

    #[test]
    fn a_name_that_reads_as_another_is_refused_by_the_character() {
        for unseen in ['\u{202e}', '\u{200b}', '\u{200d}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{e0041}'] {
            let text = format!("Ac{unseen}me");
            assert_eq!(DisplayName::new(&text, 60), Err(NameError::Unseen(unseen)));
            assert_eq!(format!("a{unseen}b@acme.test").parse::<Email>(), Err(NameError::Unseen(unseen)));
        }
        let said = DisplayName::new("Acme\u{202e}", 60).unwrap_err().to_string();
        assert!(said.contains("U+202E"), "{said}");
        for doubled in ["می\u{200c}\u{200c}خواهم", "\u{200d}می", "می\u{200d}", "م\u{200d}a", "a\u{200c}م"]
        {
            assert!(matches!(DisplayName::new(doubled, 60), Err(NameError::Unseen(_))), "{doubled}");
        }
        for good in ["Acme", " Größe & Söhne ", "株式会社", "עברית", "❤️ Labs", "می\u{200c}خواهم", "👩\u{200d}🔬"]
        {
            assert_eq!(DisplayName::new(good, 60).unwrap().as_str(), good.trim());
        }
        for bad in ["", "   ", "two\nlines", "\u{7}", &"x".repeat(61)] {
            assert_eq!(DisplayName::new(bad, 60), Err(NameError::DisplayName { most: 60 }), "{bad:?}");
        }
    }

    #[test]
    fn a_password_does_not_show_itself() {
        let password = Password::chosen("correct horse battery".into()).unwrap();
        assert_eq!(format!("{password:?}"), "Password(…)");
        assert!(Password::chosen("short".into()).is_err());
        assert!(Password::offered("short".into()).is_ok());
    }
}
