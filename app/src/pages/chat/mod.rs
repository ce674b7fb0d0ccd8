//! Pages about the chat.

mod show;

pub use show::ChatShow;
