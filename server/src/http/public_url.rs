//! The address under which people reach this server.

use http::Uri;
use std::{fmt, net::SocketAddr};

/// A scheme and an authority, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    secure: bool,
}

impl PublicUrl {
    /// Parses the setting; the error is for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("“{text}” is not an address such as https://seam.example.com, without a path");
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| refused())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(refused()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(refused)?;
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err(refused());
        }
        let scheme = if secure { "https" } else { "http" };
        Ok(Self { origin: format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()), secure })
    }

    /// Without encryption: this machine's own address.
    pub fn plain(address: SocketAddr) -> Self {
        Self { origin: format!("http://{address}"), secure: false }
    }

    /// As browsers write it in `Origin`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_is_one() {
        let url = PublicUrl::parse("https://Seam.Example.com/").unwrap();
        assert_eq!((url.origin(), url.is_secure()), ("https://seam.example.com", true));
        assert_eq!(PublicUrl::parse("http://127.0.0.1:3000").unwrap().to_string(), "http://127.0.0.1:3000");
        for bad in ["seam.example.com", "ftp://x", "https://x/seam", "https://u@x", "https://x?y", ""] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
