//! A small Seam for tests: the real stores in a directory of their own, the real layers up to chats, and a
//! simulated provider behind the real gateway. Only the outside world is made up.
//!
//! Scopes come the way they come in production, from a session that tenancy finds alive. A crate's unit
//! tests see another copy of that crate than the one in here; where that matters, test from `tests/`.

mod mailbox;
mod stand_in;

pub use mailbox::{Arrived, Mailbox, Relay};
pub use stand_in::StandIn;

use contract::{Email, Role, RunEvent, RunEventRecord, Slug, TenantId, Timestamp, TokenPrice};
use gateway::{Gateway, NewProvider};
use metering::{Metering, NewPrice};
use nodes::{NodeSettings, Nodes};
use orchestration::{ChatError, Chats};
use registry::{ModelConfig, Registry, Target};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};
use store::{ControlStore, Hints, TenantStores};
use tenancy::{NewTenant, Scope, SessionClaims, SharedClock, SystemClock, Tenancy, Vault};
/// Which engine a fixture runs on is chosen by `SEAM_TEST_ENGINE`.
pub use testbase::{Engine, Scratch};

/// Whatever goes wrong while a fixture is laid out; a test shows it and fails.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

/// How long a simulated `hang` lasts: short, so that the test does not.
const HANG: Duration = Duration::from_secs(1);

/// All layers over one place for data.
pub struct Fixture {
    pub control: ControlStore,
    pub stores: TenantStores,
    pub tenancy: Tenancy,
    pub nodes: Nodes,
    pub metering: Metering,
    pub registry: Registry,
    pub gateway: Gateway,
    pub chats: Chats,
    /// In the local model's place, so that the default model `assistant` answers without weights.
    pub local: Arc<StandIn>,
    /// The tenant `acme`.
    pub tenant: TenantId,
    /// Its member `ada@acme.test`.
    pub member: Scope,
    /// Removed last, with whoever else holds it.
    scratch: Arc<Scratch>,
}

impl Fixture {
    /// In a new place, with the machine's clock, a tenant with one member, and the model `sim`.
    pub async fn open() -> Result<Self, Broken> {
        Self::open_with_clock(Arc::new(SystemClock)).await
    }

    /// The same at a time that the test sets.
    pub async fn open_with_clock(clock: SharedClock) -> Result<Self, Broken> {
        Self::open_at(&Arc::new(Scratch::new().await?), clock).await
    }

    /// In a place that the test keeps; finds there what an earlier fixture left, as a restart does.
    pub async fn open_at(scratch: &Arc<Scratch>, clock: SharedClock) -> Result<Self, Broken> {
        Self::open_as(scratch, clock, NodeSettings::alone("test")).await
    }

    /// The same, as another node beside those that are there; its owner gives it its turns.
    pub async fn open_beside(scratch: &Arc<Scratch>, clock: SharedClock) -> Result<Self, Broken> {
        Self::open_as(scratch, clock, NodeSettings::beside_others("test")).await
    }

    async fn open_as(scratch: &Arc<Scratch>, clock: SharedClock, settings: NodeSettings) -> Result<Self, Broken> {
        let control = ControlStore::open(scratch.location()).await?;
        let nodes = Nodes::join(control.clone(), clock.clone(), Hints::open(scratch.location()), settings).await?;
        let stores = TenantStores::new(scratch.location());
        let vault = Vault::open(scratch.dir(), None, None)?;
        let tenancy = Tenancy::new(control.clone(), clock.clone(), vault);
        let metering = Metering::new(control.clone(), clock.clone(), nodes.clone());
        let registry = Registry::new(control.clone(), clock.clone());
        let local = Arc::new(StandIn::new(HANG));
        let gateway = Gateway::new(
            control.clone(),
            tenancy.clone(),
            metering.clone(),
            registry.clone(),
            stores.clone(),
            local.clone(),
        );
        let chats = Chats::new(stores.clone(), gateway.clone(), registry.clone(), clock, nodes.clone());
        let tenant = tenant_in(&tenancy, "acme").await?;
        let member = scope_in(&tenancy, tenant, "ada@acme.test", Role::Member).await?;
        let fixture = Self {
            control,
            stores,
            tenancy,
            nodes,
            metering,
            registry,
            gateway,
            chats,
            local,
            tenant,
            member,
            scratch: Arc::clone(scratch),
        };
        fixture.simulate("sim", json!({})).await?;
        Ok(fixture)
    }

    pub fn data_dir(&self) -> &Path {
        self.scratch.dir()
    }

    pub fn engine(&self) -> Engine {
        self.scratch.engine()
    }

    pub fn clock(&self) -> &SharedClock {
        self.tenancy.clock()
    }

    /// Registers a simulated provider and a model of the same name with a price, or changes its options.
    pub async fn simulate(&self, name: &str, options: Value) -> Result<(), Broken> {
        let now = self.clock().now();
        let provider = NewProvider {
            name: name.to_owned(),
            kind: contract::ProviderKind::Simulated,
            base_url: None,
            api_key: None,
            region: None,
            zero_retention: false,
            timeout_ms: i64::try_from(HANG.as_millis())?,
            whole_timeout_ms: i64::try_from(HANG.as_millis())?,
            max_retries: 0,
            options,
            enabled: None,
            own_keys: None,
        };
        let target = Target { provider: name.to_owned(), model: name.to_owned(), weight: 1 };
        let model = ModelConfig::new(name, vec![target]);
        let price = NewPrice {
            provider: name.to_owned(),
            model: name.to_owned(),
            input: TokenPrice::per_million("1".parse()?),
            cached_input: None,
            cache_write: None,
            cache_write_1h: None,
            output: TokenPrice::per_million("2".parse()?),
            reasoning: None,
            batch_discount_millionths: None,
            effective_from: Timestamp::from_millis(0),
        };
        let mut tx = self.control.begin().await?;
        Gateway::apply_provider(&mut tx, now, self.tenancy.vault(), &provider).await?;
        Registry::apply_model(&mut tx, now, &model).await?;
        Metering::apply_price(&mut tx, now, &price).await?;
        tx.commit().await?;
        self.registry.invalidate().await;
        self.gateway.invalidate();
        self.metering.invalidate();
        Ok(())
    }

    /// A tenant by its slug, made when there is none.
    pub async fn tenant(&self, slug: &str) -> Result<TenantId, Broken> {
        tenant_in(&self.tenancy, slug).await
    }

    /// A signed-in member of a tenant; the account and the membership are made when there are none.
    pub async fn scope(&self, tenant: TenantId, email: &str, role: Role) -> Result<Scope, Broken> {
        scope_in(&self.tenancy, tenant, email, role).await
    }

    /// Ends what nodes left open that are no more, as each node does at its start and now and then; how many runs.
    pub async fn recover(&self) -> Result<u64, Broken> {
        self.metering.resolve_abandoned().await?;
        let mut ended = 0;
        for place in self.chats.abandoned().await? {
            let scope = place.tenant_exists.then(|| self.tenancy.upkeep_scope(place.tenant()));
            ended += self.chats.recover(place, scope.as_ref()).await?;
        }
        Ok(ended)
    }

    /// A run's events from number `after` on, until it ends.
    pub async fn events(&self, run: contract::RunId, after: i64) -> Result<Vec<RunEventRecord>, ChatError> {
        use futures::TryStreamExt;
        self.chats.subscribe(&self.member, run, after).await?.try_collect().await
    }
}

async fn tenant_in(tenancy: &Tenancy, slug: &str) -> Result<TenantId, Broken> {
    let slug: Slug = slug.parse()?;
    if let Some(there) = tenancy.tenant_by_slug(&slug).await? {
        return Ok(there.id);
    }
    let new = NewTenant {
        display_name: slug.to_string(),
        slug,
        plan: None,
        monthly_budget: None,
        soft_budget: None,
        region: None,
        zero_retention: false,
    };
    Ok(tenancy.tenant_create(new).await?.id)
}

async fn scope_in(tenancy: &Tenancy, tenant: TenantId, email: &str, role: Role) -> Result<Scope, Broken> {
    let email: Email = email.parse()?;
    let user = match tenancy.user_by_email(&email).await? {
        Some(there) => there.id,
        None => tenancy.user_create(email, None, false).await?,
    };
    tenancy.member_add(tenant, user, role).await?;
    let now = tenancy.clock().now();
    let claims = SessionClaims {
        user,
        epoch: 0,
        signed_in_at: now,
        renewed_at: now,
        tenant: Some(tenant),
        impersonation: None,
        vouched_by: None,
    };
    let principal = tenancy.authenticate(&claims).await?.ok_or("a session just made is not alive")?;
    Ok(principal.scope()?)
}

/// The text that a run's events add up to.
pub fn text_of(events: &[RunEventRecord]) -> String {
    events
        .iter()
        .filter_map(|record| match &record.event {
            RunEvent::Delta { text } => Some(text.as_str()),
            RunEvent::Started { .. } => None,
            RunEvent::Finished { .. } | RunEvent::Stopped { .. } | RunEvent::Failed { .. } => None,
        })
        .collect()
}
