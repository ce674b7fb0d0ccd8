//! One server a data directory: files have one writer, and what is open in them belongs to it. Several nodes share a
//! PostgreSQL database, and each has a data directory of its own (docs/many-nodes.md).

use super::Failure;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    path::Path,
};

const FILE: &str = "seam.lock";

/// Held for as long as this process serves; the system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DataLock {
    _file: File,
}

/// Makes the data directory if need be, and proves that it can be written to.
pub(super) fn prepare(data_dir: &Path) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::new(format!("the data directory cannot be written to: {error}"))
            .at(data_dir.display().to_string())
            .remedy("give this user the right to write there, or choose another directory with SEAM_DATA_DIR")
    };
    std::fs::create_dir_all(data_dir).map_err(refused)?;
    let probe = data_dir.join(".seam-probe");
    File::create(&probe).and_then(|mut file| file.write_all(b"seam")).map_err(refused)?;
    std::fs::remove_file(&probe).map_err(refused)
}

impl DataLock {
    pub fn acquire(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join(FILE);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|error| {
            Failure::new(format!("the lock of the data directory cannot be opened: {error}"))
                .at(path.display().to_string())
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::new("another Seam serves from this data directory")
                .at(data_dir.display().to_string())
                .remedy(
                    "stop that one first. Several nodes serve together from one PostgreSQL database, given to all of them \
                     with SEAM_DATABASE_URL; then give each a directory of its own with SEAM_DATA_DIR",
                )),
            Err(TryLockError::Error(error)) => {
                Err(Failure::new(format!("the data directory cannot be locked: {error}"))
                    .at(path.display().to_string())
                    .remedy("put it on a file system with locks; a network share often has none"))
            }
        }
    }

    /// Whether a server holds it now.
    pub fn is_held(data_dir: &Path) -> bool {
        File::open(data_dir.join(FILE)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path()).unwrap();
        assert!(!DataLock::is_held(dir.path()));
        let first = DataLock::acquire(dir.path()).unwrap();
        assert!(DataLock::is_held(dir.path()));
        let refused = DataLock::acquire(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("another Seam") && refused.contains("SEAM_DATA_DIR"), "{refused}");
        drop(first);
        DataLock::acquire(dir.path()).unwrap();
    }
}
