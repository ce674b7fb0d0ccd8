//! What is shown once: the secret of a key, the link of an invitation, a sentence that says what was done.
//!
//! It travels to the page that follows in a cookie, sealed under the master key for the person and the purpose,
//! for a minute, out of reach of scripts. It never stands in an address, a log or the database.

use crate::api::{ServerProblem, context};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Problem, ProblemCode};
use http::{header, request::Parts};
use leptos::prelude::use_context;
use platform::Platform;

const COOKIE: &str = "seam_once";
/// Of its own: an act may leave a secret and a sentence.
const SAID: &str = "seam_said";

fn purpose(kind: &str) -> Option<String> {
    context::visitor().map(|principal| format!("once:{kind}:{}", principal.user()))
}

/// Lets the page that follows show `text`.
pub fn show(platform: &Platform, kind: &str, text: &str) -> Result<(), ServerProblem> {
    leave(platform, COOKIE, kind, text)
}

/// Lets the page that follows say what was done, such as “ada@acme.test is a viewer now.”
pub fn say(platform: &Platform, text: &str) -> Result<(), ServerProblem> {
    leave(platform, SAID, "said", text)
}

fn leave(platform: &Platform, cookie: &str, kind: &str, text: &str) -> Result<(), ServerProblem> {
    let purpose = purpose(kind).ok_or_else(|| Problem::new(ProblemCode::NotSignedIn, "Sign in to go on."))?;
    let sealed = platform.tenancy.vault().seal(&purpose, text).map_err(tenancy::TenancyError::from)?;
    let value = URL_SAFE_NO_PAD.encode(sealed);
    let cookie = format!("{cookie}={value}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
    context::header_append(header::SET_COOKIE, &cookie);
    Ok(())
}

/// What the act before this page left to show, if anything; the next page does not find it.
pub fn take(platform: &Platform, kind: &str) -> Option<String> {
    found(platform, COOKIE, kind)
}

/// What the act before this page has to say, if anything.
pub fn said(platform: &Platform) -> Option<String> {
    found(platform, SAID, "said")
}

fn found(platform: &Platform, cookie: &str, kind: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == cookie)?;
    let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
    let text = platform.tenancy.vault().unseal(&purpose(kind)?, &sealed).ok()?;
    let forget = format!("{cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    context::header_append(header::SET_COOKIE, &forget);
    Some(text.expose().to_owned())
}

/// Refuses an act whose target was not typed as it is called.
pub fn require_same(name: &str, typed: &str) -> Result<(), ServerProblem> {
    if name.trim() == typed.trim() {
        return Ok(());
    }
    Err(Problem::field("typed", format!("type “{name}” to confirm")).into())
}
