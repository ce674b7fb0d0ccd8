//! The interface: pages, components and the server functions behind them.
//!
//! One source, two builds. With `ssr` it runs inside the server and renders every page; with `hydrate` it
//! runs in the browser and sees `contract` alone. Only pages that live (the chat) are hydrated; the others
//! are HTML with plain forms and `forms.js`, and their code stays on the server.
//!
//! A page is `pages/<noun>/<verb>.rs`, what pages share is in `components/`, what only a browser can do is in
//! `browser/`, and `api/<noun>.rs` are the server functions: authenticate, call one service, return.

// Views are deeply nested types.
#![recursion_limit = "512"]
// A refusal carries a whole problem, and moves only where a request fails.
#![allow(clippy::result_large_err)]

pub mod api;
pub mod browser;
pub mod components;
mod escape;
#[cfg(feature = "ssr")]
pub mod markdown;
pub mod pages;
pub mod router;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
pub mod theme;
pub mod wording;

pub use router::App;
#[cfg(feature = "ssr")]
pub use shell::{AssetNames, shell};

/// Where identity providers send people back to.
pub const CALLBACK_PATH: &str = "/oidc/callback";

/// Where people find this server, for links that are handed on. The server provides it in context.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress(pub String);

/// Where a request comes from, for throttling sign-ins. The server provides it in context.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub std::net::IpAddr);
