//! The built web assets, inside the binary; made by tools/webbuild, embedded by build.rs.
//!
//! Names under `/assets/` change with their content and are kept by browsers for ever. The few others
//! (the favicon) keep their names and are asked for again now and then.

use app::AssetNames;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::LazyLock;

/// One embedded file.
struct Asset {
    /// As asked for, without the first slash.
    path: &'static str,
    content: &'static [u8],
    /// The same under brotli, where that is smaller.
    brotli: Option<&'static [u8]>,
    etag: &'static str,
}

/// Sorted by path.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));
const MANIFEST: &str = include_str!(concat!(env!("OUT_DIR"), "/manifest.json"));

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// Whether this binary was built without them.
pub(crate) fn are_missing() -> bool {
    names().js.is_empty()
}

/// The entry files' paths, as pages name them.
pub(crate) fn names() -> &'static AssetNames {
    static NAMES: LazyLock<AssetNames> = LazyLock::new(|| {
        let manifest: serde_json::Value = serde_json::from_str(MANIFEST).unwrap_or_default();
        let entry = |name: &str| {
            manifest.get(name).and_then(serde_json::Value::as_str).map(|path| format!("/{path}")).unwrap_or_default()
        };
        // The font of code is not part of the first paint.
        let fonts = ASSETS.iter().filter(|asset| asset.path.ends_with(".woff2") && !asset.path.contains("mono"));
        AssetNames {
            js: entry("js"),
            wasm: entry("wasm"),
            css: entry("css"),
            icon: "/favicon.svg".to_owned(),
            fonts: fonts.map(|asset| format!("/{}", asset.path)).collect(),
        }
    });
    &NAMES
}

/// Files outside `/assets/`, which need routes of their own.
pub(super) fn top_level() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.path).filter(|path| !path.starts_with("assets/"))
}

/// The answer to a request for a file; none when there is no such file.
pub(super) fn answer(path: &str, headers: &HeaderMap) -> Option<Response> {
    let index = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    ASSETS.get(index).map(|asset| asset.answer(headers))
}

impl Asset {
    fn answer(&self, request: &HeaderMap) -> Response {
        let packed = self.brotli.filter(|_| takes_brotli(request));
        let fresh = request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == self.etag.as_bytes());
        let mut response = if fresh {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Body::from(Bytes::from_static(packed.unwrap_or(self.content))).into_response()
        };
        let headers = response.headers_mut();
        let lasting = self.path.starts_with("assets/");
        headers.insert(header::CACHE_CONTROL, if lasting { FOR_EVER } else { FOR_AN_HOUR });
        headers.insert(header::ETAG, HeaderValue::from_static(self.etag));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if fresh {
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(self.path)));
        if packed.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        response
    }
}

/// Names brotli, and not with a weight of zero.
fn takes_brotli(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("br") && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCRIPT: Asset =
        Asset { path: "assets/seam.0.js", content: b"plain", brotli: Some(b"packed"), etag: "\"0\"" };

    fn asked(name: header::HeaderName, value: &'static str) -> Response {
        SCRIPT.answer(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
    }

    #[test]
    fn who_takes_brotli_gets_it() {
        let response = asked(header::ACCEPT_ENCODING, "gzip, deflate, br");
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_EVER);
        for without in ["gzip", "br;q=0", "brotli"] {
            let response = asked(header::ACCEPT_ENCODING, without);
            assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "{without}");
        }
    }

    #[test]
    fn who_has_it_is_told_so() {
        assert_eq!(asked(header::IF_NONE_MATCH, "\"0\"").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked(header::IF_NONE_MATCH, "\"1\"").status(), StatusCode::OK);
    }

    #[test]
    fn the_list_is_sorted_and_the_manifest_names_files_in_it() {
        assert!(ASSETS.is_sorted_by_key(|asset| asset.path));
        for name in [&names().js, &names().wasm, &names().css] {
            assert!(name.is_empty() || answer(&name[1..], &HeaderMap::new()).is_some(), "{name}");
        }
    }
}
