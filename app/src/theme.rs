//! Light, dark, or as the system says. A cookie rather than local storage: the server renders the choice
//! into the page, so nothing flashes and no script is needed.

/// A chosen theme; none chosen follows the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    const COOKIE: &str = "seam_theme";

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == text)
    }

    /// The `Set-Cookie` that remembers a choice, or forgets it.
    pub fn cookie(choice: &str) -> String {
        let (value, age) = Self::parse(choice).map_or(("", 0), |theme| (theme.as_str(), 31_536_000));
        format!("{}={value}; Path=/; Max-Age={age}; SameSite=Lax", Self::COOKIE)
    }

    fn of_cookies(cookies: &str) -> Option<Self> {
        cookies
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| if name == Self::COOKIE { Self::parse(value) } else { None })
    }

    /// The theme this request's browser has chosen.
    pub fn of_request() -> Option<Self> {
        let parts = leptos::prelude::use_context::<http::request::Parts>()?;
        let cookies = parts.headers.get_all(http::header::COOKIE);
        cookies.iter().filter_map(|value| value.to_str().ok()).find_map(Self::of_cookies)
    }
}

#[cfg(test)]
mod tests {
    use super::Theme;

    #[test]
    fn a_choice_is_remembered_and_anything_else_forgets_it() {
        assert_eq!(Theme::of_cookies("a=b; seam_theme=dark"), Some(Theme::Dark));
        assert_eq!(Theme::of_cookies("seam_theme=pink"), None);
        assert!(Theme::cookie("light").starts_with("seam_theme=light; Path=/; Max-Age=31536000"));
        assert!(Theme::cookie("x\r\nset-cookie: y").starts_with("seam_theme=; Path=/; Max-Age=0"));
    }
}
