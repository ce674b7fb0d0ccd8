//! The web server in process: what programs, browsers and strangers get, status by status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![recursion_limit = "512"]

mod browser;
mod console;
mod entrance;
mod events;
mod first_run;
mod guards;
mod health;
mod hostile;
mod isolation;
mod management;
mod management_archives;
mod management_books;
mod management_platform;
mod management_provider_keys;
mod management_sign_in;
mod management_strangers;
mod session;
mod start;
mod v1;
