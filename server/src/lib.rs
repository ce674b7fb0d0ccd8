//! Seam's one process: command line, configuration, `apply`, and the web server.
//!
//! - `cli/`: one file a command; how failures are told.
//! - `config.rs`: the settings and where they come from.
//! - `apply/`: `resources.toml`, from text with line numbers to one transaction.
//! - `isolation/`: every route, who may use it and how it is called, for the isolation suite and `seam doctor`.
//! - `memory.rs`: how the process holds memory.
//! - `http/`: the router and its layers; [`router`] makes it from an open `Platform`.
//!
//! No rules of the product live here: those are in the layers, which `platform` composes.

// The whole interface is one deeply nested type.
#![recursion_limit = "512"]

pub mod apply;
pub mod cli;
pub mod config;
pub mod http;
pub mod isolation;
mod logging;
pub mod memory;
mod nearest;

pub use http::{PublicUrl, WebSettings, WebState, management_routes, router, v1_routes};
