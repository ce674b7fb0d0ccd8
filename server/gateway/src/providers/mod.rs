//! The providers: one adapter a protocol. They know nothing of routing, retries or money.
//!
//! `http.rs` is what those that speak HTTP share, `local/` is llama.cpp in this process.

mod anthropic;
mod estimate;
mod gemini;
mod http;
pub mod local;
mod openai;
mod outgoing;
mod simulated;
mod sse;
mod unusable;
mod vector;

pub use anthropic::Anthropic;
pub use gemini::Gemini;
pub(crate) use http::{check_base_url, is_key};
pub use openai::OpenAi;
pub use simulated::{Fault, Simulated, SimulatedOptions};
pub(crate) use unusable::Unusable;
