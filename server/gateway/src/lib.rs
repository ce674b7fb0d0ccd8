//! The gateway seam: all model traffic flows through here, and only from here to providers.
//!
//! `provider.rs` is what every adapter implements, `providers/` holds them.

pub mod provider;
