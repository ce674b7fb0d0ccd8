//! What only a browser can do. Everything here compiles for the server too, where nothing calls it.

pub mod dom;
pub mod draft;
pub mod prose;
pub mod run_events;
