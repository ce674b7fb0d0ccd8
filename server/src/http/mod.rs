//! HTTP: the router, and one file for each thing that stands around the pages.
//!
//! - `router.rs`: which path goes where, and in which order layers apply.
//! - `pages.rs`: Leptos, its pages and server functions, and what they find in context.
//! - `session.rs`: the cookie, and who a request comes from; `csrf.rs`: that it comes from our own pages.
//! - `single_sign_on.rs`: to a tenant's identity provider and back.
//! - `sse.rs`, `rendered.rs`: a run's events; `assets.rs`: embedded files; `audit_export.rs`: a log as a file; `health.rs`: for machines that watch.
//! - `v1/`: models, for programs with a key; `bearer.rs`: that key.
//! - `management/`: the API for programs with a key, `/api/v1/…`, and its description.
//! - `body.rs`, `headers.rs`, `trace.rs`: bounds, security headers, request ids and logs.
//! - `accept.rs`: connections; `crew.rs`: the threads that serve them; `refused.rs`: plain forms that come back; `tally.rs`: who holds how many; `turns.rs`: a tenant's share.
//! - `answer.rs`: how a problem is told, to programs and to browsers.

mod accept;
mod address;
mod answer;
pub(crate) mod assets;
mod audit_export;
mod bearer;
mod body;
mod crew;
mod csrf;
mod headers;
mod health;
mod management;
mod pages;
mod public_url;
mod refused;
mod rendered;
mod router;
mod session;
mod single_sign_on;
mod sse;
mod state;
mod tally;
mod trace;
mod turns;
mod v1;

pub use accept::{Places, serve};
pub use body::MAX_BODY_BYTES;
pub use crew::Crew;
pub use management::management_routes;
pub use public_url::PublicUrl;
pub use router::router;
pub use session::COOKIE;
pub use state::{WebSettings, WebState};
pub use v1::v1_routes;
