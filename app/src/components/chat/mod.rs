//! The open conversation: its state in the browser, its messages, the composer.

mod composer;
mod message;
mod state;
mod thread;

pub use thread::Thread;
