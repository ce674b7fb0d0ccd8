//! An installation with tenants in it that have something in every table.

use contract::{Email, KeyScope, Password, Role, Slug, TenantId, Timestamp};
use lifecycle::{ImportOptions, Imported, Lifecycle, LifecycleError, Manifest};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{ControlStore, TenantStores};
use tenancy::{NewKey, NewTenant, OperatorScope, Secret, SystemClock, Tenancy, Vault};
use testbase::{Engine, Scratch};

const PLAN: &str = "
INSERT INTO plan (name, monthly_fee, included_credit, overage_markup, created_at, updated_at)
VALUES ($1, 99, 20, 1400000, 1, 1) ON CONFLICT DO NOTHING";
const PRICE: &str = "
INSERT INTO price_version (provider, model, input, output, effective_from, created_at) VALUES ($1, $2, $3, 7, $4, 5)
ON CONFLICT DO NOTHING";
const LEDGER: &str = "
INSERT INTO ledger_attempt (
    tenant_id, request_id, attempt, account_id, feature, requested_model, provider, provider_model, status,
    input_tokens, output_tokens, cost, price_version, measured, dispatched_at, settled_at
) VALUES (
    $1, $2, 1, $3, 'chat', 'assistant', 'sim', 'sim-1', 'succeeded', 10, 20, $4,
    (SELECT id FROM price_version WHERE provider = 'sim' AND model = 'sim-1' AND effective_from = $5), TRUE, $6, $7
)";
const CONVERSATION: &str = "
INSERT INTO conversation (tenant_id, id, account_id, title, pinned, head_id, created_at, updated_at)
VALUES ($1, $2, $3, $4, TRUE, $5, 1, 2)";
const MESSAGE: &str = "
INSERT INTO message (tenant_id, id, conversation_id, parent_id, role, status, content, run_id, details, created_at)
VALUES ($1, $2, $3, $4, 'assistant', 'complete', $5, $6, '{}', 3)";
const RUN: &str = "
INSERT INTO run (tenant_id, id, conversation_id, message_id, request_id, account_id, status, started_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, 'finished', 4, 5)";
const EVENT: &str = "
INSERT INTO run_event (tenant_id, run_id, seq, event, created_at) VALUES ($1, $2, $3, $4, 6)";
const RESPONSE: &str = "
INSERT INTO response (tenant_id, id, input, response, created_at) VALUES ($1, 'resp_1', $2, '{}', 7)";
const ANSWER: &str = "
INSERT INTO answer_cache (tenant_id, question, answer, bytes, created_at, expires_at)
VALUES ($1, 'hash', $2, 9, 8, 9000000000000)";
const DATA_KEY: &str = "INSERT INTO tenant_data_key (tenant_id, version, sealed, created_at) VALUES ($1, 1, $2, 1)";
const PROVIDER_KEY: &str = "
INSERT INTO tenant_provider_key (tenant_id, provider, data_key_version, sealed, hint, updated_at)
VALUES ($1, 'claude', 1, $2, $3, 1)";
const SESSION: &str = "INSERT INTO browser_session (id_hash, data, expires_at) VALUES ($1, $2, 9000000000000)";
const IMPERSONATION: &str = "
INSERT INTO impersonation (tenant_id, id, account_id, role, reason, started_at, expires_at)
VALUES ($1, $2, $3, 'viewer', $4, 1, 2)";
const THROTTLE: &str = "INSERT INTO sign_in_throttle (subject, failures, window_start) VALUES ($1, 2, 1)";
const OF_PLAN: &str = "UPDATE tenant SET plan = $2 WHERE id = $1";

pub const PASSWORD: &str = "correct horse battery";
/// More than a page of an archive.
pub const MESSAGES: usize = 620;

pub struct World {
    pub scratch: Scratch,
    pub control: ControlStore,
    pub stores: TenantStores,
    pub tenancy: Tenancy,
    pub lifecycle: Lifecycle,
}

/// A tenant with something everywhere; everything that it says of itself contains `marker`.
pub struct Furnished {
    pub id: TenantId,
    pub slug: Slug,
    pub marker: String,
    pub key: Secret,
}

pub fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

pub fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub fn password() -> Password {
    Password::offered(PASSWORD.to_owned()).unwrap()
}

pub fn operator() -> OperatorScope {
    OperatorScope::command_line()
}

impl World {
    pub async fn on(engine: Engine) -> Self {
        Self::at(Scratch::on(engine).await.unwrap()).await
    }

    pub async fn at(scratch: Scratch) -> Self {
        let control = ControlStore::open(scratch.location()).await.unwrap();
        let stores = TenantStores::new(scratch.location());
        let vault = Vault::open(scratch.dir(), None, None).unwrap();
        let tenancy = Tenancy::new(control.clone(), Arc::new(SystemClock), vault);
        let lifecycle = Lifecycle::new(scratch.location().clone(), control.clone(), stores.clone(), tenancy.clone());
        Self { scratch, control, stores, tenancy, lifecycle }
    }

    /// As after a restart.
    pub async fn reopened(self) -> Self {
        self.close().await;
        Self::at(self.scratch).await
    }

    pub async fn close(&self) {
        self.stores.close().await;
        self.control.close().await;
    }

    pub async fn furnish(&self, name: &str) -> Furnished {
        let marker = format!("marker-{name}-7c1e");
        self.control.write(PLAN).bind("pro").execute().await.unwrap();
        for (input, from) in [(3, 100), (4, 1_790_000_000_000)] {
            let price = self.control.write(PRICE).bind("sim").bind("sim-1").bind(input).bind(from);
            price.execute().await.unwrap();
        }
        let new = NewTenant {
            slug: slug(name),
            display_name: format!("{marker} Ltd"),
            plan: None,
            monthly_budget: Some("50".parse().unwrap()),
            soft_budget: None,
            region: Some("eu".to_owned()),
            zero_retention: true,
        };
        let tenant = self.tenancy.tenant_create(new).await.unwrap();
        self.control.write(OF_PLAN).bind(tenant.id).bind("pro").execute().await.unwrap();
        let ada = self.member(&format!("ada-{marker}@seam.test"), tenant.id, Role::Admin).await;
        self.member(&format!("bob-{marker}@seam.test"), tenant.id, Role::Viewer).await;
        let scope = self.tenancy.command_line_scope(tenant.id);
        let invitee = email(&format!("guest-{marker}@seam.test"));
        self.tenancy.invitation_create(&scope, &invitee, Role::Member).await.unwrap();
        let new = NewKey {
            name: format!("key {marker}"),
            scopes: vec![KeyScope::Inference],
            models: Some(vec!["assistant".to_owned()]),
            expires_at: None,
        };
        let (_, key) = self.tenancy.key_create(&scope, &new).await.unwrap();
        self.tenancy.tenant_suspend(&operator(), tenant.id, "unpaid").await.unwrap();
        self.tenancy.tenant_resume(&operator(), tenant.id).await.unwrap();
        self.converse(tenant.id, &ada, &marker).await;
        self.control.write(DATA_KEY).bind(tenant.id).bind(vec![7_u8]).execute().await.unwrap();
        let own = self.control.write(PROVIDER_KEY).bind(tenant.id).bind(vec![8_u8]);
        own.bind(marker.as_str()).execute().await.unwrap();
        let claims = format!("{{\"claims\":{{\"user\":\"{ada}\",\"tenant\":\"{}\"}}}}", tenant.id);
        self.control.write(SESSION).bind(format!("hash {name}")).bind(claims).execute().await.unwrap();
        let staff = match self.tenancy.user_by_email(&email("operator@seam.test")).await.unwrap() {
            Some(user) => user.id,
            None => self.tenancy.user_create(email("operator@seam.test"), None, true).await.unwrap(),
        };
        let visit = self.control.write(IMPERSONATION).bind(tenant.id).bind(format!("visit {name}")).bind(staff);
        visit.bind(marker.as_str()).execute().await.unwrap();
        let subject = tenancy::account_subject(&email(&format!("ada-{marker}@seam.test")));
        self.control.write(THROTTLE).bind(subject).execute().await.unwrap();
        Furnished { id: tenant.id, slug: tenant.slug, marker, key }
    }

    pub async fn member(&self, address: &str, tenant: TenantId, role: Role) -> String {
        let user = match self.tenancy.user_by_email(&email(address)).await.unwrap() {
            Some(user) => user.id,
            None => self.tenancy.user_create(email(address), Some(password()), false).await.unwrap(),
        };
        self.tenancy.member_add(tenant, user, role).await.unwrap();
        user.to_string()
    }

    async fn converse(&self, tenant: TenantId, account: &str, marker: &str) {
        let store = operator().tenant_plane(&self.stores, tenant).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let conversation = tx.query(CONVERSATION).bind(tenant).bind("c1").bind(account);
        conversation.bind(format!("Über {marker}")).bind("m0").execute().await.unwrap();
        for number in 0..MESSAGES {
            let message = tx.query(MESSAGE).bind(tenant).bind(format!("m{number}")).bind("c1");
            let parent = number.checked_sub(1).map(|parent| format!("m{parent}"));
            let text = format!("{marker} says “{number}”\n\t\\ and \u{1f600}");
            message.bind(parent).bind(text).bind("r1").execute().await.unwrap();
        }
        let run = tx.query(RUN).bind(tenant).bind("r1").bind("c1").bind("m1").bind("q1");
        run.bind(account).execute().await.unwrap();
        let said = format!("[\"{marker}\"]");
        tx.query(RESPONSE).bind(tenant).bind(said.clone()).execute().await.unwrap();
        tx.query(ANSWER).bind(tenant).bind(said).execute().await.unwrap();
        for seq in 1..=3_i64 {
            let event = tx.query(EVENT).bind(tenant).bind("r1").bind(seq).bind(format!("{{\"delta\":\"{marker}\"}}"));
            event.execute().await.unwrap();
        }
        tx.commit().await.unwrap();
        for (number, cost, from, at) in [
            (1, Some(11_i64), 100_i64, 1_789_000_000_000_i64),
            (2, None, 100, 1_789_000_000_001),
            (3, Some(13), 1_790_000_000_000, 1_790_000_000_007),
        ] {
            let attempt = self.control.write(LEDGER).bind(tenant).bind(format!("request {number} {marker}"));
            let attempt = attempt.bind(account).bind(cost).bind(from).bind(at);
            attempt.bind(Timestamp::from_millis(at + 5)).execute().await.unwrap();
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.dir().join(name)
    }

    pub async fn export(&self, name: &str, to: &Path) -> Manifest {
        self.lifecycle.tenant_export(&operator(), &slug(name), to).await.unwrap()
    }

    pub async fn import(&self, from: &Path, options: ImportOptions) -> Result<Imported, LifecycleError> {
        self.lifecycle.tenant_import(&operator(), from, options).await
    }

    /// What an archive of it would hold, and nothing kept of that. Without its log: that tells of each export.
    pub async fn content(&self, name: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let manifest = self.export(name, &directory.path().join("content")).await;
        let own = manifest.tables.iter().filter(|table| table.own && table.name != "audit_entry");
        own.map(|table| format!("{}.{} {}\n", table.plane, table.name, table.sha256)).collect()
    }

    /// The hash over all of it, its log as well.
    pub async fn whole_content(&self, name: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        self.export(name, &directory.path().join("content")).await.content_sha256
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        self.control.read(sql).fetch_one().await.unwrap()
    }

    pub async fn all_chains_hold(&self) -> bool {
        let report = tenancy::audit_verify(&self.control, None).await.unwrap();
        report.fault().is_none()
    }
}
