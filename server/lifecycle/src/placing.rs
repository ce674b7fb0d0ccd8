//! Placing an archive's rows: which go where, and what stands for what in this installation.
//!
//! What can be large (the tenant's store, its ledger, its log) is written page by page, under an id that no tenant has
//! yet. The rest is held until the end and written in one transaction, after the accounts that are here already have
//! been found and the price versions made.

use crate::{
    Lifecycle, LifecycleError, Manifest, MissingPlan, Plane,
    archive::{PRICE, Piece, TableHead, plane as plane_of, value},
    coverage::{Known, Meaning, Rows, meaning, pair},
};
use contract::{AuditEntry, Email, NanoUsd, NodeId, Slug, TenantId, Timestamp, UserId};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};
use store::{Insertion, StoreError, TenantStore, Transaction, Value};
use tenancy::{ChainCheck, ChainReport, NewTenant, SealedEntry, Tenancy, audit_link};

const ACCOUNT_OF: &str = "SELECT id AS value FROM account WHERE email = $1";
const ACCOUNT_TAKEN: &str = "SELECT email AS value FROM account WHERE id = $1";
const PRICE_OF: &str = "
SELECT id AS value FROM price_version WHERE provider = $1 AND model = $2 AND effective_from = $3";
const PRICES_BESIDE: &str = "
SELECT COUNT(*) AS value FROM price_version WHERE provider = $1 AND model = $2 AND effective_from <> $3";
const RUNS_LEFT: &str = "INSERT INTO run_place (node_id, tenant_id, mark) VALUES ($1, $2, 0)";
const PLAN_OF: &str = "SELECT name AS value FROM plan WHERE name = $1";

/// Tables of the control plane that are written page by page: they point at no row that is still to come.
const AHEAD: [&str; 2] = ["audit_entry", "ledger_attempt"];
/// A secret opens one tenant: where it is known already, the copy goes without.
const SECRETS: [&str; 2] = ["api_key", "invitation"];

/// A table that is being placed.
#[derive(Clone)]
struct Current {
    plane: Plane,
    known: Known,
    /// The columns that the archive has of it.
    columns: Vec<(String, String)>,
    into: Insertion,
}

/// A row by the names of its columns.
struct Named<'a> {
    columns: &'a [(String, String)],
    row: &'a [Json],
}

impl Named<'_> {
    fn get(&self, name: &str) -> Option<&Json> {
        self.columns.iter().position(|(column, _)| column == name).and_then(|place| self.row.get(place))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }
}

pub(crate) struct Placing<'a> {
    lifecycle: &'a Lifecycle,
    path: &'a Path,
    expected: &'a Manifest,
    tenant: TenantId,
    slug: Slug,
    missing_plan: MissingPlan,
    /// This installation's tables, by the names of the planes.
    known: HashMap<&'static str, Vec<Known>>,
    current: Option<Current>,
    held: Vec<(Current, Vec<Vec<Json>>)>,
    /// By their ids in the archive.
    accounts: HashMap<String, String>,
    linked: HashSet<String>,
    /// Accounts here of another id and the same address.
    namesakes: Vec<UserId>,
    created: u64,
    /// By what an archive says of them.
    prices: HashMap<String, i64>,
    plan_left_out: bool,
    last_link: String,
    /// The log as the archive has it, under the tenant's id there.
    chain_there: ChainCheck,
    sealed: BTreeMap<String, u64>,
    running: u64,
    /// Drives the answers that were being written: a node that is not, so that they are ended like those of one that died.
    nobody: NodeId,
    notes: Vec<String>,
}

impl<'a> Placing<'a> {
    pub(crate) fn new(
        lifecycle: &'a Lifecycle,
        path: &'a Path,
        expected: &'a Manifest,
        (tenant, slug): (TenantId, Slug),
        missing_plan: MissingPlan,
    ) -> Self {
        Self {
            lifecycle,
            path,
            expected,
            tenant,
            slug,
            missing_plan,
            known: HashMap::new(),
            current: None,
            held: Vec::new(),
            accounts: HashMap::new(),
            linked: HashSet::new(),
            namesakes: Vec::new(),
            created: 0,
            prices: HashMap::new(),
            plan_left_out: false,
            last_link: String::new(),
            chain_there: ChainCheck::new(expected.tenant.to_string()),
            sealed: BTreeMap::new(),
            running: 0,
            nobody: NodeId::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn tenant(&self) -> (TenantId, Slug) {
        (self.tenant, self.slug.clone())
    }

    pub(crate) const fn manifest(&self) -> &Manifest {
        self.expected
    }

    /// The tables of this installation.
    pub(crate) async fn learn(&mut self, plane: &TenantStore) -> Result<(), LifecycleError> {
        let control = self.lifecycle.control.snapshot().await?.tables().await?;
        let own = plane.snapshot().await?.tables().await?;
        self.known.insert(Plane::Control.as_str(), pair(Plane::Control, control)?);
        self.known.insert(Plane::Tenant.as_str(), pair(Plane::Tenant, own)?);
        Ok(())
    }

    fn damaged(&self, what: impl Into<String>) -> LifecycleError {
        LifecycleError::Damaged { path: self.path.to_owned(), what: what.into() }
    }

    fn newer(&self, what: String) -> LifecycleError {
        LifecycleError::Newer { path: self.path.to_owned(), what }
    }

    pub(crate) async fn take(&mut self, piece: Piece, plane: &TenantStore) -> Result<(), LifecycleError> {
        match piece {
            Piece::Table { head, .. } => {
                self.current = Some(self.open(head)?);
                Ok(())
            }
            Piece::Rows(rows) => self.rows(rows, plane).await,
        }
    }

    /// The table of this name here; every column of the archive must be one of its own, and hold the same.
    fn open(&self, head: TableHead) -> Result<Current, LifecycleError> {
        let unknown = || self.newer(format!("it has a table {}.{}", head.plane, head.name));
        let plane = plane_of(&head).ok_or_else(unknown)?;
        let known = self.known.get(plane.as_str()).into_iter().flatten();
        let known = known.into_iter().find(|known| known.table.name() == head.name).cloned().ok_or_else(unknown)?;
        for (name, kind) in &head.columns {
            let column = known.table.columns().iter().find(|column| column.name() == name);
            let expected = column.map(|column| match meaning(&head.name, name) {
                Meaning::Price => PRICE,
                Meaning::Plain | Meaning::TenantId | Meaning::AccountId | Meaning::Operator => column.kind().as_str(),
            });
            if expected != Some(kind.as_str()) {
                return Err(self.newer(format!("its table {}.{} has a column {name} of {kind}", head.plane, head.name)));
            }
        }
        let names: Vec<&str> = head.columns.iter().map(|(name, _)| name.as_str()).collect();
        // A price version or a plan that is here stays as it is; so does whoever has an account.
        let leave_existing = matches!(known.rows, Rows::PointedAt(_)) || SECRETS.contains(&head.name.as_str());
        let into = known.table.insertion(&names, leave_existing)?;
        Ok(Current { plane, known, columns: head.columns, into })
    }

    async fn rows(&mut self, rows: Vec<Vec<Json>>, plane: &TenantStore) -> Result<(), LifecycleError> {
        let Some(current) = self.current.take() else { return Err(self.damaged("rows stand before their table")) };
        let name = current.known.table.name().to_owned();
        self.look_at(&current, &rows);
        if current.plane == Plane::Tenant {
            let mut tx = plane.begin().await?;
            self.insert(&mut tx, &current, &rows).await?;
            tx.commit().await?;
        } else if AHEAD.contains(&name.as_str()) {
            let mut tx = self.lifecycle.control.begin().await?;
            self.insert(&mut tx, &current, &rows).await?;
            tx.commit().await?;
        } else {
            match name.as_str() {
                "account" => self.find_accounts(&current, &rows).await?,
                "price_version" => self.make_prices(&current, &rows).await?,
                "plan" => self.find_plan(&current, &rows).await?,
                _ => {}
            }
            match self.held.last_mut() {
                Some((held, before)) if held.known.table.name() == name => before.extend(rows),
                _ => self.held.push((current.clone(), rows)),
            }
        }
        self.current = Some(current);
        Ok(())
    }

    /// What an operator should know about.
    fn look_at(&mut self, current: &Current, rows: &[Vec<Json>]) {
        for row in rows {
            let named = Named { columns: &current.columns, row };
            for (column, _) in &current.columns {
                if column.ends_with("_sealed") && named.get(column).is_some_and(|cell| !cell.is_null()) {
                    *self.sealed.entry(format!("{}.{column}", current.known.table.name())).or_default() += 1;
                }
            }
            match current.known.table.name() {
                "run" if named.text("status") == Some("running") => self.running += 1,
                "tenant" => self.notes.extend(self.faults(&named)),
                _ => {}
            }
        }
    }

    /// What nobody could enter here. It is restored as it was, and told: an archive of former days must open.
    fn faults(&self, tenant: &Named<'_>) -> Vec<String> {
        let money = |name: &str| tenant.get(name).and_then(Json::as_i64).map(NanoUsd::from_nanos);
        let stored = NewTenant {
            slug: self.slug.clone(),
            display_name: tenant.text("display_name").unwrap_or_default().to_owned(),
            plan: None,
            monthly_budget: money("monthly_budget"),
            soft_budget: money("soft_budget"),
            region: tenant.text("region").map(str::to_owned),
            zero_retention: false,
        };
        let faults = stored.faults().into_iter();
        faults.map(|(field, reason)| format!("the tenant's {field} could not be entered here: {reason}")).collect()
    }

    async fn insert(
        &mut self,
        tx: &mut Transaction,
        current: &Current,
        rows: &[Vec<Json>],
    ) -> Result<u64, LifecycleError> {
        let table = current.known.table.name();
        let mut left_out = 0;
        for row in rows {
            let values = self.values(current, row)?;
            let inserted = tx.row_insert(&current.into, values).await;
            let inserted = inserted.map_err(|error| {
                if matches!(error, StoreError::Constraint(_)) {
                    LifecycleError::Conflict { table: table.to_owned(), source: error }
                } else {
                    error.into()
                }
            })?;
            left_out += u64::from(!inserted);
        }
        Ok(left_out)
    }

    /// A row in the terms of this installation.
    fn values(&mut self, current: &Current, row: &[Json]) -> Result<Vec<Value>, LifecycleError> {
        let table = &current.known.table;
        let named = Named { columns: &current.columns, row };
        let relinked = match table.name() {
            "audit_entry" if self.tenant != self.expected.tenant => Some(self.relink(&named)?),
            _ => None,
        };
        let mut values = Vec::with_capacity(row.len());
        for ((name, _), cell) in current.columns.iter().zip(row) {
            let column = table.columns().iter().find(|column| column.name() == name);
            let kind = column.ok_or_else(|| self.damaged("a column came from nowhere"))?.kind();
            let wrong = || self.damaged(format!("the table {} holds no {} in {name}", table.name(), kind.as_str()));
            let plain = || value(cell, kind).ok_or_else(wrong);
            values.push(match meaning(table.name(), name) {
                Meaning::TenantId => match cell.as_str() {
                    Some(id) if id == self.expected.tenant.to_string() => Value::Text(Some(self.tenant.to_string())),
                    // Somebody else's tenant, in a row of an account, is not here.
                    _ if matches!(current.known.rows, Rows::Accounts { .. }) => Value::Text(None),
                    _ => return Err(wrong()),
                },
                Meaning::AccountId => match cell.as_str().and_then(|id| self.accounts.get(id)) {
                    Some(here) => Value::Text(Some(here.clone())),
                    // A member of former days: what they wrote keeps their id.
                    None => plain()?,
                },
                Meaning::Price => match cell.as_str() {
                    None if cell.is_null() => Value::Integer(None),
                    None => return Err(wrong()),
                    Some(price) => Value::Integer(Some(*self.prices.get(price).ok_or_else(wrong)?)),
                },
                Meaning::Operator => Value::Boolean(Some(false)),
                Meaning::Plain => match (table.name(), name.as_str()) {
                    ("tenant", "slug") => Value::Text(Some(self.slug.to_string())),
                    ("tenant", "plan") if self.plan_left_out => Value::Text(None),
                    ("run", "node_id") if named.text("status") == Some("running") => {
                        Value::Text(Some(self.nobody.to_string()))
                    }
                    ("audit_entry", "hash") if relinked.is_some() => Value::Text(relinked.clone()),
                    _ => plain()?,
                },
            });
        }
        Ok(values)
    }

    /// The hash of an entry under the new id. Entries come in their order.
    fn relink(&mut self, named: &Named<'_>) -> Result<String, LifecycleError> {
        let text = |name: &str| named.text(name).map(str::to_owned);
        let entry = (|| {
            Some(AuditEntry {
                seq: named.get("seq")?.as_i64()?,
                at: Timestamp::from_millis(named.get("at")?.as_i64()?),
                actor: text("actor")?,
                name: text("name")?,
                on_behalf_of: text("on_behalf_of"),
                address: text("address"),
                action: text("action")?,
                target: text("target")?,
                change: text("change")?,
            })
        })();
        let entry = entry.ok_or_else(|| self.damaged("an entry of its audit log cannot be read"))?;
        self.last_link = audit_link(self.tenant, &self.last_link, &entry);
        let hash = text("hash").unwrap_or_default();
        self.chain_there.take(&SealedEntry { chain: self.expected.tenant.to_string(), entry, hash });
        Ok(self.last_link.clone())
    }

    /// Who has an account here already keeps it, with the password it has; whose id is another's gets a new one.
    async fn find_accounts(&mut self, current: &Current, rows: &[Vec<Json>]) -> Result<(), LifecycleError> {
        for row in rows {
            let named = Named { columns: &current.columns, row };
            let (Some(id), Some(email)) = (named.text("id"), named.text("email")) else {
                return Err(self.damaged("an account has no id or no address"));
            };
            let email: Email = email.parse().map_err(|_| self.damaged(format!("“{email}” is no e-mail address")))?;
            let control = &self.lifecycle.control;
            let here: Option<String> = control.read(ACCOUNT_OF).bind(email).fetch_optional().await?;
            let becomes = if let Some(here) = here {
                self.linked.insert(id.to_owned());
                if here != id
                    && let Ok(namesake) = here.parse()
                {
                    self.namesakes.push(namesake);
                }
                here
            } else if control.read(ACCOUNT_TAKEN).bind(id).fetch_optional::<String>().await?.is_some() {
                UserId::new().to_string()
            } else {
                id.to_owned()
            };
            self.accounts.insert(id.to_owned(), becomes);
        }
        Ok(())
    }

    /// Price versions that are missing are made, so that the ledger can point at them.
    async fn make_prices(&mut self, current: &Current, rows: &[Vec<Json>]) -> Result<(), LifecycleError> {
        let mut tx = self.lifecycle.control.begin().await?;
        for row in rows {
            let named = Named { columns: &current.columns, row };
            let (Some(provider), Some(model)) = (named.text("provider"), named.text("model")) else {
                return Err(self.damaged("a price has no provider or no model"));
            };
            let Some(from) = named.get("effective_from").and_then(Json::as_i64) else {
                return Err(self.damaged("a price begins at no time"));
            };
            let values = self.values(current, row)?;
            let made = tx.row_insert(&current.into, values).await?;
            if made {
                let beside = tx.query(PRICES_BESIDE).bind(provider).bind(model).bind(from);
                if beside.fetch_one::<i64>().await? > 0 {
                    self.notes.push(format!(
                        "a price of {model} at {provider} came with the archive, beside those that were here; see that \
                         the newest is the one that you mean"
                    ));
                }
            }
            let version: i64 = tx.query(PRICE_OF).bind(provider).bind(model).bind(from).fetch_one().await?;
            self.prices.insert(Json::from(vec![provider.into(), model.into(), Json::from(from)]).to_string(), version);
        }
        tx.commit().await?;
        Ok(())
    }

    async fn find_plan(&mut self, current: &Current, rows: &[Vec<Json>]) -> Result<(), LifecycleError> {
        for row in rows {
            let named = Named { columns: &current.columns, row };
            let Some(plan) = named.text("name") else { return Err(self.damaged("a plan has no name")) };
            let here: Option<String> = self.lifecycle.control.read(PLAN_OF).bind(plan).fetch_optional().await?;
            match (here, self.missing_plan) {
                (Some(_), _) => {
                    self.notes.push(format!("the plan “{plan}” is the one of this name here; its terms hold"));
                }
                (None, MissingPlan::Create) => self.notes.push(format!("the plan “{plan}” was created")),
                (None, MissingPlan::LeaveOut) => self.plan_left_out = true,
                (None, MissingPlan::Refuse) => return Err(LifecycleError::NoSuchPlan { plan: plan.to_owned() }),
            }
        }
        Ok(())
    }

    /// The archive did not change between the two readings.
    pub(crate) fn same_as_verified(&self, again: &Manifest) -> Result<(), LifecycleError> {
        if again == self.expected { Ok(()) } else { Err(self.damaged("it was changed while it was being read")) }
    }

    /// A chain that was unbroken when it was exported is so here.
    pub(crate) fn chain_is_whole(&self, chain: &ChainReport) -> Result<(), LifecycleError> {
        // Under another id all hashes are made anew: what counts is how it was before.
        let same_id = self.tenant == self.expected.tenant;
        let chain = if same_id { chain } else { self.chain_there.report() };
        let expected = self.expected;
        let same = chain.broken_at == expected.audit_broken_at && chain.entries == expected.audit_entries;
        if same && chain.last_hash == expected.audit_last_hash {
            Ok(())
        } else {
            Err(self.damaged("its audit log does not verify"))
        }
    }

    /// Where answers stand that nobody writes any more: whoever serves looks there, and ends them.
    pub(crate) async fn leave_running(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        if self.running > 0 {
            tx.query(RUNS_LEFT).bind(self.nobody).bind(self.tenant).execute().await?;
        }
        Ok(())
    }

    /// Who came here under the address of a member of the archive, and has not shown that it is theirs, does not become
    /// that member.
    pub(crate) async fn prove_namesakes(&mut self, tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
        let mut removed = 0;
        for namesake in &self.namesakes {
            removed += u64::from(Tenancy::account_prove(tx, now, *namesake).await?);
        }
        if removed > 0 {
            self.notes.push(format!(
                "{removed} accounts that were here had a password of whoever joined first under the address, which nobody \
                 had proved; it opens nothing any more: let them sign in by their identity provider, or make them a link \
                 to a new one"
            ));
        }
        Ok(())
    }

    /// What was held, in the order in which rows may point at each other.
    pub(crate) async fn place_held(&mut self, tx: &mut Transaction) -> Result<(), LifecycleError> {
        let order: Vec<String> = self
            .known
            .get(Plane::Control.as_str())
            .into_iter()
            .flatten()
            .map(|known| known.table.name().to_owned())
            .collect();
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|(current, _)| order.iter().position(|name| name == current.known.table.name()));
        for (current, rows) in held {
            let table = current.known.table.name();
            if table == "price_version" || (table == "plan" && self.missing_plan != MissingPlan::Create) {
                continue;
            }
            let rows = self.without_linked(&current, rows);
            let left_out = self.insert(tx, &current, &rows).await?;
            match table {
                "account" => self.created = rows.len() as u64,
                "api_key" if left_out > 0 => self.notes.push(format!(
                    "{left_out} API keys were left out: they open a tenant here already; make new ones for this one"
                )),
                "invitation" if left_out > 0 => self.notes.push(format!(
                    "{left_out} invitations were left out: their links lead to a tenant here already; invite again"
                )),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whoever was here already is not touched, nor what belongs to their account alone.
    fn without_linked(&self, current: &Current, rows: Vec<Vec<Json>>) -> Vec<Vec<Json>> {
        if !matches!(current.known.rows, Rows::Accounts { .. }) {
            return rows;
        }
        let whose = current
            .columns
            .iter()
            .position(|(column, _)| meaning(current.known.table.name(), column) == Meaning::AccountId);
        let is_linked = |row: &Vec<Json>| {
            let id = whose.and_then(|place| row.get(place)).and_then(Json::as_str);
            id.is_some_and(|id| self.linked.contains(id))
        };
        rows.into_iter().filter(|row| !is_linked(row)).collect()
    }

    /// Accounts made, accounts found, and what an operator should know.
    pub(crate) fn outcome(mut self) -> (u64, u64, Vec<String>) {
        if self.plan_left_out {
            self.notes.push("the tenant has no plan; choose one with seam apply".to_owned());
        }
        for (column, count) in &self.sealed {
            self.notes.push(format!(
                "{count} secrets in {column} are sealed under the master key of where they come from; they open here only \
                 with the same one, otherwise enter them again"
            ));
        }
        if self.running > 0 {
            self.notes.push(format!(
                "{} answers were being written when the archive was made; the server ends them, or its next start does",
                self.running
            ));
        }
        if let Some(at) = self.expected.audit_broken_at {
            self.notes.push(format!("the tenant's audit log was broken at entry {at} already when it was exported"));
        }
        (self.created, self.linked.len() as u64, self.notes)
    }
}
