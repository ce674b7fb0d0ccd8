//! What was wrong with a plain form, on its way back to the page.
//!
//! A form that the browser posted by itself is answered by a redirect to its page. Leptos puts the refusal into
//! that address; anybody could then write a link that speaks in our name and fills in our forms. So it travels
//! in a cookie, which only we can set: for one page, for a minute, out of reach of scripts.

use app::api::RefusedForm;
use axum::{extract::Request, middleware::Next, response::Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};

const COOKIE: &str = "seam_refused";
/// Browsers keep cookies of up to 4 kB.
const MOST_BYTES: usize = 3_500;
/// A cookie's end, on the answer that has shown it.
pub(super) const FORGET: &str = "seam_refused=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax";

/// Moves a refusal from the address of a redirect into the cookie.
pub(super) async fn carry(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    if let Some((page, refused)) = location.and_then(split) {
        if let Ok(page) = HeaderValue::from_str(&page) {
            response.headers_mut().insert(header::LOCATION, page);
        }
        if let Some(cookie) = refused.and_then(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// The refusal that a request for a page brings along.
pub(super) fn brought(headers: &HeaderMap) -> Option<RefusedForm> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
}

/// Our own page, and what Leptos says was wrong. None: this address carries no refusal.
fn split(location: &str) -> Option<(String, Option<RefusedForm>)> {
    let (page, query) = location.split_once('?')?;
    let (mut path, mut error, mut kept) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("__path", value)) => path = Some(value),
            Some(("__err", value)) => error = Some(value),
            _ => kept.push(pair),
        }
    }
    let error = error?;
    // Whatever the request said of where it came from, the answer leads to this server.
    let page = page.split_once("://").map_or(page, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let page = app::api::own_path(Some(page));
    let page = if kept.is_empty() { page.to_owned() } else { format!("{page}?{}", kept.join("&")) };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((page, path.map(|path| RefusedForm::decode(&decoded(path), &decoded(error)))))
}

pub(super) fn cookie(mut refused: RefusedForm) -> Option<HeaderValue> {
    let encode = |refused: &RefusedForm| serde_json::to_vec(refused).map(|json| URL_SAFE_NO_PAD.encode(json)).ok();
    let mut value = encode(&refused)?;
    if value.len() > MOST_BYTES {
        refused.problem.kept.clear();
        value = encode(&refused).filter(|value| value.len() <= MOST_BYTES)?;
    }
    HeaderValue::from_str(&format!("{COOKIE}={value}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_refusal_is_left_alone() {
        assert!(split("/chat").is_none() && split("/chat/1?wait=1").is_none());
    }

    #[test]
    fn a_refusal_leaves_the_address_and_the_address_stays_ours() {
        let page = |location| split(location).unwrap().0;
        assert_eq!(page("http://seam.test/login?__path=%2Fapi%2Fui%2Fx&__err=abc"), "/login");
        assert_eq!(page("/login?next=/settings&__err=abc&__path=x"), "/login?next=/settings");
        assert_eq!(page("https://evil.test//evil.test?__err=abc"), "/chat");
        assert_eq!(page("https://evil.test?__err=abc"), "/");
    }

    #[test]
    fn what_goes_into_the_cookie_comes_out_of_it() {
        let problem = contract::Problem::field("email", "enter an e-mail address");
        let refused = RefusedForm {
            path: "/api/ui/sign-in".to_owned(),
            problem: app::api::ServerProblem::from(problem).keep("email", "ada; at=acme"),
        };
        let set = cookie(refused.clone()).unwrap();
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {pair}").parse().unwrap());
        assert_eq!(brought(&headers), Some(refused));
        headers.insert(header::COOKIE, "seam_refused=bm90IGpzb24".parse().unwrap());
        assert_eq!(brought(&headers), None);
    }
}
