//! The key of a program, in `Authorization`.

use http::{HeaderMap, header};

/// Said alike of a key that never was, was revoked, or has expired.
pub(super) const OPENS_NOTHING: &str = "This key opens nothing: it is unknown, was revoked, or has expired.";

pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_as_a_bearer() {
        let given = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            of(&headers).map(str::to_owned)
        };
        assert_eq!(given("Bearer sk-seam-x").as_deref(), Some("sk-seam-x"));
        assert_eq!(given("bearer sk-seam-x").as_deref(), Some("sk-seam-x"));
        for other in ["Basic c2stc2VhbS14", "sk-seam-x", ""] {
            assert_eq!(given(other), None, "{other}");
        }
    }
}
