//! The gateway as others call it.

use crate::{
    Answering, ChatRequest, EmbedRequest, Embedded, GatewayError, NewProvider, ProviderRecord,
    accounting::{Accounting, Asked},
    cache::Cache,
    chat::{self, Chat},
    configure,
    embedding::{self, Embedding},
    estimates, onboarding,
    own_keys::OwnKeys,
    places::Places,
    prices::{Amount, Prices},
    provider::{Provider, ProviderError},
    route::{self, Leg, Route},
    router::Interest,
};
use contract::{ModelView, OwnKeyView, ProviderKind, RequestId, TenantId, Timestamp};
use metering::{Feature, Metering};
use registry::{Behaviour, ModelConfig, Registry, Strategy};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use store::{ControlStore, TenantStores, Transaction};
use tenancy::{Change, Manages, OperatorScope, Scope, Secret, Tenancy, Vault};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// All model traffic. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) control: ControlStore,
    tenancy: Tenancy,
    pub(crate) registry: Registry,
    pub(crate) accounting: Accounting,
    pub(crate) cache: Arc<Cache>,
    pub(crate) places: Arc<Places>,
    prices: Arc<Prices>,
    /// One task a request under way; each settles its attempts before it ends.
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
}

impl Gateway {
    /// `local` answers for providers of kind `local`.
    pub fn new(
        control: ControlStore,
        tenancy: Tenancy,
        metering: Metering,
        registry: Registry,
        stores: TenantStores,
        local: Arc<impl Provider>,
    ) -> Self {
        Self {
            cache: Arc::new(Cache::new(stores, Arc::clone(tenancy.clock()))),
            accounting: Accounting::new(metering.clone(), Arc::clone(tenancy.clock())),
            prices: Arc::new(Prices::new(metering)),
            places: Arc::new(Places::new(&control, tenancy.vault(), local)),
            control,
            tenancy,
            registry,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Answers a chat; returns with the first part of the answer.
    ///
    /// Each attempt is in the ledger before it is dispatched and settled before the answer's last part is
    /// seen. Whoever drops this future or the answer, or fires `cancel`, gets what was said until then
    /// settled as `stopped`, with estimated usage.
    ///
    /// # Errors
    /// `UnknownModel`, `NoTarget`, `Untranslatable`: nothing was dispatched. `AllAttemptsFailed`, `Rejected`: before the first
    /// text. `Interrupted` as the last item of the answer, or here when it was cancelled before its first text.
    pub async fn chat(&self, scope: &Scope, request: ChatRequest) -> Result<Answering, GatewayError> {
        let able = self.able(scope, &request).await?;
        self.cached(scope, request, able).await
    }

    /// Asks the places that are able to answer.
    pub(crate) async fn ask(
        &self,
        scope: &Scope,
        request: ChatRequest,
        Able { legs, config }: Able,
    ) -> Result<Answering, GatewayError> {
        let behaviour = &config.behaviour;
        let (deadline, on_disconnect) = (soon(behaviour), behaviour.on_disconnect);
        let hedge_after = hedge_after(behaviour, &legs, request.is_whole());
        let asked = self.asked(scope, request.request, request.feature, &request.model, request.prompt.clone());
        let interest = self.interest(&request.cancel);
        let (accounting, places) = (self.accounting.clone(), Arc::clone(&self.places));
        let chat = Chat { accounting, places, asked, request, interest, deadline, hedge_after, on_disconnect };
        chat::start(chat, legs, &self.tasks).await
    }

    /// How many tokens a model would read. Nothing is generated, and nothing is billed.
    pub async fn count_tokens(&self, scope: &Scope, request: &ChatRequest) -> Result<i64, GatewayError> {
        let mut last = None;
        for leg in self.able(scope, request).await?.legs {
            let call = leg.call(scope.tenant(), request);
            let counted = tokio::time::timeout(leg.provider.timeout, leg.provider.instance.count(call)).await;
            match counted.unwrap_or(Err(ProviderError::TimedOut(leg.provider.timeout))) {
                Ok(Some(tokens)) => return Ok(tokens),
                Ok(None) => {
                    return estimates::chat(&leg, request, "").await.input.ok_or(GatewayError::Abandoned);
                }
                Err(cause) if !cause.is_retryable() => return Err(GatewayError::Rejected { cause }),
                Err(cause) => last = Some((cause, 1)),
            }
        }
        let (last, attempts) =
            last.unwrap_or_else(|| (ProviderError::NotReady("there is no place to ask".to_owned()), 0));
        Err(GatewayError::AllAttemptsFailed { last, attempts })
    }

    /// Turns texts into vectors, with the same guarantees.
    pub async fn embed(&self, scope: &Scope, request: EmbedRequest) -> Result<Embedded, GatewayError> {
        let (route, config) = self.route(scope, &request.model).await?;
        let deadline = soon(&config.behaviour);
        let legs = self.in_order(config.strategy, route.legs, Amount::Texts(&request.inputs)).await?;
        let asked = self.asked(scope, request.request, request.feature, &request.model, None);
        let interest = self.interest(&request.cancel);
        let (accounting, places) = (self.accounting.clone(), Arc::clone(&self.places));
        let embedding = Embedding { accounting, places, asked, request, interest, deadline };
        embedding::run(embedding, legs, &self.tasks).await
    }

    /// All models, with whether they can answer now and where.
    pub async fn models(&self) -> Result<Vec<ModelView>, GatewayError> {
        let mut views = Vec::new();
        for config in self.registry.models().await? {
            let route = self.places.of(&config, None).await?;
            let first_written = config.targets.first().map(|target| target.route());
            let first = route.legs.first().map(Leg::route);
            views.push(ModelView {
                available: first.is_some(),
                unavailable_reason: if first.is_some() { None } else { route.left_out.into_iter().next() },
                route: first.or(first_written).unwrap_or_default(),
                name: config.name,
            });
        }
        Ok(views)
    }

    /// Creates or changes a provider.
    pub async fn provider_add(&self, provider: &NewProvider) -> Result<Change, GatewayError> {
        let mut tx = self.control.begin().await?;
        let change = Self::apply_provider(&mut tx, self.now(), self.tenancy.vault(), provider).await?;
        tx.commit().await?;
        self.invalidate();
        Ok(change)
    }

    /// Switches a provider off, or on again: within a second no node asks it any more. Whether that changed anything.
    ///
    /// # Errors
    /// `UnknownProvider` names those there are.
    pub async fn provider_switch(
        control: &ControlStore,
        now: Timestamp,
        operator: &OperatorScope,
        name: &str,
        enabled: bool,
    ) -> Result<bool, GatewayError> {
        let mut tx = control.begin().await?;
        let changed = configure::switch(&mut tx, now, name, enabled).await?;
        if changed {
            let action = if enabled { "provider.enable" } else { "provider.disable" };
            let change = (json!({ "enabled": !enabled }), json!({ "enabled": enabled }));
            operator.record_change(&mut tx, now, action, name, change).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// The configured providers, by name. Their keys are not among what is told.
    pub async fn provider_list(control: &ControlStore) -> Result<Vec<ProviderRecord>, GatewayError> {
        configure::list(control).await
    }

    /// Creates or changes a provider inside a transaction, for `seam apply`.
    pub async fn apply_provider(
        tx: &mut Transaction,
        now: Timestamp,
        vault: &Vault,
        provider: &NewProvider,
    ) -> Result<Change, GatewayError> {
        configure::apply(tx, now, vault, provider).await
    }

    /// The providers at which a tenant may use a key of its own, and where it does.
    pub async fn own_key_list(&self, manager: &impl Manages) -> Result<Vec<OwnKeyView>, GatewayError> {
        self.places.own_keys().list(manager).await
    }

    /// Keeps a tenant's own key at a provider, in place of the one before; its requests use it from now on.
    ///
    /// # Errors
    /// `UnknownProvider` where a tenant may use no key of its own; `InvalidKey` when it cannot be one.
    pub async fn own_key_set(&self, manager: &impl Manages, provider: &str, key: &Secret) -> Result<(), GatewayError> {
        self.places.own_keys().set(self.tenancy.vault(), self.now(), manager, provider, key).await
    }

    /// Forgets a tenant's own key; whether there was one.
    pub async fn own_key_remove(&self, manager: &impl Manages, provider: &str) -> Result<bool, GatewayError> {
        self.places.own_keys().remove(self.now(), manager, provider).await
    }

    /// Tries a tenant's own key, or the one that is stored, at no cost. The inner error is what the provider says.
    pub async fn own_key_test(
        &self,
        manager: &impl Manages,
        provider: &str,
        key: Option<Secret>,
    ) -> Result<Result<(), ProviderError>, GatewayError> {
        let (vault, directory) = (self.tenancy.vault(), self.places.directory());
        self.places.own_keys().test(vault, directory, manager, provider, key).await
    }

    /// Seals a tenant's secrets under a new data key, inside a transaction; how many there are.
    pub async fn renew_data_key(
        tx: &mut Transaction,
        now: Timestamp,
        vault: &Vault,
        tenant: TenantId,
    ) -> Result<usize, GatewayError> {
        OwnKeys::renew_data_key(tx, vault, now, tenant).await
    }

    /// Seals the providers' keys under the present master key, inside a transaction; how many there are.
    pub async fn reseal(tx: &mut Transaction, vault: &Vault) -> Result<usize, GatewayError> {
        configure::reseal(tx, vault).await
    }

    /// Tries a key at a provider, at no cost and within seconds. `Unauthorised` when it is refused.
    pub async fn provider_test(
        &self,
        kind: ProviderKind,
        base_url: Option<&str>,
        api_key: &str,
    ) -> Result<(), ProviderError> {
        onboarding::offered_models(kind, base_url, Some(api_key)).await.map(drop)
    }

    /// Registers a provider with the models that it is known for and their list prices, all or nothing.
    /// At an address of its own (`base_url`) the server is asked for its models, whose prices are unknown.
    /// Returns the names under which the models can be asked for.
    pub async fn provider_register_known(
        &self,
        kind: ProviderKind,
        name: &str,
        api_key: Option<&str>,
        base_url: Option<&str>,
    ) -> Result<Vec<String>, GatewayError> {
        let mut provider = NewProvider::new(name, kind);
        provider.api_key = api_key.map(str::to_owned);
        provider.base_url = base_url.map(str::to_owned);
        let offers = onboarding::offers(&provider).await?;
        let present = self.registry.models().await?;
        let mut tx = self.control.begin().await?;
        let vault = self.tenancy.vault();
        let names = onboarding::register(&mut tx, self.now(), vault, &provider, offers, &present).await?;
        tx.commit().await?;
        self.invalidate();
        self.prices.invalidate();
        self.registry.invalidate().await;
        Ok(names)
    }

    /// Reads the providers anew at the next request; after writes by `apply_provider` in this process.
    pub fn invalidate(&self) {
        self.places.invalidate();
    }

    /// Refuses new requests, ends those under way and waits until they are settled. To let answers finish
    /// first, wait for them before calling this.
    pub async fn shutdown(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The places that can do justice to a chat, in the order in which they are asked.
    async fn able(&self, scope: &Scope, request: &ChatRequest) -> Result<Able, GatewayError> {
        let (route, config) = self.route(scope, &request.model).await?;
        let legs = self.in_order(config.strategy, able(route.legs, request)?, Amount::Chat(request)).await?;
        Ok(Able { legs, config })
    }

    pub(crate) async fn in_order(
        &self,
        strategy: Strategy,
        legs: Vec<Leg>,
        amount: Amount<'_>,
    ) -> Result<Vec<Leg>, GatewayError> {
        let costs = match strategy {
            Strategy::Cheapest => self.prices.of(&legs, amount, self.now()).await?,
            Strategy::Fallback | Strategy::Weighted | Strategy::Fastest => Vec::new(),
        };
        let whole = amount.is_whole();
        Ok(route::ordered(strategy, legs, &costs, whole, rand::random))
    }

    /// The places that may answer, in the order of the config.
    async fn route(&self, scope: &Scope, model: &str) -> Result<(Route, Arc<ModelConfig>), GatewayError> {
        if self.closing.is_cancelled() {
            return Err(GatewayError::ShuttingDown);
        }
        let config = self.registry.model(model).await?;
        let route = self.places.of(&config, Some(scope.tenant())).await?;
        if route.legs.is_empty() {
            let reason = route.left_out.join("; ");
            return Err(GatewayError::NoTarget { model: config.name.clone(), reason });
        }
        Ok((route, config))
    }

    fn asked(
        &self,
        scope: &Scope,
        request: RequestId,
        feature: Feature,
        model: &str,
        prompt: Option<(String, i64)>,
    ) -> Asked {
        Asked { tenant: scope.tenant(), request, user: scope.user(), feature, model: model.to_owned(), prompt }
    }

    pub(crate) fn interest(&self, cancel: &CancellationToken) -> Interest {
        Interest { wanted: cancel.child_token(), closing: self.closing.clone() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.tenancy.clock().now()
    }
}

/// Who is asked, and how.
#[derive(Clone)]
pub(crate) struct Able {
    pub legs: Vec<Leg>,
    pub config: Arc<ModelConfig>,
}

/// When the first words must have come.
pub(crate) fn soon(behaviour: &Behaviour) -> Option<Instant> {
    behaviour.deadline().map(|limit| Instant::now() + limit)
}

/// After how long without a word the next place is asked beside the first one.
fn hedge_after(behaviour: &Behaviour, legs: &[Leg], whole: bool) -> Option<Duration> {
    let percent = u8::try_from(behaviour.hedge_percentile?).ok()?;
    let first = legs.first()?;
    first.provider.health.percentile(&first.model, percent, whole)
}

/// Leaves out the places where a part of the request would have to be dropped.
fn able(legs: Vec<Leg>, request: &ChatRequest) -> Result<Vec<Leg>, GatewayError> {
    let foreign = request.foreign.as_ref();
    let native_only = foreign.and_then(|foreign| foreign.native_only.as_ref());
    let needs = request.conversation.needs();
    let able = |leg: &Leg| {
        let provider = &leg.provider.instance;
        foreign.is_some_and(|foreign| provider.speaks(foreign.native.dialect))
            || (native_only.is_none() && needs.iter().all(|need| provider.can(*need)))
    };
    let (able, others): (Vec<Leg>, Vec<Leg>) = legs.into_iter().partition(able);
    if !able.is_empty() {
        return Ok(able);
    }
    let unmet = needs.into_iter().find(|need| !others.iter().all(|leg| leg.provider.instance.can(*need)));
    let blamed = || unmet.and_then(|need| foreign?.field_of(need));
    let field = native_only.cloned().or_else(blamed).unwrap_or_else(|| "messages".to_owned());
    Err(GatewayError::Untranslatable { model: request.model.clone(), field })
}
