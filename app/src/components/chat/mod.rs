//! The open conversation: its state in the browser, its messages, the composer.

mod composer;
mod head;
mod message;
mod state;
mod thread;

pub use thread::Thread;
