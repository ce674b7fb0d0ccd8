//! Exporting a tenant: everything that is its own, and what of the operator's it points at, into one file.
//!
//! Each plane is read in one snapshot, the tenant's first: an answer that ends in between is in the ledger of the archive
//! and not in its conversation, never the other way round.

use crate::{
    Lifecycle, LifecycleError, Manifest, Plane,
    archive::{FORMAT, Opening, PAGE, PRICE, Piece, TableHead, cell, write_in_background},
    coverage::{Known, Meaning, Rows, comes_early, is_left_to_the_target, meaning, pair},
    operation,
};
use contract::{Slug, TenantId};
use serde_json::{Value as Json, json};
use std::{collections::HashMap, path::Path};
use store::{Matching, Transaction, Value};
use tenancy::{OperatorScope, TenantRecord, audit_verify_tenant};
use tokio::sync::mpsc::Sender;

/// Which price version is which, as an archive says it.
type Prices = HashMap<i64, String>;

impl Lifecycle {
    /// Writes everything of a tenant to one file, which nobody else may read; returns what is in it.
    ///
    /// # Errors
    /// `UnknownTenant`, `FileExists`, `BeingDeleted`.
    pub async fn tenant_export(
        &self,
        operator: &OperatorScope,
        slug: &Slug,
        to: &Path,
    ) -> Result<Manifest, LifecycleError> {
        let tenant = self.tenancy.tenant_by_slug(slug).await?;
        let tenant = tenant.ok_or_else(|| LifecycleError::UnknownTenant(slug.to_string()))?;
        if operation::of_tenant(&self.control, tenant.id).await?.is_some() {
            return Err(LifecycleError::BeingDeleted { slug: slug.to_string() });
        }
        let audit = audit_verify_tenant(&self.control, tenant.id).await?;
        let (pieces, writing) = write_in_background(to, self.opening(&tenant));
        let sent = self.send(operator, tenant.id, &pieces).await;
        drop(pieces);
        // A writer that failed is the reason why sending failed.
        let writer = writing.await??;
        sent?;
        let whole = tokio::task::spawn_blocking(move || writer.complete(audit)).await??;
        let mut tx = self.control.begin().await?;
        let after = json!({
            "tenant": tenant.id, "content_sha256": whole.manifest.content_sha256, "rows": whole.manifest.rows(),
        });
        // In the tenant's own log too, which the archive has as it was before: all that its people wrote was handed out.
        operator.record_of_tenant(&mut tx, self.now(), tenant.id, ("tenant.export", slug.as_str()), after).await?;
        tx.commit().await?;
        tokio::task::spawn_blocking(move || whole.publish()).await?
    }

    fn opening(&self, tenant: &TenantRecord) -> Opening {
        Opening {
            format: FORMAT,
            seam: env!("CARGO_PKG_VERSION").to_owned(),
            engine: self.engine().to_owned(),
            exported_at: self.now(),
            tenant: tenant.id,
            slug: tenant.slug.clone(),
            display_name: tenant.display_name.clone(),
        }
    }

    async fn send(&self, operator: &OperatorScope, tenant: TenantId, to: &Sender<Piece>) -> Result<(), LifecycleError> {
        let plane = operator.tenant_plane(&self.stores, tenant).await?;
        let mut of_tenant = plane.snapshot().await?;
        let own = pair(Plane::Tenant, of_tenant.tables().await?)?;
        let mut of_control = self.control.snapshot().await?;
        let mut shared = pair(Plane::Control, of_control.tables().await?)?;
        shared.sort_by_key(|known| !comes_early(known.table.name()));
        let mut prices = Prices::new();
        for known in &shared {
            send_table(&mut of_control, Plane::Control, known, tenant, &mut prices, to).await?;
        }
        for known in &own {
            send_table(&mut of_tenant, Plane::Tenant, known, tenant, &mut prices, to).await?;
        }
        Ok(())
    }
}

/// The rows of a table that an archive carries, and whether they are the tenant's own.
fn carried(rows: Rows) -> Option<(&'static str, bool)> {
    match rows {
        Rows::Tenants(condition) => Some((condition, true)),
        Rows::Accounts { of_members, .. } => Some((of_members, true)),
        Rows::PointedAt(condition) => Some((condition, false)),
        Rows::Fleeting { .. } | Rows::Throttle { .. } | Rows::Operators(_) => None,
    }
}

async fn send_table(
    tx: &mut Transaction,
    plane: Plane,
    known: &Known,
    tenant: TenantId,
    prices: &mut Prices,
    to: &Sender<Piece>,
) -> Result<(), LifecycleError> {
    let Known { table, rows } = known;
    let Some((condition, own)) = carried(*rows) else { return Ok(()) };
    let name = table.name();
    let columns = table.columns().iter().filter(|column| !is_left_to_the_target(name, column.name()));
    let columns = columns
        .map(|column| {
            let is_price = meaning(name, column.name()) == Meaning::Price;
            let kind = if is_price { PRICE } else { column.kind().as_str() };
            (column.name().to_owned(), kind.to_owned())
        })
        .collect();
    let head = TableHead { plane: plane.as_str().to_owned(), name: name.to_owned(), columns };
    if to.send(Piece::Table { head, own }).await.is_err() {
        return Ok(());
    }
    let which = Matching::new(condition, Value::Text(Some(tenant.to_string())));
    let mut after = None;
    loop {
        let page = tx.rows_after(table, &which, after, PAGE as i64).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(table.key().iter().filter_map(|place| last.get(*place)).cloned().collect());
        let page = page.into_iter().map(|row| cells(known, row, prices)).collect();
        if to.send(Piece::Rows(page)).await.is_err() {
            return Ok(());
        }
    }
}

/// A row as the archive has it; notes what a price version stands for.
fn cells(known: &Known, row: Vec<Value>, prices: &mut Prices) -> Vec<Json> {
    let table = &known.table;
    if table.name() == "price_version" {
        note_price(known, &row, prices);
    }
    let columns = table.columns().iter().zip(row);
    columns
        .filter(|(column, _)| !is_left_to_the_target(table.name(), column.name()))
        .map(|(column, value)| match (meaning(table.name(), column.name()), value) {
            (Meaning::Price, Value::Integer(Some(version))) => {
                prices.get(&version).map_or(Json::Null, |price| Json::String(price.clone()))
            }
            (Meaning::Operator, _) => Json::Bool(false),
            (_, value) => cell(value),
        })
        .collect()
}

fn note_price(known: &Known, row: &[Value], prices: &mut Prices) {
    let named = |name: &str| {
        let place = known.table.columns().iter().position(|column| column.name() == name);
        place.and_then(|place| row.get(place)).cloned()
    };
    if let Some(Value::Integer(Some(version))) = named("id") {
        let of = ["provider", "model", "effective_from"].map(|name| named(name).map_or(Json::Null, cell));
        prices.insert(version, Json::from(of.to_vec()).to_string());
    }
}
