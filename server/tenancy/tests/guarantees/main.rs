//! What tenancy promises, against the real database in a directory of its own. One module a promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // also in helper functions

mod addresses;
mod apply;
mod audit;
mod fixture;
mod history;
mod impersonation;
mod keys;
mod late;
mod management;
mod operator;
mod password_reset;
mod people;
mod provider;
mod reseal;
mod scopes;
mod sessions;
mod sign_in;
mod single_sign_on;
mod tenants;
mod throttle;
mod vault;
