//! `seam apply`: what an operator declares in a file becomes what is in the database.
//!
//! `fields.rs` reads TOML tables with line numbers, `resources.rs` knows the kinds, `check.rs` the references
//! between them, `write.rs` is the one transaction, `declared.rs` one resource in it, `prune.rs` what is absent,
//! `usage.rs` makes a demo's past, `report.rs` tells.
//!
//! What always holds: everything wrong is told at once with its line; when anything is wrong nothing is
//! written; applying the same file again changes nothing.

mod check;
mod declared;
mod fields;
mod prune;
mod report;
mod resources;
mod usage;
mod write;

pub use fields::{Located, Mistake};
pub use prune::Prunable;
pub use report::{Applied, GeneratedKey, Report};
pub use resources::Resources;

use std::path::PathBuf;
use store::StoreError;
use tenancy::Tenancy;

/// Reads a variable of the environment; a parameter so that tests own it.
pub type Environment<'e> = &'e (dyn Fn(&str) -> Option<String> + Sync);

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// In the order of their lines.
    #[error("{} things in the file are wrong", .0.len())]
    Mistakes(Vec<Mistake>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies the text of a file. With `dry_run` everything is done and then undone.
pub async fn apply(
    tenancy: &Tenancy,
    text: &str,
    environment: Environment<'_>,
    dry_run: bool,
) -> Result<Report, ApplyError> {
    apply_pruning(tenancy, text, environment, dry_run, &[]).await
}

/// The same, and what the file does not name of these kinds goes.
pub async fn apply_pruning(
    tenancy: &Tenancy,
    text: &str,
    environment: Environment<'_>,
    dry_run: bool,
    prune: &[Prunable],
) -> Result<Report, ApplyError> {
    let (resources, mut mistakes) = Resources::parse(text, environment);
    check::references(tenancy.control(), &resources, &mut mistakes).await?;
    finish(mistakes)?;
    let (report, mistakes) = write::all(tenancy, &resources, dry_run, prune).await?;
    finish(mistakes)?;
    Ok(report)
}

fn finish(mut mistakes: Vec<Mistake>) -> Result<(), ApplyError> {
    if mistakes.is_empty() {
        return Ok(());
    }
    mistakes.sort();
    mistakes.dedup();
    Err(ApplyError::Mistakes(mistakes))
}
