//! Archives of tenants on their way out of a server that runs, and into it.
//!
//! What always holds: an archive on its way lies in a directory of its own below the data directory, which nobody else may
//! enter; it goes with whoever waits for it, and what a kill left goes at the next start; of a few at once more are turned
//! away, so that they fill no disk unnoticed. What an archive is, and what makes one acceptable, is `lifecycle`'s.

use crate::{IntoProblem, Platform, problem::logged};
use contract::{Problem, ProblemCode, Slug};
use lifecycle::{ImportOptions, Imported, LifecycleError};
use metering::MeteringError;
use std::{
    fs::DirBuilder,
    io::ErrorKind,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tenancy::OperatorScope;
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use uuid::Uuid;

const DIRECTORY: &str = "transit";
const FILE: &str = "tenant.seam";
const MOST_AT_ONCE: usize = 2;
/// A tenant of a million long conversations packs into less.
pub const MOST_ARCHIVE_BYTES: u64 = 16 << 30;

/// Why an archive did not get through.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{MOST_AT_ONCE} archives are on their way already; wait for one to be through, then try again")]
    Crowded,
    #[error("an archive has at most {} GiB; bring a larger one to the server's machine: seam tenant import FILE", MOST_ARCHIVE_BYTES >> 30)]
    TooLarge,
    #[error("an archive on its way could not be kept in the data directory: {0}")]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    #[error(transparent)]
    Metering(#[from] MeteringError),
}

/// Where archives lie that are on their way.
#[derive(Debug, Clone)]
pub(crate) struct Transits {
    root: PathBuf,
    places: Arc<Semaphore>,
}

impl Transits {
    /// Removes what an earlier process left: this one alone works in its data directory.
    pub(crate) fn open(data_dir: &Path) -> Self {
        let root = data_dir.join(DIRECTORY);
        match std::fs::remove_dir_all(&root) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(directory = %root.display(), %error, "what archives left that were under way cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
        Self { root, places: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    fn place(&self) -> Result<Transit, ArchiveError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| ArchiveError::Crowded)?;
        let directory = self.root.join(Uuid::new_v4().simple().to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(Transit { directory, _place: place })
    }
}

/// The place of one archive; its files go with it.
#[derive(Debug)]
struct Transit {
    directory: PathBuf,
    _place: OwnedSemaphorePermit,
}

impl Transit {
    fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    fn clear(&self) {
        match std::fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(directory = %self.directory.display(), %error, "an archive that was under way cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl Drop for Transit {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A whole archive that is read while it has no name any more.
#[derive(Debug)]
pub struct ArchiveOut {
    pub file: File,
    /// In bytes.
    pub length: u64,
    _transit: Transit,
}

/// An archive that is arriving.
#[derive(Debug)]
pub struct ArchiveIn {
    file: File,
    length: u64,
    transit: Transit,
}

impl ArchiveIn {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// `TooLarge`, `File`.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > MOST_ARCHIVE_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        Ok(self.file.write_all(bytes).await?)
    }
}

impl Platform {
    /// Everything of a tenant as `seam tenant export` writes it, with all that was recorded of it until now.
    ///
    /// # Errors
    /// `Crowded`; `Lifecycle` as [`lifecycle::Lifecycle::tenant_export`].
    pub async fn archive_export(&self, operator: &OperatorScope, slug: &Slug) -> Result<ArchiveOut, ArchiveError> {
        let transit = self.transits.place()?;
        self.metering.caught_up().await?;
        self.lifecycle.tenant_export(operator, slug, &transit.file()).await?;
        let file = File::open(transit.file()).await?;
        let length = file.metadata().await?.len();
        // From here on it goes with the process, however that ends.
        transit.clear();
        Ok(ArchiveOut { file, length, _transit: transit })
    }

    /// A place for an archive that is about to arrive.
    ///
    /// # Errors
    /// `Crowded`, `File`.
    pub async fn archive_receive(&self) -> Result<ArchiveIn, ArchiveError> {
        let transit = self.transits.place()?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(transit.file()).await?;
        Ok(ArchiveIn { file, length: 0, transit })
    }

    /// Restores a tenant from an archive that has arrived, whole or not at all. Interrupted, the same archive under the
    /// same name completes it.
    ///
    /// # Errors
    /// `Lifecycle` as [`lifecycle::Lifecycle::tenant_import`].
    pub async fn archive_import(
        &self,
        operator: &OperatorScope,
        mut archive: ArchiveIn,
        options: ImportOptions,
    ) -> Result<Imported, ArchiveError> {
        archive.file.flush().await?;
        let imported = self.lifecycle.tenant_import(operator, &archive.transit.file(), options).await?;
        // Its keys and its prices are new to this node.
        self.tenancy.forget_keys();
        self.metering.invalidate();
        Ok(imported)
    }
}

impl IntoProblem for ArchiveError {
    fn into_problem(self) -> Problem {
        let said = contract::sentence(&self.to_string());
        match self {
            Self::Crowded => Problem::new(ProblemCode::TooManyRequests, said).retry_after(30),
            Self::TooLarge => Problem::new(ProblemCode::PayloadTooLarge, said),
            Self::File(error) if error.kind() == ErrorKind::StorageFull => logged(
                ProblemCode::StorageFull,
                "The server's disk has no room for the archive. Nothing was imported; free some space, then try again.",
                &error,
            ),
            Self::File(error) => logged(
                ProblemCode::StorageUnavailable,
                "The server cannot write to its data directory. Tell the operator, then try again.",
                &error,
            ),
            Self::Lifecycle(error) => error.into_problem(),
            Self::Metering(error) => error.into_problem(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_to_a_few_and_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let left = data.path().join(DIRECTORY).join("left");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join(FILE), "of a process that was killed").unwrap();
        let transits = Transits::open(data.path());
        assert!(!left.exists());
        let places: Vec<_> = (0..MOST_AT_ONCE).map(|_| transits.place().unwrap()).collect();
        assert!(matches!(transits.place(), Err(ArchiveError::Crowded)));
        std::fs::write(places[0].file(), "x").unwrap();
        drop(places);
        assert_eq!(std::fs::read_dir(data.path().join(DIRECTORY)).unwrap().count(), 0);
        transits.place().unwrap();
    }
}
