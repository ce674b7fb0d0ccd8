//! What a process left in the journal that ended before the table had it.

use super::{
    Entry,
    segments::{self, left_behind},
    table, unread,
};
use crate::{MeteringError, ledger::is_here};
use contract::TenantId;
use std::{collections::HashMap, path::Path};
use store::ControlStore;

const LOT: usize = 1_000;

/// Writes what was left behind and removes the files. Interrupted, it can be done again.
pub(super) async fn replay(control: &ControlStore, directory: &Path) -> Result<(), MeteringError> {
    let mut here = HashMap::new();
    for path in left_behind(directory).map_err(MeteringError::Journal)? {
        let text = std::fs::read(&path).map_err(MeteringError::Journal)?;
        let mut entries = Vec::new();
        let mut unreadable = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            // Without its end it was not written whole, and nobody acted upon it.
            let Some(line) = line.strip_suffix(b"\n") else { continue };
            match serde_json::from_slice::<Entry>(line) {
                // A tenant that was deleted meanwhile leaves no trace.
                Ok(entry) if exists(control, &mut here, entry.key().0).await? => entries.push(entry),
                Ok(_) => {}
                Err(_) => {
                    unreadable.extend_from_slice(line);
                    unreadable.push(b'\n');
                }
            }
        }
        if !entries.is_empty() {
            tracing::warn!(entries = entries.len(), "the ledger takes over what its journal had when a Seam ended");
        }
        for lot in entries.chunks(LOT) {
            table::write(control, lot).await?;
        }
        if !unreadable.is_empty() {
            let kept = unread::keep(&path, &unreadable).map_err(MeteringError::Journal)?;
            tracing::error!(kept = %kept.display(), "lines of the ledger's journal cannot be read");
        }
        segments::remove(&path).map_err(MeteringError::Journal)?;
    }
    Ok(())
}

async fn exists(
    control: &ControlStore,
    known: &mut HashMap<TenantId, bool>,
    tenant: TenantId,
) -> Result<bool, MeteringError> {
    if let Some(exists) = known.get(&tenant) {
        return Ok(*exists);
    }
    let exists = is_here(control, tenant).await?;
    known.insert(tenant, exists);
    Ok(exists)
}
