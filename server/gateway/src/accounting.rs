//! The one place where the gateway writes the ledger: an attempt is opened before it is dispatched and
//! settled once, whatever became of it.
//!
//! Opening comes first and dispatch after it, one after the other: were they to overlap, a crash between
//! them would leave a call that a provider bills and the ledger has never heard of.

use crate::{health::Asker, route::Leg};
use contract::{AttemptNo, NanoUsd, RequestId, TenantId, TokenUsage, UserId};
use metering::{AttemptStatus, CacheHit, Feature, Intent, LedgerRow, Metering, MeteringError, Settlement};
use std::sync::LazyLock;
use tenancy::SharedClock;
use tokio::time::Instant;

/// Who asks for what; the same for all attempts of a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub tenant: TenantId,
    pub request: RequestId,
    pub user: Option<UserId>,
    pub feature: Feature,
    pub model: String,
    pub prompt: Option<(String, i64)>,
}

impl Asked {
    pub const fn asker(&self) -> Asker {
        Asker { tenant: self.tenant, request: self.request }
    }
}

#[derive(Clone)]
pub(crate) struct Accounting {
    metering: Metering,
    clock: SharedClock,
}

impl Accounting {
    pub const fn new(metering: Metering, clock: SharedClock) -> Self {
        Self { metering, clock }
    }

    /// A request's attempts in order, as they stand in the ledger.
    pub async fn attempts(
        &self,
        tenant: TenantId,
        request: RequestId,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, MeteringError> {
        self.metering.ledger_rows(tenant, Some(request), limit).await
    }

    /// Records an attempt; after this it may be dispatched.
    pub async fn open(&self, asked: &Asked, attempt: AttemptNo, leg: &Leg) -> Result<OpenAttempt, MeteringError> {
        self.metering
            .intent(&Intent {
                tenant: asked.tenant,
                request: asked.request,
                attempt,
                user: asked.user,
                feature: asked.feature,
                requested_model: asked.model.clone(),
                provider: leg.provider.name.clone(),
                provider_model: leg.model.clone(),
                prompt: asked.prompt.clone(),
                own_key: leg.provider.own_key,
                dispatched_at: self.clock.now(),
            })
            .await?;
        Ok(OpenAttempt {
            metering: self.metering.clone(),
            tenant: asked.tenant,
            request: asked.request,
            attempt,
            provider: leg.provider.name.clone(),
            dispatched: Instant::now(),
            first_token_ms: None,
        })
    }
}

impl Accounting {
    /// Records an answer that was there already.
    pub async fn hit(&self, hit: &CacheHit) -> Result<(), MeteringError> {
        self.metering.hit(hit).await?;
        metrics::counter!("seam_gateway_cache_hits_total", "kind" => hit.kind.as_str()).increment(1);
        Ok(())
    }

    /// What an answer cost that was given again while it was still being made.
    pub async fn hit_saved(
        &self,
        tenant: TenantId,
        request: RequestId,
        saved: Option<NanoUsd>,
    ) -> Result<(), MeteringError> {
        self.metering.hit_saved(tenant, request, saved).await
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub status: AttemptStatus,
    pub error_code: Option<&'static str>,
    pub usage: TokenUsage,
    pub measured: bool,
}

/// What a settled attempt came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub usage: TokenUsage,
    pub cost: Option<NanoUsd>,
    pub measured: bool,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
}

/// An attempt under way.
#[must_use = "an attempt that is not settled stays open until the next start"]
pub(crate) struct OpenAttempt {
    metering: Metering,
    tenant: TenantId,
    request: RequestId,
    attempt: AttemptNo,
    provider: String,
    dispatched: Instant,
    first_token_ms: Option<i64>,
}

/// Looked up once: each look makes a key with labels of its own.
static TOKENS: LazyLock<[metrics::Counter; 2]> = LazyLock::new(|| {
    ["input", "output"].map(|direction| metrics::counter!("seam_tokens_total", "direction" => direction))
});

impl OpenAttempt {
    pub const fn dispatched(&self) -> Instant {
        self.dispatched
    }

    /// To be called with every text; the first one counts.
    pub fn text_came(&mut self) {
        if self.first_token_ms.is_none() {
            let elapsed = self.dispatched.elapsed();
            self.first_token_ms = Some(millis(elapsed));
            metrics::histogram!("seam_gateway_first_token_seconds", "provider" => self.provider.clone())
                .record(elapsed.as_secs_f64());
        }
    }

    /// Records how it ended; durable when this returns.
    pub async fn settle(self, ending: Ending) -> Result<Receipt, MeteringError> {
        let Ending { status, error_code, usage, measured } = ending;
        let total_ms = millis(self.dispatched.elapsed());
        let settlement = Settlement {
            status,
            error_code: error_code.map(str::to_owned),
            usage,
            measured,
            first_token_ms: self.first_token_ms,
            total_ms,
        };
        let settled = self.metering.settle(self.tenant, self.request, self.attempt, &settlement).await;
        let settled = settled.inspect_err(|error| {
            tracing::error!(request = %self.request, attempt = self.attempt.0, %error, "an attempt could not be settled");
        })?;
        metrics::counter!(
            "seam_gateway_attempts_total",
            "provider" => self.provider,
            "status" => status.as_str(),
        )
        .increment(1);
        for (counter, tokens) in TOKENS.iter().zip([usage.input, usage.output]) {
            counter.increment(tokens.and_then(|tokens| u64::try_from(tokens).ok()).unwrap_or(0));
        }
        Ok(Receipt { usage, cost: settled.cost, measured, first_token_ms: self.first_token_ms, total_ms })
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
