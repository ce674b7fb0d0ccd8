//! What every handler can reach.

use super::{PublicUrl, tally::Tally, v1::Bearer};
use axum::extract::FromRef;
use contract::UserId;
use leptos::config::LeptosOptions;
use metrics_exporter_prometheus::PrometheusHandle;
use platform::Platform;
use std::sync::Arc;

/// How this server is reached and watched.
pub struct WebSettings {
    pub public_url: PublicUrl,
    /// Whether to believe `x-forwarded-for`; only behind a proxy that sets it.
    pub trust_proxy: bool,
    /// Renders `/metrics`; none: there are none.
    pub metrics: Option<PrometheusHandle>,
    /// Who may read them; none: this machine alone.
    pub metrics_token: Option<tenancy::Secret>,
}

struct Inner {
    platform: Arc<Platform>,
    settings: WebSettings,
    /// Leptos wants them; our assets have paths of their own.
    leptos: LeptosOptions,
    /// Open event streams of each person.
    readers: Tally<UserId>,
    /// Bytes of large requests under way.
    weights: Tally<Bearer>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct WebState(Arc<Inner>);

impl WebState {
    pub fn new(platform: Arc<Platform>, settings: WebSettings) -> Self {
        let leptos = LeptosOptions::builder().output_name("seam").build();
        Self(Arc::new(Inner { platform, settings, leptos, readers: Tally::default(), weights: Tally::default() }))
    }

    pub fn platform(&self) -> &Arc<Platform> {
        &self.0.platform
    }

    pub(super) fn readers(&self) -> &Tally<UserId> {
        &self.0.readers
    }

    pub(super) fn weights(&self) -> &Tally<Bearer> {
        &self.0.weights
    }

    pub fn settings(&self) -> &WebSettings {
        &self.0.settings
    }
}

impl FromRef<WebState> for LeptosOptions {
    fn from_ref(state: &WebState) -> Self {
        state.0.leptos.clone()
    }
}
