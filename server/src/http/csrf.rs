//! Only our own pages may change something: browsers say where a request comes from.
//!
//! `Sec-Fetch-Site` is set by every current browser and cannot be set by a page; `Origin` is the fallback
//! for older ones. A request with neither comes from no browser of ours and is refused: programs use
//! addresses of their own, with keys instead of cookies. https://words.filippo.io/csrf/

use super::{
    WebState,
    answer::{self, Reader},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use contract::{Problem, ProblemCode};
use http::{HeaderMap, Method, Uri, header};

pub(super) async fn refuse_foreign(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_ours(request.headers(), request.uri(), state.settings().public_url.origin()) {
        return next.run(request).await;
    }
    tracing::warn!(path = request.uri().path(), "a request from another site was refused");
    let problem = Problem::new(
        ProblemCode::PermissionDenied,
        "This request does not come from a page of this server. Open the page again and repeat it there.",
    );
    answer::problem(&problem, Reader::of(request.headers(), request.uri().path()))
}

fn is_ours(headers: &HeaderMap, uri: &Uri, public_origin: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let origin = text("origin");
    if origin == Some(public_origin) {
        return true;
    }
    match text("sec-fetch-site") {
        // “none”: typed or bookmarked by the person themself.
        Some("same-origin" | "none") => true,
        Some(_) => false,
        None => {
            let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| text(header::HOST.as_str()));
            let authority = origin.and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
            authority.is_some() && authority == host
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&'static str, &'static str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>();
        is_ours(&headers, &Uri::from_static("/api/ui/x"), "https://seam.test")
    }

    #[test]
    fn our_own_pages_may() {
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("sec-fetch-site", "none")]));
        assert!(ours(&[("origin", "https://seam.test"), ("host", "inner:3000")]));
        assert!(ours(&[("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:3000")]));
    }

    #[test]
    fn others_may_not() {
        for headers in [
            &[][..],
            &[("host", "seam.test")],
            &[("sec-fetch-site", "cross-site"), ("host", "seam.test")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://evil.seam.test")],
            &[("origin", "https://evil.test"), ("host", "seam.test")],
            &[("origin", "null"), ("host", "seam.test")],
            // The header wins over what an attacker can bend.
            &[("sec-fetch-site", "cross-site"), ("origin", "http://seam.test"), ("host", "seam.test")],
        ] {
            assert!(!ours(headers), "{headers:?}");
        }
    }
}
