//! The gateway seam: all model traffic flows through here, and only from here to providers.
//!
//! What always holds:
//! - An attempt is in the ledger before it is dispatched, and settled before the end of its answer is seen.
//! - Before the first text another attempt may be made; after it the answer goes on or is `Interrupted`.
//! - A stream that was cut never looks like a finished answer.
//!
//! `gateway.rs` is what others call, `places.rs` finds the places to ask (`residency.rs`: those that may see a tenant's
//! data; `own_keys.rs`: with whose key) and
//! `route.rs` puts them in order (`prices.rs`: what they charge; `health.rs`: how they are doing), `router.rs` asks them in order,
//! `cache/` knows what need not be asked again, `chat.rs` (with `hearing.rs`) and `embedding.rs` are one attempt each, `accounting.rs` writes the ledger. `directory.rs` keeps
//! the configured providers, `configure.rs` writes them, `overview.rs` tells the consoles of them and of the places, with
//! `reorder.rs` and `trial.rs` for what operators do about them, `onboarding.rs` takes a pasted key with the help of
//! `catalogue.rs`. `dialects/` are the languages
//! in which programs ask, `conversation.rs` is what all of them come to. `provider.rs` is what every adapter implements, `providers/` holds them.

mod accounting;
mod answer;
mod cache;
mod catalogue;
mod chat;
mod configure;
pub mod conversation;
pub mod dialects;
mod directory;
mod embedding;
mod error;
mod estimates;
mod gateway;
mod health;
mod hearing;
mod left_out;
mod onboarding;
mod overview;
mod own_keys;
mod places;
mod prices;
pub mod provider;
pub mod providers;
mod race;
mod recent;
mod reorder;
mod residency;
mod retry;
mod route;
mod router;
mod trial;

pub use answer::{AnswerPart, Answering, ChatRequest, EmbedRequest, Embedded, Foreign, Outcome, PartialOutcome};
pub use cache::{CacheControl, CacheUse};
pub use configure::{NewProvider, ProviderRecord};
pub use error::GatewayError;
pub use gateway::Gateway;
