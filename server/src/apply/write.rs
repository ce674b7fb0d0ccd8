//! The one transaction: kinds in the order of their references, every refusal collected with its line.

use super::{
    Applied, GeneratedKey, Located, Mistake, Report, Resources,
    declared::{Declared, Written},
    prune::{self, Prunable},
};
use contract::{Password, Slug, TenantId, Timestamp};
use store::{FromRow, Row, StoreError, Transaction};
use tenancy::{Change, NewUser, PasswordHash, Tenancy};

const TENANT_ID: &str = "SELECT id FROM tenant WHERE slug = $1";

struct TenantRow(TenantId);

impl FromRow for TenantRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

/// What has been done so far, and what could not be.
struct Outcome<'t> {
    tenancy: &'t Tenancy,
    /// One moment for all of it.
    now: Timestamp,
    report: Report,
    mistakes: Vec<Mistake>,
}

impl Outcome<'_> {
    async fn put(&mut self, tx: &mut Transaction, line: usize, declared: &Declared<'_>) -> Result<(), StoreError> {
        let now = self.now;
        let Written { change, values, secret } = match declared.write(tx, now, self.tenancy.vault()).await {
            Ok(written) => written,
            Err(message) => {
                self.mistakes.push(Mistake { line, message });
                return Ok(());
            }
        };
        let (kind, name) = (declared.kind(), declared.name());
        if change != Change::Unchanged {
            let tenant = match declared.noted_in(&change) {
                Some(slug) => tenant_id(tx, slug).await?,
                None => None,
            };
            Tenancy::apply_record(tx, now, declared.action(), &name, values, tenant).await?;
        }
        if let (Declared::Key(key), Some(secret)) = (declared, secret) {
            let (tenant, name) = (key.tenant.to_string(), key.key.name.trim().to_owned());
            self.report.generated.push(GeneratedKey { tenant, name, secret });
        }
        self.report.resources.push(Applied { kind, name, change });
        Ok(())
    }

    /// The users with hashes in place of their passwords. Before the transaction: a hash takes a while, and writers
    /// wait for each other.
    async fn users(&mut self, resources: &Resources) -> Vec<Located<NewUser>> {
        let mut users = Vec::new();
        for Located { line, value } in &resources.users {
            let password_hash = self.hash(*line, value.password.as_ref()).await;
            let user = NewUser {
                tenant: value.tenant.clone(),
                email: value.email.clone(),
                role: value.role,
                password_hash,
                operator: value.tenant.is_none(),
            };
            users.push(Located { line: *line, value: user });
        }
        users
    }

    async fn hash(&mut self, line: usize, password: Option<&Password>) -> Option<PasswordHash> {
        match self.tenancy.hash_password(password?.clone()).await {
            Ok(hash) => Some(hash),
            Err(error) => {
                self.mistakes.push(Mistake { line, message: error.to_string() });
                None
            }
        }
    }
}

/// Writes everything, or nothing: with mistakes or for a dry run the transaction is dropped.
pub(super) async fn all(
    tenancy: &Tenancy,
    resources: &Resources,
    dry_run: bool,
    prune: &[Prunable],
) -> Result<(Report, Vec<Mistake>), StoreError> {
    let mut outcome = Outcome { tenancy, now: tenancy.clock().now(), report: Report::default(), mistakes: Vec::new() };
    let users = outcome.users(resources).await;
    let mut tx = tenancy.control().begin().await?;
    for (line, declared) in in_order(resources, &users) {
        outcome.put(&mut tx, line, &declared).await?;
    }
    let Outcome { now, mut report, mut mistakes, .. } = outcome;
    if mistakes.is_empty() {
        (report.removed, mistakes) = prune::absent(&mut tx, now, resources, prune).await?;
    }
    if mistakes.is_empty() && !dry_run {
        tx.commit().await?;
    } else {
        // They open nothing.
        report.generated.clear();
    }
    report.dry_run = dry_run;
    Ok((report, mistakes))
}

/// What is referred to comes before what refers to it; within a kind, as the file has it.
fn in_order<'r>(
    resources: &'r Resources,
    users: &'r [Located<NewUser>],
) -> impl Iterator<Item = (usize, Declared<'r>)> {
    fn each<'r, T>(
        list: &'r [Located<T>],
        of: fn(&'r T) -> Declared<'r>,
    ) -> impl Iterator<Item = (usize, Declared<'r>)> {
        list.iter().map(move |located| (located.line, of(&located.value)))
    }
    each(&resources.providers, Declared::Provider)
        .chain(each(&resources.plans, Declared::Plan))
        .chain(each(&resources.models, Declared::Model))
        .chain(each(&resources.prices, Declared::Price))
        .chain(each(&resources.tenants, Declared::Tenant))
        .chain(each(users, Declared::User))
        .chain(each(&resources.keys, Declared::Key))
        .chain(each(&resources.usage, Declared::Usage))
}

async fn tenant_id(tx: &mut Transaction, slug: &Slug) -> Result<Option<TenantId>, StoreError> {
    Ok(tx.query(TENANT_ID).bind(slug.clone()).fetch_optional::<TenantRow>().await?.map(|row| row.0))
}
