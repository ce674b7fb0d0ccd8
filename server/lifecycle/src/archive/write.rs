//! Writing an archive: under another name, for its owner alone, until it is whole.

use super::{FORMAT, MAGIC, Manifest, Mark, Opening, Piece, TableSum, content_sha256, hex};
use crate::LifecycleError;
use flate2::{Compression, write::GzEncoder};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{BufWriter, Error, ErrorKind, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tenancy::ChainReport;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};

/// Pieces that wait for the disk.
const WAITING: usize = 4;

/// What goes to the file, and is hashed on the way.
struct Hashed {
    file: BufWriter<File>,
    hasher: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.flush()
    }
}

struct OpenTable {
    plane: String,
    name: String,
    own: bool,
    rows: u64,
    hasher: Sha256,
}

/// An archive that is being written.
pub(crate) struct ArchiveWriter {
    to: PathBuf,
    partial: PathBuf,
    lines: GzEncoder<Hashed>,
    opening: Opening,
    open: Option<OpenTable>,
    done: Vec<TableSum>,
}

/// `FILE.partial`, beside where the archive will be.
fn partial(of: &Path) -> PathBuf {
    let mut name: OsString = of.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn head_line(sha256: &str) -> String {
    format!("{MAGIC} {FORMAT} sha256:{sha256}\n")
}

impl ArchiveWriter {
    /// What an interrupted export left under the passing name is written over.
    pub(crate) fn create(to: &Path, opening: Opening) -> Result<Self, LifecycleError> {
        if to.symlink_metadata().is_ok() {
            return Err(LifecycleError::FileExists(to.to_owned()));
        }
        let partial = partial(to);
        let failed = |source| LifecycleError::File { path: partial.clone(), source };
        let options = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&partial);
        let file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LifecycleError::FileInUse(to.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed)?;
        file.set_len(0).map_err(failed)?;
        let mut file = BufWriter::new(file);
        // Its place is kept; what belongs there is known at the end.
        file.write_all(head_line(&"0".repeat(64)).as_bytes()).map_err(failed)?;
        let lines = GzEncoder::new(Hashed { file, hasher: Sha256::new() }, Compression::default());
        let mut writer = Self { to: to.to_owned(), partial, lines, opening, open: None, done: Vec::new() };
        let opening = Mark::Archive(writer.opening.clone());
        writer.line(&opening)?;
        Ok(writer)
    }

    fn failed(&self, source: Error) -> LifecycleError {
        LifecycleError::File { path: self.partial.clone(), source }
    }

    fn line(&mut self, what: &impl Serialize) -> Result<Vec<u8>, LifecycleError> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.lines.write_all(&line).map_err(|error| self.failed(error))?;
        Ok(line)
    }

    fn put(&mut self, piece: Piece) -> Result<(), LifecycleError> {
        match piece {
            Piece::Table { head, own } => {
                self.end_table()?;
                let (plane, name) = (head.plane.clone(), head.name.clone());
                let line = self.line(&Mark::Table(head))?;
                let hasher = Sha256::new().chain_update(line);
                self.open = Some(OpenTable { plane, name, own, rows: 0, hasher });
            }
            Piece::Rows(rows) => {
                for row in rows {
                    let line = self.line(&row)?;
                    if let Some(table) = &mut self.open {
                        table.hasher.update(line);
                        table.rows += 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), LifecycleError> {
        if let Some(OpenTable { plane, name, own, rows, hasher }) = self.open.take() {
            let sha256 = hex(&hasher.finalize());
            self.line(&Mark::End { rows, sha256: sha256.clone() })?;
            self.done.push(TableSum { plane, name, rows, sha256, own });
        }
        Ok(())
    }

    /// Writes the manifest and the first line; the file is whole and on the disk, under its passing name.
    pub(crate) fn complete(mut self, audit: ChainReport) -> Result<Whole, LifecycleError> {
        self.end_table()?;
        let Opening { format, seam, engine, exported_at, tenant, slug, display_name } = self.opening.clone();
        let manifest = Manifest {
            format,
            seam,
            engine,
            exported_at,
            tenant,
            slug,
            display_name,
            content_sha256: content_sha256(&self.done),
            tables: std::mem::take(&mut self.done),
            audit_entries: audit.entries,
            audit_last_hash: audit.last_hash,
            audit_broken_at: audit.broken_at,
        };
        self.line(&Mark::Manifest(Box::new(manifest.clone())))?;
        let Self { to, partial, lines, .. } = self;
        let finish = || -> Result<File, Error> {
            let Hashed { file, hasher } = lines.finish()?;
            let mut file = file.into_inner().map_err(|error| error.into_error())?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(head_line(&hex(&hasher.finalize())).as_bytes())?;
            file.sync_all()?;
            Ok(file)
        };
        let file = finish().map_err(|source| LifecycleError::File { path: partial.clone(), source })?;
        Ok(Whole { to, partial, manifest, _locked: file })
    }
}

/// An archive that waits for its name.
pub(crate) struct Whole {
    to: PathBuf,
    partial: PathBuf,
    pub(crate) manifest: Manifest,
    _locked: File,
}

impl Whole {
    /// Gives it its name. Never takes one that is in use by then.
    pub(crate) fn publish(self) -> Result<Manifest, LifecycleError> {
        let named = match renameat_with(CWD, &self.partial, CWD, &self.to, RenameFlags::NOREPLACE) {
            // A file system that cannot promise it: the name was free when the export began.
            Err(Errno::INVAL | Errno::NOSYS) => std::fs::rename(&self.partial, &self.to),
            done => done.map_err(Error::from),
        };
        let failed = |source: Error| {
            if source.kind() == ErrorKind::AlreadyExists {
                LifecycleError::FileExists(self.to.clone())
            } else {
                LifecycleError::File { path: self.to.clone(), source }
            }
        };
        named.map_err(failed)?;
        let directory = self.to.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(self.manifest)
    }
}

/// Writes on a thread of its own what comes through the channel; ends when that is closed.
pub(crate) fn write_in_background(
    to: &Path,
    opening: Opening,
) -> (Sender<Piece>, JoinHandle<Result<ArchiveWriter, LifecycleError>>) {
    let (sender, mut receiver): (_, Receiver<Piece>) = mpsc::channel(WAITING);
    let to = to.to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = ArchiveWriter::create(&to, opening)?;
        while let Some(piece) = receiver.blocking_recv() {
            writer.put(piece)?;
        }
        Ok(writer)
    });
    (sender, writing)
}
